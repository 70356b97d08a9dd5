"""What decides is pure, by the folder that it lies in: no IO, no clock, no randomness, no event loop, no log.

`tests/support/purity.py` says what is not pure. The folders are walked whole, so a module is held as soon as it is
there; and so is what it needs of the rest of the product.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from support.purity import Impurity, at_run_time, impurities

ROOT = Path(__file__).parents[2]
LAYERS = ("config", "dispatch", "pollers", "service")
MODULES = {path.relative_to(ROOT) for layer in LAYERS for path in (ROOT / layer).rglob("*.py")}

CORE = "core"
"""Every folder of this name is pure …"""
FOLDERS = ("dispatch/patterns", "service/api/wire", "service/control")
"""… and so are these …"""
KINDS = ("config/kinds", "dispatch/kinds")
"""… and these, where they are."""
WITHOUT = ("service/control/store",)
"""Folders inside of those that are not."""

EXCEPTIONS: dict[tuple[str, str], str] = {
    (
        "config/fields/spoken.py",
        "expanduser()",
    ): "a configuration's paths are completed while it is read, not by what decides",
    ("dispatch/patterns/compile.py", "exec"): "makes a function out of code that holds no text of a user",
    ("pollers/schemas/core/protobuf.py", "importlib.import_module"): "Google's own types are modules of their own",
    ("service/api/wire/call.py", "collections.abc.Awaitable"): "the type of what serves a call; nothing waits here",
}
"""What is not pure and stays where it is, by module and use, with the reason: five at most."""

SAYS_SO = re.compile(r"(^|[.:;,] )pure[.;,]", re.IGNORECASE | re.MULTILINE)
"""In a docstring of a module."""


def is_in(module: Path, folder: str) -> bool:
    return module.is_relative_to(folder)


def is_walked(module: Path) -> bool:
    if any(is_in(module, folder) for folder in WITHOUT):
        return False
    return CORE in module.parts[:-1] or any(is_in(module, folder) for folder in (*FOLDERS, *KINDS))


def says_so(module: Path) -> bool:
    return bool(SAYS_SO.search(ast.get_docstring(parsed(module)) or ""))


@cache
def parsed(module: Path) -> ast.Module:
    return ast.parse((ROOT / module).read_text(), str(module))


WALKED = sorted(module for module in MODULES if is_walked(module) or (module.parts[0] == "config" and says_so(module)))
"""In `config` what is pure lies beside what is not: there a module is walked that says so."""


@cache
def imported(module: Path) -> set[Path]:
    """The modules of the product that a module needs when it runs."""
    package = module.parts[:-1]
    found = set()
    for node in at_run_time(parsed(module)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + tuple((node.module or "").split("."))
            found |= {Path(*base, each.name) for each in node.names} | {Path(*base)}
    return {each for path in found for each in (path.with_suffix(".py"), path / "__init__.py") if each in MODULES}


def reached(modules: Iterable[Path]) -> list[Path]:
    """What these need, and what that needs, and so on; without themselves."""
    known = set(modules)
    new = set(known)
    while new:
        new = {each for module in new for each in imported(module)} - known
        known |= new
    return sorted(known - set(modules))


def unexpected(module: Path, *, types: bool = False) -> list[Impurity]:
    found = impurities(parsed(module), types=types)
    return [each for each in found if (str(module), each.what) not in EXCEPTIONS]


@pytest.mark.parametrize("module", WALKED, ids=str)
def test_what_decides_is_pure(module: Path) -> None:
    for each in unexpected(module):
        pytest.fail(f"{module}:{each.line} uses {each.what}: it decides, and nothing else")


@pytest.mark.parametrize("module", reached(WALKED), ids=str)
def test_what_decides_needs_nothing_that_is_not_pure(module: Path) -> None:
    for each in unexpected(module, types=True):
        users = ", ".join(str(user) for user in WALKED if module in imported(user))
        pytest.fail(f"{module}:{each.line} uses {each.what}, and is needed by what decides ({users or 'indirectly'})")


def test_what_says_that_it_is_pure_lies_in_a_folder_that_is_walked() -> None:
    assert [str(module) for module in sorted(MODULES) if says_so(module) and module not in WALKED] == []


def test_what_decides_by_the_architecture_lies_in_a_folder_that_is_walked() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    _, _, table = text.partition("| decides | question | driven by |\n|---|---|---|\n")
    rows = table.partition("\n\n")[0].splitlines()
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(named) > 15
    for name in named:
        modules = [module for module in MODULES if is_in(module, name.rstrip("/"))]
        assert modules, f"docs/architecture.md says that {name} decides: it is not there"
        assert [str(module) for module in modules if module not in WALKED] == [], name


def test_the_folders_are_there() -> None:
    assert all((ROOT / folder).is_dir() for folder in (*FOLDERS, *WITHOUT))


def test_exceptions_are_few_and_needed() -> None:
    assert len(EXCEPTIONS) <= 5
    assert all(EXCEPTIONS.values())
    for name, what in EXCEPTIONS:
        module = Path(name)
        assert what in [each.what for each in impurities(parsed(module), types=module not in WALKED)]


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("import anyio", "anyio"),
        ("from os import path", "os.path"),
        ("def f():\n    import threading", "threading"),
        ("from concurrent.futures import Future", "concurrent.futures.Future"),
        ("import datetime\nx = datetime.datetime.now()", "datetime.datetime.now"),
        ("from datetime import datetime as d\nx = d.utcnow", "datetime.datetime.utcnow"),
        ("from datetime import date\nx = date.today()", "datetime.date.today"),
        (
            "from datetime import datetime\nx = datetime.fromtimestamp(1)",
            "fromtimestamp() in local time",
        ),
        ("def f(at):\n    return at.astimezone()", "astimezone() in local time"),
        ("import uuid\nx = uuid.uuid4()", "uuid.uuid4"),
        ("from uuid import uuid1", "uuid.uuid1"),
        ("from pathlib import Path", "pathlib.Path"),
        ("import json\njson.load(x)", "json.load"),
        ("x = open('f')", "open"),
        ("print(1)", "print"),
        ("async def f(): ...", "async def f"),
        ("async def f():\n    await g()", "await"),
        ("from contextlib import asynccontextmanager", "contextlib.asynccontextmanager"),
        ("from collections.abc import Awaitable", "collections.abc.Awaitable"),
        ("def f(clock):\n    return clock.wall()", "wall()"),
        ("class A:\n    def f(self):\n        return self._clock.monotonic()", "monotonic()"),
        ("def f(jitter):\n    return jitter()", "jitter()"),
        ("class A:\n    def f(self):\n        return self._jitter()", "jitter()"),
    ],
)
def test_what_is_not_pure_is_seen(code: str, what: str) -> None:
    assert what in [each.what for each in impurities(ast.parse(code))]


@pytest.mark.parametrize(
    "code",
    [
        "from datetime import UTC, datetime\nx = datetime.fromtimestamp(1, UTC)",
        "from uuid import UUID\nx = UUID(int=1)",
        "from pathlib import PurePath\nx = PurePath('a') / 'b'",
        "import email.utils\nx = email.utils.parsedate_to_datetime",
        "def f(now, jitter):\n    return now.monotonic + now.wall + jitter",
        "class A:\n    def open(self): ...\n\nA().open()",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from aiokafka import TopicPartition",
        "from contextlib import contextmanager",
    ],
)
def test_what_is_pure_passes(code: str) -> None:
    assert impurities(ast.parse(code)) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("class P(Protocol):\n    async def f(self):\n        'Waits.'\n        ...", []),
        ("class C:\n    async def f(self):\n        return 1", ["async def f"]),
        ("from pathlib import Path\n\nclass C:\n    code: Path", []),
        ("from pathlib import Path\n\ndef f(code: Path):\n    return code.exists()", ["exists()"]),
    ],
)
def test_types_may_be_declared_and_not_used(code: str, found: list[str]) -> None:
    assert [each.what for each in impurities(ast.parse(code), types=True)] == found

"""The files and the names that CONTRIBUTING.md and the docstrings mention exist; docstrings name their thing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from support.wheel import LAYERS, ROOT, tracked

FILE = re.compile(r"(?<![\w/.<>*-])((?:[\w-]+/)*[\w-]+\.(?:py|md|toml))\b")
DOTTED = re.compile(rf"(?<![\w/.])((?:{'|'.join(LAYERS)})(?:\.(?!py\b)\w+)+)")
NAME = re.compile(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?:\([^`]*\))?`")
WORD = re.compile(r"[A-Za-z_]\w*")
OF_USERS = {"app.py", "lambda_function.py", "cdk.py", "index.py", "samconfig.toml", "pyproject.toml"}
"""Files that users have."""


@cache
def files() -> frozenset[str]:
    return frozenset(str(path) for path in tracked("*.py", "*.md", "*.toml", "*.js"))


@cache
def endings() -> frozenset[str]:
    """Every way to name a file: its path, and its path without the first folders."""
    parts = [path.split("/") for path in files()]
    return frozenset("/".join(each[start:]) for each in parts for start in range(len(each)))


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), path)


def sources() -> list[str]:
    return sorted(path for path in files() if path.endswith(".py") and path.split("/")[0] in LAYERS)


def docstrings(path: str) -> Iterator[str]:
    """The docstrings of a module, its classes, its functions and its fields."""
    for node in ast.walk(tree(path)):
        for statement in getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []:
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield text


def resolves(dotted: str) -> bool:
    """Whether it is a package, a module, or a name at the top of one, with whatever members."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        path = "/".join(parts[:end])
        if f"{path}.py" in files():
            return end == len(parts) or parts[end] in top_level(f"{path}.py")
        if (ROOT / path).is_dir():
            return end == len(parts) or parts[end] in top_level(f"{path}/__init__.py")
    return False


def top_level(path: str) -> set[str]:
    names: set[str] = set()
    for node in tree(path).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.ImportFrom(names=imported) | ast.Import(names=imported):
                names |= {each.asname or each.name for each in imported}
    return names


def test_a_docstring_names_files_and_modules_that_exist() -> None:
    unknown = []
    for path in sources():
        text = "\n".join(docstrings(path))
        unknown += [f"{path}: {name}" for name in FILE.findall(text) if name not in endings() | OF_USERS]
        unknown += [f"{path}: {name}" for name in DOTTED.findall(text) if not resolves(name)]
    assert unknown == []


def test_a_docstring_names_its_thing() -> None:
    """Begun with Of or As it would have neither a subject nor a verb."""
    found = [
        f"{path}: {text.split(chr(10))[0]}"
        for path in sources()
        for text in docstrings(path)
        if text.startswith(("Of ", "As "))
    ]
    assert found == []


@cache
def words() -> frozenset[str]:
    every = (path for path in files() if path.endswith(".py"))
    return frozenset(word for path in every for word in WORD.findall((ROOT / path).read_text()))


def test_contributing_names_files_and_things_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert [name for name in FILE.findall(text) if name not in endings() and name != "following.py"] == []
    assert [name for name in DOTTED.findall(text) if not resolves(name)] == []
    lists = text.partition("\n## How to add a source")[2]
    names = {part for name in NAME.findall(lists) if name not in endings() for part in name.split(".")}
    assert sorted(names - words()) == []


@pytest.mark.parametrize(("name", "is_there"), [("pollers.core.lifecycle", True), ("pollers.lifecycle", False)])
def test_a_name_without_its_room_is_noticed(name: str, is_there: bool) -> None:
    assert resolves(name) is is_there
    assert Path(ROOT, "pollers", "core", "lifecycle.py").exists()

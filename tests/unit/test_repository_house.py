"""The house: the script of `.ci/house.py` finds nothing, and each of its rules finds what breaks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import ci

ROOT = Path(__file__).parents[2]
house = ci.script("house")


def test_nothing_is_broken() -> None:
    assert house.faults(house.House.read(ROOT)) == []


def built(root: Path, files: dict[str, str]) -> list[str]:
    """What is found in a product of these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for directory in (path.parent, *path.parent.parents):
            if directory == root:
                break
            (directory / "__init__.py").touch()
        path.write_text(text)
    found: list[str] = house.faults(house.House.read(root))
    return found


ROOMS = "telemetry, control, running, async_invoke, api, templates, wiring, testing, cli"


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        (
            {"config/a.py": "from ..dispatch import b\n", "dispatch/b.py": ""},
            "config/a.py:1 imports dispatch/b.py, which is above it",
        ),
        (
            {"service/telemetry/a.py": "def f():\n    from ..control.b import c\n", "service/control/b.py": "c = 1\n"},
            "service/telemetry/a.py:2 imports service/control/b.py, which is above it",
        ),
        (
            {"service/control/a.py": "from .. import wiring\n", "service/wiring/b.py": ""},
            "service/control/a.py:1 imports service/wiring/__init__.py, which is above it",
        ),
        (
            {"service/a.py": ""},
            f"service/a.py is in no room of service: {ROOMS}",
        ),
        (
            {"service/cli/a.py": "from ...pollers.sqs.source import S\n", "pollers/sqs/source.py": "class S: ...\n"},
            "service/cli/a.py:1 imports pollers/sqs/source, which wiring alone may know",
        ),
        (
            {"config/x/a.py": "from ..y import b\n", "config/y/b.py": "from ..x import a\n"},
            "a cycle of packages: config/x -> config/y (1); config/y -> config/x (1)",
        ),
        (
            {"config/a.py": "class One: ...\n", "dispatch/b.py": "class A:\n    class _One: ...\n"},
            "the class name One exists 2 times: config/a.py:1, dispatch/b.py:2",
        ),
    ],
    ids=["layer", "room", "room as a package", "no room", "concrete", "cycle", "class"],
)
def test_each_rule_finds_what_breaks_it(tmp_path: Path, files: dict[str, str], fault: str) -> None:
    assert built(tmp_path, files) == [fault]


def test_wiring_may_know_what_implements_a_protocol(tmp_path: Path) -> None:
    source = "from ...pollers.sqs.source import SqsSource\n"
    assert built(tmp_path, {"service/wiring/a.py": source, "pollers/sqs/source.py": "class SqsSource: ...\n"}) == []


def test_the_plan_names_each_room_with_its_size_and_its_imports(tmp_path: Path) -> None:
    files = {"config/a.py": "x = 1\n", "dispatch/core/b.py": "from ...config.a import x\n\nprint(x)\n"}
    assert built(tmp_path, files) == []
    lines = [line.split() for line in house.plan(house.House.read(tmp_path))]
    assert ["dispatch/core", "2", "3", "config"] in lines
    assert next(house.totals(house.House.read(tmp_path))) == "lines: config 1, dispatch 3"


def test_exceptions_are_few_and_needed() -> None:
    assert len(house.TWICE) <= 5
    assert all(house.TWICE.values())

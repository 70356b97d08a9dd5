"""The list of planted bugs fits the sources of today: `make proof` plants them, this only looks."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

from support.planted import Bug, bugs, path_of
from support.wheel import ROOT

LEAST = 16
BUGS = bugs()


@functools.cache
def functions(path: Path) -> frozenset[str]:
    """The tests of a file, as they follow the path in an id."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(), str(path)).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if hasattr(each, "name")}
    return frozenset(found)


def test_there_are_enough_and_each_has_its_own_name() -> None:
    assert len(BUGS) >= LEAST
    assert len({bug.id for bug in BUGS}) == len(BUGS)
    assert len({(bug.file, bug.old, bug.new) for bug in BUGS}) == len(BUGS)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.id)
def test_it_can_be_planted(bug: Bug) -> None:
    text = (ROOT / bug.file).read_text()
    changed = bug.planted(text)
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text))


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.id)
def test_the_tests_that_must_notice_it_exist(bug: Bug) -> None:
    assert bug.tests
    for test in bug.tests:
        assert path_of(test).is_file(), test
        _, _, name = test.partition("::")
        assert name.partition("[")[0] in functions(path_of(test)), test


def test_a_text_that_is_not_there_once_is_told() -> None:
    bug = Bug("two", "nothing", "dispatch/core/steps.py", "a", "b", ("tests/unit/test_steps.py",))
    for text in ("", "aa"):
        with pytest.raises(ValueError, match=f"planted bug two: its old text stands {len(text)} times"):
            bug.planted(text)
    assert bug.planted("cat") == "cbt"

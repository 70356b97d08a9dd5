"""The list of planted bugs fits the sources of today: `make proof` plants them, this only looks."""

from __future__ import annotations

import ast
import functools
from dataclasses import replace
from pathlib import Path

import pytest

from support.planted import Bug, bugs, path_of
from support.wheel import ROOT

LEAST = 249
BUGS = bugs()
BUG = Bug("loud", "nothing", "dispatch.core.backoff:Backoff.delay", "$x", ("tests/unit/test_backoff.py",), becomes="$x")


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
    changes = {(bug.where, bug.find, bug.nth, bug.becomes, bug.delete, bug.before, bug.after) for bug in BUGS}
    assert len(changes) == len(BUGS)


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


def test_only_the_outermost_statement_around_a_bug_is_written_anew() -> None:
    bug = replace(BUG, where="m:C.f", find="$old + 1", becomes="$old - 1")
    text = (
        "x  =  1 # one\n\n@wrap\nclass C:\n  @cached\n  def f(self): # two\n    return (self.x+1)\n\ny  =  2 # three\n"
    )
    assert bug.planted(text) == (
        "x  =  1 # one\n\n"
        "@wrap\nclass C:\n\n    @cached\n    def f(self):\n        return self.x - 1\n\n"
        "y  =  2 # three\n"
    )


@pytest.mark.parametrize(
    ("changes", "planted"),
    [
        ({"find": "old()", "becomes": "new()"}, "def f():\n    a()\n    new()\n    a()\n"),
        ({"find": "old()", "delete": True}, "def f():\n    a()\n    a()\n"),
        ({"find": "old()", "before": "new()"}, "def f():\n    a()\n    new()\n    old()\n    a()\n"),
        ({"find": "old()", "after": "new()"}, "def f():\n    a()\n    old()\n    new()\n    a()\n"),
        ({"find": "a()", "nth": 2, "becomes": "new()"}, "def f():\n    a()\n    old()\n    new()\n"),
        ({"where": "m", "find": "def f(): ...", "after": "f()"}, "def f():\n    a()\n    old()\n    a()\nf()\n"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_a_bug_can_be_planted_in_four_ways(changes: dict[str, object], planted: str) -> None:
    bug = replace(BUG, **({"where": "m:f", "becomes": None} | changes))  # type: ignore[arg-type]
    assert bug.planted("def f():\n  a()\n  old()\n  a()\n") == planted


@pytest.mark.parametrize(
    ("where", "find", "told"),
    [
        ("dispatch.core.backoff:Backoff.delay", "nowhere($x)", "stands 0 times in dispatch.core.backoff:Backoff.delay"),
        ("dispatch.core.backoff:Backoff", "self.$x", r"stands [3-9] times in dispatch.core.backoff:Backoff, not once"),
        ("dispatch.core.steps:Backoff.delay", "$x", "no Backoff.delay in .*; there is one: dispatch.core.backoff:Back"),
        ("dispatch.core.steps:Backoff.nothing", "$x", "no Backoff.nothing in dispatch/core/steps.py; say in tests"),
        (
            "dispatch.core.backoff:Backoff.delay",
            "$back_off.bisect and len($part.records) > 1",
            "it stands in dispatch.core.planner:Planner._on_failure; say in tests/proof/planted how",
        ),
    ],
    ids=["found nowhere", "found often", "moved function", "lost function", "moved statement"],
)
def test_a_bug_that_fits_no_more_says_where_it_may_belong(where: str, find: str, told: str) -> None:
    bug = replace(BUG, where=where, find=find)
    with pytest.raises(ValueError, match=f"planted bug loud: .*{told}"):
        bug.planted((ROOT / bug.file).read_text())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"becomes": None}, "it says nothing of becomes, delete, before, after, not one"),
        ({"delete": True}, "it says becomes and delete of"),
        ({"becomes": "$other"}, r"\$other stands for nothing"),
        ({"becomes": "$x +"}, "invalid syntax"),
        ({"find": "if $x"}, "'if \\$x' is no Python: expected ':'"),
        ({"becomes": "pass"}, "an expression inside of a statement cannot become statements"),
        ({"nth": 3}, "stands 1 times"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_an_entry_that_makes_no_sense_is_refused(changes: dict[str, object], told: str) -> None:
    bug = replace(BUG, **({"where": "m:f", "find": "$x + 1"} | changes))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=told):
        bug.planted("def f():\n  return a + 1\n")

"""What `make coverage` makes of a report, and whether its list of exceptions fits the sources of today."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import measured
from support.unmeasured import Allowed, Missed, compare, exceptions, missed
from support.wheel import ROOT

PLANNER = "dispatch/core/planner.py"
RETRIES = Allowed("dispatch.core.planner:Planner._on_failure", "if $policy.bisect and $_: ...", "no reason")


def line_of(text: str, file: str = PLANNER) -> int:
    (number,) = [at for at, line in enumerate((ROOT / file).read_text().splitlines(), 1) if text in line]
    return number


@pytest.mark.parametrize("entry", exceptions(), ids=lambda entry: entry.where)
def test_an_exception_is_about_code_that_is_there(entry: Allowed) -> None:
    file, lines = entry.lines()
    assert measured.is_pure(Path(file))
    assert lines
    assert entry.reason


@pytest.mark.parametrize(
    ("path", "pure"),
    [
        ("dispatch/core/planner.py", True),
        ("dispatch/patterns/tree.py", True),
        ("pollers/kafka/core/records.py", True),
        ("service/control/mappings/answers.py", True),
        ("service/control/store/code.py", False),
        ("service/running/mappings.py", False),
        ("dispatch/dispatcher.py", False),
    ],
)
def test_what_decides_is_measured(path: str, pure: bool) -> None:
    assert measured.is_pure(Path(path)) is pure
    assert (Path(path) in measured.pure_modules()) is pure


def test_lines_that_are_never_run_have_no_branches_of_their_own() -> None:
    report = {"files": {PLANNER: {"missing_lines": [3, 4], "missing_branches": [[2, 3], [3, 5], [9, -1]]}}}
    assert [(each.line, each.what) for each in missed(report, Path(PLANNER))] == [
        (3, "is never run"),
        (4, "is never run"),
        (2, "never goes on at line 3"),
        (9, "never goes on to the end"),
    ]


def test_a_module_that_nobody_imports_is_told() -> None:
    assert list(missed({"files": {}}, Path(PLANNER))) == [Missed(PLANNER, 1, "is never imported")]


def test_an_exception_covers_its_code_and_nothing_else() -> None:
    inside = Missed(PLANNER, line_of("return self._halve(part)"), "is never run")
    before = Missed(PLANNER, line_of("part.failure = outcome"), "is never run")
    elsewhere = Missed("dispatch/core/slots.py", inside.line, "is never run")
    assert compare([before, inside, elsewhere], [RETRIES]) == ([before, elsewhere], [])


def test_an_exception_that_is_not_needed_is_told() -> None:
    left, problems = compare([], [RETRIES])
    assert left == []
    assert problems == [f"tests/coverage.toml: tests take all of {RETRIES.find!r} in {RETRIES.where}: remove it"]


def test_an_exception_whose_code_is_gone_is_told() -> None:
    gone = Allowed("dispatch.core.planner:Planner._on_failure", "if $policy.never: ...", "no reason")
    one = Missed(PLANNER, 1, "is never run")
    left, (problem,) = compare([one], [gone])
    assert left == [one]
    assert problem.startswith(f"tests/coverage.toml: what it looks for stands 0 times in {gone.where}, not once")

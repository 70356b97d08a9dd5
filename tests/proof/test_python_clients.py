"""Small functions for Python under AWS's own client as it is, and through our start of it: the same answers and log."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.runtimes.cases import Case
from support.runtimes.python_suite import CASES, DIFFERENCES, observe_as
from support.runtimes.recorded import quick, recorded

DIFFERENT = {name for difference in DIFFERENCES for name in difference.cases}


def test_the_suite_and_its_list_of_differences_are_what_they_claim() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 60
    assert set(names) >= DIFFERENT
    assert len(DIFFERENCES) < 5


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_ours_does_as_awss_client_does(case: Case, tmp_path: Path) -> None:
    ours = await observe_as(case, "ours", tmp_path / "ours")
    aws = await observe_as(case, "aws", tmp_path / "aws")
    assert (ours == aws) is (case.name not in DIFFERENT)


@pytest.mark.parametrize("case", quick(CASES).values(), ids=lambda case: case.name)
async def test_what_was_recorded_is_what_awss_client_does(case: Case, tmp_path: Path) -> None:
    assert await observe_as(case, "aws", tmp_path / "function") == recorded("python")[case.name]

"""Small functions for Node.js under AWS's own clients and under ours: the same answers, the same log.

Each runs on this machine's Node.js, and on those that Lambda has, where npm has them for this machine.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support.runtimes.cases import Case
from support.runtimes.node_rigs import AsOf, Generation, Native, natives
from support.runtimes.node_suite import CASES, DIFFERENCES, differs
from support.runtimes.recorded import quick_nodes, recorded

pytestmark = pytest.mark.needs("node", "npm", "cmake", "g++")

LISTED = {name for difference in DIFFERENCES for name in difference.cases}
ALWAYS = {name for difference in DIFFERENCES if difference.always for name in difference.cases}
MAJORS = (None, 22, 24)
"""Versions of Node.js; None: this machine's."""


def test_the_suite_and_its_list_of_differences_are_what_they_claim() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 60
    assert set(names) >= LISTED
    assert len(DIFFERENCES) < 5


@pytest.fixture(params=MAJORS, ids=lambda major: f"node{major or ''}")
def native(request: pytest.FixtureRequest) -> Native:
    found = natives()
    if request.param is None:
        return found[0]
    return next((each for each in found[1:] if each.major == request.param), found[0])


@pytest.mark.semantics("FN-42", "FN-44", "FN-45", "FN-47", "FN-48")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_ours_does_as_awss_client_does(native: Native, case: Case, tmp_path: Path) -> None:
    ours = await native.observe(case, "ours", tmp_path / "ours")
    if not differs(case, native.generation):
        assert ours == await native.observe(case, "aws", tmp_path / "aws")


@pytest.mark.parametrize("name", sorted(ALWAYS))
async def test_a_listed_difference_is_one_on_some_version(name: str, tmp_path: Path) -> None:
    (case,) = [each for each in CASES if each.name == name]
    for number, native in enumerate(natives()):
        ours = await native.observe(case, "ours", tmp_path / f"ours-{number}")
        if ours != await native.observe(case, "aws", tmp_path / f"aws-{number}"):
            return
    raise AssertionError("seen alike everywhere: take it off the list")


@pytest.mark.parametrize(("generation", "case"), quick_nodes())
async def test_what_was_recorded_is_what_awss_client_does(generation: Generation, case: Case, tmp_path: Path) -> None:
    assert await AsOf(generation).observe(case, "aws", tmp_path / "function") == recorded(generation)[case.name]

"""Small functions under our clients, held against what was seen under AWS's; `make proof` runs both."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.runtimes import python_suite
from support.runtimes.cases import Case
from support.runtimes.node_rigs import AsOf, Generation
from support.runtimes.recorded import quick, quick_nodes, recorded


@pytest.mark.needs("node")
@pytest.mark.semantics("FN-42", "FN-44", "FN-45", "FN-47", "FN-48")
@pytest.mark.parametrize(("generation", "case"), quick_nodes())
async def test_a_node_function_is_seen_as_under_awss_client(generation: Generation, case: Case, tmp_path: Path) -> None:
    assert await AsOf(generation).observe(case, "ours", tmp_path / "function") == recorded(generation)[case.name]


@pytest.mark.semantics("FN-43")
@pytest.mark.parametrize("case", quick(python_suite.CASES).values(), ids=lambda case: case.name)
async def test_a_python_function_is_seen_as_under_awss_client(case: Case, tmp_path: Path) -> None:
    assert await python_suite.observe_as(case, "ours", tmp_path / "function") == recorded("python")[case.name]

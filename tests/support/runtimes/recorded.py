"""What was seen of the quick cases under AWS's clients, so that each test run holds ours against it.

    PYTHONPATH=tests .venv/bin/python -m support.runtimes.recorded

records it anew. `make proof` says when that is due.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from . import node_suite, python_suite
from .cases import Case, Seen
from .node_rigs import GENERATIONS, AsOf

DIRECTORY = Path(__file__).parent / "recorded"

Observe = Callable[[Case, Path], Awaitable[Seen]]


def quick(cases: Iterable[Case]) -> dict[str, Case]:
    return {case.name: case for case in cases if case.quick}


def quick_nodes() -> list[Any]:
    """Generation and case, as parameters of a test."""
    return [
        pytest.param(generation, case, id=f"{generation}-{case.name}")
        for generation in GENERATIONS
        for case in quick(node_suite.CASES).values()
        if not node_suite.differs(case, generation)
    ]


def recorded(name: str) -> dict[str, Seen]:
    """`callbacks`, `promises` or `python`."""
    seen: dict[str, Seen] = json.loads((DIRECTORY / f"{name}.json").read_text())
    return seen


async def _record(name: str, cases: dict[str, Case], observe: Observe) -> None:
    seen = {}
    for case in cases.values():
        with tempfile.TemporaryDirectory() as directory:
            seen[case.name] = await observe(case, Path(directory) / "function")
    DIRECTORY.mkdir(exist_ok=True)
    text = json.dumps(seen, indent=1, ensure_ascii=False)
    (DIRECTORY / f"{name}.json").write_text(f"{text}\n")


async def _main() -> None:
    for generation in GENERATIONS:
        cases = [case for case in node_suite.CASES if not node_suite.differs(case, generation)]
        await _record(generation, quick(cases), partial(_node, AsOf(generation)))
    await _record("python", quick(python_suite.CASES), _python)


async def _node(rig: AsOf, case: Case, directory: Path) -> Seen:
    return await rig.observe(case, "aws", directory)


async def _python(case: Case, directory: Path) -> Seen:
    return await python_suite.observe_as(case, "aws", directory)


if __name__ == "__main__":
    anyio.run(_main)

"""Lines and branches of the pure parts that no test takes, and those of them that may be so: `tests/coverage.toml`.

    [[exception]]
    where = "dispatch.core.model:Position.parse"     see `anchors.py`
    find = "if $x is None: ..."                      the piece of code in which the line, or the start of the branch, is
    reason = "why no test can take it"

An entry that is not needed any more is as wrong as one that is missing.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import code_patterns
from support.anchors import Anchor
from support.wheel import ROOT

LIST = ROOT / "tests" / "coverage.toml"


@dataclass(frozen=True, slots=True)
class Missed:
    """A line that is never run, or a branch that is never taken."""

    file: str
    line: int
    """Where the branch begins."""
    what: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """One entry of the list."""

    where: str
    find: str
    reason: str

    def lines(self) -> tuple[str, range]:
        """The file, and the lines of it. Raises ValueError where the code is not there once."""
        anchor = Anchor(self.where, self.find)
        found = anchor.found(ast.parse((ROOT / anchor.file).read_text()))
        first = code_patterns.node_at(found.way)
        owner, field, index = found.way[-1]
        last = first if index is None else getattr(owner, field)[index + found.length - 1]
        return anchor.file, range(first.lineno, last.end_lineno + 1)


def exceptions() -> list[Allowed]:
    return [Allowed(**entry) for entry in tomllib.loads(LIST.read_text()).get("exception", [])]


def compare(missed: Sequence[Missed], allowed: Sequence[Allowed]) -> tuple[list[Missed], list[str]]:
    """What is missed and not allowed, and what is wrong with the list."""
    left, problems = list(missed), []
    for entry in allowed:
        try:
            file, lines = entry.lines()
        except ValueError as error:
            problems.append(f"{LIST.relative_to(ROOT)}: {error}")
            continue
        covered = [each for each in missed if each.file == file and each.line in lines]
        if not covered:
            problems.append(f"{LIST.relative_to(ROOT)}: tests take all of {entry.find!r} in {entry.where}: remove it")
        left = [each for each in left if each not in covered]
    return left, problems


def missed(report: Mapping[str, Any], path: Path) -> Iterator[Missed]:
    """Of one module, by the JSON report of coverage.py. A line that is never run has no branches of its own."""
    file = str(path)
    found = report["files"].get(file)
    if found is None:
        yield Missed(file, 1, "is never imported")
        return
    for line in found["missing_lines"]:
        yield Missed(file, line, "is never run")
    for line, end in found["missing_branches"]:
        if line not in found["missing_lines"]:
            yield Missed(file, line, f"never goes on {'to the end' if end < 0 else f'at line {end}'}")

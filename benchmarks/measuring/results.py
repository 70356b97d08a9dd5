"""The results of all runs, one JSON object a line, in `benchmarks/results.jsonl`.

A row is one measure of one run: the ratio with its spread, both sides with their versions, date, commit and the load
of the machine. `measuring.page` makes docs/performance.md of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import ROOT

FILE = ROOT / "benchmarks" / "results.jsonl"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: its median, and what it is."""

    what: str
    """Name and version."""
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Row:
    goal: str
    measure: str
    date: str
    """UTC, to the second."""
    commit: str
    """Short; with a `+` behind it where the working tree had changes."""
    load: float
    """The machine's load average over a minute, at the end of the measurement: beside an idle machine it is about the
    benchmark's own."""
    ratio: float | None
    """The median; None where it was not measured."""
    least: float | None = None
    most: float | None = None
    rounds: int = 0
    ours: Side | None = None
    theirs: Side | None = None
    reason: str = ""
    """Why it was not measured."""
    curve: Mapping[str, float] = field(default_factory=dict)
    """Where the measure is a curve: microseconds for a record, by size."""

    def line(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value not in (None, "", {})})

    @classmethod
    def parse(cls, line: str) -> Row:
        found = json.loads(line)
        sides = {name: Side(**found[name]) for name in ("ours", "theirs") if name in found}
        return cls(**{"ratio": None, **found, **sides})


def read(file: Path = FILE) -> Sequence[Row]:
    """Oldest first; none where there is no file."""
    if not file.exists():
        return []
    return [Row.parse(line) for line in file.read_text().splitlines() if line]


def append(rows: Iterable[Row], file: Path = FILE) -> None:
    with file.open("a") as results:
        results.writelines(f"{row.line()}\n" for row in rows)

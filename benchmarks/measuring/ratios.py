"""Rounds in which two sides were measured, and the ratio that they give. Pure.

A ratio is taken inside a round, so that whatever else the machine did in it weighs on both sides. The median over the
rounds is the number; least and most are its spread.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LEAST = 1e-6
"""Seconds of CPU: a process that did not take a tick of its clock took this."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one side did in one round."""

    count: int
    """Records, messages or calls."""
    wall: float
    """Seconds."""
    cpu: float = 0.0
    """Seconds of the measured process alone; 0 where they were not measured."""
    all_cpu: float = 0.0
    """Seconds of the measured process and all its children."""

    @property
    def rate(self) -> float:
        """Records for a second by the clock."""
        return self.count / self.wall

    @property
    def cpu_rate(self) -> float:
        """Records for a second of the process's own CPU."""
        return self.count / max(self.cpu, LEAST)

    @property
    def all_cpu_rate(self) -> float:
        """Records for a second of CPU of all processes of this side."""
        return self.count / max(self.all_cpu, LEAST)


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some numbers, with the least and the most of them."""

    median: float
    least: float
    most: float
    rounds: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Raises ValueError for no values."""
        found = sorted(values)
        if not found:
            raise ValueError("a spread needs at least one value")
        return cls(statistics.median(found), found[0], found[-1], len(found))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Of two sides, round by round. Both have a number for each round."""
    return Spread.of(one / other for one, other in zip(ours, theirs, strict=True))

"""How many a second, over the last second, minute and quarter of an hour: pure."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

COUNTED = ("fetched", "filtered", "delivered", "failed", "discarded")
"""The counts that have rates."""
SPANS: Mapping[str, float] = {"1s": 1.0, "1m": 60.0, "15m": 900.0}
"""Seconds over which is averaged; what happened longer ago counts less and less."""


class Rate:
    """An average that forgets, for each span. `began`: when counting began (monotonic), so that a young average is not
    taken for a small one."""

    __slots__ = ("_at", "_began", "_levels", "total")

    def __init__(self, began: float) -> None:
        self._began = self._at = began
        self._levels = [0.0] * len(SPANS)
        self.total = 0
        """How many happened in all."""

    def add(self, number: int, now: float) -> None:
        """So many happened now (monotonic)."""
        passed = now - self._at
        self._at = now
        self.total += number
        for index, span in enumerate(SPANS.values()):
            self._levels[index] = self._levels[index] * exp(-passed / span) + number / span

    def per_second(self, now: float) -> dict[str, float]:
        """For each span, to three digits behind the point."""
        age, passed = max(1.0, now - self._began), now - self._at
        return {
            name: round(level * exp(-passed / span) / (1.0 - exp(-age / span)), 3)
            for level, (name, span) in zip(self._levels, SPANS.items(), strict=True)
        }

"""A machine whose wall clock steps in the middle of a scenario."""

from __future__ import annotations

from headrace.config.clock import LoopClock
from support.virtual_time import EPOCH

HOUR = 3600.0
STEPS = (2 * HOUR, -2 * HOUR, 600.0)
"""Seconds: a machine that slept, a clock that somebody set back, and one that NTP set."""


class SteppingClock(LoopClock):
    """The machine's clock. Its ages go on as if nothing had happened."""

    def __init__(self) -> None:
        super().__init__(EPOCH)
        self.stepped = 0.0

    def step(self, seconds: float) -> None:
        """Set the wall clock forward, or back."""
        self.stepped += seconds

    def wall(self) -> float:
        return super().wall() + self.stepped

    def steady(self) -> float:
        return super().steady()

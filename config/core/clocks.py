"""The clocks that may have given a record its time, as values. Pure. `config/clock.py` makes them, and the planner uses
them."""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 5.0
"""Differences up to this many seconds are no step: services tell whole seconds, and an answer takes time."""


@dataclass(frozen=True, slots=True)
class OtherClock:
    """A clock that may have given a record its time, other than the current one."""

    wall: float
    """The time that it would show now: seconds since the epoch."""
    ended: float = 0.0
    """Seconds since the service's clock left it; 0 for a clock that may still be right."""

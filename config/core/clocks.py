"""The clocks by which a record may have its time, as values. Pure. `config/clock.py` makes them, the planner judges by
them."""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 5.0
"""Seconds that are no step: services tell whole seconds, and an answer takes its time."""


@dataclass(frozen=True, slots=True)
class OtherClock:
    """A clock by which a record's time may have been told, other than the one that holds now."""

    wall: float
    """What it would say now: seconds since the epoch."""
    ended: float = 0.0
    """Seconds since the service's clock left it; 0 for one that may be right still."""

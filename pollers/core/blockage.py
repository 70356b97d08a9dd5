"""Decides when to report that one record blocks a full lane: once, and not for a lane that is only busy: pure.

    full ── the same record for BLOCKED_AFTER seconds ──► reported ── another record ──► full …

Used by `feed.py`.
"""

from __future__ import annotations

from ...dispatch.core.model import Lane, Position
from .marks import Stuck

BLOCKED_AFTER = 30.0
"""Seconds for which one record must block a full lane before it is reported, because a busy lane is full as well."""


class Blockage:
    """The record that blocks a lane of a feed, and since when."""

    def __init__(self) -> None:
        self._held: tuple[Lane, Position] | None = None
        self._until = 0.0
        self._reported: tuple[Lane, Position] | None = None

    def due(self, stuck: Stuck | None, now: float) -> Stuck | None:
        """The blockages to report now (monotonic seconds), of the lanes that are stuck at this moment."""
        held = None if stuck is None else (stuck.lane, stuck.blocker.position)
        if held != self._held:
            self._held, self._until = held, now + BLOCKED_AFTER
        if held is None or held == self._reported or now < self._until:
            return None
        self._reported = held
        return stuck

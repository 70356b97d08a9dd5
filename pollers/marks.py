"""How far the lanes of a feed are done, and what of that the store does not know yet: pure.

    fetched ─ add ─► open ─ done ─► mark moved ─ take ─► committed
                                        ▲                   │ not stored: put_back
                                        └───────────────────┘

What is committed of a lane is always one `Mark`: the highest position without a hole, and the state of the tumbling
window that belongs to it. Both are changed in one step by the feed, so that a crash never leaves the one without the
other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ..dispatch.model import Lane, OpenWindow, Record
from ..dispatch.watermark import Blocker, Watermark
from .source import Mark


@dataclass(frozen=True, slots=True)
class Stuck:
    """A lane whose watermark is at its cap, and the record that holds it."""

    lane: Lane
    blocker: Blocker
    records: int


class Marks:
    """The positions of one feed. `cap_records` and `cap_bytes` are per lane; `lane` and `window` as the reader restored
    them."""

    def __init__(
        self, cap_records: int, cap_bytes: int, lane: Lane | None = None, window: OpenWindow | None = None
    ) -> None:
        self._caps = (cap_records, cap_bytes)
        self._lane = lane
        self._window = window
        self._watermarks: dict[Lane, Watermark] = {}
        self._ended: set[Lane] = set()
        self._moved: set[Lane] = set()

    def add(self, record: Record, size: int) -> bool:
        """A record was fetched; `size` is what it occupies here, in bytes. False for one that its lane knows already (a
        fetch was repeated): it is to be dropped."""
        if record.position is None:
            return True
        mark = self._watermarks.get(record.lane)
        if mark is None:
            mark = self._watermarks[record.lane] = Watermark(*self._caps)
        return mark.add(record.position, size, record.key)

    def done(self, records: Iterable[Record]) -> None:
        """These records are done for good."""
        for record in records:
            watermark = self._watermarks.get(record.lane)
            if record.position is not None and watermark is not None and watermark.done(record.position):
                self._moved.add(record.lane)

    def keep(self, window: OpenWindow | None) -> None:
        """The window's state after the records that were done last."""
        if self._lane is not None and window != self._window:
            self._window = window
            self._moved.add(self._lane)

    def end(self, lanes: Collection[Lane]) -> None:
        """Nothing more will come of these lanes, and nothing of them waits: those that are done to their last record
        have ended."""
        ended = {lane for lane in lanes if lane not in self._watermarks or not self._watermarks[lane].pending}
        self._ended |= ended
        self._moved |= ended

    def forget(self, lanes: Collection[Lane]) -> None:
        """These lanes are another reader's now; when they come back, nothing is known of them."""
        for lane in lanes:
            self._watermarks.pop(lane, None)
        self._moved -= set(lanes)

    # --- what the store is to be told -------------------------------------------------------------------------------

    @property
    def unstored(self) -> bool:
        return bool(self._moved)

    def take(self) -> Mapping[Lane, Mark]:
        """What moved since it was last taken."""
        moved, self._moved = self._moved, set()
        return {lane: self._mark(lane) for lane in moved}

    def put_back(self, lanes: Iterable[Lane]) -> None:
        """The marks of these lanes were not stored."""
        self._moved.update(lanes)

    def _mark(self, lane: Lane) -> Mark:
        watermark = self._watermarks.get(lane)
        return Mark(
            watermark.mark if watermark else None,
            self._window if lane == self._lane else None,
            lane in self._ended,
        )

    # --- room -------------------------------------------------------------------------------------------------------

    @property
    def full(self) -> frozenset[Lane]:
        """Lanes of which nothing more may come for now."""
        return frozenset(lane for lane, mark in self._watermarks.items() if mark.full)

    @property
    def room(self) -> int:
        """How many records may still come, whatever lane they are of: of those that are not full."""
        return self._caps[0] - max((mark.records for mark in self._watermarks.values() if not mark.full), default=0)

    @property
    def stuck(self) -> Stuck | None:
        """A lane that is full, if there is one."""
        for lane, mark in self._watermarks.items():
            if mark.full and mark.blocker is not None:
                return Stuck(lane, mark.blocker, mark.records)
        return None

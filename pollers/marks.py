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
from .pool import Pool, weight
from .source import Mark


@dataclass(frozen=True, slots=True)
class Stuck:
    """A lane whose watermark is at its cap, and the record that holds it."""

    lane: Lane
    blocker: Blocker
    records: int


class Marks:
    """The positions of one feed. `cap_records` and `cap_bytes` are per lane; `lane` and `window` as the reader restored
    them. `pool` is shared with other feeds, from here to `close`."""

    def __init__(
        self,
        cap_records: int,
        cap_bytes: int,
        lane: Lane | None = None,
        window: OpenWindow | None = None,
        pool: Pool | None = None,
    ) -> None:
        self._caps = (cap_records, cap_bytes)
        self._pool = pool or Pool()
        self._pool.join()
        self._held = 0
        self._promised = 0.0
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
        added = mark.add(record.position, size, record.key)
        if added:
            self._held += weight(1, size)
            self._pool.take(weight(1, size))
        return added

    def done(self, records: Iterable[Record]) -> None:
        """These records are done for good."""
        for record in records:
            watermark = self._watermarks.get(record.lane)
            if record.position is not None and watermark is not None and watermark.done(record.position):
                self._moved.add(record.lane)
        self._weigh()

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
        self._weigh()

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
    def crowded(self) -> bool:
        """All feeds of the mapping together hold too much, and this one is among them."""
        return self._pool.full and self._held > 0

    def begin_fetch(self, limit: int, batch: int) -> int:
        """How many of `limit` records may be fetched now, whatever lane they are of that is not full. `batch`: so many
        does a batch still take."""
        left = self._caps[0] - max((mark.records for mark in self._watermarks.values() if not mark.full), default=0)
        records, self._promised = self._pool.promise(min(limit, left), batch)
        return records

    def end_fetch(self) -> None:
        """It brought what it brought."""
        self._pool.keep(self._promised)
        self._promised = 0.0

    def close(self) -> None:
        """Nothing of this feed is held any more."""
        self._give(self._held)
        self._pool.leave()

    def _weigh(self) -> None:
        """Give back what is not held any more."""
        self._give(self._held - sum(weight(mark.pending, mark.bytes) for mark in self._watermarks.values()))

    def _give(self, size: int) -> None:
        self._held -= size
        self._pool.give(size)

    @property
    def stuck(self) -> Stuck | None:
        """A lane that is full, if there is one."""
        for lane, mark in self._watermarks.items():
            if mark.full and mark.blocker is not None:
                return Stuck(lane, mark.blocker, mark.records)
        return None

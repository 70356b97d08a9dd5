"""The positions up to which the lanes of a feed are done, and which of them are not stored yet: pure.

    fetched ─ add ─► open ─ done ─► mark moved ─ take ─► committed
                                        ▲                   │ not stored: put_back
                                        └───────────────────┘

What is committed of a lane is always one `Mark`: the highest position without a hole, and the state of the tumbling
window that belongs to it. Both are changed in one step (`done_in_window`), so that a crash never leaves the one without
the other.

What may be fetched follows from what is here. A feed of one lane waits while its lane is full or all feeds hold too
much. A feed of many lanes never waits, so that no lane waits for another one: it passes over the lanes that are full.
While too much is here, it is *tight*: it passes over each lane that has its share as well, and fetches a batch at most.

    word      of             consequence
    full      lane           nothing is fetched from it until its watermark moves
    stuck     lane           full, with the record that blocks its watermark: it is reported
    crowded   all feeds      a feed of one lane waits
    tight     a feed         a feed of many lanes skips the lanes that hold their share

The bounds:

- all feeds together: the pool's cap, one fetch for each feed that went beyond it, and for each lane its share and a
  batch;
- one lane: the records of its cap and a share.

    lane:  below its share ── fetched ──► share reached ── passed over while tight ──► half of it done ── fetched again
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ...dispatch.core.model import Lane, OpenWindow
from ...dispatch.core.pages import Page, Records
from ...dispatch.core.watermark import Blocker, Watermark
from .mark import Mark
from .pool import Pool, weight

SHARE = 16
"""In a feed of many lanes, the share of a lane is one sixteenth of its caps, whatever the others hold. Records of a
lane may also exceed their cap by this part, so that one lane close to its cap never limits all others."""
RELIEF = 7 / 8
"""A tight feed stays tight until only this part of the load is left: the client drops the records that it gathered of a
skipped lane, and would fetch them again each time."""


@dataclass(frozen=True, slots=True)
class LaneRoom:
    """The limits of one fetch."""

    records: int
    skip: frozenset[Lane]
    """Lanes from which nothing is fetched."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """A lane whose watermark is at its limit, and the record that blocks it."""

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
        self._tight = False
        self._resting: frozenset[Lane] = frozenset()
        self._lane = lane
        self._window = window
        self._watermarks: dict[Lane, Watermark] = {}
        self._ended: set[Lane] = set()
        self._moved: set[Lane] = set()

    def fresh(self, page: Page) -> Page:
        """See `Watermark.fresh`; for a source without positions, the whole page."""
        return self._mark_of(page).fresh(page) if _has_positions(page) else page

    def add(self, page: Page) -> None:
        """These records were fetched and are fresh. Their serialised size counts as their memory."""
        if not _has_positions(page):
            return
        self._mark_of(page).add(page)
        size = weight(len(page), page.size)
        self._held += size
        self._pool.take(size, len(page))

    def done(self, records: Records) -> None:
        """These records are done for good."""
        for page in records.pages:
            mark = self._watermarks.get(page.lane)
            if mark is None or not _has_positions(page):
                continue
            before = weight(mark.pending, mark.bytes)
            if mark.done(page):
                self._moved.add(page.lane)
            self._give(before - weight(mark.pending, mark.bytes))

    def _mark_of(self, page: Page) -> Watermark:
        mark = self._watermarks.get(page.lane)
        if mark is None:
            mark = self._watermarks[page.lane] = Watermark(*self._caps)
        return mark

    def done_in_window(self, records: Records, window: OpenWindow | None) -> None:
        """Mark records as done, with `window`, the tumbling window after them. Both change in one step, so a window's
        state never belongs to another position."""
        self.done(records)
        if self._lane is not None and window != self._window:
            self._window = window
            self._moved.add(self._lane)

    def end(self, lanes: Collection[Lane]) -> None:
        """These lanes get no more records, and none of their records waits: lanes whose last record is done have
        ended."""
        ended = {lane for lane in lanes if lane not in self._watermarks or not self._watermarks[lane].pending}
        self._ended |= ended
        self._moved |= ended

    def forget(self, lanes: Collection[Lane]) -> None:
        """Another reader has these lanes now: forget them. When they come back, they start without history."""
        for lane in lanes:
            mark = self._watermarks.pop(lane, None)
            if mark is not None:
                self._give(weight(mark.pending, mark.bytes))
        self._moved -= set(lanes)

    # --- what the store is to be told -------------------------------------------------------------------------------

    @property
    def unstored(self) -> bool:
        return bool(self._moved)

    def take(self) -> Mapping[Lane, Mark]:
        """The marks that moved since the last `take`."""
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
        """Lanes from which no more records may be fetched at present."""
        return frozenset(lane for lane, mark in self._watermarks.items() if mark.full)

    @property
    def crowded(self) -> bool:
        """Whether all feeds of the mapping together hold too much, and this feed holds records. For a feed of one
        lane."""
        return self._pool.full and self._held > 0

    @property
    def tight(self) -> bool:
        """Whether the last fetch skipped the lanes that had their share. For a feed of many lanes."""
        return self._tight

    def begin_fetch(self, limit: int, batch: int, waiting: int = 0) -> LaneRoom:
        """Return what the feed may fetch now: `limit` records at most. `batch`: records that the open batch still
        takes; `waiting`: bytes that are in no batch yet."""
        skip, most = self.full, self._caps[0]
        if self._lane is None:
            self._judge(waiting, skip)
            skip, most = skip | self._resting, most + self._caps[0] // SHARE
        if self._tight:
            limit = min(limit, max(1, batch))
        left = most - max((mark.records for lane, mark in self._watermarks.items() if lane not in skip), default=0)
        records, self._promised = self._pool.promise(min(limit, left), batch)
        return LaneRoom(records, skip)

    def _judge(self, waiting: int, full: frozenset[Lane]) -> None:
        """Whether the feed holds too much, and which lanes hold their share."""
        much = RELIEF if self._tight else 1.0
        blocked = bool(full) and waiting >= much * self._caps[1]
        self._tight = blocked or self._pool.filled(much)
        self._resting = frozenset(filter(self._has_share, self._watermarks)) if self._tight else frozenset()

    def _has_share(self, lane: Lane) -> bool:
        mark, share = self._watermarks[lane], self._caps[1] // SHARE
        return weight(mark.pending, mark.bytes) >= (share // 2 if lane in self._resting else share)

    def end_fetch(self) -> None:
        """The fetch is over: free the memory that was promised to it."""
        self._pool.keep(self._promised)
        self._promised = 0.0

    def close(self) -> None:
        """The feed is over: its records occupy no memory any more."""
        self._give(self._held)
        self._pool.leave()

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


def _has_positions(page: Page) -> bool:
    return bool(page) and page.sheet.position(page.places[0]) is not None

"""Records into batches: by number, by bytes, by time. One Batcher is the queue before one slot (`slots`). Pure.

Batches are cut from the front of the queue; the *front* is what the next batch would hold if it were cut now:

      put ──►  … later … │ front │ ──► take        the front is full when no further record may join it
                         └───────┘                 (number, bytes, another group, a record decided beforehand)

A full front is taken at once. Any other is taken when its window has passed, which starts with its first record, but
not before the previous batch was completed: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
With a window of 0 that is at once, so whatever one fetch brought must be put in before the first `take`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import accumulate

from .events import Envelope
from .model import DiscardReason, Lane
from .pages import Page, Records, Sheet

PAYLOAD_LIMIT = 6_291_456
"""Bytes of an event at most: AWS's limit of a synchronous invocation, not adjustable."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch is full."""

    size: int
    """Records (BatchSize)."""
    window: float
    """Seconds to gather records (MaximumBatchingWindowInSeconds)."""
    envelope: Envelope
    payload: int = PAYLOAD_LIMIT
    """Bytes of the whole event."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Waiting records that came together and may go together."""

    page: Page
    size: int
    """Bytes of their elements in the event."""
    opened: float
    """Monotonic time at which they came."""
    discard: DiscardReason | None = None
    """Whether its fate is decided already. It is then one record, which goes to its planner alone."""
    group: int = 0
    """Records of different groups never share a batch."""

    def part(self, start: int, stop: int | None = None) -> Entry:
        """Some of them, as a slice is."""
        return self.having(self.page.part(start, stop))

    def having(self, page: Page) -> Entry:
        """The same with these of its records."""
        return Entry(page, page.size, self.opened, self.discard, self.group)


class Load:
    """The exact size of an event while records are added to it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lanes: set[Lane] = set()
        self.count = 0
        self.bytes = limits.envelope.overhead

    @property
    def full(self) -> bool:
        """The batch has its full number of records."""
        return self.count >= self._limits.size

    def add(self, entry: Entry) -> int:
        """Add as many of its records as fit, from the first on. Returns their number."""
        lane = entry.page.lane
        around = 0 if lane in self._lanes else self._limits.envelope.lane_overhead(lane)
        count = min(len(entry.page), self._limits.size - self.count)
        size = entry.size if count == len(entry.page) else entry.page.part(0, count).size
        if self._with(around, count, size) > self._limits.payload:
            count, size = self._fitting(around, entry.page.part(0, count))
        if count:
            self.bytes = self._with(around, count, size)
            self.count += count
            self._lanes.add(lane)
        return count

    def _with(self, around: int, count: int, size: int) -> int:
        """Bytes of the event with `count` further records. A comma separates two records."""
        return self.bytes + around + size + count - (0 if self.count else 1)

    def _fitting(self, around: int, page: Page) -> tuple[int, int]:
        """How many records of a page fit that does not fit as a whole, and their bytes."""
        sizes = list(accumulate(map(len, page.bodies)))
        count = bisect_right(
            range(1, len(sizes) + 1), self._limits.payload, key=lambda each: self._with(around, each, sizes[each - 1])
        )
        return count, sizes[count - 1] if count else 0


def entries(limits: Limits, page: Page, now: float, group: int = 0) -> Iterator[Entry]:
    """The entries of a page. A record with a flaw, or one that alone exceeds the limit, is an entry of its own and is
    decided already."""
    start = 0
    for index, reason in _decided(limits, page):
        if index > start:
            yield _entry(page.part(start, index), now, None, group)
        yield _entry(page.part(index, index + 1), now, reason, group)
        start = index + 1
    if start < len(page):
        yield _entry(page.part(start), now, None, group)


def _decided(limits: Limits, page: Page) -> list[tuple[int, DiscardReason]]:
    """The records of a page that no batch takes, as index and reason. Nearly every page has none."""
    most = limits.payload - limits.envelope.overhead - limits.envelope.lane_overhead(page.lane)
    bodies, flaws = page.bodies, page.sheet.flaws
    if not flaws and max(map(len, bodies), default=0) <= most:
        return []
    return [
        (index, flaws[place].reason if place in flaws else DiscardReason.OVERSIZED)
        for index, (place, body) in enumerate(zip(page.places, bodies, strict=True))
        if place in flaws or len(body) > most
    ]


def _entry(page: Page, now: float, discard: DiscardReason | None, group: int) -> Entry:
    return Entry(page, page.size, now, discard, group)


@dataclass(frozen=True, slots=True)
class Portion:
    """The result of `take`: records to invoke together, or one record that is already decided."""

    records: Records
    discard: DiscardReason | None = None
    group: int = 0


class Batcher:
    """The queue of one slot, which works on one batch at a time: `take`, then `completed`, then `take` again."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._entries: deque[Entry] = deque()
        self._front = Load(limits)
        self._full = False
        self._busy = False
        self._closed = False
        self._completed = float("-inf")
        self._count = 0
        self._bytes = 0

    def add(self, page: Page, now: float, *, group: int = 0) -> None:
        """Queue records. They are serialised here, once."""
        for added in entries(self._limits, page, now, group):
            self._entries.append(added)
            self._count += len(added.page)
            self._bytes += added.size
            self._admit(added)

    def take(self, now: float, *, flush: bool = False) -> Portion | None:
        """The next batch, when it is due; `flush`: when there is any. None too while a batch is out."""
        deadline = self.deadline()
        if deadline is None or (not flush and now < deadline):
            return None
        head = self._entries[0]
        taken = self._pop(1 if head.discard else self._front.count)
        self._busy = True
        self._refill()
        return Portion(Records(taken), head.discard, head.group)

    def _pop(self, count: int) -> list[Page]:
        """So many records from the front."""
        taken: list[Page] = []
        self._count -= count
        while count:
            head = self._entries.popleft()
            if count < len(head.page):
                self._entries.appendleft(head.part(count))
                head = head.part(0, count)
            taken.append(head.page)
            self._bytes -= head.size
            count -= len(head.page)
        return taken

    def begin(self) -> None:
        """A batch that holds none of these records is out (the end of a window)."""
        self._busy = True

    def completed(self, now: float) -> None:
        """The batch that is out has all its fates."""
        self._busy = False
        self._completed = now

    def close(self) -> None:
        """No more records come: waiting records need not wait for them."""
        self._closed = True

    def deadline(self) -> float | None:
        """When `take` gives the front, if no more comes: in the past for a full one; None for none."""
        if self._busy or not self._entries:
            return None
        opened = max(self._entries[0].opened, self._completed)
        return opened if self._full or self._closed else opened + self._limits.window

    def drop(self, lanes: Collection[Lane] | None = None) -> Records:
        """Take out the records of these lanes (None: all) for good."""
        return self.remove(lambda sheet, place: lanes is None or sheet.lane in lanes)

    def remove(self, unwanted: Callable[[Sheet, int], bool]) -> Records:
        """Take out these records for good, each told by its sheet and its place there."""
        removed: list[Page] = []
        kept: deque[Entry] = deque()
        for each in self._entries:
            gone, left = each.page.split(unwanted)
            removed.append(gone)
            if left:
                kept.append(each.having(left))
        self._entries = kept
        self._count = sum(len(each.page) for each in kept)
        self._bytes = sum(each.size for each in kept)
        self._refill()
        return Records(removed)

    @property
    def records(self) -> Records:
        """The waiting records, in order."""
        return Records(each.page for each in self._entries)

    @property
    def head_group(self) -> int | None:
        """The group of the next batch."""
        return self._entries[0].group if self._entries else None

    @property
    def busy(self) -> bool:
        """A batch is out."""
        return self._busy

    @property
    def bytes(self) -> int:
        """Bytes of the waiting records."""
        return self._bytes

    def __len__(self) -> int:
        return self._count

    def room(self) -> int:
        """How many more records the next batch takes, as far as their number goes."""
        return 0 if self._full else self._limits.size - self._front.count

    # --- the front --------------------------------------------------------------------------------------------------

    def _refill(self) -> None:
        self._front = Load(self._limits)
        self._full = False
        for each in self._entries:
            self._admit(each)
            if self._full:
                break

    def _admit(self, candidate: Entry) -> None:
        """Let the next that waits join the front, unless that is full: then, and only then, others wait behind."""
        if self._full:
            return
        fitting = self._front.add(candidate) if self._joins(candidate) else 0
        self._full = fitting < len(candidate.page) or self._front.full

    def _joins(self, candidate: Entry) -> bool:
        return candidate.discard is None and candidate.group == self._entries[0].group

"""Records into batches: by number, by bytes, by time. One Batcher is the queue before one slot (`slots`). Pure.

Batches are cut from the front of the queue; the *front* is what the next batch would hold if it were cut now:

      put ──►  … later … │ front │ ──► take        the front is full when no further record may join it
                         └───────┘                 (number, bytes, another group, a record decided beforehand)

A full front is taken at once. Any other is taken when its window has passed, which starts with its first record, but
not before the previous batch was completed: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
With a window of 0 that is at once, so whatever one fetch brought must be put in before the first `take`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from .events import Envelope
from .model import DiscardReason, Lane, Record

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
    """A waiting record."""

    record: Record
    size: int
    """Bytes of its element in the event."""
    opened: float
    """Monotonic time at which it came."""
    discard: DiscardReason | None = None
    """Whether its fate is decided already; it then goes to its planner alone."""
    group: int = 0
    """Records of different groups never share a batch."""


class Load:
    """The exact size of an event while records are added to it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lanes: set[Lane] = set()
        self.count = 0
        self.bytes = limits.envelope.overhead

    def cost(self, record: Record, size: int) -> int:
        """The bytes by which the event grows."""
        lane = 0 if record.lane in self._lanes else self._limits.envelope.lane_overhead(record.lane)
        return size + lane + (1 if self.count else 0)

    def add(self, record: Record, size: int) -> bool:
        """False when the record does not fit; then nothing has changed."""
        cost = self.cost(record, size)
        if self.count >= self._limits.size or self.bytes + cost > self._limits.payload:
            return False
        self.bytes += cost
        self.count += 1
        self._lanes.add(record.lane)
        return True


def entry(limits: Limits, record: Record, now: float, group: int = 0) -> Entry:
    """The entry of a record. A record with a flaw, or one that alone exceeds the limit, is decided already."""
    size = len(record.body)
    envelope = limits.envelope
    discard = record.flaw.reason if record.flaw else None
    if discard is None and envelope.overhead + envelope.lane_overhead(record.lane) + size > limits.payload:
        discard = DiscardReason.OVERSIZED
    return Entry(record, size, now, discard, group)


@dataclass(frozen=True, slots=True)
class Portion:
    """The result of `take`: records to invoke together, or one record that is already decided."""

    records: tuple[Record, ...]
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
        self._bytes = 0

    def add(self, record: Record, now: float, *, group: int = 0) -> None:
        """Queue a record. It is serialised here, once."""
        added = entry(self._limits, record, now, group)
        self._entries.append(added)
        self._bytes += added.size
        self._admit(added)

    def take(self, now: float, *, flush: bool = False) -> Portion | None:
        """The next batch, when it is due; `flush`: when there is any. None too while a batch is out."""
        deadline = self.deadline()
        if deadline is None or (not flush and now < deadline):
            return None
        head = self._entries[0]
        taken = [self._entries.popleft() for _ in range(1 if head.discard else self._front.count)]
        self._bytes -= sum(each.size for each in taken)
        self._busy = True
        self._refill()
        return Portion(tuple(each.record for each in taken), head.discard, head.group)

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

    def drop(self, lanes: Collection[Lane] | None = None) -> tuple[Record, ...]:
        """Take out the records of these lanes (None: all) for good."""
        return self.remove([each.record for each in self._entries if lanes is None or each.record.lane in lanes])

    def remove(self, records: Collection[Record]) -> tuple[Record, ...]:
        """Take out these records for good."""
        gone = {id(record) for record in records}
        kept = [each for each in self._entries if id(each.record) not in gone]
        removed = tuple(each.record for each in self._entries if id(each.record) in gone)
        self._entries = deque(kept)
        self._bytes = sum(each.size for each in kept)
        self._refill()
        return removed

    @property
    def records(self) -> tuple[Record, ...]:
        """The waiting records, in order."""
        return tuple(each.record for each in self._entries)

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
        return len(self._entries)

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
        """Let the next waiting record join the front, unless that is full: then, and only then, others wait behind."""
        if self._full:
            return
        if not self._joins(candidate) or not self._front.add(candidate.record, candidate.size):
            self._full = True
        else:
            self._full = self._front.count >= self._limits.size

    def _joins(self, candidate: Entry) -> bool:
        return candidate.discard is None and candidate.group == self._entries[0].group

"""Kafka's slots: batches in flight with disjoint partitions (`slots.Slots`). Pure.

    waiting    p0: a b c d e   p1: f   p2: g h   p3: i j        size 4
                   ───────         │       │  │      │
    slot 1     a b c d  (p0 until the batch is full: a backlog gives one partition per batch)
    slot 2     f g h i  (p1 until it is dry, then p2, then p3: a trickle gives mixed batches)

A slot holds a lane from its first record to its last fate and lets lanes go one by one, so a partition goes on while
another one of the same batch is retried. While a lane is held its records wait. Free lanes are served in the order in
which they became free with something to do, so none starves.

A lane that is revoked and comes back is the same lane: it stays held while an invocation with its withdrawn records is
running (`Settle.running`, then `invoked`), so that two invocations never hold records of one partition.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from heapq import heappop, heappush

from .batcher import Entry, Limits, Load, entries
from .model import Batch, DiscardReason, Lane, Now, OpenWindow
from .pages import NONE, Page, Records
from .slots import Taken, Waiting
from .steps import DiscardStep, SettleStep


@dataclass(slots=True, eq=False)
class _PartitionQueue:
    """The waiting records of one lane."""

    lane: Lane
    around: int
    """Bytes that an event grows by for the lane itself."""
    entries: deque[Entry] = field(default_factory=deque)
    count: int = 0
    bytes: int = 0
    opened: float = 0.0
    """Since when something could be taken: the first record came, or the lane was let go."""
    held: bool = False

    def add(self, added: Entry) -> None:
        if not self.entries:
            self.opened = added.opened
        self.entries.append(added)
        self.count += len(added.page)
        self.bytes += added.size

    def pop(self, count: int) -> Page:
        """So many of its first entry."""
        head = self.entries.popleft()
        if count < len(head.page):
            self.entries.appendleft(head.part(count))
            head = head.part(0, count)
        self.count -= count
        self.bytes -= head.size
        return head.page

    @property
    def decided(self) -> DiscardReason | None:
        return self.entries[0].discard


class _FreeQueues:
    """Those with something to take and that no slot holds, the longest waiting first; with what a batch of all of them
    would be. Time does not go back, so they come in the order in which they opened."""

    def __init__(self) -> None:
        self._queues: dict[Lane, _PartitionQueue] = {}
        self._decided: dict[Lane, _PartitionQueue] = {}
        self.count = 0
        self.bytes = 0
        """The bytes of the records and of their lanes."""

    @property
    def first(self) -> _PartitionQueue | None:
        return next(iter(self._queues.values()), None)

    @property
    def decided(self) -> _PartitionQueue | None:
        """The first of those whose next record is decided already."""
        return next(iter(self._decided.values()), None)

    def enter(self, queue: _PartitionQueue) -> None:
        if queue.entries and not queue.held:
            self._queues[queue.lane] = queue
            self._weigh(queue, 1)
            if queue.decided:
                self._decided[queue.lane] = queue

    def leave(self, queue: _PartitionQueue) -> None:
        if self._queues.pop(queue.lane, None) is not None:
            self._weigh(queue, -1)
            self._decided.pop(queue.lane, None)

    def grown(self, queue: _PartitionQueue, added: Entry) -> None:
        """More waits in it than before."""
        if queue.lane in self._queues:
            self.count += len(added.page)
            self.bytes += added.size
        else:
            self.enter(queue)

    def _weigh(self, queue: _PartitionQueue, sign: int) -> None:
        self.count += sign * queue.count
        self.bytes += sign * (queue.bytes + queue.around)


@dataclass(slots=True, eq=False)
class _Slot:
    undecided: dict[Lane, int]
    """Records without a fate, by the lanes that the slot holds."""
    running: set[Lane] = field(default_factory=set)
    """Withdrawn lanes whose invocation has not ended."""


class PartitionSlots:
    """`slots`: batches in flight at most; None for as many as there are lanes (one per partition)."""

    def __init__(self, limits: Limits, slots: int | None) -> None:
        self._limits = limits
        self._max_slots = slots
        self._queues: dict[Lane, _PartitionQueue] = {}
        self._free = _FreeQueues()
        self._slots: dict[int, _Slot] = {}
        self._numbers: list[int] = []
        """The numbers of slots that are free again, the lowest first."""
        self._closed = False

    # --- in and out -------------------------------------------------------------------------------------------------

    def put(self, records: Records, now: Now) -> None:
        for page in records.pages:
            queue = self._queues.get(page.lane)
            if queue is None:
                around = self._limits.envelope.lane_overhead(page.lane)
                queue = self._queues[page.lane] = _PartitionQueue(page.lane, around)
            for added in entries(self._limits, page, now.monotonic):
                queue.add(added)
                self._free.grown(queue, added)

    def heard(self, now: Now) -> None:
        pass

    def take(self, now: Now, *, flush: bool = False) -> Taken | None:
        deadline = self.deadline()
        if deadline is None or (not flush and now.monotonic < deadline):
            return None
        decided = self._free.decided
        if decided is not None:
            reason = decided.decided
            self._free.leave(decided)
            return self._hold([(decided, [decided.pop(1)])], reason)
        return self._hold(self._fill(), None)

    def _fill(self) -> list[tuple[_PartitionQueue, list[Page]]]:
        """One lane until it is dry, then the next, until the batch is full."""
        load = Load(self._limits)
        chosen: list[tuple[_PartitionQueue, list[Page]]] = []
        while (queue := self._free.first) and (pages := self._poured(queue, load)):
            chosen.append((queue, pages))
            if queue.entries and not queue.decided:
                break
        return chosen

    def _poured(self, queue: _PartitionQueue, load: Load) -> list[Page]:
        """Take from a lane the records that still fit."""
        pages: list[Page] = []
        while queue.entries and not queue.decided:
            waiting = len(queue.entries[0].page)
            fitting = load.add(queue.entries[0])
            if fitting:
                self._free.leave(queue)
                pages.append(queue.pop(fitting))
            if fitting < waiting:
                break
        return pages

    def _hold(self, chosen: list[tuple[_PartitionQueue, list[Page]]], discard: DiscardReason | None) -> Taken:
        slot = heappop(self._numbers) if self._numbers else len(self._slots)
        for queue, _ in chosen:
            queue.held = True
        self._slots[slot] = _Slot({queue.lane: sum(map(len, pages)) for queue, pages in chosen})
        batch = Batch(Records(page for _, pages in chosen for page in pages))
        return Taken(slot, batch, discard=discard)

    def drop(self, lanes: Collection[Lane] | None = None) -> Records:
        dropped: list[Page] = []
        for queue in list(self._queues.values()):
            if lanes is None or queue.lane in lanes:
                self._free.leave(queue)
                dropped += [queue.pop(len(queue.entries[0].page)) for _ in range(len(queue.entries))]
                self._forget_idle(queue)
        return Records(dropped)

    # --- lanes go one by one ----------------------------------------------------------------------------------------

    def settled(self, slot: int, step: SettleStep | DiscardStep, now: Now) -> Records:
        held = self._slots[slot]
        running = isinstance(step, SettleStep) and step.running
        for page in step.records.pages:
            held.undecided[page.lane] -= len(page)
            if running:
                held.running.add(page.lane)
        for lane in step.records.lanes:
            if held.undecided[lane] == 0 and lane not in held.running:
                self._let_go(held, lane, now)
        return NONE

    def invoked(self, slot: int, now: Now) -> None:
        held = self._slots[slot]
        for lane in held.running:
            if held.undecided[lane] == 0:
                self._let_go(held, lane, now)
        held.running.clear()

    def completed(self, slot: int, now: Now) -> None:
        held = self._slots.pop(slot)
        heappush(self._numbers, slot)
        for lane in list(held.undecided):
            self._let_go(held, lane, now)

    def _let_go(self, held: _Slot, lane: Lane, now: Now) -> None:
        del held.undecided[lane]
        queue = self._queues[lane]
        queue.held = False
        queue.opened = now.monotonic
        self._free.enter(queue)
        self._forget_idle(queue)

    def _forget_idle(self, queue: _PartitionQueue) -> None:
        if not queue.entries and not queue.held:
            del self._queues[queue.lane]

    # --- when -------------------------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        first = self._free.first
        if first is None or (self._max_slots is not None and len(self._slots) >= self._max_slots):
            return None
        due_at_once = self._closed or self._is_full() or self._free.decided
        return first.opened + (0.0 if due_at_once else self._limits.window)

    def _is_full(self) -> bool:
        """No batch could take all that waits and one record more."""
        count = self._free.count
        size = self._limits.envelope.overhead + self._free.bytes + count - 1
        return count >= self._limits.size or size > self._limits.payload

    def room(self) -> int:
        return max(0, self._limits.size - self._free.count)

    def waiting(self) -> Waiting:
        queues = self._queues.values()
        return Waiting(sum(queue.count for queue in queues), sum(queue.bytes for queue in queues))

    def behind(self) -> Records:
        return Records(each.page for queue in self._queues.values() for each in queue.entries)

    def close(self, now: Now) -> None:
        self._closed = True

    @property
    def stored(self) -> OpenWindow | None:
        return None

    @property
    def idle(self) -> bool:
        return not self._queues and not self._slots

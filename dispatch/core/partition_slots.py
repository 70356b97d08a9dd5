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
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from .batcher import Entry, Limits, Load, entry
from .model import Batch, DiscardReason, Lane, Now, OpenWindow, Record
from .slots import Taken, Waiting
from .steps import DiscardStep, SettleStep


@dataclass(slots=True, eq=False)
class _PartitionQueue:
    """The waiting records of one lane."""

    lane: Lane
    entries: deque[Entry] = field(default_factory=deque)
    bytes: int = 0
    opened: float = 0.0
    """Since when something could be taken: the first record came, or the lane was let go."""
    held: bool = False

    def add(self, added: Entry) -> None:
        if not self.entries:
            self.opened = added.opened
        self.entries.append(added)
        self.bytes += added.size

    def pop(self) -> Record:
        taken = self.entries.popleft()
        self.bytes -= taken.size
        return taken.record

    @property
    def decided(self) -> DiscardReason | None:
        return self.entries[0].discard


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
        self._slots: dict[int, _Slot] = {}
        self._closed = False

    # --- in and out -------------------------------------------------------------------------------------------------

    def put(self, records: Iterable[Record], now: Now) -> None:
        for record in records:
            queue = self._queues.get(record.lane)
            if queue is None:
                queue = self._queues[record.lane] = _PartitionQueue(record.lane)
            queue.add(entry(self._limits, record, now.monotonic))

    def heard(self, now: Now) -> None:
        pass

    def take(self, now: Now, *, flush: bool = False) -> Taken | None:
        deadline = self.deadline()
        if deadline is None or (not flush and now.monotonic < deadline):
            return None
        free = self._free()
        decided = next((queue for queue in free if queue.decided), None)
        if decided is not None:
            reason = decided.decided
            return self._hold([(decided, [decided.pop()])], reason)
        return self._hold(self._fill(free), None)

    def _fill(self, free: list[_PartitionQueue]) -> list[tuple[_PartitionQueue, list[Record]]]:
        """One lane until it is dry, then the next, until the batch is full."""
        load = Load(self._limits)
        chosen: list[tuple[_PartitionQueue, list[Record]]] = []
        for queue in free:
            records: list[Record] = []
            full = False
            while queue.entries and not queue.decided and not full:
                full = not load.add(queue.entries[0].record, queue.entries[0].size)
                if not full:
                    records.append(queue.pop())
            if records:
                chosen.append((queue, records))
            if full:
                break
        return chosen

    def _hold(self, chosen: list[tuple[_PartitionQueue, list[Record]]], discard: DiscardReason | None) -> Taken:
        slot = next(number for number in range(len(self._slots) + 1) if number not in self._slots)
        for queue, _ in chosen:
            queue.held = True
        self._slots[slot] = _Slot({queue.lane: len(records) for queue, records in chosen})
        batch = Batch(tuple(record for _, records in chosen for record in records))
        return Taken(slot, batch, discard=discard)

    def drop(self, lanes: Collection[Lane] | None = None) -> tuple[Record, ...]:
        dropped: list[Record] = []
        for queue in list(self._queues.values()):
            if lanes is None or queue.lane in lanes:
                dropped += [queue.pop() for _ in range(len(queue.entries))]
                self._forget_idle(queue)
        return tuple(dropped)

    # --- lanes go one by one ----------------------------------------------------------------------------------------

    def settled(self, slot: int, step: SettleStep | DiscardStep, now: Now) -> tuple[Record, ...]:
        held = self._slots[slot]
        running = isinstance(step, SettleStep) and step.running
        for record in step.records:
            held.undecided[record.lane] -= 1
            if running:
                held.running.add(record.lane)
        for lane in {record.lane for record in step.records}:
            if held.undecided[lane] == 0 and lane not in held.running:
                self._let_go(held, lane, now)
        return ()

    def invoked(self, slot: int, now: Now) -> None:
        held = self._slots[slot]
        for lane in held.running:
            if held.undecided[lane] == 0:
                self._let_go(held, lane, now)
        held.running.clear()

    def completed(self, slot: int, now: Now) -> None:
        held = self._slots.pop(slot)
        for lane in list(held.undecided):
            self._let_go(held, lane, now)

    def _let_go(self, held: _Slot, lane: Lane, now: Now) -> None:
        del held.undecided[lane]
        queue = self._queues[lane]
        queue.held = False
        queue.opened = now.monotonic
        self._forget_idle(queue)

    def _forget_idle(self, queue: _PartitionQueue) -> None:
        if not queue.entries and not queue.held:
            del self._queues[queue.lane]

    # --- when -------------------------------------------------------------------------------------------------------

    def _free(self) -> list[_PartitionQueue]:
        """Lanes with something to take, the longest waiting first."""
        free = [queue for queue in self._queues.values() if queue.entries and not queue.held]
        return sorted(free, key=lambda queue: queue.opened)

    def deadline(self) -> float | None:
        if self._max_slots is not None and len(self._slots) >= self._max_slots:
            return None
        free = self._free()
        if not free:
            return None
        due_at_once = self._closed or self._is_full(free) or any(queue.decided for queue in free)
        return free[0].opened + (0.0 if due_at_once else self._limits.window)

    def _is_full(self, free: list[_PartitionQueue]) -> bool:
        """No batch could take all that waits and one record more."""
        count = sum(len(queue.entries) for queue in free)
        envelope = self._limits.envelope
        lanes = sum(envelope.lane_overhead(queue.lane) for queue in free)
        size = envelope.overhead + sum(queue.bytes for queue in free) + lanes + count - 1
        return count >= self._limits.size or size > self._limits.payload

    def room(self) -> int:
        return max(0, self._limits.size - sum(len(queue.entries) for queue in self._free()))

    def waiting(self) -> Waiting:
        queues = self._queues.values()
        return Waiting(sum(len(queue.entries) for queue in queues), sum(queue.bytes for queue in queues))

    def behind(self) -> tuple[Record, ...]:
        return tuple(each.record for queue in self._queues.values() for each in queue.entries)

    def close(self, now: Now) -> None:
        self._closed = True

    @property
    def stored(self) -> OpenWindow | None:
        return None

    @property
    def idle(self) -> bool:
        return not self._queues and not self._slots

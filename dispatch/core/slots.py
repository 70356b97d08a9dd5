"""Which records go into which batch in flight. A slot is one batch in flight; the feed asks one of these objects, so
that ONE loop serves all sources. Pure.

    SingleSlot       SQS: one batch at a time per receiver
    KeyHash          shards: as many as the ParallelizationFactor, the records of one key always in the same slot
    PartitionSlots   Kafka: slots with disjoint partitions (`partition_slots`)
    WindowSlot       shards with a tumbling window (`windows`)

The feed's side of the conversation, each with the time:

    put what a fetch brought, heard ► take until None ► (planner runs) settled … invoked … settled ► completed ► take …
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol
from zlib import crc32

from .batcher import Batcher, Limits, Portion
from .model import Batch, DiscardReason, FateKind, Lane, Now, OpenWindow
from .pages import NONE, Page, Records
from .steps import DiscardStep, SettleStep


@dataclass(frozen=True, slots=True)
class Taken:
    """A batch for a planner: `Planner(policy, taken.batch, discard=taken.discard, state=taken.state)`."""

    slot: int
    batch: Batch
    state: bytes = b"{}"
    discard: DiscardReason | None = None
    """The batch is one record that is decided already."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Records that no slot has taken yet."""

    records: int
    bytes: int


class Slots(Protocol):
    """The batches in flight of one feed, and the records that wait."""

    def put(self, records: Records, now: Now) -> None:
        """Everything that one fetch brought and the filter kept, before the next `take`. A record with a flaw is
        decided already; one that alone is over the payload limit is found here and becomes OVERSIZED."""
        ...

    def heard(self, now: Now) -> None:
        """The source had nothing more than what was put."""
        ...

    def take(self, now: Now, *, flush: bool = False) -> Taken | None:
        """A batch for a free slot, if one is due; ask until None. `flush`: do not wait for more records."""
        ...

    def settled(self, slot: int, step: SettleStep | DiscardStep, now: Now) -> Records:
        """Records of the slot have their fate. What comes back are waiting records that must share it: settle them with
        `step.fate`."""
        ...

    def invoked(self, slot: int, now: Now) -> None:
        """An invocation of the slot ended."""
        ...

    def completed(self, slot: int, now: Now) -> None:
        """The slot's planner is done and no invocation of it runs: the slot is free."""
        ...

    def deadline(self) -> float | None:
        """Monotonic time at which `take` gives something although nothing else happens; None for never."""
        ...

    def room(self) -> int:
        """How many records the next batch still takes: the limit of a fetch where records are only lent (SQS)."""
        ...

    def waiting(self) -> Waiting: ...

    def behind(self) -> Records:
        """The waiting records, each lane in order."""
        ...

    def drop(self, lanes: Collection[Lane] | None = None) -> Records:
        """Take the waiting records of these lanes (None: of all) out for good; they are the caller's."""
        ...

    def close(self, now: Now) -> None:
        """No more records will come (the shard ended): waiting records need not wait for more."""
        ...

    @property
    def stored(self) -> OpenWindow | None:
        """The tumbling window that the store must keep with the position of the last settled records."""
        ...

    @property
    def idle(self) -> bool:
        """Nothing waits, no slot is taken, nothing is left to do."""
        ...


class KeyHash:
    """Slots by the hash of the key, so that each key keeps its order while other keys go on (ParallelizationFactor).

    The hash is stable: the same key goes to the same slot after a restart too.
    """

    def __init__(self, limits: Limits, slots: int) -> None:
        self._queues = [Batcher(limits) for _ in range(slots)]

    def put(self, records: Records, now: Now) -> None:
        for page in records.pages:
            for slot, share in self._shares(page):
                self._queues[slot].add(share, now.monotonic)

    def _shares(self, page: Page) -> Iterable[tuple[int, Page]]:
        """A page by slots; each key is in one of them."""
        if len(self._queues) == 1:
            return [(0, page)]
        places: dict[int, list[int]] = {}
        for place in page.places:
            places.setdefault(self.slot_of(page.sheet.key(place)), []).append(place)
        return [(slot, Page(page.sheet, tuple(chosen))) for slot, chosen in places.items()]

    def heard(self, now: Now) -> None:
        pass

    def slot_of(self, key: str | None) -> int:
        return crc32((key or "").encode("utf-8", "surrogatepass")) % len(self._queues)

    def take(self, now: Now, *, flush: bool = False) -> Taken | None:
        for slot, queue in enumerate(self._queues):
            portion = queue.take(now.monotonic, flush=flush)
            if portion is not None:
                return taken(slot, portion)
        return None

    def settled(self, slot: int, step: SettleStep | DiscardStep, now: Now) -> Records:
        return NONE

    def invoked(self, slot: int, now: Now) -> None:
        pass

    def completed(self, slot: int, now: Now) -> None:
        self._queues[slot].completed(now.monotonic)

    def deadline(self) -> float | None:
        return min((at for at in (queue.deadline() for queue in self._queues) if at is not None), default=None)

    def room(self) -> int:
        return max(queue.room() for queue in self._queues)

    def waiting(self) -> Waiting:
        return Waiting(sum(map(len, self._queues)), sum(queue.bytes for queue in self._queues))

    def behind(self) -> Records:
        return Records(page for queue in self._queues for page in queue.records.pages)

    def drop(self, lanes: Collection[Lane] | None = None) -> Records:
        return Records(page for queue in self._queues for page in queue.drop(lanes).pages)

    def close(self, now: Now) -> None:
        for queue in self._queues:
            queue.close()

    @property
    def stored(self) -> OpenWindow | None:
        return None

    @property
    def idle(self) -> bool:
        return all(not queue.busy and not len(queue) for queue in self._queues)


class SingleSlot(KeyHash):
    """One batch at a time. `grouped` for FIFO queues: a message must not overtake an earlier one of its group that goes
    back to the queue, so what waits of that group goes back with it."""

    def __init__(self, limits: Limits, grouped: bool = False) -> None:
        super().__init__(limits, 1)
        self._grouped = grouped

    def settled(self, slot: int, step: SettleStep | DiscardStep, now: Now) -> Records:
        if not self._grouped or step.fate.kind not in (FateKind.RETURNED, FateKind.ABANDONED):
            return NONE
        groups = {record.key for record in step.records}
        return self._queues[0].remove(lambda sheet, place: sheet.key(place) in groups)


def taken(slot: int, portion: Portion) -> Taken:
    return Taken(slot, Batch(portion.records), discard=portion.discard)

"""What the stub keeps: streams of shards of records, and how shards follow one another. No protocol, no loop.

Kinesis and DynamoDB Streams are alike here: records go to the open shard whose range has their key's hash, a split,
merge or rotation closes shards and opens their children, and what is older than the retention goes.
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .clock import StubClock
from .faults import Faults

ACCOUNT, REGION = "000000000000", "us-east-1"
HASHES = 2**128
DAY = 86_400.0

Body = dict[str, object]


class Refused(Exception):
    """A call that the service answers with an error."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True, slots=True)
class StubRecord:
    shard: str
    sequence: int
    key: str
    """The partition key, or the item's key as JSON."""
    data: bytes
    """The data, or the change as JSON."""
    arrived: float
    """Wall-clock seconds, in whole milliseconds."""
    wire: bytes
    """Itself as an element of `Records`, in JSON."""

    @property
    def number(self) -> str:
        return str(self.sequence)

    @property
    def size(self) -> int:
        """Bytes, as quotas count them."""
        return len(self.key) + len(self.data)


@dataclass(slots=True)
class Shard:
    id: str
    index: int
    """Counted from 0 over all shards of the stream."""
    parents: tuple[str, ...]
    low: int
    high: int
    """The hashes of its keys, both inclusive."""
    start: int
    """The first sequence number that it could have."""
    opened: float
    end: int | None = None
    """The last sequence number that it could have; None while it is open."""
    closed: float | None = None
    records: list[StubRecord] = field(default_factory=list)
    trimmed: int = 0
    """Records up to and with this number are gone."""
    last: int = 0
    """The number of its latest record; 0 for none, ever."""

    def index_of(self, position: int) -> int:
        """The index of the first record at or after a sequence number."""
        return bisect.bisect_left(self.records, position, key=lambda record: record.sequence)

    def before(self, position: int) -> int:
        """The last sequence number that is done where `position` is wanted next: a record's, or the shard's first."""
        index = self.index_of(position)
        return self.records[index - 1].sequence if index else max(self.start, self.trimmed)

    def since(self, time: float) -> int:
        """The sequence number of the first record that arrived at or after `time`, or the one after all."""
        found = (record.sequence for record in self.records if record.arrived >= time)
        return next(found, self.tip)

    @property
    def horizon(self) -> int:
        """The oldest sequence number that can be read."""
        return max(self.start, self.trimmed + 1)

    @property
    def tip(self) -> int:
        """The number after the latest record."""
        return max(self.start, self.last + 1)

    def ends_at(self, position: int) -> bool:
        """Whether nothing is there from `position` on, and never will be."""
        return self.end is not None and self.index_of(position) == len(self.records)


class Numbers:
    """Sequence numbers, rising over all streams of a stub: a stream made anew has later ones."""

    def __init__(self) -> None:
        self._count = 0

    def next(self, base: int, step: int) -> int:
        self._count += 1
        return base + self._count * step


class Stream:
    """One stream: its shards, living and dead, and what is wrong with it at the moment."""

    base: int
    step: int

    def __init__(self, name: str, arn: str, created: float, clock: StubClock, numbers: Numbers, shards: int) -> None:
        self.name = name
        self.arn = arn
        self.created = created
        self.status = "ACTIVE"
        self.shards: dict[str, Shard] = {}
        self.retention = DAY
        self.page = 1000
        """Shards per page of a listing, at most."""
        self.late_end = False
        """The end of a shard is told by an empty page after its last records."""
        self.faults = Faults()
        self.generation = 0
        self._clock = clock
        self._numbers = numbers
        self._named = 0
        for number in range(shards):
            self._open((), HASHES * number // shards, HASHES * (number + 1) // shards - 1)

    @property
    def open_shards(self) -> list[str]:
        return [shard.id for shard in self.shards.values() if shard.end is None]

    @property
    def newest(self) -> int:
        """The highest sequence number so far, of any shard."""
        return max(max(shard.start, shard.last, shard.end or 0) for shard in self.shards.values())

    def children(self, shard: str) -> list[Shard]:
        return [each for each in self.shards.values() if shard in each.parents]

    def split(self, shard: str, at: int | None = None) -> tuple[str, str]:
        """Close a shard for two children; `at` is the second one's first hash."""
        parent = self._close(shard)
        middle = (parent.low + parent.high + 1) // 2 if at is None else at
        one = self._open((shard,), parent.low, middle - 1)
        return one.id, self._open((shard,), middle, parent.high).id

    def trim(self, shard: str, through: StubRecord | None = None) -> None:
        """The oldest records go, up to and with `through`; None: all that are there."""
        self._trim(self.shards[shard], self.shards[shard].last if through is None else through.sequence)

    def forget(self, shard: str) -> None:
        """A closed shard whose retention is over leaves the listing."""
        if self.shards[shard].end is None:
            raise ValueError(f"{shard} is open")
        del self.shards[shard]

    def expire_iterators(self) -> None:
        """All that were handed out so far."""
        self.generation += 1

    def sweep(self) -> None:
        """What is older than the retention goes."""
        before = self._clock.now() - self.retention
        for shard in list(self.shards.values()):
            if shard.records and shard.records[0].arrived < before:
                index = bisect.bisect_left(shard.records, before, key=lambda record: record.arrived)
                self._trim(shard, shard.records[index - 1].sequence)
            if shard.closed is not None and shard.closed < before:
                del self.shards[shard.id]

    def shard_of(self, hashed: int) -> Shard:
        return next(each for each in self.shards.values() if each.end is None and each.low <= hashed <= each.high)

    # --- what the services' streams are made with --------------------------------------------------------------------

    def _number(self, index: int) -> int:
        """The next sequence number. Its last digits are the number of the shard."""
        return self._numbers.next(self.base, self.step) + index

    def _append(self, shard: Shard, record: StubRecord) -> StubRecord:
        if shard.end is not None:
            raise ValueError(f"{shard.id} is closed")
        shard.records.append(record)
        shard.last = record.sequence
        self._clock.ring()
        return record

    def _open(self, parents: tuple[str, ...], low: int, high: int) -> Shard:
        index, opened = self._named, self._clock.now()
        shard = Shard(self._name(index, opened), index, parents, low, high, self._number(index), opened)
        self._named += 1
        self.shards[shard.id] = shard
        return shard

    def _close(self, shard: str) -> Shard:
        closing = self.shards[shard]
        if closing.end is not None:
            raise ValueError(f"{shard} is closed already")
        closing.end, closing.closed = self._number(closing.index), self._clock.now()
        self._clock.ring()
        return closing

    def _name(self, number: int, opened: float) -> str:
        raise NotImplementedError

    def _trim(self, shard: Shard, through: int) -> None:
        shard.trimmed = max(shard.trimmed, through)
        del shard.records[: shard.index_of(through + 1)]

    def _arrival(self) -> float:
        return int(self._clock.now() * 1000) / 1000


def hash_of(key: str) -> int:
    return int.from_bytes(hashlib.md5(key.encode()).digest())


def page_of(records: Sequence[StubRecord], first: int, limit: int, size: int) -> list[StubRecord]:
    """The next records: at most `limit`, and of no more than `size` bytes if there are several."""
    return list(_page(records, first, limit, size))


def _page(records: Sequence[StubRecord], first: int, limit: int, size: int) -> Iterator[StubRecord]:
    taken = 0
    for index in range(first, min(len(records), first + limit)):
        taken += records[index].size
        if taken > size and index > first:
            return
        yield records[index]

"""The shipped fake of a stream: Kinesis or DynamoDB Streams in memory, with their shards, iterators, limits and faults.

For tests on virtual time and for trying things out. What a stream forgets (24 hours, shards that were closed that long
ago) is gone from memory too. `stream_service.py` is how Headrace reads it.

    put ──► shard by hash of the key ──► records(iterator) ──► … until 24 h old
    split, merge, rotate: parents are closed, children go on
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, islice, pairwise
from typing import Literal
from zlib import crc32

from ...config.clock import Clock
from ...config.errors import SourceError, SourceMissing, SourceUnavailable
from ..streams.core.lineage import Shard
from ..streams.polled_shard import Astray, Trimmed
from .flavours import Flavour, FlavourFacts, StreamEntry

HASHES = 1 << 32
ITERATOR_LIFE = 300.0
"""Seconds for which an iterator is good."""
RETENTION = 86_400.0
ROTATION = 4 * 3600.0
"""Seconds after which a DynamoDB shard is closed and a child goes on."""


class ExpiredIterator(Astray):
    """The iterator is older than five minutes, or the service was restarted since."""


class TrimmedPosition(Trimmed):
    """The stream does not have the records at this position any more (DynamoDB; Kinesis goes on with its oldest)."""


class UnknownPosition(Astray):
    """No such shard, or a sequence number that it never gave out."""


class ReadThrottled(SourceUnavailable):
    """More calls than the shard allows."""


@dataclass(slots=True, eq=False)
class MemoryShard:
    """One shard: the hashes `[low, high)`."""

    id: str
    low: int
    high: int
    first: int
    parents: tuple[str, ...] = ()
    last: int | None = None
    closed: float | None = None
    """Wall-clock seconds; None while it takes records."""
    entries: list[StreamEntry] = field(default_factory=list)
    trimmed: int = -1
    """The highest number that retention took."""
    fault: SourceError | None = None
    """Raised by every look at its records while it is set."""
    throttled: bool = False
    null_iterators: int = 0
    """So many answers have no next iterator while the shard is open."""
    empty_pages: int = 0
    """So many answers bring nothing although there is something."""
    calls: deque[float] = field(default_factory=deque)

    def takes(self, key: str) -> bool:
        return self.low <= crc32(key.encode()) < self.high

    def after(self, number: int) -> int:
        """The index of the first entry beyond a number."""
        return bisect_right(self.entries, number, key=lambda entry: entry.number)

    def forget(self, before: float) -> None:
        """Retention: drop what arrived before this moment or at it."""
        count = next((i for i, entry in enumerate(self.entries) if entry.arrived > before), len(self.entries))
        if count:
            self.trimmed = self.entries[count - 1].number
            del self.entries[:count]


@dataclass(frozen=True, slots=True)
class Read:
    """The result of one look at a shard."""

    entries: tuple[StreamEntry, ...]
    iterator: str | None
    """Where to go on; None at the end of a closed shard."""
    behind: float
    """The age of the next record in seconds; 0 when nothing more is there."""


class MemoryStream:
    """A stream with the rules of its service. Everything happens at the moments of `clock`."""

    def __init__(
        self,
        arn: str,
        clock: Clock,
        flavour: Flavour = Flavour.KINESIS,
        *,
        shards: int = 1,
        retention: float = RETENTION,
        rotation: float | None = None,
        calls_per_second: int | None = 5,
        facts: FlavourFacts | None = None,
    ) -> None:
        """`facts`: in the place of the flavour's."""
        self.arn = arn
        self.clock = clock
        self.flavour = flavour
        self.facts = facts or flavour.value
        self.fault: SourceError | None = None
        """Raised by every call while it is set."""
        self.created = clock.wall()
        self.looks = 0
        """How often records were asked for, over all shards."""
        self._exists = True
        self._retention = retention
        self._rotation = rotation
        self._calls_per_second = calls_per_second
        self._generation = 0
        self._shards: dict[str, MemoryShard] = {}
        self._number = 0
        self._born = 0
        self._begin(shards)

    # --- the producer's side ----------------------------------------------------------------------------------------

    def put(self, key: str, data: bytes | str = b"", *, age: float = 0.0) -> str:
        """A record, which arrived `age` seconds ago: its sequence number."""
        self._pass_time()
        body = data.encode() if isinstance(data, str) else data
        number = self._next()
        entry = StreamEntry(number, self.facts.spelled(number), key, body, self.clock.wall() - age)
        self._taking(key).entries.append(entry)
        return entry.text

    def split(self, shard: str) -> tuple[str, str]:
        """Close a shard; two children take a half each."""
        self._pass_time()
        parent = self._open(shard)
        middle = (parent.low + parent.high) // 2
        self._close(parent)
        return (
            self._bear(parent.low, middle, (parent.id,)).id,
            self._bear(middle, parent.high, (parent.id,)).id,
        )

    def merge(self, one: str, other: str) -> str:
        """Close two neighbours; one child takes both ranges."""
        self._pass_time()
        low, high = sorted((self._open(one), self._open(other)), key=lambda shard: shard.low)
        if low.high != high.low:
            raise ValueError(f"{one} and {other} are no neighbours")
        self._close(low)
        self._close(high)
        return self._bear(low.low, high.high, (low.id, high.id)).id

    def rotate(self) -> None:
        """Close every open shard; each has one child that goes on."""
        self._pass_time()
        self._rotate(self.clock.wall())

    def disable(self) -> None:
        """Close every shard for good, as a table does whose stream is switched off."""
        self._pass_time()
        for shard in self.open_shards():
            self._close(self._open(shard))

    def delete(self) -> None:
        self._exists = False
        self._shards.clear()

    def recreate(self, shards: int = 1, *, numbers_again: bool = False) -> None:
        """Recreate the stream; shards have the same names again. `numbers_again`: so do its records, as with emulators
        that count from one."""
        self.delete()
        self.created = self.clock.wall()
        self._exists = True
        self._generation += 1
        self._born = 0
        if numbers_again:
            self._number = 0
        self._begin(shards)

    def restart(self, *, tells_created_anew: bool = False) -> None:
        """The service starts again with its data: no iterator is good any more. Some tell that moment as the time of
        creation."""
        self._generation += 1
        if tells_created_anew:
            self.created = self.clock.wall()

    def open_shards(self) -> list[str]:
        """Those that take records, in the order of their birth."""
        self._pass_time()
        return [shard.id for shard in self._shards.values() if shard.closed is None]

    def shard(self, name: str) -> MemoryShard:
        return self._shards[name]

    def key_of(self, shard: str, number: int = 0) -> str:
        """A key whose records this shard takes while it is open: the first one, or a later one."""
        mine = (key for key in map("key-{}".format, count()) if self._shards[shard].takes(key))
        return next(islice(mine, number, None))

    @property
    def size(self) -> int:
        """Records, shards and calls that are kept at this moment."""
        self._pass_time()
        return len(self._shards) + sum(len(each.entries) + len(each.calls) for each in self._shards.values())

    # --- the consumer's side ----------------------------------------------------------------------------------------

    def describe(self) -> tuple[Shard, ...]:
        """All shards that are still listed."""
        self._check()
        return tuple(
            Shard(each.id, each.parents, each.first, each.last, each.closed is not None)
            for each in self._shards.values()
        )

    def from_horizon(self, shard: str) -> str:
        """An iterator at the oldest record."""
        found = self._reading(shard)
        return self._iterator(found, found.trimmed)

    def from_latest(self, shard: str) -> str:
        """An iterator behind the newest record."""
        return self._iterator(self._reading(shard), self._number)

    def from_time(self, shard: str, at: float) -> str:
        """An iterator at the first record that arrived at this moment (wall-clock seconds) or later."""
        found = self._reading(shard)
        number = next((entry.number for entry in found.entries if entry.arrived >= at), self._number + 1)
        return self._iterator(found, number - 1)

    def from_number(self, shard: str, number: int, *, after: bool) -> str:
        """An iterator at a sequence number, or behind it."""
        found = self._reading(shard)
        highest = self._number if found.last is None else found.last
        if not found.first <= number <= highest:
            raise UnknownPosition(f"{shard} of {self.arn} has no sequence number {self.facts.spelled(number)}")
        self._refuse_trimmed(found, number)
        return self._iterator(found, number if after else number - 1)

    def records(self, iterator: str, limit: int | None = None) -> Read:
        """The next records, within the service's limits."""
        name, after, made, generation = iterator.split("|")
        if int(generation) != self._generation or self.clock.monotonic() - float(made) >= ITERATOR_LIFE:
            self._check()
            raise ExpiredIterator(f"the iterator of {name} is not good any more")
        shard = self._reading(name)
        self.looks += 1
        self._count(shard)
        self._refuse_trimmed(shard, int(after) + 1)
        return self._read(shard, int(after), self.facts.page if limit is None else limit)

    # --- shards -----------------------------------------------------------------------------------------------------

    def _begin(self, shards: int) -> None:
        self._rotated = self.clock.wall()
        bounds = [HASHES * number // shards for number in range(shards + 1)]
        for low, high in pairwise(bounds):
            self._bear(low, high, ())

    def _bear(self, low: int, high: int, parents: tuple[str, ...]) -> MemoryShard:
        name = self.facts.shard_name(self._born, self.clock.wall())
        self._born += 1
        self._shards[name] = MemoryShard(name, low, high, self._next(), parents)
        return self._shards[name]

    def _close(self, shard: MemoryShard, at: float | None = None) -> None:
        shard.last = self._next()
        shard.closed = self.clock.wall() if at is None else at

    def _rotate(self, at: float) -> None:
        for shard in [each for each in self._shards.values() if each.closed is None]:
            self._close(shard, at)
            self._bear(shard.low, shard.high, (shard.id,))
        self._rotated = at

    def _open(self, name: str) -> MemoryShard:
        shard = self._shards[name]
        if shard.closed is not None:
            raise ValueError(f"{name} is closed")
        return shard

    def _taking(self, key: str) -> MemoryShard:
        for shard in self._shards.values():
            if shard.closed is None and shard.takes(key):
                return shard
        raise ValueError(f"{self.arn} takes no records")

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _pass_time(self) -> None:
        """Apply the changes since the last look."""
        now = self.clock.wall()
        while self._rotation is not None and now - self._rotated >= self._rotation:
            self._rotate(self._rotated + self._rotation)
        for shard in tuple(self._shards.values()):
            shard.forget(now - self._retention)
            if shard.closed is not None and shard.closed <= now - self._retention:
                del self._shards[shard.id]

    # --- looking ----------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        self._pass_time()
        if self.fault is not None:
            raise self.fault
        if not self._exists:
            raise SourceMissing(f"stream {self.arn} does not exist")

    def _reading(self, name: str) -> MemoryShard:
        self._check()
        shard = self._shards.get(name)
        if shard is None:
            raise UnknownPosition(f"{self.arn} has no shard {name}")
        if shard.fault is not None:
            raise shard.fault
        return shard

    def _refuse_trimmed(self, shard: MemoryShard, number: int) -> None:
        if self.facts.refuses_trimmed and number <= shard.trimmed:
            raise TrimmedPosition(f"{shard.id} of {self.arn} has lost {self.facts.spelled(number)}")

    def _iterator(self, shard: MemoryShard, after: int) -> str:
        return f"{shard.id}|{after}|{self.clock.monotonic()}|{self._generation}"

    def _count(self, shard: MemoryShard) -> None:
        """The limit of calls: a second's window that moves."""
        now = self.clock.monotonic()
        while shard.calls and shard.calls[0] < now - 0.999_999:
            shard.calls.popleft()
        allowed = self._calls_per_second
        if shard.throttled or (allowed is not None and len(shard.calls) >= allowed):
            raise ReadThrottled(f"rate exceeded for {shard.id} of {self.arn}")
        shard.calls.append(now)

    def _read(self, shard: MemoryShard, after: int, limit: int) -> Read:
        start = shard.after(after)
        entries = () if _one_less(shard, "empty_pages") else self._page(shard.entries, start, limit)
        left = start + len(entries) < len(shard.entries)
        over = not left if shard.closed is not None else _one_less(shard, "null_iterators")
        if over:
            return Read(entries, None, 0.0)
        reached = entries[-1].number if entries else after
        return Read(entries, self._iterator(shard, reached), self._behind(shard, start + len(entries)))

    def _behind(self, shard: MemoryShard, index: int) -> float:
        """How old what was not read yet is, at least a thousandth of a second."""
        if index == len(shard.entries):
            return 0.0
        return max(0.001, self.clock.wall() - shard.entries[index].arrived)

    def _page(self, entries: Sequence[StreamEntry], start: int, limit: int) -> tuple[StreamEntry, ...]:
        """From an index on, as many as the limits of one answer let through; one at least."""
        end, size = start, 0
        while end < len(entries) and end - start < min(limit, self.facts.page):
            size += len(entries[end].data)
            if end > start and size > self.facts.page_bytes:
                break
            end += 1
        return tuple(entries[start:end])


def _one_less(shard: MemoryShard, name: Literal["null_iterators", "empty_pages"]) -> bool:
    """Whether this answer is one of those that go wrong."""
    left = getattr(shard, name)
    setattr(shard, name, max(0, left - 1))
    return bool(left)

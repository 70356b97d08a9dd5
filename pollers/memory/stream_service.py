"""How a `MemoryStream` is read: the protocol of the stream services over the shipped fake.

A shard's records come by the same `PolledShard` as those of the real services, so its pace, its iterators and its end
are the real ones. `tests/contract/` holds all of them to the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import floor
from typing import Any, TypeVar

import anyio.lowlevel

from ...config.errors import SourceError, SourceMissing, SourceUnavailable
from ...config.kinds.dynamodb import are_of_one_table
from ...dispatch.core.model import Lane, Position
from ...dispatch.core.pages import Records
from ..checkpoints.store import Start, StartKind
from ..streams.calls import Listed, probe
from ..streams.core.lineage import Shard
from ..streams.polled_shard import Cadence, PolledShard, Reply
from ..streams.service import Listing, Pages, Probed
from .stream import MemoryStream

T = TypeVar("T")


class MemoryStreamService:
    """A `StreamService`. `name` is the ARN that the user gave, where that is a table's or a consumer's."""

    def __init__(self, stream: MemoryStream, *, name: str = "", cadence: Cadence | None = None) -> None:
        self._name = name or stream.arn
        self._clock = stream.clock
        self._cadence = cadence or stream.facts.cadence
        self._streams: dict[str, MemoryStream] = {}
        self._listed: dict[str, Listed] = {}
        self.replace(stream)

    def replace(self, stream: MemoryStream) -> None:
        """The table has another stream from now on; the one before can be read as long as it exists."""
        self._newest = stream
        self._streams[stream.arn] = stream
        self._listed[stream.arn] = Listed(partial(self.list, stream.arn), self._clock)

    @property
    def name(self) -> str:
        return self._name

    @property
    def latest(self) -> StartKind:
        return self._newest.facts.latest

    @property
    def pushes(self) -> bool:
        """Whether the name is a consumer's: records are pushed to consumers."""
        return "/consumer/" in self._name

    def may_follow(self, stream: str, current: str) -> bool:
        """Whether the name is a table's, whose newest stream is read."""
        return current != self._name and are_of_one_table(stream, current)

    async def list(self, stream: str = "") -> Listing:
        await turn()
        found = self._streams.get(stream) if stream else self._newest
        if found is None:
            raise SourceMissing(f"stream {stream} does not exist")
        shards = found.describe()
        self._listed[found.arn].saw({shard.id: shard for shard in shards}, self._clock.monotonic())
        at = float(floor(self._clock.wall()))
        return Listing(found.arn, found.created, shards, at, at)

    def pages(self, stream: str, shard: str, place: Start | Position) -> Pages:
        return PolledShard(self._calls(stream, shard), place, self._cadence, self._clock)

    async def probe(self, stream: str, shard: str, position: Position) -> Probed:
        return await probe(self._calls(stream, shard), position)

    def _calls(self, stream: str, shard: str) -> _MemoryShardCalls:
        return _MemoryShardCalls(self._streams[stream], Lane(stream, shard), self._listed[stream])


@dataclass(frozen=True, slots=True)
class _MemoryShardCalls:
    """`polled_shard.ShardCalls` of one shard."""

    stream: MemoryStream
    lane: Lane
    listed: Listed

    async def iterator(self, place: Start | Position) -> str:
        return await self._ask(lambda: self._iterator(place))

    def _iterator(self, place: Start | Position) -> str:
        shard = self.lane.shard
        if isinstance(place, Position):
            return self.stream.from_number(shard, place.number, after=True)
        if place.at is None or place.kind is StartKind.NEWER_THAN:
            return self.stream.from_horizon(shard)
        return self.stream.from_time(shard, place.at)

    async def get(self, iterator: str, limit: int) -> Reply:
        read = await self._ask(lambda: self.stream.records(iterator, limit))
        facts = self.stream.facts
        behind = round(read.behind * 1000) if facts.tells_behind else None
        size = sum(len(entry.data) for entry in read.entries)
        told = float(floor(self.stream.clock.wall()))
        return Reply([facts.describe(entry) for entry in read.entries], read.iterator, behind, size, told)

    def make(self, raws: Sequence[Mapping[str, Any]]) -> Records:
        return self.stream.facts.records(raws, self.lane)

    async def look(self, fresh: float) -> Shard | None:
        return await self.listed.look(self.lane.shard, fresh)

    async def iterator_at(self, position: Position) -> str:
        return await self._ask(lambda: self.stream.from_number(self.lane.shard, position.number, after=False))

    def probed(self, raw: Mapping[str, Any]) -> Probed:
        (record,) = self.make([raw])
        assert record.position is not None
        return Probed(record.position.number, record.arrived)

    async def _ask(self, question: Callable[[], T]) -> T:
        await turn()
        try:
            return question()
        except SourceUnavailable:
            raise
        except SourceError as error:
            raise SourceUnavailable.because(error.reason) from error


async def turn() -> None:
    """A call takes a moment, in which all other tasks have a turn."""
    await anyio.lowlevel.checkpoint()

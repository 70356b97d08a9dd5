"""DynamoDB streams: the listing, the calls about one shard, and records as the function sees them.

A mapping names a stream, or a table, of which the newest stream is looked up with every listing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...config.clients import faults
from ...config.clients.endpoints import is_aws
from ...config.clock import Clock
from ...config.errors import SourceMissing, SourceUnavailable
from ...config.fields.arn import Arn
from ...config.kinds.dynamodb import are_of_one_table, label_of, table_of
from ...dispatch.core import events
from ...dispatch.core.model import Lane, Position, Record
from ...dispatch.core.pages import Records
from ...dispatch.kinds.dynamodb import dynamodb_item, dynamodb_key
from ..checkpoints.store import Start, StartKind
from ..streams.calls import Listed, answered_at, asking_for_stream, following, probe, reading, told_time, unavailable
from ..streams.core.idle_shards import IdleShards
from ..streams.core.lineage import Shard
from ..streams.polled_shard import Astray, Cadence, PolledShard, Reply, Trimmed
from ..streams.service import Listing, Pages, Probed

CADENCE = Cadence(idle=0.25, calls_per_second=5, bytes_per_second=None, page=1_000)
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"""
SHORTEST = 21
"""Digits of a sequence number, at least: the client sends no shorter one."""
LOCAL_ROUNDING = 60
"""Seconds: DynamoDB Local tells the minute of a change."""
TRIMMED_CODE = "TrimmedDataAccessException"
UNKNOWN_CODES = frozenset({"ResourceNotFoundException", "ValidationException"})
"""For an iterator, this is also the answer of a server that was restarted since it gave the iterator."""
ASTRAY_CODES = UNKNOWN_CODES | {"ExpiredIteratorException"}


class DynamoDbService:
    """A `StreamService`."""

    latest = StartKind.NEWER_THAN
    pushes = False

    def __init__(
        self,
        arn: Arn,
        tables: Any,
        streams: Any,
        clock: Clock,
        *,
        cadence: Cadence = CADENCE,
        shared: IdleShards | None = None,
    ) -> None:
        """`tables`, `streams`: clients of `dynamodb` and `dynamodbstreams`. `shared`: says how long a shard rests, in
        place of the cadence."""
        self.name = str(arn)
        self._arn = arn
        self._tables = tables
        self._streams = streams
        self._clock = clock
        self._cadence = cadence
        self._shared = shared
        self._rounding = 1 if is_aws(streams.meta.endpoint_url) else LOCAL_ROUNDING
        self._listed: dict[str, Listed] = {}

    def may_follow(self, stream: str, current: str) -> bool:
        return not label_of(self._arn) and are_of_one_table(stream, current)

    async def list(self, stream: str = "") -> Listing:
        since = self._clock.monotonic()
        stream = stream or (self.name if label_of(self._arn) else await self._newest_stream())
        what = f"list the shards of {stream}"
        with asking_for_stream(what):
            about, described, reply = await self._describe(stream)
            disabled = about.get("StreamStatus") == "DISABLED"  # MiniStack lists no end of a shard without records
            found = (replace(shard, closed=shard.closed or disabled) for shard in map(Shard.parse, described))
            shards = {shard.id: shard for shard in found}
            created = about.get("CreationRequestDateTime")
            made = None if created is None else events.seconds(created)
            at, told = answered_at(reply, self._clock), told_time(reply)
            listing = Listing(stream, made, tuple(shards.values()), at, told)
        if about.get("StreamStatus") == "ENABLING":
            raise SourceUnavailable(f"{stream} is being enabled")
        self._of(stream).saw(shards, since)
        return listing

    def pages(self, stream: str, shard: str, place: Start | Position) -> Pages:
        calls = self._calls(stream, shard)
        rounding = self._rounding
        return PolledShard(calls, place, self._cadence, self._clock, rounding=rounding, shared=self._shared)

    async def probe(self, stream: str, shard: str, position: Position) -> Probed:
        return await probe(self._calls(stream, shard), position)

    def _calls(self, stream: str, shard: str) -> DynamoDbCalls:
        lane = Lane(stream, shard)
        return DynamoDbCalls(self._streams, lane, self._arn.region, self._of(stream), self._clock)

    def _of(self, stream: str) -> Listed:
        """The last listing of one of the table's streams."""
        return self._listed.setdefault(stream, Listed(lambda: self.list(stream), self._clock))

    async def _describe(self, stream: str) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]], Mapping[str, Any]]:
        """The description of the stream itself, all its shards, and the last answer."""
        reply = await self._streams.describe_stream(StreamArn=stream)
        about = reply["StreamDescription"]
        shards = [*about["Shards"]]
        last = None
        while last := following(last, about.get("LastEvaluatedShardId")):
            reply = await self._streams.describe_stream(StreamArn=stream, ExclusiveStartShardId=last)
            about = reply["StreamDescription"]
            shards += about["Shards"]
        return about, shards, reply

    async def _newest_stream(self) -> str:
        what = f"find the stream of {self.name}"
        with asking_for_stream(what):
            reply = await self._tables.describe_table(TableName=table_of(self._arn))
            stream = reply["Table"].get("LatestStreamArn")
        if not stream:
            how = "update the table with StreamSpecification StreamEnabled=true, StreamViewType=NEW_AND_OLD_IMAGES"
            raise SourceMissing(f"{self.name} has no stream: {how}")
        return str(stream)


class DynamoDbCalls:
    """The `ShardCalls` of one shard."""

    def __init__(self, client: Any, lane: Lane, region: str, listed: Listed, clock: Clock) -> None:
        self._client = client
        self._lane = lane
        self._region = region
        self._listed = listed
        self._clock = clock

    async def iterator(self, place: Start | Position) -> str:
        if isinstance(place, Position):
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": place.text}
        else:  # a stream has no iterator at a time
            where = {"ShardIteratorType": "TRIM_HORIZON"}
        return await self._iterator(where, astray=frozenset())

    async def iterator_at(self, position: Position) -> str:
        """At the record itself. Raises Astray when the service knows no such position."""
        if len(position.text) < SHORTEST:
            raise Astray(f"{position.text} is shorter than any sequence number of a table's stream")
        where = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": position.text}
        return await self._iterator(where, astray=UNKNOWN_CODES)

    async def get(self, iterator: str, limit: int) -> Reply:
        what = self._what("GetRecords")
        try:
            reply = await self._client.get_records(ShardIterator=iterator, Limit=limit)
        except Exception as error:
            raise _failure(error, what, ASTRAY_CODES) from error
        with reading(what):
            return Reply(reply["Records"], reply.get("NextShardIterator"), told=told_time(reply))

    def make(self, raws: Sequence[Mapping[str, Any]]) -> Records:
        with reading(self._what("GetRecords")):
            return Records.of(map(self._record, raws))

    def _record(self, raw: Mapping[str, Any]) -> Record:
        number = raw["dynamodb"]["SequenceNumber"]
        return Record(
            lane=self._lane,
            id=number,
            item=dynamodb_item(raw, arn=self._lane.source, region=self._region),
            arrived=self._arrived(raw),
            position=Position.parse(number),
            key=dynamodb_key(raw),
        )

    def probed(self, raw: Mapping[str, Any]) -> Probed:
        with reading(self._what("GetRecords")):
            return Probed(int(raw["dynamodb"]["SequenceNumber"]), self._arrived(raw))

    async def look(self, fresh: float) -> Shard | None:
        return await self._listed.look(self._lane.shard, fresh)

    def _arrived(self, raw: Mapping[str, Any]) -> float:
        created = raw["dynamodb"].get("ApproximateCreationDateTime")
        return self._clock.wall() if created is None else events.seconds(created)

    async def _iterator(self, where: Mapping[str, str], astray: frozenset[str]) -> str:
        what = self._what("GetShardIterator")
        try:
            reply = await self._client.get_shard_iterator(
                StreamArn=self._lane.source, ShardId=self._lane.shard, **where
            )
        except Exception as error:
            raise _failure(error, what, astray) from error
        with reading(what):
            return str(reply["ShardIterator"])

    def _what(self, operation: str) -> str:
        return f"{operation} on {self._lane.shard} of {self._lane.source}"


def _failure(error: Exception, what: str, astray: frozenset[str]) -> SourceUnavailable:
    failure = unavailable(error, what)
    if faults.code(error) == TRIMMED_CODE:
        return Trimmed(str(failure))
    return Astray(str(failure)) if faults.code(error) in astray else failure

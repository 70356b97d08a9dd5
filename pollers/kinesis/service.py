"""Kinesis streams: the listing, the calls about one shard, and records as the function sees them.

A mapping names a stream, or a consumer of it (enhanced fan-out), whose stream is listed all the same.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ...config.clients import faults
from ...config.clients.endpoints import is_aws
from ...config.clock import Clock
from ...config.errors import SourceMissing, SourceUnavailable
from ...config.fields.arn import Arn
from ...config.kinds.kinesis import consumer_of, stream_of
from ...dispatch.core import events
from ...dispatch.core.model import Lane, Position, Record
from ...dispatch.core.pages import Page, Records
from ...dispatch.kinds.kinesis import KinesisSheet, ShardElement
from ..checkpoints.store import Start, StartKind
from ..streams.calls import Listed, answered_at, asking_for_stream, following, probe, reading, told_time, unavailable
from ..streams.core.idle_shards import IdleShards
from ..streams.core.lineage import Shard
from ..streams.polled_shard import Astray, Cadence, PolledShard, Reply, Trimmed
from ..streams.service import Listing, Pages, Probed
from .core.aggregation import MAGIC, expand
from .fan_out import SubscribedShard

CADENCE = Cadence(idle=1.0, calls_per_second=5, bytes_per_second=2 * 1024 * 1024, page=10_000)
"""https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"""
LOCAL_CADENCE = Cadence(idle=1.0, calls_per_second=5, bytes_per_second=None, page=10_000)
INVALID_CODE = "InvalidArgumentException"
UNKNOWN_CODES = frozenset({INVALID_CODE, "ResourceNotFoundException"})
"""For an iterator, this is also the answer of a server that was restarted since it gave the iterator."""
ASTRAY_CODES = UNKNOWN_CODES | {"ExpiredIteratorException"}
AGGREGATE = b64encode(MAGIC).decode()[:5]
"""How the data of an aggregate begins, which clients hand on as base64 text: its first 30 bits."""
NO_OPERATION_CODES = frozenset({"UnknownOperationException", "InvalidAction", "UnsupportedOperation", "NotImplemented"})


def cadence_at(endpoint: str) -> Cadence:
    return CADENCE if is_aws(endpoint) else LOCAL_CADENCE


class KinesisService:
    """A `StreamService`."""

    latest = StartKind.LATEST

    def __init__(
        self,
        arn: Arn,
        client: Any,
        clock: Clock,
        *,
        role: str,
        deaggregate: bool = False,
        cadence: Cadence | None = None,
        shared: IdleShards | None = None,
    ) -> None:
        """`role`: the ARN that records carry as `invokeIdentityArn`. `deaggregate`: take apart what the KPL packed.
        `cadence` None: AWS's own, or for an emulator the same without a limit of bytes. `shared`: says how
        long a shard rests, in place of the cadence."""
        real = is_aws(client.meta.endpoint_url)
        self.name = str(arn)
        self._arn = arn
        self._stream = self.name.partition("/consumer/")[0]
        self.pushes = bool(consumer_of(arn))
        # Emulators find a stream by its name, whatever account its ARN has; that of another account needs the ARN.
        self._named = {"StreamARN": self._stream} if real else {"StreamName": stream_of(arn)}
        self._client = client
        self._clock = clock
        self._role = role
        self._deaggregate = deaggregate
        self._cadence = cadence or cadence_at(client.meta.endpoint_url)
        self._shared = shared
        self._listed = Listed(self.list, clock)
        self._summarises = True

    def may_follow(self, stream: str, current: str) -> bool:
        return False

    async def list(self, stream: str = "") -> Listing:
        since = self._clock.monotonic()
        what = f"list the shards of {self._stream}"
        with asking_for_stream(what):
            found = await self._find()
            shards = {shard.id: shard for shard in map(Shard.parse, found.shards)}
            created = found.about.get("StreamCreationTimestamp")
            listing = Listing(
                self._stream,
                None if created is None else events.seconds(created),
                tuple(shards.values()),
                found.at,
                found.told,
            )
        if found.about.get("StreamStatus") == "CREATING":
            raise SourceUnavailable(f"{self._stream} is being created")
        if found.about.get("StreamStatus") == "DELETING":
            raise SourceMissing(f"{self._stream} is being deleted")
        self._listed.saw(shards, since)
        return listing

    def pages(self, stream: str, shard: str, place: Start | Position) -> Pages:
        if not consumer_of(self._arn):
            calls = self._calls(stream, shard, place)
            packed = self._deaggregate
            return PolledShard(calls, place, self._cadence, self._clock, packed=packed, shared=self._shared)
        make = self._maker(stream, shard, place).make
        return SubscribedShard(self._client, self.name, shard, place, make, self._clock)

    async def probe(self, stream: str, shard: str, position: Position) -> Probed:
        return await probe(self._calls(stream, shard, position), position)

    def _calls(self, stream: str, shard: str, place: Start | Position) -> KinesisCalls:
        return KinesisCalls(self._client, self._named, self._maker(stream, shard, place), self._listed)

    def _maker(self, stream: str, shard: str, place: Start | Position) -> RecordMaker:
        begun = place.number if isinstance(place, Position) and place.sub else None
        return RecordMaker(Lane(stream, shard), self._arn, self._role, self._deaggregate, begun)

    # --- the listing ------------------------------------------------------------------------------------------------

    async def _find(self) -> _Described:
        if self._summarises:
            try:
                return await self._summarised()
            except Exception as error:
                if faults.code(error) not in NO_OPERATION_CODES and faults.status(error) != 501:
                    raise
                self._summarises = False  # an emulator that has no such operation will not grow one
        return await self._described()

    async def _summarised(self) -> _Described:
        about = (await self._client.describe_stream_summary(**self._named))["StreamDescriptionSummary"]
        reply = await self._client.list_shards(**self._named)
        shards: list[Mapping[str, Any]] = [*reply["Shards"]]
        token = None
        while token := following(token, reply.get("NextToken")):
            reply = await self._client.list_shards(NextToken=token)
            shards += reply["Shards"]
        return _Described(about, shards, answered_at(reply, self._clock), told_time(reply))

    async def _described(self) -> _Described:
        reply = await self._client.describe_stream(**self._named)
        about = reply["StreamDescription"]
        shards: list[Mapping[str, Any]] = [*about["Shards"]]
        last = None
        while about["HasMoreShards"]:
            last = following(last, shards[-1]["ShardId"])
            reply = await self._client.describe_stream(**self._named, ExclusiveStartShardId=last)
            about = reply["StreamDescription"]
            shards += about["Shards"]
        return _Described(about, shards, answered_at(reply, self._clock), told_time(reply))


@dataclass(frozen=True, slots=True)
class _Described:
    about: Mapping[str, Any]
    """The description of the stream itself."""
    shards: Sequence[Mapping[str, Any]]
    at: float
    told: float | None


class KinesisCalls:
    """The `ShardCalls` of one shard."""

    def __init__(self, client: Any, named: Mapping[str, str], maker: RecordMaker, listed: Listed) -> None:
        self._client = client
        self._named = named
        self._maker = maker
        self._listed = listed
        self._lane = maker.lane

    async def iterator(self, place: Start | Position) -> str:
        what = self._what("GetShardIterator")
        try:
            return await self._iterator(what, **_after(place))
        except Exception as error:
            if faults.code(error) == INVALID_CODE and isinstance(place, Position) and await self._below(place):
                raise Trimmed(f"{what}: {place.text} is older than the shard's oldest record") from error
            raise unavailable(error, what) from error

    async def iterator_at(self, position: Position) -> str:
        """At the record itself. Raises Astray when the service knows no such position."""
        what = self._what("GetShardIterator")
        try:
            return await self._iterator(
                what, ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=position.text
            )
        except Exception as error:
            failure = unavailable(error, what)
            raise Astray(str(failure)) if faults.code(error) in UNKNOWN_CODES else failure from error

    async def get(self, iterator: str, limit: int) -> Reply:
        what = self._what("GetRecords")
        arn = {name: value for name, value in self._named.items() if name == "StreamARN"}
        try:
            reply = await self._client.get_records(ShardIterator=iterator, Limit=limit, **arn)
        except Exception as error:
            failure = unavailable(error, what)
            raise Astray(str(failure)) if faults.code(error) in ASTRAY_CODES else failure from error
        with reading(what):
            records = reply["Records"]
            size = sum(len(raw["Data"]) for raw in records) * 3 // 4  # base64
            behind = reply.get("MillisBehindLatest")
            return Reply(records, reply.get("NextShardIterator"), behind, size, told_time(reply))

    def make(self, raws: Sequence[Mapping[str, Any]]) -> Records:
        with reading(self._what("GetRecords")):
            return self._maker.make(raws)

    def probed(self, raw: Mapping[str, Any]) -> Probed:
        with reading(self._what("GetRecords")):
            return Probed(int(raw["SequenceNumber"]), events.seconds(raw["ApproximateArrivalTimestamp"]))

    async def look(self, fresh: float) -> Shard | None:
        return await self._listed.look(self._lane.shard, fresh)

    async def _iterator(self, what: str, **where: Any) -> str:
        reply = await self._client.get_shard_iterator(**self._named, ShardId=self._lane.shard, **where)
        with reading(what):
            return str(reply["ShardIterator"])

    async def _below(self, place: Position) -> bool:
        shard = await self.look(0.0)
        return shard is not None and shard.first is not None and place.number < shard.first

    def _what(self, operation: str) -> str:
        return f"{operation} on {self._lane.shard} of {self._lane.source}"


def _after(place: Start | Position) -> dict[str, Any]:
    """The iterator that begins behind a place; with the record at it, where that is an aggregate of which there may be
    more."""
    if isinstance(place, Position):
        kind = "AT_SEQUENCE_NUMBER" if place.sub else "AFTER_SEQUENCE_NUMBER"
        return {"ShardIteratorType": kind, "StartingSequenceNumber": place.text}
    if place.at is None:
        return {"ShardIteratorType": "TRIM_HORIZON"}
    return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime.fromtimestamp(place.at, UTC)}


class RecordMaker:
    """Makes records from the answers of GetRecords and SubscribeToShard."""

    def __init__(self, lane: Lane, arn: Arn, role: str, deaggregate: bool, begun: int | None = None) -> None:
        """`begun`: an aggregate of which a part was done, so that it is taken apart whatever is wanted now."""
        self.lane = lane
        self._deaggregate = deaggregate
        self._begun = begun
        self._element = ShardElement(lane, str(arn), arn.region, role)

    def make(self, raws: Sequence[Mapping[str, Any]]) -> Records:
        """Raises KeyError, TypeError or ValueError when one is none."""
        if not any(map(self._packed, raws)):
            return Records([Page(KinesisSheet(self._element, raws))] if raws else ())
        return Records.of(record for raw in raws for record in self._taken_apart(raw))

    def _packed(self, raw: Mapping[str, Any]) -> bool:
        """Whether it may be an aggregate, and is to be taken apart."""
        if not self._deaggregate and (self._begun is None or int(raw["SequenceNumber"]) != self._begun):
            return False
        packed: bool = raw["Data"].startswith(AGGREGATE)
        return packed

    def _taken_apart(self, raw: Mapping[str, Any]) -> Sequence[Record]:
        if not self._packed(raw):
            return (self._record(raw, Position.parse(raw["SequenceNumber"])),)
        packed = {**raw, "Data": b64decode(raw["Data"])}
        return [self._record(each, position) for each, position in expand(packed)]

    def _record(self, raw: Mapping[str, Any], position: Position) -> Record:
        return Record(
            lane=self.lane,
            id=position.text,
            item=self._element.item(raw),
            arrived=events.seconds(raw["ApproximateArrivalTimestamp"]),
            position=position,
            key=raw["PartitionKey"],
        )

"""The operations of Kinesis that answer at once. SubscribeToShard is in `fan_out`."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable

import orjson

from .kinesis_model import KinesisStream, child_body, consumer_body, shard_body
from .limits import MIB, Limits
from .model import ACCOUNT, HASHES, Body, Refused, Shard, hash_of, page_of
from .places import ListPlace, Place, position
from .stub import Stub

ITERATOR_SECONDS = TOKEN_SECONDS = 300.0
MOST_RECORDS, MOST_BYTES = 10_000, 10 * MIB
THROTTLED = "ProvisionedThroughputExceededException"
QUOTAS: dict[str, Callable[[Limits], int]] = {
    "DescribeStream": lambda limits: limits.describes,
    "DescribeStreamSummary": lambda limits: limits.summaries,
    "DescribeStreamConsumer": lambda limits: limits.consumers,
    "GetRecords": lambda limits: limits.gets,
    "GetShardIterator": lambda limits: limits.iterators,
    "ListShards": lambda limits: limits.lists,
}


def meter(stub: Stub, operation: str, stream: KinesisStream, shard: str) -> None:
    """Count the call. Raises Refused where it is beyond AWS's quota."""
    if stub.limits is None or operation not in QUOTAS:
        return
    key = f"{operation} {stream.arn if operation == 'ListShards' else ''} {shard and stream.arn + shard}"
    if not stub.meter.admits(key, QUOTAS[operation](stub.limits), stub.clock.now()):
        raise throttled(operation, stream, shard)


def throttled(operation: str, stream: KinesisStream, shard: str) -> Refused:
    if shard:
        message = f"Rate exceeded for shard {shard} in stream {stream.name} under account {ACCOUNT}."
        return Refused(THROTTLED, message)
    return Refused("LimitExceededException", f"Rate exceeded for stream {stream.name} under account {ACCOUNT}.")


def shard_of(stream: KinesisStream, name: object) -> Shard:
    if (shard := stream.shards.get(str(name))) is None:
        message = f"Shard {name} in stream {stream.name} under account {ACCOUNT} does not exist"
        raise Refused("ResourceNotFoundException", message)
    return shard


# --- listings -------------------------------------------------------------------------------------------------------


def _list_shards(stub: Stub, stream: KinesisStream, body: Body) -> Body:
    now = stub.clock.now()
    place = _list_place(stream, body, now)
    shards = list(_filtered(stream, place, body))
    limit = min(stream.page, int(str(body.get("MaxResults", 1000))))
    more = {} if len(shards) <= limit else {"NextToken": _after(place, shards[limit - 1], now).token()}
    return {"Shards": [shard_body(shard) for shard in shards[:limit]], **more}


def _list_place(stream: KinesisStream, body: Body, now: float) -> ListPlace:
    if "NextToken" not in body:
        after = str(body.get("ExclusiveStartShardId", ""))
        return ListPlace(stream.arn, after, orjson.dumps(body.get("ShardFilter", {})).decode(), now)
    if "StreamName" in body:
        raise Refused("InvalidArgumentException", "NextToken and StreamName cannot be provided together.")
    place = ListPlace.parse(str(body["NextToken"]))
    assert place is not None  # it led to the stream
    if place.at < now - TOKEN_SECONDS:
        raise Refused("ExpiredNextTokenException", "The provided NextToken has expired.")
    return place


def _after(place: ListPlace, shard: Shard, now: float) -> ListPlace:
    return ListPlace(place.arn, shard.id, place.filter, now)


def _filtered(stream: KinesisStream, place: ListPlace, body: Body) -> Iterable[Shard]:
    wanted = orjson.loads(place.filter)
    kind, time = wanted.get("Type", "FROM_TRIM_HORIZON"), float(wanted.get("Timestamp", 0))
    after = max(place.after, str(wanted.get("ShardId", "")))
    for shard in stream.shards.values():
        alive = {
            "AT_LATEST": shard.closed is None,
            "AT_TIMESTAMP": shard.opened <= time and (shard.closed is None or shard.closed >= time),
            "FROM_TIMESTAMP": shard.closed is None or shard.closed >= time,
            "AT_TRIM_HORIZON": not any(parent in stream.shards for parent in shard.parents),
        }
        if shard.id > after and alive.get(kind, True):
            yield shard


def _describe(stub: Stub, stream: KinesisStream, body: Body) -> Body:
    shards = [shard for shard in stream.shards.values() if shard.id > str(body.get("ExclusiveStartShardId", ""))]
    limit = min(stream.page, int(str(body.get("Limit", 100))))
    listed = {"Shards": [shard_body(shard) for shard in shards[:limit]], "HasMoreShards": len(shards) > limit}
    return {"StreamDescription": {**_summary(stream), **listed}}


def _describe_summary(stub: Stub, stream: KinesisStream, body: Body) -> Body:
    counts = {"OpenShardCount": len(stream.open_shards), "ConsumerCount": len(stream.consumers)}
    return {"StreamDescriptionSummary": {**_summary(stream), **counts}}


def _summary(stream: KinesisStream) -> Body:
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStatus": stream.status,
        "StreamModeDetails": {"StreamMode": "PROVISIONED"},
        "RetentionPeriodHours": int(stream.retention // 3600),
        "StreamCreationTimestamp": stream.created,
        "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
        "EncryptionType": "NONE",
    }


# --- records --------------------------------------------------------------------------------------------------------


def _get_shard_iterator(stub: Stub, stream: KinesisStream, body: Body) -> Body:
    shard, kind = shard_of(stream, body["ShardId"]), str(body["ShardIteratorType"])
    start = starting(stub, stream, shard, kind, body.get("StartingSequenceNumber"), body.get("Timestamp"))
    return {"ShardIterator": _iterator(stub, stream, shard, start)}


def starting(stub: Stub, stream: KinesisStream, shard: Shard, kind: str, number: object, time: object) -> int:
    """The position at which a reader starts. Raises Refused for what is no place of this shard."""
    if kind == "AT_TIMESTAMP" and float(str(time)) > stub.clock.now():
        message = "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis."
        raise Refused("InvalidArgumentException", message)
    if kind.endswith("SEQUENCE_NUMBER"):
        _check(stream, shard, int(str(number)))
    return position(shard, kind, int(str(number or 0)), float(str(time or 0)))


def _check(stream: KinesisStream, shard: Shard, number: int) -> None:
    if number % stream.step != shard.index:
        encoded = f"shardId-{number % stream.step:012d}"
        message = f"It encodes {encoded}, while it was used in a call to a shard with {shard.id}"
        raise Refused("InvalidArgumentException", f"Invalid StartingSequenceNumber. {message}")
    if not shard.start <= number <= (shard.end or stream.newest):
        message = (
            f"StartingSequenceNumber {number} used in GetShardIterator on shard {shard.id} in stream {stream.name} "
            f"under account {ACCOUNT} is invalid because it did not come from this stream."
        )
        raise Refused("InvalidArgumentException", message)


def _iterator(stub: Stub, stream: KinesisStream, shard: Shard, start: int) -> str:
    return Place(stream.arn, stream.created, shard.id, start, stub.clock.now(), stream.generation).token()


def _get_records(stub: Stub, stream: KinesisStream, body: Body) -> Body:
    now = stub.clock.now()
    place = _place(stream, body, now)
    shard = shard_of(stream, place.shard)
    key = stream.arn + shard.id
    if stub.limits is not None and not stub.meter.open(key, now):
        raise throttled("GetRecords", stream, shard.id)
    first = shard.index_of(place.position)
    records = page_of(shard.records, first, int(str(body.get("Limit", MOST_RECORDS))), MOST_BYTES)
    if stream.faults.empty_pages and records:
        stream.faults.empty_pages -= 1
        records = []
    if stub.limits is not None:
        stub.meter.read(key, sum(record.size for record in records), stub.limits.bytes, now)
    position = records[-1].sequence + 1 if records else place.position
    return {
        "Records": [orjson.Fragment(record.wire) for record in records],
        "MillisBehindLatest": behind(shard, position, now),
        **_onward(stub, stream, shard, position, empty=not records),
    }


def _place(stream: KinesisStream, body: Body, now: float) -> Place:
    place = Place.parse(str(body["ShardIterator"]))
    assert place is not None  # it led to the stream
    if not place.in_(stream):
        raise Refused("ResourceNotFoundException", f"Stream {stream.name} under account {ACCOUNT} not found.")
    if place.at < now - ITERATOR_SECONDS or place.generation < stream.generation:
        message = f"Iterator expired. The iterator was created at time {place.at} while right now it is {now}."
        raise Refused("ExpiredIteratorException", message)
    return place


def _onward(stub: Stub, stream: KinesisStream, shard: Shard, position: int, *, empty: bool) -> Body:
    if shard.ends_at(position) and (empty or not stream.late_end):
        return {"ChildShards": [child_body(child) for child in stream.children(shard.id)]}
    if stream.faults.null_iterators and shard.end is None:
        stream.faults.null_iterators -= 1
        return {}
    return {"NextShardIterator": _iterator(stub, stream, shard, position)}


def behind(shard: Shard, position: int, now: float) -> int:
    """Milliseconds from the tip of the shard; 0 where nothing is there to read."""
    index = shard.index_of(position)
    return max(1, int((now - shard.records[index].arrived) * 1000)) if index < len(shard.records) else 0


# --- writing --------------------------------------------------------------------------------------------------------


def _put_record(stub: Stub, stream: KinesisStream, body: Body) -> Body:
    return {**_put(stream, body), "EncryptionType": "NONE"}


def _put_records(stub: Stub, stream: KinesisStream, body: Body) -> Body:
    entries = body["Records"]
    assert isinstance(entries, list)
    return {"FailedRecordCount": 0, "Records": [_put(stream, entry) for entry in entries], "EncryptionType": "NONE"}


def _put(stream: KinesisStream, entry: Body) -> Body:
    key = str(entry["PartitionKey"])
    hashed = int(str(entry["ExplicitHashKey"])) if "ExplicitHashKey" in entry else hash_of(key)
    record = stream.put_hashed(hashed, key, base64.b64decode(str(entry["Data"])))
    return {"ShardId": record.shard, "SequenceNumber": record.number}


def _split(stub: Stub, stream: KinesisStream, body: Body) -> Body:
    shard, at = shard_of(stream, body["ShardToSplit"]), int(str(body["NewStartingHashKey"]))
    if not shard.low < at <= shard.high < HASHES:
        raise Refused("InvalidArgumentException", f"NewStartingHashKey {at} is not inside of {shard.id}")
    _refuse_closed(stream, shard)
    stream.split(shard.id, at)
    return {}


def _merge(stub: Stub, stream: KinesisStream, body: Body) -> Body:
    one, other = shard_of(stream, body["ShardToMerge"]), shard_of(stream, body["AdjacentShardToMerge"])
    _refuse_closed(stream, one, other)
    stream.merge(one.id, other.id)
    return {}


def _refuse_closed(stream: KinesisStream, *shards: Shard) -> None:
    for shard in shards:
        if shard.end is not None:
            raise Refused("ResourceInUseException", f"Shard {shard.id} in stream {stream.name} is closed")


def _delete(stub: Stub, stream: KinesisStream, body: Body) -> Body:
    stub.delete(stream)
    return {}


# --- consumers ------------------------------------------------------------------------------------------------------


def _register(stub: Stub, stream: KinesisStream, body: Body) -> Body:
    name = str(body["ConsumerName"])
    if name in stream.consumers:
        raise Refused("ResourceInUseException", f"Consumer {name} of stream {stream.name} already exists.")
    return {"Consumer": consumer_body(stream.consumer(name))}


def _describe_consumer(stub: Stub, stream: KinesisStream, body: Body) -> Body:
    named = (str(body.get("ConsumerARN", "")), str(body.get("ConsumerName", "")))
    consumer = next((each for each in stream.consumers.values() if each.arn == named[0] or each.name == named[1]), None)
    if consumer is None:
        raise Refused("ResourceNotFoundException", f"Consumer {named[0] or named[1]} not found.")
    return {"ConsumerDescription": {**consumer_body(consumer), "StreamARN": stream.arn}}


OPERATIONS: dict[str, Callable[[Stub, KinesisStream, Body], Body]] = {
    "DeleteStream": _delete,
    "DescribeStream": _describe,
    "DescribeStreamConsumer": _describe_consumer,
    "DescribeStreamSummary": _describe_summary,
    "GetRecords": _get_records,
    "GetShardIterator": _get_shard_iterator,
    "ListShards": _list_shards,
    "MergeShards": _merge,
    "PutRecord": _put_record,
    "PutRecords": _put_records,
    "RegisterStreamConsumer": _register,
    "SplitShard": _split,
}

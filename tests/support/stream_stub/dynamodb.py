"""The operations of DynamoDB Streams, and those of DynamoDB that make tables and changes."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from .dynamodb_model import TableStream, key_schema, shard_body, table_body
from .limits import MIB
from .model import Body, Refused, Shard, page_of
from .places import Place, position
from .stub import Stub

ITERATOR_SECONDS = 900.0
MOST_RECORDS, MOST_BYTES, MOST_SHARDS = 1000, MIB, 100


def meter(stub: Stub, operation: str, stream: TableStream, shard: str) -> None:
    """Count the call. Raises Refused where it is beyond AWS's quota."""
    if stub.limits is None or operation != "DescribeStream":
        return
    if not stub.meter.admits("DynamoDB DescribeStream", stub.limits.describes, stub.clock.now()):
        raise throttled(operation, stream, shard)


def throttled(operation: str, stream: TableStream, shard: str) -> Refused:
    if operation == "GetRecords":
        return Refused("LimitExceededException", f"Too many readers of shard {shard}")
    return Refused("ThrottlingException", f"Rate of requests exceeds the allowed throughput: {operation}")


# --- the stream -----------------------------------------------------------------------------------------------------


def _describe_stream(stub: Stub, stream: TableStream, body: Body) -> Body:
    shards = [shard for shard in _wanted(stream, body) if shard.id > str(body.get("ExclusiveStartShardId", ""))]
    limit = min(stream.page, int(str(body.get("Limit", MOST_SHARDS))), MOST_SHARDS)
    more = {"LastEvaluatedShardId": shards[limit - 1].id} if len(shards) > limit else {}
    description = {
        "StreamArn": stream.arn,
        "StreamLabel": stream.label,
        "StreamStatus": stream.status,
        "StreamViewType": stream.view,
        "CreationRequestDateTime": stream.created,
        "TableName": stream.name,
        "KeySchema": key_schema(stream),
        "Shards": [shard_body(shard) for shard in shards[:limit]],
        **more,
    }
    return {"StreamDescription": description}


def _wanted(stream: TableStream, body: Body) -> list[Shard]:
    match body.get("ShardFilter"):
        case {"Type": "CHILD_SHARDS", "ShardId": str(parent)}:
            return stream.children(parent)
    return list(stream.shards.values())


def list_streams(stub: Stub, body: Body) -> Body:
    """One page: of one table or of all."""
    wanted = [each for each in stub.table_streams.values() if body.get("TableName") in (None, each.name)]
    streams = [{"StreamArn": each.arn, "TableName": each.name, "StreamLabel": each.label} for each in wanted]
    return {"Streams": streams}


def _get_shard_iterator(stub: Stub, stream: TableStream, body: Body) -> Body:
    shard, kind = _shard_of(stream, body["ShardId"]), str(body["ShardIteratorType"])
    if kind.endswith("SEQUENCE_NUMBER"):
        _check(stream, shard, int(str(body["SequenceNumber"])))
    if kind == "AT_TIMESTAMP" and float(str(body["Timestamp"])) > stub.clock.now():
        raise Refused("ValidationException", "Timestamp is in the future")
    start = position(shard, kind, int(str(body.get("SequenceNumber", 0))), float(str(body.get("Timestamp", 0))))
    return {"ShardIterator": _iterator(stub, stream, shard, start)}


def _check(stream: TableStream, shard: Shard, number: int) -> None:
    if number <= shard.trimmed:
        raise _trimmed("The requested StartingSequenceNumber is beyond the trim horizon.")
    if not shard.start <= number <= (shard.end or stream.newest):
        raise Refused("ValidationException", f"Invalid SequenceNumber {number} for shard {shard.id}")


def _trimmed(message: str) -> Refused:
    return Refused("TrimmedDataAccessException", message)


def _iterator(stub: Stub, stream: TableStream, shard: Shard, start: int) -> str:
    return Place(stream.arn, stream.created, shard.id, start, stub.clock.now(), stream.generation).token()


def _shard_of(stream: TableStream, name: object) -> Shard:
    if (shard := stream.shards.get(str(name))) is None:
        message = f"Requested resource not found: Shard: {name} in Stream: {stream.arn} not found"
        raise Refused("ResourceNotFoundException", message)
    return shard


def _get_records(stub: Stub, stream: TableStream, body: Body) -> Body:
    place = _place(stub, stream, body)
    shard, limit = _shard_of(stream, place.shard), int(str(body.get("Limit", MOST_RECORDS)))
    if place.position <= shard.trimmed:
        raise _trimmed("Attempt to access trimmed records of the shard.")
    if limit > MOST_RECORDS:
        raise Refused("LimitExceededException", f"Limit must be at most {MOST_RECORDS}")
    records = page_of(shard.records, shard.index_of(place.position), limit, MOST_BYTES)
    if stream.faults.empty_pages and records:
        stream.faults.empty_pages -= 1
        records = []
    position = records[-1].sequence + 1 if records else place.position
    onward = _onward(stub, stream, shard, position, empty=not records)
    return {"Records": [orjson.Fragment(record.wire) for record in records], **onward}


def _place(stub: Stub, stream: TableStream, body: Body) -> Place:
    place = Place.parse(str(body["ShardIterator"]))
    assert place is not None  # it led to the stream
    if place.at < stub.clock.now() - ITERATOR_SECONDS or place.generation < stream.generation:
        raise Refused("ExpiredIteratorException", "Shard iterator has expired.")
    return place


def _onward(stub: Stub, stream: TableStream, shard: Shard, position: int, *, empty: bool) -> Body:
    if shard.ends_at(position) and (empty or not stream.late_end):
        return {}
    if stream.faults.null_iterators and shard.end is None:
        stream.faults.null_iterators -= 1
        return {}
    return {"NextShardIterator": _iterator(stub, stream, shard, position)}


# --- the table ------------------------------------------------------------------------------------------------------


def create_table(stub: Stub, body: Body) -> Body:
    name, keys, wanted = str(body["TableName"]), body["KeySchema"], body["StreamSpecification"]
    assert isinstance(keys, list)
    assert isinstance(wanted, dict)
    if name in stub.tables:
        raise Refused("ResourceInUseException", f"Table already exists: {name}")
    key = tuple(str(each["AttributeName"]) for each in sorted(keys, key=lambda each: str(each["KeyType"])))
    return {"TableDescription": table_body(stub.table(name, wanted["StreamViewType"], key=key))}


def _describe_table(stub: Stub, stream: TableStream, body: Body) -> Body:
    return {"Table": table_body(stream)}


def _delete_table(stub: Stub, stream: TableStream, body: Body) -> Body:
    stub.delete(stream)
    return {"TableDescription": {**table_body(stream), "TableStatus": "DELETING"}}


def _update_table(stub: Stub, stream: TableStream, body: Body) -> Body:
    """Of all that this operation does, only what ends a stream."""
    if body.get("StreamSpecification") == {"StreamEnabled": False}:
        stream.disable()
    return {"TableDescription": table_body(stream)}


def _put_item(stub: Stub, stream: TableStream, body: Body) -> Body:
    item = body["Item"]
    assert isinstance(item, dict)
    if item not in stream.items.values():
        stream.put(item)
    return {}


def _delete_item(stub: Stub, stream: TableStream, body: Body) -> Body:
    key = body["Key"]
    assert isinstance(key, dict)
    if stream.has(key):
        stream.remove(key)
    return {}


OPERATIONS: dict[str, Callable[[Stub, TableStream, Body], Body]] = {
    "DeleteItem": _delete_item,
    "DeleteTable": _delete_table,
    "DescribeStream": _describe_stream,
    "DescribeTable": _describe_table,
    "GetRecords": _get_records,
    "GetShardIterator": _get_shard_iterator,
    "PutItem": _put_item,
    "UpdateTable": _update_table,
}

"""Records as the function sees them: the element of each source, and the envelope around the elements.

Elements are made from what the service's API returns (member names as botocore spells them), once, by the sources.
Envelopes join the elements' cached bytes and know their own size, so that a batch is cut at the payload limit exactly.

Shapes: https://docs.aws.amazon.com/lambda/latest/dg/ (with-sqs, with-kinesis, with-ddb, with-msk, kafka-process) and
what was observed; docs/semantics/core.md, EVENT-01 and on.
"""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import floor
from typing import Protocol

from .model import BatchKind, Lane, Record, Window, encode

Fields = Mapping[str, object]


# --- SQS --------------------------------------------------------------------------------------------------------------


def sqs_item(message: Fields, *, arn: str, region: str, windowed: bool) -> dict[str, object]:
    """The element of one message of ReceiveMessage.

    `windowed`: MaximumBatchingWindowInSeconds is above 0. AWS then sends `md5OfMessageAttributes: null` for a message
    without attributes, else leaves it out.
    """
    attributes = _mapping(message.get("MessageAttributes"))
    item: dict[str, object] = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message.get("Body", ""),
        "attributes": {name: str(value) for name, value in _mapping(message.get("Attributes")).items()},
        "messageAttributes": {name: _message_attribute(_mapping(value)) for name, value in attributes.items()},
    }
    if attributes and "MD5OfMessageAttributes" in message:
        item["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    elif not attributes and windowed:
        item["md5OfMessageAttributes"] = None
    item["md5OfBody"] = message.get("MD5OfBody")
    return item | {"eventSource": "aws:sqs", "eventSourceARN": arn, "awsRegion": region}


def _message_attribute(attribute: Fields) -> dict[str, object]:
    value: dict[str, object] = {}
    if "StringValue" in attribute:
        value["stringValue"] = attribute["StringValue"]
    if "BinaryValue" in attribute:
        value["binaryValue"] = _base64(attribute["BinaryValue"])
    return value | {"stringListValues": [], "binaryListValues": [], "dataType": attribute.get("DataType")}


# --- Kinesis ----------------------------------------------------------------------------------------------------------


def kinesis_item(record: Fields, *, shard: str, arn: str, region: str, role: str) -> dict[str, object]:
    """The element of one record of GetRecords. `arn` is what the mapping reads: the stream's or a consumer's."""
    number = record["SequenceNumber"]
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": number,
            "data": _base64(record["Data"]),
            "approximateArrivalTimestamp": round(seconds(record["ApproximateArrivalTimestamp"]), 3),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": role,
        "awsRegion": region,
        "eventSourceARN": arn,
    }


# --- DynamoDB streams -------------------------------------------------------------------------------------------------

_CHANGE = ("Keys", "NewImage", "OldImage")


def dynamodb_item(record: Fields, *, arn: str, region: str) -> dict[str, object]:
    """The element of one record of a DynamoDB stream's GetRecords."""
    item: dict[str, object] = {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": record.get("eventVersion", "1.1"),
        "eventSource": "aws:dynamodb",
        "awsRegion": region,
        "dynamodb": _change(_mapping(record["dynamodb"])),
    }
    identity = _mapping(record.get("userIdentity"))
    if identity:  # a deletion by time to live
        item["userIdentity"] = {"principalId": identity.get("PrincipalId"), "type": identity.get("Type")}
    return item | {"eventSourceARN": arn}


def _change(change: Fields) -> dict[str, object]:
    created = change.get("ApproximateCreationDateTime")
    out: dict[str, object] = {}
    if created is not None:
        out["ApproximateCreationDateTime"] = float(floor(seconds(created)))
    for member in _CHANGE:
        if member in change:
            image = _mapping(change[member])
            out[member] = {name: _attribute_value(value) for name, value in image.items()}
    for member in ("SequenceNumber", "SizeBytes", "StreamViewType"):
        if member in change:
            out[member] = change[member]
    return out


def _attribute_value(value: object) -> object:
    """A DynamoDB value, its binaries as base64 text. As deep as DynamoDB allows: 32 levels."""
    if isinstance(value, Mapping):
        return {name: _attribute_value(member) for name, member in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_attribute_value(member) for member in value]
    return _base64(value) if isinstance(value, (bytes, bytearray)) else value


def dynamodb_key(record: Fields) -> str:
    """The item's primary key as text, the same for the same item whatever the order of its attributes."""
    keys = _mapping(_mapping(record["dynamodb"]).get("Keys"))
    return json.dumps(_attribute_value(keys), sort_keys=True, separators=(",", ":"))


# --- Kafka ------------------------------------------------------------------------------------------------------------

TIMESTAMP_TYPES = ("CREATE_TIME", "LOG_APPEND_TIME")  # by Kafka's own number


@dataclass(frozen=True, slots=True)
class SchemaMetadata:
    """Which schema a key or value was decoded with."""

    data_format: str
    """AVRO, PROTOBUF or JSON."""
    schema_id: str


def kafka_item(
    *,
    topic: str,
    partition: int,
    offset: int,
    timestamp: int,
    timestamp_type: int,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]] = (),
) -> dict[str, object]:
    """The element of one record. `timestamp` in milliseconds.

    What is null is left out, as AWS does: a record without a key has no `key`, a tombstone no `value`, and a header
    without a value is `{}` (https://github.com/aws-powertools/powertools-lambda-typescript/issues/5016,
    https://github.com/Nike-Inc/hal/pull/143).
    """
    item: dict[str, object] = {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "timestamp": timestamp,
        "timestampType": TIMESTAMP_TYPES[timestamp_type == 1],
    }
    if key is not None:
        item["key"] = _base64(key)
    if value is not None:
        item["value"] = _base64(value)
    item["headers"] = [{} if content is None else {name: _signed(content)} for name, content in headers]
    return item


def kafka_bytes(item: Fields) -> tuple[bytes | None, bytes | None]:
    """The key and the value that the element of a record holds."""
    key, value = item.get("key"), item.get("value")
    return None if key is None else a2b_base64(str(key)), None if value is None else a2b_base64(str(value))


def kafka_decoded(
    item: Fields,
    *,
    key: bytes | None,
    value: bytes | None,
    key_schema: SchemaMetadata | None = None,
    value_schema: SchemaMetadata | None = None,
) -> dict[str, object]:
    """The element of a record whose key or value was read with a schema: these in the place of its own."""
    decoded = dict(item)
    if key is not None:
        decoded["key"] = _base64(key)
    if value is not None:
        decoded["value"] = _base64(value)
    for name, schema in (("keySchemaMetadata", key_schema), ("valueSchemaMetadata", value_schema)):
        if schema is not None:
            decoded[name] = {"dataFormat": schema.data_format, "schemaId": schema.schema_id}
    return decoded


def _signed(content: bytes) -> list[int]:
    """A header's value as Java's bytes, -128 to 127."""
    return memoryview(content).cast("b").tolist()


# --- envelopes --------------------------------------------------------------------------------------------------------


class Envelope(Protocol):
    """What stands around the records of one mapping's event.

    The event of n > 0 records is `overhead` + n - 1 commas + the records' bodies + `lane_overhead` of each of their
    lanes, in bytes.
    """

    @property
    def overhead(self) -> int: ...

    def lane_overhead(self, lane: Lane) -> int: ...

    def render(
        self,
        records: Sequence[Record],
        *,
        lane: Lane | None = None,
        kind: BatchKind = BatchKind.RECORDS,
        window: Window | None = None,
        terminated_early: bool = False,
        state: bytes = b"{}",
    ) -> bytes:
        """The whole event, JSON. All but `records` matters to tumbling windows only; `lane` where there is no record
        to tell it."""
        ...


class RecordsEnvelope:
    """`{"Records":[…]}`: SQS, Kinesis, DynamoDB."""

    overhead = len(b'{"Records":[]}')

    def lane_overhead(self, lane: Lane) -> int:
        return 0

    def render(
        self,
        records: Sequence[Record],
        *,
        lane: Lane | None = None,
        kind: BatchKind = BatchKind.RECORDS,
        window: Window | None = None,
        terminated_early: bool = False,
        state: bytes = b"{}",
    ) -> bytes:
        return b'{"Records":[' + _joined(records) + b"]}"


STATE_LIMIT = 1024 * 1024
"""Bytes of state that a tumbling window may hand on (AWS: 1 MB per shard)."""


class WindowEnvelope:
    """A tumbling window of one shard. Room for the largest state is set aside, because the state grows while a batch
    is worked on; so `overhead` is an upper bound."""

    overhead = (
        len(b'{"Records":[],"window":{"start":"2020-12-09T07:04:00Z","end":"2020-12-09T07:06:00Z"},"state":')
        + STATE_LIMIT
        + len(b',"isFinalInvokeForWindow":false,"isWindowTerminatedEarly":false}')
    )

    def lane_overhead(self, lane: Lane) -> int:
        return len(encode({"shardId": lane.shard, "eventSourceARN": lane.source})) - 1

    def render(
        self,
        records: Sequence[Record],
        *,
        lane: Lane | None = None,
        kind: BatchKind = BatchKind.RECORDS,
        window: Window | None = None,
        terminated_early: bool = False,
        state: bytes = b"{}",
    ) -> bytes:
        shard = lane or records[0].lane
        bounds = window or Window(0, 0)
        about = {
            "shardId": shard.shard,
            "eventSourceARN": shard.source,
            "isFinalInvokeForWindow": kind is BatchKind.WINDOW_END,
            "isWindowTerminatedEarly": terminated_early,
        }
        span = encode({"start": _utc(bounds.start), "end": _utc(bounds.end)})
        head = b'{"Records":[' + _joined(records) + b'],"window":' + span + b',"state":' + state
        return head + b"," + encode(about)[1:]


class KafkaEnvelope:
    """Records by partition. `arn` None: a self-managed cluster, whose event has no ARN.

    `bootstrap_servers` may be asked for each time: those of an MSK cluster are known once it is reached."""

    def __init__(self, bootstrap_servers: str | Callable[[], str], arn: str | None = None) -> None:
        self._servers = bootstrap_servers
        self._about: dict[str, object] = {"eventSource": "SelfManagedKafka"}
        if arn is not None:
            self._about = {"eventSource": "aws:kafka", "eventSourceArn": arn}
        self._made: tuple[str, bytes] | None = None

    @property
    def overhead(self) -> int:
        return len(self._head) + len(b"}}")

    @property
    def _head(self) -> bytes:
        servers = self._servers if isinstance(self._servers, str) else self._servers()
        if self._made is None or self._made[0] != servers:
            head = encode(self._about | {"bootstrapServers": servers})[:-1] + b',"records":{'
            self._made = servers, head
        return self._made[1]

    def lane_overhead(self, lane: Lane) -> int:
        return len(encode(lane.shard)) + len(b":[]")

    def render(
        self,
        records: Sequence[Record],
        *,
        lane: Lane | None = None,
        kind: BatchKind = BatchKind.RECORDS,
        window: Window | None = None,
        terminated_early: bool = False,
        state: bytes = b"{}",
    ) -> bytes:
        lanes: dict[str, list[Record]] = {}
        for record in records:
            lanes.setdefault(record.lane.shard, []).append(record)
        parts = (encode(shard) + b":[" + _joined(members) + b"]" for shard, members in lanes.items())
        return self._head + b",".join(parts) + b"}}"


def _joined(records: Sequence[Record]) -> bytes:
    return b",".join([record.body for record in records])


# --- values -----------------------------------------------------------------------------------------------------------


def seconds(value: object) -> float:
    """Seconds since the epoch from what a client gives as a time: a number, or a datetime (UTC when it has no zone)."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, (int, float)):
        return float(value)
    raise TypeError(f"a time must be a datetime or a number, not {value!r}")


def _utc(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _base64(value: object) -> str:
    """Text stays as it is: a client told not to decode base64 hands it on encoded."""
    return (
        b2a_base64(value, newline=False).decode() if isinstance(value, (bytes, bytearray, memoryview)) else str(value)
    )


def _mapping(value: object) -> Fields:
    return value if isinstance(value, Mapping) else {}

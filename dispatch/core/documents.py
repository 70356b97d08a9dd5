"""The documents that a failure destination gets when records are discarded, to the letter. Pure.

One document per discard: SQS and SNS get it as it is, S3 with the whole event as an escaped string; a `kafka://` topic
gets one per record with the event as an object. Made from the planner's `DiscardStep`; the destinations write them.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html (and services-ddb, kafka-on-failure);
docs/semantics/core.md, EVENT-20 and on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from .model import DiscardReason, Lane, Record, encode
from .steps import DiscardStep

Document = dict[str, object]

FIRST, LAST = -62135596800.0, 253402300799.0
"""Seconds since the epoch in which the year 1 begins, and the year 9999 ends."""

_BATCH_INFO = {"kinesis": "KinesisBatchInfo", "dynamodb": "DDBStreamBatchInfo"}


@dataclass(frozen=True, slots=True)
class Subject:
    """What the documents of one mapping have in common."""

    function_arn: str
    """As the mapping names the function: unqualified when the mapping is."""


@dataclass(frozen=True, slots=True)
class KafkaSubject:
    """The same for Kafka. `source_arn` None: a self-managed cluster."""

    function_arn: str
    bootstrap_servers: str
    source_arn: str | None = None


def stream_document(
    kind: Literal["kinesis", "dynamodb"],
    subject: Subject,
    discard: DiscardStep,
    lane: Lane,
    *,
    written: float,
    fresh_id: str,
) -> Document:
    """The document of a discarded batch of a shard.

    `written` is wall-clock seconds; `fresh_id` stands for the request id where no invocation gave one.
    Times of records have milliseconds for Kinesis and whole seconds for DynamoDB.
    """
    document = _head(subject.function_arn, discard, written, fresh_id)
    document[_BATCH_INFO[kind]] = _shard_info(discard.records, lane, "milliseconds" if kind == "kinesis" else "seconds")
    return document


def _shard_info(records: Sequence[Record], lane: Lane, precision: str) -> Document:
    info: Document = {"shardId": lane.shard}
    if records:  # the end of a tumbling window may have none
        first, last = records[0], records[-1]
        info["startSequenceNumber"] = _number(first)
        info["endSequenceNumber"] = _number(last)
        info["approximateArrivalOfFirstRecord"] = timestamp(first.arrived, precision)
        info["approximateArrivalOfLastRecord"] = timestamp(last.arrived, precision)
    return info | {"batchSize": len(records), "streamArn": lane.source}


def kafka_document(
    subject: KafkaSubject,
    discard: DiscardStep,
    *,
    payload_size: int,
    written: float,
    fresh_id: str,
) -> Document:
    """The document of a discarded batch of a topic, for SQS, SNS and S3. `payload_size` is the event's, in bytes."""
    document = _head(subject.function_arn, discard, written, fresh_id)
    info = _cluster_info(subject, len(discard.records), payload_size)
    document["KafkaBatchInfo"] = info | {"recordsInfo": _records_info(discard.records)}
    return document


def kafka_record_document(
    subject: KafkaSubject,
    discard: DiscardStep,
    record: Record,
    *,
    event: bytes,
    written: float,
    fresh_id: str,
) -> bytes:
    """The message for a `kafka://` topic: one per record, with `event` (which holds this record alone) as an object."""
    document = _head(subject.function_arn, discard, written, fresh_id)
    about = {"offset": _number(record), "timestamp": timestamp(record.arrived)}
    document["KafkaBatchInfo"] = _cluster_info(subject, 1, len(event)) | {"recordInfo": about}
    return encode(document)[:-1] + b',"payload":' + event + b"}"


def _cluster_info(subject: KafkaSubject, size: int, payload_size: int) -> Document:
    info: Document = {"batchSize": size}
    if subject.source_arn is not None:
        info["eventSourceArn"] = subject.source_arn
    return info | {"bootstrapServers": subject.bootstrap_servers, "payloadSize": payload_size}


def _records_info(records: Sequence[Record]) -> Document:
    lanes: dict[str, list[Record]] = {}
    for record in records:
        lanes.setdefault(record.lane.shard, []).append(record)
    return {
        shard: {
            "firstRecordOffset": _number(members[0]),
            "lastRecordOffset": _number(members[-1]),
            "firstRecordTimestamp": timestamp(members[0].arrived),
            "lastRecordTimestamp": timestamp(members[-1].arrived),
        }
        for shard, members in lanes.items()
    }


# --- what all have ----------------------------------------------------------------------------------------------------


def _head(function_arn: str, discard: DiscardStep, written: float, fresh_id: str) -> Document:
    request_id = discard.last.request_id if discard.last and _exhausted(discard) else fresh_id
    document: Document = {
        "requestContext": {
            "requestId": request_id or fresh_id,
            "functionArn": function_arn,
            "condition": discard.reason.value,
            "approximateInvokeCount": max(1, discard.invocations),  # AWS says 1 for records it never sent, too
        }
    }
    if discard.reason is not DiscardReason.AGE_EXCEEDED:  # which has no such member at all
        document["responseContext"] = _response_context(discard)
    return document | {"version": "1.0", "timestamp": timestamp(written)}


def _response_context(discard: DiscardStep) -> Document | None:
    """Null where no invocation decided it: an oversized record, a schema that is gone."""
    if discard.last is None or not _exhausted(discard):
        return None
    return {
        "statusCode": discard.last.status,
        "executedVersion": discard.last.executed_version,
        "functionError": discard.last.function_error,
    }


def _exhausted(discard: DiscardStep) -> bool:
    return discard.reason is DiscardReason.RETRIES_EXHAUSTED


def _number(record: Record) -> str:
    """The position as the source spells it."""
    if record.position is None:
        return ""
    return record.position.text or str(record.position.number)


def timestamp(moment: float, precision: str = "milliseconds") -> str:
    """ISO 8601 in UTC with a Z, cut (not rounded) to its precision. What producers of Kafka call a time may be beyond
    every calendar (microseconds, say): the nearest moment that has four digits for its year."""
    return (
        datetime.fromtimestamp(min(max(moment, FIRST), LAST), UTC).isoformat(timespec=precision).removesuffix("+00:00")
        + "Z"
    )


# --- S3 ---------------------------------------------------------------------------------------------------------------


def with_payload(document: Mapping[str, object], event: bytes) -> bytes:
    """The body of an S3 object: the document with the whole event as a JSON string, which only S3 gets."""
    return encode(dict(document) | {"payload": event.decode()})


def s3_key(mapping_uuid: str, lane: Lane, written: float, unique: str) -> str:
    """The key of an S3 object; `unique` is a random UUID."""
    moment = datetime.fromtimestamp(written, UTC)
    folder = moment.strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S")
    return f"aws/lambda/{mapping_uuid}/{lane.shard}/{folder}-{unique}"

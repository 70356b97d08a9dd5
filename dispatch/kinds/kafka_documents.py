"""The documents about discarded records of topics, for failure destinations, and what such a document names. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...config.mapping import EventSourceMapping
from ..core.documents import Document, Documents, Report, document_head, position_text, timestamp
from ..core.found_documents import NamedRecords, moment_of
from ..core.model import Record, encode
from ..core.steps import DiscardStep
from .profile import Address


@dataclass(frozen=True, slots=True)
class KafkaSubject:
    """The facts that all documents of one mapping of a topic share. `source_arn` None: a self-managed cluster."""

    function_arn: str
    """The function's ARN as the mapping names it: unqualified when the mapping's is."""
    bootstrap_servers: str
    source_arn: str | None = None


def kafka_document(
    subject: KafkaSubject,
    discard: DiscardStep,
    *,
    payload_size: int,
    written: float,
    fresh_id: str,
) -> Document:
    """The document of a discarded batch of a topic, for SQS, SNS and S3. `payload_size` is the event's, in bytes."""
    document = document_head(subject.function_arn, discard, written, fresh_id)
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
    document = document_head(subject.function_arn, discard, written, fresh_id)
    about = {"offset": position_text(record), "timestamp": timestamp(record.arrived)}
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
            "firstRecordOffset": position_text(members[0]),
            "lastRecordOffset": position_text(members[-1]),
            "firstRecordTimestamp": timestamp(members[0].arrived),
            "lastRecordTimestamp": timestamp(members[-1].arrived),
        }
        for shard, members in lanes.items()
    }


def subject_of(mapping: EventSourceMapping, function_arn: str, address: Address) -> Callable[[], KafkaSubject]:
    """Asked for each document: brokers are known when they are reached."""
    return lambda: KafkaSubject(function_arn, address(), mapping.source or None)


def documents_of(mapping: EventSourceMapping, function_arn: str, address: Address) -> Documents:
    subject = subject_of(mapping, function_arn, address)

    def document(report: Report) -> Document:
        size = len(report.event)
        return kafka_document(subject(), report.discard, payload_size=size, written=report.written, fresh_id=report.id)

    return document


def origins(document: Mapping[str, Any]) -> tuple[NamedRecords, ...]:
    """The records that a document names, by partition. The message of a `kafka://` topic holds its record itself."""
    named = (document.get("KafkaBatchInfo") or {}).get("recordsInfo") or {}
    return tuple(_origin(shard, info) for shard, info in named.items())


def _origin(shard: str, info: Mapping[str, Any]) -> NamedRecords:
    first, last = int(info["firstRecordOffset"]), int(info["lastRecordOffset"])
    return NamedRecords(shard, first, last, last - first + 1, str(first), moment_of(info.get("firstRecordTimestamp")))

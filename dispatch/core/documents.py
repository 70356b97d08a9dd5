"""The documents that a failure destination gets when records are discarded, to the letter. Pure.

One document per discard: SQS and SNS get it as it is, S3 with the whole event as an escaped string; a `kafka://` topic
gets one per record with the event as an object. A `Report` is one discard on its way: made once by the dispatcher, the
same for every attempt to write it. `Documents`, made once per mapping by its kind of source (`dispatch/kinds/`), turn
it into the document; the destinations write it.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html (and services-ddb, kafka-on-failure);
docs/semantics/core.md, EVENT-20 and on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from .model import DiscardReason, Lane, Record, encode
from .pages import Records
from .steps import DiscardStep

Document = dict[str, object]

FIRST, LAST = -62135596800.0, 253402300799.0
"""Seconds since the epoch in which the year 1 begins, and the year 9999 ends."""


@dataclass(frozen=True, slots=True)
class Report:
    """One discard, for a failure destination."""

    discard: DiscardStep
    lane: Lane
    """The batch's shard or partition; of several partitions, the first record's."""
    written: float
    """Wall-clock seconds: the document's timestamp."""
    id: str
    """A fresh UUID: the end of an S3 key, and the request id where no invocation gave one."""
    render: Callable[[Records], bytes]
    """The event that the function got or would have got, with these of the discarded records. The cost grows with the
    size of the event."""

    @property
    def event(self) -> bytes:
        """The whole event."""
        return self.render(self.discard.records)


Documents = Callable[[Report], Document]
"""The document of a report, for SQS, SNS and S3 (which adds the event to it)."""


@dataclass(frozen=True, slots=True)
class BusHeading:
    """The members of an EventBridge event besides the document itself."""

    detail_type: str
    resources: tuple[str, ...] = ()
    """ARNs, besides the bus's own."""
    source: str = "lambda"


# --- what all have ----------------------------------------------------------------------------------------------------


def document_head(function_arn: str, discard: DiscardStep, written: float, fresh_id: str) -> Document:
    """The beginning of every document. `function_arn`: as the mapping names the function, unqualified when it does."""
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


def position_text(record: Record) -> str:
    """Its position as the source spells it."""
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

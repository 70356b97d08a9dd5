"""Code shared by several kinds of source: policies, and everything about shards. Used by the kinds alone. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pybase64 import b64decode

from ...config.errors import BugError
from ...config.fields.arn import LOCAL_REGION
from ...config.mapping import EventSourceMapping
from ..core.batcher import Limits
from ..core.documents import Document, Documents, Report, document_head, position_text, timestamp
from ..core.events import Envelope, RecordsEnvelope, WindowEnvelope
from ..core.found_documents import NamedRecords, moment_of
from ..core.model import Lane, Now, OpenWindow, Record
from ..core.policy import Policy, Progress
from ..core.slots import KeyHash, Slots
from ..core.steps import DiscardStep
from ..core.windows import WindowSlot
from .profile import Address, MakeSlots, Sample


def decoded(text: str | None) -> bytes | None:
    """Raises ValueError for what is no base64."""
    return None if text is None else b64decode(text, validate=True)


def lasting_policy(mapping: EventSourceMapping, progress: Progress) -> Policy:
    """For a source that keeps failed records until the policy discards them."""
    return Policy(
        progress,
        retries=mapping.retries,
        max_age=mapping.max_age,
        bisect=bool(mapping.bisect_batch_on_function_error),
        partial=mapping.partial_responses,
        windowed=bool(mapping.tumbling_window_in_seconds),
    )


def region_of(mapping: EventSourceMapping) -> str:
    """The region in the events of a mapping's source."""
    return mapping.arn.region if mapping.arn else LOCAL_REGION


def sequence_number(sample: Sample) -> str:
    """The sequence number of a record made by hand; later records have higher numbers."""
    return str(int(sample.moment * 1_000_000) * 1_000 + sample.place)


# --- shards -----------------------------------------------------------------------------------------------------------


def shard_policy(mapping: EventSourceMapping) -> Policy:
    return lasting_policy(mapping, Progress.PREFIX)


def shard_envelope(mapping: EventSourceMapping, address: Address) -> Envelope:
    return WindowEnvelope() if mapping.tumbling_window_in_seconds else RecordsEnvelope()


def shard_slots(mapping: EventSourceMapping, limits: Limits, now: Callable[[], Now]) -> MakeSlots:
    seconds = mapping.tumbling_window_in_seconds
    if not seconds:
        return lambda lane, window: KeyHash(limits, mapping.parallelization_factor or 1)

    def windowed(lane: Lane | None, window: OpenWindow | None) -> Slots:
        if lane is None:
            raise BugError(f"mapping {mapping.name} has a tumbling window and a reader of several shards")
        return WindowSlot(limits, seconds, lane, now(), window)

    return windowed


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """The part of a failure document that is about the records of a shard."""

    member: str
    precision: str
    """The precision of the records' times: a `timespec` of `datetime.isoformat`."""

    def documents(self, mapping: EventSourceMapping, function_arn: str, address: Address) -> Documents:
        return shard_documents(self, function_arn)

    def origins(self, document: Mapping[str, Any]) -> tuple[NamedRecords, ...]:
        """The records that a document names; none of the end of a tumbling window that had none."""
        info = document.get(self.member) or {}
        if not info.get("batchSize"):
            return ()
        first, last = str(info["startSequenceNumber"]), str(info["endSequenceNumber"])
        since = moment_of(info.get("approximateArrivalOfFirstRecord"))
        return (NamedRecords(str(info["shardId"]), int(first), int(last), int(info["batchSize"]), first, since),)


def shard_documents(info: BatchInfo, function_arn: str) -> Documents:
    """The documents of a mapping of shards."""

    def document(report: Report) -> Document:
        discard, lane = report.discard, report.lane
        return stream_document(info, function_arn, discard, lane, written=report.written, fresh_id=report.id)

    return document


def stream_document(
    info: BatchInfo, function_arn: str, discard: DiscardStep, lane: Lane, *, written: float, fresh_id: str
) -> Document:
    """The document of a discarded batch of a shard.

    `written` is wall-clock seconds; `fresh_id` stands for the request id where no invocation gave one.
    """
    document = document_head(function_arn, discard, written, fresh_id)
    document[info.member] = _shard_info(discard.records, lane, info.precision)
    return document


def _shard_info(records: Sequence[Record], lane: Lane, precision: str) -> Document:
    info: Document = {"shardId": lane.shard}
    if records:  # the end of a tumbling window may have none
        first, last = records[0], records[-1]
        info["startSequenceNumber"] = position_text(first)
        info["endSequenceNumber"] = position_text(last)
        info["approximateArrivalOfFirstRecord"] = timestamp(first.arrived, precision)
        info["approximateArrivalOfLastRecord"] = timestamp(last.arrived, precision)
    return info | {"batchSize": len(records), "streamArn": lane.source}

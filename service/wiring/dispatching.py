"""What settings mean to the loop: a mapping's policy, its envelope, its slots. `daemon.py` asks."""

from __future__ import annotations

from collections.abc import Callable

from ...config.arn import Arn
from ...config.errors import BugError
from ...config.limits import SourceKind
from ...config.mapping import EventSourceMapping
from ...config.settings import Aws, Destinations, Settings
from ...dispatch.core.backoff import Backoff
from ...dispatch.core.batcher import PAYLOAD_LIMIT, Limits
from ...dispatch.core.documents import KafkaSubject
from ...dispatch.core.events import Envelope, KafkaEnvelope, RecordsEnvelope, WindowEnvelope
from ...dispatch.core.model import Lane, Now, OpenWindow
from ...dispatch.core.partition_slots import PartitionSlots
from ...dispatch.core.policy import Policy, Progress
from ...dispatch.core.slots import KeyHash, SingleSlot, Slots
from ...dispatch.core.windows import WindowSlot
from ...dispatch.destinations.persistence import Persistence
from ...pollers.feed_settings import AHEAD_BYTES, AHEAD_RECORDS

LOCAL_ACCOUNT, LOCAL_REGION = "000000000000", "us-east-1"
"""Where neither the settings nor the source say it."""

MakeSlots = Callable[[Lane | None, OpenWindow | None], Slots]


SLOTS_OF_A_POLLER = 5
"""Batches in flight of each poller in provisioned mode; without it there is one for each partition."""


def policy_of(mapping: EventSourceMapping) -> Policy:
    if mapping.kind is None or mapping.kind.is_queue:
        return Policy(Progress.NONE, partial=mapping.partial_responses)
    return Policy(
        Progress.PER_RECORD if mapping.kind is SourceKind.KAFKA else Progress.PREFIX,
        retries=mapping.retries,
        max_age=mapping.max_age,
        bisect=bool(mapping.bisect_batch_on_function_error),
        partial=mapping.partial_responses,
        windowed=bool(mapping.tumbling_window_in_seconds),
    )


def backoff_of(mapping: EventSourceMapping, settings: Settings) -> Backoff:
    """The pauses between attempts: the mapping's own, else those of the daemon."""
    given = mapping.retry_backoff or settings.retry_backoff
    return Backoff(base=given.base, cap=given.cap)


def envelope_of(mapping: EventSourceMapping, brokers: Callable[[], str]) -> Envelope:
    """`brokers` are those of a topic, which are known once they are reached."""
    if mapping.kind is SourceKind.KAFKA:
        return KafkaEnvelope(brokers, mapping.source or None)
    return WindowEnvelope() if mapping.tumbling_window_in_seconds else RecordsEnvelope()


def slots_of(mapping: EventSourceMapping, envelope: Envelope, now: Callable[[], Now]) -> MakeSlots:
    """How a mapping's feeds make their slots; `now` is asked whenever one is made."""
    limits = Limits(mapping.batch_limit, mapping.window, envelope)
    seconds = mapping.tumbling_window_in_seconds
    if mapping.kind is SourceKind.KAFKA:
        return lambda lane, window: PartitionSlots(limits, SLOTS_OF_A_POLLER if mapping.pollers else None)
    if mapping.kind is None or not mapping.kind.is_stream:
        return lambda lane, window: SingleSlot(limits, grouped=bool(mapping.arn and mapping.arn.is_fifo))
    if not seconds:
        return lambda lane, window: KeyHash(limits, mapping.parallelization_factor or 1)

    def windowed(lane: Lane | None, window: OpenWindow | None) -> Slots:
        if lane is None:
            raise BugError(f"mapping {mapping.name} has a tumbling window and a reader of several shards")
        return WindowSlot(limits, seconds, lane, now(), window)

    return windowed


def ahead_of(mapping: EventSourceMapping) -> tuple[int, int]:
    """Records and bytes that may be read ahead of a shard's first unfinished record: enough that every slot can fill a
    batch of its own."""
    slots = mapping.parallelization_factor or 1
    return max(AHEAD_RECORDS, mapping.batch_limit * slots), max(AHEAD_BYTES, PAYLOAD_LIMIT * (slots + 1))


def persistence_of(given: Destinations) -> Persistence:
    return Persistence(given.attempts, given.seconds, given.block)


def function_arn(mapping: EventSourceMapping, aws: Aws) -> str:
    """The function's ARN as the mapping has it; of a name, without its qualifier. What the settings do not say is the
    source's, and else what emulators have."""
    if mapping.function.startswith("arn:"):
        return mapping.function
    arn = mapping.arn or Arn("aws", "lambda", aws.region or LOCAL_REGION, LOCAL_ACCOUNT, "")
    return f"arn:{arn.partition}:lambda:{arn.region}:{aws.account or arn.account}:function:{mapping.function_name}"


def kafka_subject(mapping: EventSourceMapping, aws: Aws, brokers: Callable[[], str]) -> Callable[[], KafkaSubject]:
    arn = function_arn(mapping, aws)
    return lambda: KafkaSubject(arn, brokers(), mapping.source or None)

"""What settings mean to the loop: a mapping's policy, its envelope, its slots. Pure; used by `daemon.py`."""

from __future__ import annotations

from collections.abc import Callable

from ..config.errors import BugError
from ..config.mapping import EventSourceMapping
from ..config.settings import Destinations
from ..dispatch.batcher import PAYLOAD_LIMIT, Limits
from ..dispatch.destinations.persistence import Persistence
from ..dispatch.events import Envelope, RecordsEnvelope, WindowEnvelope
from ..dispatch.model import Lane, Now, OpenWindow
from ..dispatch.policy import Policy, Progress
from ..dispatch.slots import KeyHash, SingleSlot, Slots
from ..dispatch.windows import WindowSlot
from ..pollers.feed import AHEAD_BYTES, AHEAD_RECORDS

MakeSlots = Callable[[Lane | None, OpenWindow | None], Slots]


def policy_of(mapping: EventSourceMapping) -> Policy:
    if mapping.kind is None or not mapping.kind.is_stream:
        return Policy(Progress.NONE, partial=mapping.partial_responses)
    return Policy(
        Progress.PREFIX,
        retries=mapping.retries,
        max_age=mapping.max_age,
        bisect=bool(mapping.bisect_batch_on_function_error),
        partial=mapping.partial_responses,
        windowed=bool(mapping.tumbling_window_in_seconds),
    )


def envelope_of(mapping: EventSourceMapping) -> Envelope:
    return WindowEnvelope() if mapping.tumbling_window_in_seconds else RecordsEnvelope()


def slots_of(mapping: EventSourceMapping, envelope: Envelope, now: Callable[[], Now]) -> MakeSlots:
    """How a mapping's feeds make their slots; `now` is asked whenever one is made."""
    limits = Limits(mapping.batch_limit, mapping.window, envelope)
    seconds = mapping.tumbling_window_in_seconds
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


def function_arn(mapping: EventSourceMapping, account: str | None) -> str:
    """The function's ARN as the mapping has it, without a qualifier. `account` None: that of the source."""
    arn = mapping.arn
    if arn is None:
        raise BugError(f"mapping {mapping.name} has no source ARN to take region and account from")
    return f"arn:{arn.partition}:lambda:{arn.region}:{account or arn.account}:function:{mapping.function_name}"

"""The data types of records, of outcomes of invocations, and of fates.

Values only. Every other module of `dispatch` and `pollers` uses these types.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import inf

import orjson

from ...config.core.clocks import OtherClock
from ...config.reasons import Reason
from .pages import Records

ItemId = str | tuple[str, int]
"""The id by which a function names a record in `batchItemFailures`: a message id, a sequence number, or for Kafka
`("<topic>-<partition>", offset)`."""


@dataclass(frozen=True, slots=True)
class Lane:
    """The unit of order and of position: a shard, a partition, an SQS queue (without position)."""

    source: str
    """The source's ARN; for a source without one, a text of its kind that names it, such as `<servers>/<topic>`."""
    shard: str = ""
    """Shard id or `<topic>-<partition>`; empty for a queue."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a lane. Compared as integers, never as text: some emulators number records 1, 2, …, 10."""

    number: int
    sub: int = 0
    """The number of a user record in an aggregated (KPL) record, from 1; 0: the record as a whole."""
    text: str = field(default="", compare=False)
    """The source's own spelling, leading zeros included; this text is sent back to it."""

    @classmethod
    def parse(cls, text: str) -> Position:
        return cls(int(text), 0, text)


@dataclass(slots=True, eq=False)
class Record:
    """One record of a source. Identity is the object: two receives of one message are two records."""

    lane: Lane
    id: ItemId
    item: Mapping[str, object] = field(repr=False)
    """The record as it stands in the Lambda event; empty once its `body` was made."""
    arrived: float
    """When the source took it, in wall-clock seconds: the age of the record counts from here."""
    position: Position | None = None
    """None where the source has no positions (SQS)."""
    key: str | None = None
    """The unit of order inside the lane, where there is one: message group, partition key, item key."""
    token: str = ""
    """The receipt handle, which the source needs when the record is settled."""
    held_until: float = inf
    """Monotonic time until which the source leaves the record to us. After this time, a record that is not being
    invoked gets the fate RETURNED."""
    flaw: Flaw | None = None
    """Why it is discarded without an invocation; it waits for its turn in the lane like any other."""
    view: bytes | None = None
    """The data for filters, where the item holds them in another form. Removed after filtering."""
    element: bytes | None = None
    """Its element of the event as JSON, once that was rendered."""

    @property
    def name(self) -> str:
        """The id for messages: `orders-0@15` for a record of a topic."""
        return self.id if isinstance(self.id, str) else f"{self.id[0]}@{self.id[1]}"

    @property
    def body(self) -> bytes:
        """The record's element of the event as JSON, serialised once and kept for retries and halves."""
        if self.element is None:
            # A copy, because behind its own bytes orjson leaves up to 4 KB allocated, and thousands of these are kept.
            self.element = b"".join((encode(self.item), b""))
            self.item = {}
        return self.element

    def let_go(self) -> None:
        """It has its fate: what it said is not kept."""
        self.item, self.element = {}, b""


def encode(value: object) -> bytes:
    """JSON bytes of anything that came from JSON. What orjson refuses (lone surrogates, huge integers) the standard
    library escapes: a strange record is delivered, not lost."""
    try:
        return orjson.dumps(value)
    except (orjson.JSONEncodeError, TypeError):
        return json.dumps(value, separators=(",", ":")).encode()


# --- one invocation -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attempt:
    """The facts of one invocation, as the failure document and the logs need them."""

    request_id: str
    started: float
    """Wall-clock seconds."""
    ended: float
    status: int | None = None
    """HTTP status of the Invoke answer; local invocations use what AWS would answer; None when there was no answer."""
    executed_version: str | None = None
    function_error: str | None = None
    """`Unhandled` (or `Handled`) when the function failed; None otherwise, also for a malformed partial response."""


class Failure(Enum):
    """In what way a function failed."""

    ERROR = "error"  # the handler raised, and the runtime said so
    TIMEOUT = "timeout"
    CRASH = "crash"  # the runtime's process ended
    MALFORMED = "malformed"  # a partial batch response that names no known record
    OVERSIZED = "oversized"  # the response was over the limit


@dataclass(frozen=True, slots=True)
class Returned:
    """The function answered; what the answer means is for `response.judge`."""

    attempt: Attempt
    body: bytes


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The function processed the whole batch."""

    attempt: Attempt
    state: bytes | None = None
    """A tumbling window's new state, as JSON."""


@dataclass(frozen=True, slots=True)
class FailedItems:
    """The function reported failed records (`batchItemFailures`); `ids` is never empty."""

    attempt: Attempt
    ids: frozenset[ItemId]
    state: bytes | None = None


@dataclass(frozen=True, slots=True)
class FunctionFailed:
    """The function ran and failed as a whole. Uses up an attempt."""

    attempt: Attempt
    failure: Failure
    detail: str
    """One line for people."""
    body: bytes = b""
    """The error as the caller of Invoke sees it (`{"errorMessage": …}`)."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """The function has no free concurrency (429). Never uses up an attempt."""

    attempt: Attempt
    after: float | None = None
    """Seconds the service asked us to wait (`Retry-After`)."""
    reason: str = ""
    """AWS's word for it, of TooManyRequestsException; empty where it has none."""
    detail: str = ""
    """For people, where AWS has no word."""

    @property
    def said(self) -> str:
        """Why, for people."""
        return self.reason or self.detail


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The call never reached the function. Never uses up an attempt."""

    attempt: Attempt
    cause: Reason
    down: bool = False
    """The function cannot start at all (init error, refused connection, no such function): its gate closes."""
    body: bytes = b""
    """For an init error, the error as the caller of Invoke sees it."""


Reply = Returned | FunctionFailed | Throttled | Unreachable
"""The answer of an invoker."""

Outcome = Succeeded | FailedItems | FunctionFailed | Throttled | Unreachable
"""The meaning of a reply for the batch."""


# --- a batch --------------------------------------------------------------------------------------------------------


class BatchKind(Enum):
    RECORDS = "records"
    WINDOW_END = "window end"  # the final invocation of a tumbling window; may hold no records


@dataclass(frozen=True, slots=True)
class Window:
    """A tumbling window: `[start, end)` in whole seconds since the epoch."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """An open tumbling window, as stored beside the shard's position."""

    window: Window
    state: bytes
    """JSON."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that are invoked together, in order."""

    records: Records = field(default_factory=Records)
    kind: BatchKind = BatchKind.RECORDS
    window: Window | None = None
    terminated_early: bool = False
    """The window ends because its state outgrew 1 MB."""
    lane: Lane | None = None
    """Set for a WINDOW_END batch, which may have no record to tell."""


# --- fates ----------------------------------------------------------------------------------------------------------


class FateKind(Enum):
    """The fate of a record."""

    DELIVERED = "delivered"  # the function took it
    FILTERED = "filtered"  # a filter refused it
    DISCARDED = "discarded"  # the policy discarded it, which was reported
    RETURNED = "returned"  # the source has it again
    ABANDONED = "abandoned"  # undecided when we stopped: nothing is settled at the source


class DiscardReason(Enum):
    RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
    AGE_EXCEEDED = "RecordAgeExceeded"
    OVERSIZED = "MaximumPayloadSizeExceeded"
    SCHEMA_NOT_FOUND = "SCHEMA_NOT_FOUND"
    DESERIALIZATION_ERROR = "DESERIALIZATION_ERROR"
    EXPIRED = "Expired"
    SKIPPED = "Skipped"  # somebody gave up on it: ours, AWS has no such condition


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a record is discarded before it is in a batch."""

    reason: DiscardReason
    detail: str
    """One line for people, without anything of the record's content."""


@dataclass(frozen=True, slots=True)
class Fate:
    kind: FateKind
    reason: DiscardReason | None = None
    """Set for DISCARDED, and only there."""


DELIVERED = Fate(FateKind.DELIVERED)
FILTERED = Fate(FateKind.FILTERED)
RETURNED = Fate(FateKind.RETURNED)
ABANDONED = Fate(FateKind.ABANDONED)


def discarded(reason: DiscardReason) -> Fate:
    return Fate(FateKind.DISCARDED, reason)


@dataclass(frozen=True, slots=True)
class Settlement:
    """Records that share a fate, in lane order."""

    records: Records
    fate: Fate


@dataclass(frozen=True, slots=True)
class Now:
    """The clocks at one moment, in seconds: back-off uses `monotonic`, the age of records uses `wall`, their source's
    clock, and the `others`, by which they may be younger."""

    monotonic: float
    wall: float
    others: tuple[OtherClock, ...] = ()

    def earliest(self, within: float = inf) -> float:
        """The earliest current time by any clock that may have stamped a record in the last `within` seconds. A clock
        that ended longer ago stamped none of them."""
        return min([self.wall, *(other.wall for other in self.others if other.ended <= within)])

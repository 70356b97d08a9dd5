"""The closed set of observable events, and the protocol of observers.

Every part that acts reports here, once, in the past tense (`Settling` alone is said before the fact: between it and
`Settled` a crash may leave an effect done and unrecorded). Logs, metrics and the account of the demo are observers in
`service/`. An observer must be quick and must not raise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...config.reasons import Reason
from .model import DiscardReason, Lane, Outcome, Settlement
from .pages import Records


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records arrived from the source; none for an empty poll."""

    mapping: str
    records: Records
    seconds: float
    """How long the fetch took, waiting included."""


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """A fetch failed, or failed for a part of the source; the next attempt is in `delay` seconds."""

    mapping: str
    cause: Reason
    delay: float


@dataclass(frozen=True, slots=True)
class FetchesAgain:
    """All feeds of a mapping fetch successfully again."""

    mapping: str


@dataclass(frozen=True, slots=True)
class Filtered:
    """A filter refused these records."""

    mapping: str
    records: Records


@dataclass(frozen=True, slots=True)
class Invoking:
    """An invocation is about to be handed to the function."""

    mapping: str
    function: str
    request_id: str
    records: Records
    payload_bytes: int
    age: float = 0.0
    """Seconds since the last record arrived, by the source's clock; not below 0."""


@dataclass(frozen=True, slots=True)
class Invoked:
    """An invocation ended."""

    mapping: str
    function: str
    records: Records
    outcome: Outcome
    seconds: float


@dataclass(frozen=True, slots=True)
class Retrying:
    """The records will be invoked again, `delay` seconds from now."""

    mapping: str
    records: Records
    attempt: int
    """How many attempts were used up so far."""
    delay: float


@dataclass(frozen=True, slots=True)
class Bisected:
    """A failing batch was split in two."""

    mapping: str
    records: Records


@dataclass(frozen=True, slots=True)
class Settling:
    """These fates are about to be settled at the source."""

    mapping: str
    settlements: tuple[Settlement, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """These fates were settled at the source."""

    mapping: str
    settlements: tuple[Settlement, ...]


@dataclass(frozen=True, slots=True)
class SettleFailed:
    """The source did not accept these fates; the records may come again."""

    mapping: str
    records: Records
    cause: Reason


@dataclass(frozen=True, slots=True)
class Discarded:
    """The policy discarded these records; if `destination` is set, it has their document."""

    mapping: str
    records: Records
    reason: DiscardReason
    destination: str
    """ARN of the failure destination that took the document; empty when none is configured or it failed."""
    cause: Reason | None = None
    """Why the destination did not take it; None when it did, or none is configured."""


@dataclass(frozen=True, slots=True)
class DestinationFailed:
    """A failure destination did not accept a document."""

    mapping: str
    destination: str
    cause: Reason
    delay: float | None
    """Seconds until it is tried again; None: it was given up."""


@dataclass(frozen=True, slots=True)
class DestinationChanged:
    """The state of a failure destination changed."""

    mapping: str
    destination: str
    cause: Reason | None
    """Its problem; None when none is visible."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The source lost a range of records before we read it."""

    mapping: str
    lane: Lane
    start: str
    end: str
    reason: str


@dataclass(frozen=True, slots=True)
class StreamRecreated:
    """The stream replaced the one that was read: the old positions are void, and it is read from its beginning."""

    mapping: str
    source: str
    """The stream that is read now."""
    before: str
    """The stream that was read until now: another one for a table, else the same ARN."""
    noun: str = "stream"
    """The title of its kind of source."""


@dataclass(frozen=True, slots=True)
class CommitFailed:
    """A position could not be stored; it is stored with the next commit. After a crash more records come again."""

    mapping: str
    cause: Reason


@dataclass(frozen=True, slots=True)
class OffsetsCommitted:
    """A consumer group's offsets were committed."""

    mapping: str
    offsets: int
    """The sum over all partitions, filtered and discarded records included."""


@dataclass(frozen=True, slots=True)
class Lagging:
    """The lag of one member's partitions: offsets from the committed offset to the end."""

    mapping: str
    lags: Mapping[Lane, int]


@dataclass(frozen=True, slots=True)
class Rebalanced:
    """Partitions were assigned to a member of a consumer group, or revoked from it."""

    mapping: str
    gained: tuple[Lane, ...] = ()
    lost: tuple[Lane, ...] = ()


@dataclass(frozen=True, slots=True)
class Blocked:
    """A lane cannot continue: one key blocks it, and its watermark is at the limit."""

    mapping: str
    lane: Lane
    key: str
    records: int


@dataclass(frozen=True, slots=True)
class GateClosed:
    """A function cannot start; its mappings stop fetching until a probe succeeds."""

    function: str
    cause: Reason
    delay: float
    """Seconds until the next probe."""


@dataclass(frozen=True, slots=True)
class GateOpened:
    """A function can start (again)."""

    function: str
    seconds: float
    """How long its init took; 0 when it was ready."""


@dataclass(frozen=True, slots=True)
class EnvironmentStarted:
    """A process that runs a function has started."""

    function: str
    """Without a version."""
    seconds: float
    """How long its init took."""


@dataclass(frozen=True, slots=True)
class EnvironmentsEnded:
    """Processes that ran a function are no more; each was reported as started before."""

    function: str
    number: int


@dataclass(frozen=True, slots=True)
class MappingChanged:
    """A mapping moved to another state (`pollers.core.lifecycle`)."""

    mapping: str
    state: str
    reason: Reason | None
    """None when it is where it should be."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """A fault of ours ended a mapping's feed; the mapping is opened again later, other mappings continue."""

    mapping: str
    error: Exception


@dataclass(frozen=True, slots=True)
class FeedsChanged:
    """The number of active receivers, shards or members."""

    mapping: str
    feeds: int


@dataclass(frozen=True, slots=True)
class RuntimeDiffers:
    """A function was made that runs other than on AWS: with another version of its runtime, or without its
    extensions."""

    function: str
    runtime: str
    """The one that the function names; empty for a command."""
    remark: str
    """What differs, and why."""


@dataclass(frozen=True, slots=True)
class FunctionLog:
    """A record that a function, its runtime or its platform (START, END, REPORT) wrote: one event in CloudWatch."""

    function: str
    request_id: str
    """Empty outside an invocation (init)."""
    line: str
    """A record of a runtime's log, and some records of the platform, have several lines."""
    stream: str
    """`stdout`, `stderr`, `log` (what the runtime's client logs, each record as a whole) or `platform`."""
    version: str = ""
    """The function's version; empty where it is not known."""
    log_group: str = ""
    log_stream: str = ""
    """Where the line belongs in CloudWatch Logs; a log stream for each environment. Both empty where it has no place
    there."""


@dataclass(frozen=True, slots=True)
class EventRetried:
    """An asynchronous invocation will be tried again."""

    function: str
    request_id: str
    attempts: int
    """Those that reached the function so far."""
    delay: float
    """Seconds until then."""


@dataclass(frozen=True, slots=True)
class EventFinished:
    """An asynchronous invocation is over."""

    function: str
    request_id: str
    condition: str
    """`Success`, or why there is no further attempt, in AWS's words."""
    attempts: int


@dataclass(frozen=True, slots=True)
class EventDropped:
    """An accepted event was dropped because its function was deleted."""

    function: str
    request_id: str


@dataclass(frozen=True, slots=True)
class EventDelayed:
    """An accepted event could not be processed for a reason outside of its function; it is tried again."""

    function: str
    cause: Reason


@dataclass(frozen=True, slots=True)
class RecordUndelivered:
    """A destination or dead-letter queue did not take what it was told of an asynchronous invocation; that was given
    up."""

    function: str
    request_id: str
    destination: str
    cause: Reason


@dataclass(frozen=True, slots=True)
class LogsUnshipped:
    """CloudWatch Logs did not accept lines of functions; they are sent again."""

    group: str
    cause: Reason
    delay: float
    """Seconds until then."""


@dataclass(frozen=True, slots=True)
class LogsDropped:
    """Lines of functions were dropped and will not be in CloudWatch Logs."""

    group: str
    lines: int
    cause: Reason


Event = (
    Fetched
    | FetchFailed
    | FetchesAgain
    | Filtered
    | Invoking
    | Invoked
    | Retrying
    | Bisected
    | Settling
    | Settled
    | SettleFailed
    | Discarded
    | DestinationFailed
    | DestinationChanged
    | Gap
    | StreamRecreated
    | CommitFailed
    | OffsetsCommitted
    | Lagging
    | Rebalanced
    | Blocked
    | GateClosed
    | GateOpened
    | EnvironmentStarted
    | EnvironmentsEnded
    | MappingChanged
    | Crashed
    | FeedsChanged
    | RuntimeDiffers
    | FunctionLog
    | EventRetried
    | EventFinished
    | EventDropped
    | EventDelayed
    | RecordUndelivered
    | LogsUnshipped
    | LogsDropped
)


class Observer(Protocol):
    def observe(self, event: Event) -> None: ...


class Observers:
    """Several observers as one, called in order. An exception of one goes to `fault`, and the others are still called;
    without `fault`, the caller gets the exception."""

    def __init__(
        self, observers: Sequence[Observer] = (), fault: Callable[[Observer, Exception], object] | None = None
    ) -> None:
        self._observers = tuple(observers)
        self._fault = fault

    def observe(self, event: Event) -> None:
        for observer in self._observers:
            try:
                observer.observe(event)
            except Exception as error:
                if self._fault is None:
                    raise
                self._fault(observer, error)

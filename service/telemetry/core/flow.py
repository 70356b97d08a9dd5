"""What is seen of a mapping at work, as values: made by `mapping_model.py`, shown by status, metrics and the API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorView:
    """A failed invocation."""

    text: str
    """Its first lines."""
    request_id: str
    kind: str
    """`error`, `timeout`, `crash`, …, `items`, `throttled` or `unreachable`."""
    at: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class FlightView:
    """A batch that the function has now."""

    request_id: str
    lane: str
    records: int
    first: str
    """Id of its first record; empty for a window's end without records."""
    attempt: int
    """1 for the first."""
    seconds: float
    """For how long the function has had it."""
    visibility_left: float | None
    """Seconds until its queue shows the first of its messages again; None where nothing is lent."""


@dataclass(frozen=True, slots=True)
class RetryView:
    """Records that failed and are tried again."""

    lane: str
    records: int
    first: str
    since: float
    """When they failed first: seconds since the epoch."""
    attempt: int
    """The number of the next try."""
    next_in: float
    """Seconds until then; 0 while it is under way or waits for its turn."""
    error: ErrorView | None


@dataclass(frozen=True, slots=True)
class LaneView:
    """One shard or partition, or a queue as a whole."""

    lane: str
    position: str
    """Id of the last record that is done; empty while there is none."""
    lag_records: int | None
    """Records to the end of the partition; None where the source does not say it."""
    lag_seconds: float | None
    """How long ago the last record arrived that was invoked and is not done; 0 when all of them are done. None where
    nothing was invoked yet."""
    blocked_since: float | None
    """Seconds since the epoch; None when it moves."""


@dataclass(frozen=True, slots=True)
class DocumentView:
    """What the failure destination got last, or did not get."""

    at: float
    """Seconds since the epoch."""
    records: int
    reason: str
    destination: str
    """Empty where none has it."""
    cause: str
    """Why the destination did not take it; empty where it did, or there is none."""


@dataclass(frozen=True, slots=True)
class FlowView:
    """One mapping at one moment."""

    since: float
    """When it came into the state in which it is: seconds since the epoch."""
    rates: dict[str, dict[str, float]]
    """Records a second, by what became of them and by span."""
    failed: int
    """Records of invocations that failed, as often as they did, since the daemon's start."""
    in_flight: tuple[FlightView, ...]
    retrying: tuple[RetryView, ...]
    """The longest first."""
    last_error: ErrorView | None
    lanes: tuple[LaneView, ...]
    """Those that are blocked first, then the most behind."""
    lag_records: int | None
    lag_seconds: float | None
    """The lag of the lane that is most behind."""
    refused: float | None
    """Share of the fetched records that a filter refused; None before the first."""
    refused_everything: bool
    """Filters refused every record so far, and these were many."""
    last_document: DocumentView | None
    failing: str
    """Why the mapping counts as failing, in one line; empty when it does not."""

"""A mapping's failure settings as one value. The feed makes it from the mapping; the planner follows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from .backoff import Backoff


class Progress(Enum):
    """How the planner continues after a partial failure."""

    PREFIX = "prefix"  # streams: the lowest failed record and all after it
    PER_RECORD = "per record"  # Kafka: the failed records and no others
    NONE = "none"  # queues: nothing; failed messages go back to the queue, which counts their receives


@dataclass(frozen=True, slots=True)
class Policy:
    """The failure settings of one mapping. Limits are for PREFIX and PER_RECORD; with NONE they belong to the queue."""

    progress: Progress
    retries: int | None = None
    """Attempts after the first (MaximumRetryAttempts); None for no end. For Kafka the caller puts in AWS's 10 when the
    number is infinite and there is a failure destination."""
    max_age: float | None = None
    """Seconds from a record's arrival after which it is discarded (MaximumRecordAgeInSeconds); None for never."""
    bisect: bool = False
    """Cut a failing batch in two (BisectBatchOnFunctionError)."""
    partial: bool = False
    """Responses may name the failed records (ReportBatchItemFailures). For `response.judge`; the planner acts on what
    the outcome says."""
    backoff: Backoff = field(default_factory=Backoff)
    windowed: bool = False
    """Whether the mapping has a tumbling window: each invocation then gets the state that the previous one returned."""

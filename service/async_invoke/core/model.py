"""The data types of asynchronous invocation. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ...control.catalogue import LATEST


@dataclass(frozen=True, slots=True)
class FunctionResponse:
    """The function's answer, for the record of the event's end."""

    version: str
    """The version that ran."""
    body: bytes
    failed: bool


@dataclass(frozen=True, slots=True)
class AsyncEvent:
    """An accepted event, without its payload: that stays in the store until it is needed."""

    id: int
    """In the order of acceptance."""
    function: str
    qualifier: str
    """The qualifier as invoked; empty for none."""
    request_id: str
    """The same in every attempt."""
    accepted: float
    """Wall-clock seconds."""
    due: float
    """Wall-clock seconds of the next attempt."""
    attempts: int = 0
    """Attempts that reached the function."""
    refusals: int = 0
    """Attempts in a row that did not reach the function."""
    hops: int = 0
    response: FunctionResponse | None = None
    """The response of the last attempt that reached the function, while another attempt is due."""

    @property
    def explicit(self) -> str:
        """The qualifier that is meant."""
        return self.qualifier or LATEST


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """An event in flight, with its payload."""

    event: AsyncEvent
    payload: bytes


class Condition(StrEnum):
    """Why an event is over, in AWS's words."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED = "ZeroReservedConcurrency"


@dataclass(frozen=True, slots=True)
class Again:
    """Another attempt, when the event is due."""

    event: AsyncEvent


@dataclass(frozen=True, slots=True)
class Over:
    """No further attempt."""

    condition: Condition
    attempts: int
    response: FunctionResponse | None = None


Step = Again | Over

"""What the daemon shows of itself, as values: for the HTTP surface, the metrics and `headrace status`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ...config.reasons import Reason


@dataclass(frozen=True, slots=True)
class MappingView:
    """One mapping at this moment."""

    name: str
    uuid: str
    source: str
    kind: str
    """`sqs`, `sqs-fifo`, …"""
    function: str
    state: str
    """A state of `pollers.lifecycle`, or `disabled`."""
    reason: Reason | None
    """Why it does not poll; None when it does."""
    feeds: int
    counts: dict[str, int]
    origin: str = "file"
    """Where the mapping comes from: `file`, `api`, or `emulator`, whose UUID it has."""
    destination: str = ""
    """ARN of the failure destination; empty for none."""
    trouble: Reason | None = None
    """What is wrong with the failure destination; None when nothing is."""


@dataclass(frozen=True, slots=True)
class FunctionView:
    """One function at this moment."""

    name: str
    what: str
    """What it is and where, in one phrase."""
    up: bool
    cause: Reason | None
    """Why it cannot start; None when it can."""
    in_flight: int
    limit: int | None
    """Invocations that may run at a time now; None for no limit of ours."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the daemon does what it was started for, and what keeps it from that."""

    ready: bool
    """Every mapping polls, or waits for something that it can name; every failure destination was asked; the state
    directory keeps what it is given."""
    polling: bool
    """Every mapping polls, and its failure destination is there; the state directory keeps what it is given."""
    reasons: tuple[Reason, ...] = ()
    """One for each mapping that does not poll, for each failure destination that is not there, or for the daemon
    as a whole."""


class View(Protocol):
    """The daemon, to those who only look."""

    def readiness(self) -> Readiness: ...

    def mappings(self) -> tuple[MappingView, ...]: ...

    def functions(self) -> tuple[FunctionView, ...]: ...

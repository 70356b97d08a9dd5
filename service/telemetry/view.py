"""The daemon's status as values: for the HTTP server, the metrics and `headrace status`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ...config.reasons import Reason
from .core.flow import FlowView
from .core.function_models import FunctionWork


@dataclass(frozen=True, slots=True)
class MappingView:
    """The status of one mapping."""

    name: str
    uuid: str
    source: str
    kind: str
    """`sqs`, `sqs-fifo`, …"""
    function: str
    state: str
    """A state of `pollers.core.lifecycle`, `disabled`, `paused`, or `failing` for one that polls in vain."""
    reason: Reason | None
    """Why it does not poll, or fails; None when all is well."""
    feeds: int
    counts: dict[str, int]
    origin: str = "file"
    """Where the mapping comes from: `file`, `api`, or `emulator`, whose UUID it has."""
    destination: str = ""
    """ARN of the failure destination; empty for none."""
    trouble: Reason | None = None
    """The problem of the failure destination; None without a problem."""
    flow: FlowView | None = None
    """Its records at this moment; None where nobody watches them."""


@dataclass(frozen=True, slots=True)
class FunctionView:
    """The status of one function."""

    name: str
    what: str
    """The kind and place of the function, in one phrase."""
    up: bool
    cause: Reason | None
    """Why it cannot start; None when it can."""
    in_flight: int
    limit: int | None
    """Maximum invocations at a time at present; None for no limit of ours."""
    work: FunctionWork | None = None
    """What it did since the daemon's start; None where nobody watches it."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the daemon is ready, and the reasons when it is not."""

    ready: bool
    """Every mapping polls, or waits for something that it can name; every failure destination was checked; the state
    directory can store what it is given."""
    polling: bool
    """Every mapping polls, none is failing, and its failure destination works; the state directory can store what it is
    given."""
    reasons: tuple[Reason, ...] = ()
    """One for each mapping that does not poll, for each failure destination with a problem, or for the daemon
    as a whole."""


FAILING = "failing"
"""The state of a mapping that polls in vain."""
PAUSED = "paused"
"""The state of a mapping that somebody told to wait."""


class View(Protocol):
    """Read-only access to the daemon's status."""

    def readiness(self) -> Readiness: ...

    def mappings(self) -> tuple[MappingView, ...]: ...

    def functions(self) -> tuple[FunctionView, ...]: ...


class OneByOne(View, Protocol):
    """A view that shows one mapping at a time, too: to look at a thousand at once takes long."""

    def listed(self) -> tuple[str, ...]:
        """The names of all mappings."""
        ...

    def mapping(self, name: str) -> MappingView | None:
        """By its name or UUID; None when there is none."""
        ...

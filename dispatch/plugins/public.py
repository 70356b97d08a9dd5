"""All that a plug-in imports: the protocols, their data types, and the version of both. Public and versioned.

An entry point in the group `headrace.invokers` or `headrace.destinations` names an object, or a module, that is an
`InvokerPlugin` or a `DestinationPlugin`. What is in `__all__` changes only with `PROTOCOL_VERSION`; nothing else of
Headrace is public. docs/write-a-plugin.md shows how to write one. `headrace.service.testing` has the suites for its
tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...config.errors import SourceMissing, SourceRefused, SourceUnavailable
from ...config.reasons import Reason, ReasonCode
from ..core.documents import Document, Report
from ..core.model import Attempt, Failure, FunctionFailed, Reply, Returned, Throttled, Unreachable
from ..destinations.base import Destination
from ..invokers.base import CLOSED, Invocation, Invoker, NotReady, Ready, cannot_start
from ..invokers.core.answers import RESPONSE_LIMIT, UNHANDLED, exited, oversized, raised, timed_out

__all__ = [
    "CLOSED",
    "PROTOCOL_VERSION",
    "RESPONSE_LIMIT",
    "UNHANDLED",
    "Attempt",
    "Destination",
    "DestinationPlugin",
    "DestinationRequest",
    "Document",
    "Failure",
    "FunctionFailed",
    "FunctionRequest",
    "Invocation",
    "Invoker",
    "InvokerPlugin",
    "NotReady",
    "Ready",
    "Reason",
    "ReasonCode",
    "Reply",
    "Report",
    "Returned",
    "SourceMissing",
    "SourceRefused",
    "SourceUnavailable",
    "Throttled",
    "Unreachable",
    "cannot_start",
    "exited",
    "oversized",
    "raised",
    "timed_out",
]

PROTOCOL_VERSION = 1
"""The version of the contract that this module exports. A plug-in's own `protocol_version` says for which version it
was written; a plug-in of another version is refused."""


@dataclass(frozen=True, slots=True)
class FunctionRequest:
    """One function of the configuration that the plug-in is to make an invoker for."""

    name: str
    """Its name in the configuration."""
    settings: Any
    """An instance of the plug-in's settings model."""
    directory: Path
    """That of the configuration file: relative paths of the settings start here."""
    timeout: float
    """Seconds after which an invocation is over. The plug-in may answer before that, in AWS's words; a second later
    Headrace cancels the call and answers itself."""
    concurrency: int | None = None
    """Invocations at once, as the user set it; None: the plug-in says."""


class InvokerPlugin(Protocol):
    """A kind of function."""

    protocol_version: int
    """The literal 1: the version that the plug-in was written for."""
    settings: type[Any]
    """A pydantic model: what a user may write beside `plugin`, `timeout`, `concurrency` and `role`. Keys that it does
    not have are refused, unless it allows extra ones."""

    def invoker(self, request: FunctionRequest) -> Invoker:
        """Make the invoker, without a call to anywhere. What it raises is told as the reason why the function cannot
        start, and it is called again."""
        ...


@dataclass(frozen=True, slots=True)
class DestinationRequest:
    """One failure destination of a mapping."""

    mapping: str
    """Name of the mapping."""
    settings: Any
    """An instance of the plug-in's settings model."""
    directory: Path
    """That of the configuration file."""
    document: Callable[[Report], Document]
    """AWS's document of a report, as queues and topics get it."""


class DestinationPlugin(Protocol):
    """A kind of failure destination."""

    protocol_version: int
    """The same as of an `InvokerPlugin`."""
    settings: type[Any]
    """A pydantic model: the settings in `plugin://NAME?setting=value`."""

    def destination(self, request: DestinationRequest) -> Destination:
        """Make the destination, without a call to anywhere."""
        ...

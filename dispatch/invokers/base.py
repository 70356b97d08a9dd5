"""The protocol of invokers, and its data types. `tests/contract/` tests every invoker against it.

Public, through `dispatch/plugins/public.py`: a change that a plug-in would notice is a new `PROTOCOL_VERSION` there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ...config.reasons import Reason, ReasonCode
from ..core.model import Reply

HOPS = "x-headrace-hops"
"""Header: how many daemons sent a call on. Each refuses what was sent on too often, so that circles end."""
MOST_HOPS = 4
"""Daemons that may send a call on, one to the next."""

CLOSED = Reason(ReasonCode.STOPPING, "the function is closed: Headrace is stopping")


def cannot_start(text: str) -> Reason:
    """Why a function cannot start on this machine. `text`: what is wrong and what to do, in one line."""
    return Reason(ReasonCode.FUNCTION_CANNOT_START, text)


@dataclass(frozen=True, slots=True)
class Invocation:
    """One synchronous invocation (RequestResponse)."""

    payload: bytes
    """The event, JSON."""
    request_id: str
    """Lower-case UUID v4 that the local function sees; a remote service gives its own."""
    mapping: str = ""
    """Name of the mapping that invokes; for logs."""
    trace: str = ""
    """`_X_AMZN_TRACE_ID` to hand on; empty: the invoker makes one."""
    client_context: str = ""
    """Client context as JSON text; empty for none. Event source mappings never set it; Invoke and `headrace invoke`
    can."""
    invoked_arn: str = ""
    """The function as it was asked for, with the qualifier if there was one; empty: unqualified."""
    hops: int = 0
    """How many daemons sent this invocation on before us."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The function can take an invocation now."""

    seconds: float = 0.0
    """How long it took to become ready (a local init); 0 when it was ready."""


@dataclass(frozen=True, slots=True)
class NotReady:
    """The function cannot start."""

    cause: Reason


class Invoker(Protocol):
    """A way to invoke one function.

    `invoke` never raises for what a function or a network can do: that is a `Reply`. When it is cancelled, a local
    function is ended with its whole process group, and the call returns only once the processes are gone.
    """

    @property
    def concurrency(self) -> int | None:
        """Invocations that make sense at a time; None when the other side decides (remote)."""
        ...

    @property
    def timeout(self) -> float | None:
        """Seconds after which an invocation is over at the latest; None for no limit (a debugger is attached)."""
        ...

    @property
    def ends_on_cancel(self) -> bool:
        """Whether a cancelled `invoke` has surely ended the function: then its records may be given back at once."""
        ...

    async def probe(self) -> Ready | NotReady:
        """Find out, without an event, whether the function can start: a local init (bounded by max(10 s, timeout)),
        a TCP connection to a remote one. Cheap when it is known to be ready."""
        ...

    async def invoke(self, invocation: Invocation) -> Reply: ...

    async def aclose(self) -> None:
        """End every process and connection. Idempotent; after it `invoke` answers Unreachable."""
        ...

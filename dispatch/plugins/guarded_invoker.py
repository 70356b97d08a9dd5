"""An invoker of a plug-in, kept apart: whatever its code does, the daemon sees a function that fails or cannot start.

    made?  ── no: raises, hangs, is no invoker ──► NotReady, and made again at the next probe
      │
      ├─ probe:  raises, hangs, answers nonsense ──► NotReady
      └─ invoke: raises ──► the function's error     hangs ──► the function's timeout     nonsense ──► its error

So gates, retries, back-off, destinations and messages are those of a broken function. Used by the wiring alone.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from ...config.clock import Clock
from ...config.reasons import Reason
from ..core.model import Attempt, Failure, FunctionFailed, Reply, Returned, Throttled, Unreachable
from ..invokers.base import CLOSED, Invocation, Invoker, NotReady, Ready, cannot_start
from ..invokers.core import answers
from .own_loop import GRACE, Late, OwnLoop, Raised

PATIENCE = 10.0
"""Seconds for the making of an invoker, for a probe, and for a close: as long as an init has at least."""
MARGIN = 1.0
"""Seconds beyond the function's timeout: the plug-in may answer for itself before."""
CONCURRENCY = 4
"""Invocations at once where neither the user nor the plug-in says."""

_OK = 200
_REPLIES = (Returned, FunctionFailed, Throttled, Unreachable)


class GuardedInvoker:
    """Invokes through the invoker that `make` returns."""

    def __init__(
        self,
        make: Callable[[], Invoker] | Reason,
        *,
        title: str,
        clock: Clock,
        timeout: float,
        concurrency: int | None = None,
        patience: float = PATIENCE,
        margin: float = MARGIN,
        grace: float = GRACE,
    ) -> None:
        """`make`: a reason where the plug-in cannot be used at all. `title`: the plug-in's, for messages. `timeout` in
        seconds. `concurrency`: as the user set it. `patience`, `margin`, `grace`: seconds."""
        self._make = make
        self._title = title
        self._clock = clock
        self._timeout = timeout
        self._set = concurrency
        self._patience = patience
        self._margin = margin
        self._loop = OwnLoop(f"headrace {title}", grace=grace)
        self._invoker: Any = None
        self._making = anyio.Lock()
        self._closed = False

    @property
    def concurrency(self) -> int | None:
        if self._set is not None:
            return self._set
        said = self._said("concurrency", CONCURRENCY)
        return said if said is None or (type(said) is int and said > 0) else CONCURRENCY

    @property
    def timeout(self) -> float | None:
        return self._timeout + self._margin

    @property
    def ends_on_cancel(self) -> bool:
        return self._said("ends_on_cancel", False) is True and not self._loop.deaf

    async def start(self) -> Reason | None:
        """Make the invoker, so that its concurrency is known. Returns why it could not be made; `probe` makes it
        again."""
        made = await self._made()
        return made if isinstance(made, Reason) else None

    async def probe(self) -> Ready | NotReady:
        made = await self._made()
        if isinstance(made, Reason):
            return NotReady(made)
        found = await self._loop.call(made.probe, self._patience)
        if isinstance(found, Ready | NotReady) and _is_sound_probe(found):
            return found
        return NotReady(self._broken(found, "probe"))

    async def invoke(self, invocation: Invocation) -> Reply:
        started = self._clock.wall()
        made = CLOSED if self._closed else await self._made()
        if isinstance(made, Reason):
            return Unreachable(self._attempt(invocation, started), made, down=True)
        reply = await self._loop.call(lambda: made.invoke(invocation), self.timeout)
        if isinstance(reply, _REPLIES) and _is_sound(reply):
            too_large = isinstance(reply, Returned) and len(reply.body) > answers.RESPONSE_LIMIT
            return answers.oversized(self._attempt(invocation, started, _OK)) if too_large else reply
        return self._failed(invocation, started, reply)

    async def aclose(self) -> None:
        self._closed = True
        invoker, self._invoker = self._invoker, None
        if invoker is not None:
            await self._loop.call(invoker.aclose, self._patience)
        self._loop.close()

    # --- the plug-in's part -----------------------------------------------------------------------------------------

    async def _made(self) -> Any:
        """The plug-in's invoker; a reason while there is none."""
        if isinstance(self._make, Reason):
            return self._make
        async with self._making:
            if self._invoker is None:
                made = await self._loop.call(_awaitable(self._make), self._patience)
                if isinstance(made, Raised | Late) or not _has_protocol(made):
                    return self._broken(made, "making of the invoker")
                self._invoker = made
            return self._invoker

    def _said(self, name: str, default: object) -> object:
        """The description that the plug-in's invoker gives of itself."""
        try:
            return default if self._invoker is None else getattr(self._invoker, name)
        except Exception:
            return default

    def _broken(self, found: object, during: str) -> Reason:
        return cannot_start(
            f"{self._title}: the {during} {_told(found, self._patience)}; correct or update the plug-in"
        )

    def _failed(self, invocation: Invocation, started: float, found: object) -> FunctionFailed:
        attempt = self._attempt(invocation, started, _OK)
        match found:
            case Late():
                return answers.timed_out(attempt, self._timeout)
            case Raised(error=SystemExit(code=code)):
                return answers.exited(attempt, code if isinstance(code, int) else int(code is not None))
            case Raised(error=Exception() as error):
                return answers.raised(attempt, error, traceback.format_list(traceback.extract_tb(error.__traceback__)))
            case _:
                said = f"{self._title}: its invoke {_told(found, self._patience)}"
                return FunctionFailed(attempt, Failure.ERROR, answers.one_line(said), b"")

    def _attempt(self, invocation: Invocation, started: float, status: int | None = None) -> Attempt:
        version, error = ("$LATEST", answers.UNHANDLED) if status else (None, None)
        return Attempt(invocation.request_id, started, self._clock.wall(), status, version, error)


def _awaitable(make: Callable[[], Any]) -> Callable[[], Awaitable[Any]]:
    async def made() -> Any:
        return make()

    return made


def _has_protocol(made: object) -> bool:
    return all(callable(getattr(made, name, None)) for name in ("probe", "invoke", "aclose"))


def _is_sound_probe(found: Ready | NotReady) -> bool:
    return isinstance(found.seconds, int | float) if isinstance(found, Ready) else isinstance(found.cause, Reason)


def _is_sound(reply: Any) -> bool:
    """Whether its parts are what they should be: the daemon reads them everywhere."""
    if not isinstance(reply.attempt, Attempt) or not isinstance(reply.attempt.request_id, str):
        return False
    if not all(isinstance(each, int | float) for each in (reply.attempt.started, reply.attempt.ended)):
        return False
    match reply:
        case Returned(body=body):
            return isinstance(body, bytes)
        case FunctionFailed(failure=failure, detail=detail, body=body):
            return isinstance(failure, Failure) and isinstance(detail, str) and isinstance(body, bytes)
        case Unreachable(cause=cause, body=body):
            return isinstance(cause, Reason) and isinstance(body, bytes)
        case Throttled(after=after, reason=reason, detail=detail):
            waits = after is None or isinstance(after, int | float)
            return waits and isinstance(reason, str) and isinstance(detail, str)
        case _:
            return False


def _told(found: object, seconds: float) -> str:
    """The failure, as the rest of a sentence."""
    match found:
        case Late():
            return f"did not end within {seconds:g} s"
        case Raised(error=error):
            return answers.one_line(f"raised {type(error).__name__}: {error}")
        case _:
            return f"gave {type(found).__name__!r}, which is not what the protocol says"

"""A function that is a coroutine in this process: the shipped fake.

It needs no thread and no socket, so scenarios run with it on virtual time, and it fails in every way a real function
does, in AWS's own words. The contract suite holds it to what the real invokers do.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import assert_never

from ...config.clock import Clock
from ...config.reasons import Reason
from ..core.model import Attempt, FunctionFailed, Reply, Returned, Throttled, Unreachable
from .base import CLOSED, Invocation, NotReady, Ready, cannot_start
from .calls import Calls, Closed, Expired
from .core import answers

Function = Callable[[Invocation], Awaitable[Reply | bytes]]
"""Bytes are the function's response; a Reply stands as it is; an exception is a function error; SystemExit is the end
of the runtime's process."""

_OK = 200
_TOO_MANY = 429


class CallableInvoker:
    """Invokes `function`. One invocation above `concurrency` is throttled, as a reserved concurrency would.

    `probe` is asked by probes while the function is not broken; None: it is ready.
    """

    def __init__(
        self,
        function: Function,
        *,
        clock: Clock,
        timeout: float | None = 3.0,
        concurrency: int | None = 1,
        probe: Callable[[], Awaitable[Ready | NotReady]] | None = None,
    ) -> None:
        self._function = function
        self._clock = clock
        self._timeout = timeout
        self._concurrency = concurrency
        self._probe = probe
        self._calls = Calls(timeout)
        self._broken: Reason | None = None

    @property
    def concurrency(self) -> int | None:
        return self._concurrency

    @property
    def timeout(self) -> float | None:
        return self._timeout

    @property
    def ends_on_cancel(self) -> bool:
        return True

    def break_down(self, cause: str) -> None:
        """From now on the function cannot start, as after an error of its init."""
        self._broken = cannot_start(cause)

    def mend(self) -> None:
        self._broken = None

    async def probe(self) -> Ready | NotReady:
        if self._broken is not None:
            return NotReady(self._broken)
        return Ready() if self._probe is None else await self._probe()

    async def invoke(self, invocation: Invocation) -> Reply:
        started = self._clock.wall()
        if self._broken is not None:
            return Unreachable(self._attempt(invocation, started), self._broken, down=True)
        if self._concurrency is not None and self._calls.running >= self._concurrency:
            reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
            return Throttled(self._attempt(invocation, started, _TOO_MANY), reason=reason)
        ended = await self._calls.run(lambda: self._called(invocation))
        return self._reply(invocation, started, ended)

    async def _called(self, invocation: Invocation) -> Reply | bytes | Exception | SystemExit:
        try:
            return await self._function(invocation)
        except (Exception, SystemExit) as error:
            return error

    def _reply(
        self, invocation: Invocation, started: float, ended: Reply | bytes | Exception | SystemExit | Expired | Closed
    ) -> Reply:
        answered = self._attempt(invocation, started, _OK, version="$LATEST")
        failed = self._attempt(invocation, started, _OK, version="$LATEST", error=answers.UNHANDLED)
        match ended:
            case bytes():
                return Returned(answered, ended) if len(ended) <= answers.RESPONSE_LIMIT else answers.oversized(failed)
            case Returned() | FunctionFailed() | Throttled() | Unreachable():
                return ended
            case SystemExit():
                return answers.exited(
                    failed, ended.code if isinstance(ended.code, int) else int(ended.code is not None)
                )
            case Exception():
                frames = traceback.format_list(traceback.extract_tb(ended.__traceback__))
                return answers.raised(failed, ended, frames)
            case Expired():
                return answers.timed_out(failed, self._timeout or 0.0)
            case Closed():
                return Unreachable(self._attempt(invocation, started), CLOSED)
            case _:
                assert_never(ended)

    async def aclose(self) -> None:
        self._calls.close()

    def _attempt(
        self,
        invocation: Invocation,
        started: float,
        status: int | None = None,
        *,
        version: str | None = None,
        error: str | None = None,
    ) -> Attempt:
        return Attempt(invocation.request_id, started, self._clock.wall(), status, version, error)

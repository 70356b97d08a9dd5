"""A function whose runtime the user starts, for example in an IDE with a debugger: we only serve its Runtime API.

The port stays the same as long as the daemon runs, so that the runtime can be started, stopped and started again.
"""

from __future__ import annotations

import anyio

from ....config.clock import Clock
from ....config.reasons import Reason, ReasonCode
from ...core.model import Attempt, Failure, FunctionFailed, Reply, Returned, Throttled, Unreachable
from ..base import CLOSED, Invocation, NotReady, Ready
from ..core import answers
from .pool import headers_of
from .runtime_api import Handed, RuntimeApi, Session, SessionState
from .spec import ExternalLaunch, FunctionSpec

OK = 200


class ExternalInvoker:
    """Hands invocations to the runtime that connects. One at a time, because there is one runtime."""

    ends_on_cancel = False
    concurrency = 1

    def __init__(self, spec: FunctionSpec, *, clock: Clock) -> None:
        assert isinstance(spec.launch, ExternalLaunch)
        self._spec = spec
        self._port = spec.launch.port
        self._clock = clock
        self._api: RuntimeApi | None = None
        self._busy = False
        self._closed = False

    @property
    def timeout(self) -> float | None:
        return self._spec.timeout

    async def probe(self) -> Ready | NotReady:
        """Ready while a runtime waits for an invocation."""
        if self._closed:
            return NotReady(CLOSED)
        api = await self._open()
        return Ready() if api.session.state is SessionState.WAITING else NotReady(self._waiting(api))

    async def invoke(self, invocation: Invocation) -> Reply:
        started = self._clock.wall()
        if self._closed:
            return Unreachable(self._attempt(invocation, started, None), CLOSED, down=True)
        if self._busy:
            return Throttled(self._attempt(invocation, started, 429), detail="the runtime is busy")
        api = await self._open()
        if api.session.state is not SessionState.WAITING:
            return Unreachable(self._attempt(invocation, started, None), self._waiting(api), down=True)
        self._busy = True
        try:
            return await self._invoke(api, invocation, started)
        finally:
            self._busy = False

    async def aclose(self) -> None:
        self._closed = True
        if self._api is not None:
            self._api.close()

    async def _invoke(self, api: RuntimeApi, invocation: Invocation, started: float) -> Reply:
        session = api.session
        headers = headers_of(invocation, self._spec, self._clock)
        session.hand_out(Handed(invocation.request_id, invocation.payload, headers))
        with anyio.move_on_after(self._spec.timeout):
            while session.answer is None and not session.left:
                await session.changed.wait()
        answer = session.answer
        failed = self._attempt(invocation, started, OK, error=True)
        if answer is None:
            left = session.left
            session.forget()
            return (
                answers.ended(failed, 1, "the runtime disconnected")
                if left
                else answers.timed_out(failed, self._spec.timeout or 0.0)
            )
        if answer.oversized:
            return answers.oversized(failed)
        if answer.failed:
            detail = answers.one_line(": ".join(part for part in answers.error_text(answer.body) if part))
            return FunctionFailed(failed, Failure.ERROR, detail or "no error text", answer.body)
        return Returned(self._attempt(invocation, started, OK), answer.body)

    async def _open(self) -> RuntimeApi:
        if self._api is None:
            api = RuntimeApi(Session(restarts=True))
            await api.open(self._port)
            self._api = api
        return self._api

    def _waiting(self, api: RuntimeApi) -> Reason:
        text = f"waiting for a runtime: start yours with AWS_LAMBDA_RUNTIME_API={api.address}"
        return Reason(ReasonCode.FUNCTION_PENDING, text)

    def _attempt(self, invocation: Invocation, started: float, status: int | None, *, error: bool = False) -> Attempt:
        version = self._spec.version if status == OK else None
        return Attempt(
            invocation.request_id, started, self._clock.wall(), status, version, answers.UNHANDLED if error else None
        )

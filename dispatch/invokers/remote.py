"""Functions behind the Invoke API: an emulator's, `sam local`'s, AWS's own.

Owns the mapping of what that API can answer to replies. The client is shared and given (`config.clients`); this side's
deadline stands above the function's own timeout, which the other side keeps.

Once a request is on its way, a lost invocation and a lost answer look the same: the records are
invoked again. That is the "at least once" of an event source mapping, and the causes say so.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from ...config.clients import faults
from ...config.clients.lean.client import LeanClient, invocation_target
from ...config.clients.lean.connection import AnswerTooLarge
from ...config.clock import Clock
from ...config.reasons import Reason, ReasonCode
from ..core.model import Attempt, FunctionFailed, Reply, Returned, Throttled, Unreachable
from .base import HOPS, Invocation, NotReady, Ready
from .calls import Calls, Closed, Expired, in_pieces
from .core import answers
from .reach import reach

MARGIN = 5.0
"""Seconds for the way there and back, above the function's own timeout."""

UNCERTAIN = "the function may have run; its records are invoked again"

# The other side knows why the function cannot run, and another record would fare no better.
_DOWN = {
    404: (
        ReasonCode.FUNCTION_MISSING,
        "create it there, or correct the function's name, qualifier and endpoint",
    ),
    403: (ReasonCode.FUNCTION_REFUSED, "check the credentials and their permission for lambda:InvokeFunction"),
    401: (ReasonCode.FUNCTION_REFUSED, "check the credentials"),
    409: (ReasonCode.FUNCTION_PENDING, "wait until it is active, or correct it there"),
    501: (ReasonCode.FUNCTION_REFUSED, "the endpoint has no Invoke API"),
}
# Refusals of what was asked for, not of this event.
_MISNAMED = frozenset({"InvalidParameterValueException", "ValidationException"})

_sent: ContextVar[Invocation | None] = ContextVar("sent", default=None)


@dataclass(frozen=True, slots=True)
class _RemoteAnswer:
    status: int
    request_id: str
    version: str | None
    error: str | None
    body: bytes | None
    """None when it is over the limit: the rest was not read."""


class RemoteInvoker:
    """Invokes `function_name` (name, partial or full ARN) through a Lambda client of aiobotocore.

    `timeout` is the function's own, in seconds; None for an answer that may take as long as it likes.
    """

    def __init__(
        self,
        client: Any,
        function_name: str,
        *,
        clock: Clock,
        qualifier: str | None = None,
        timeout: float | None = None,
        concurrency: int | None = None,
        margin: float = MARGIN,
    ) -> None:
        self._client = client
        self._name = function_name
        self._clock = clock
        self._qualifier = {"Qualifier": qualifier} if qualifier else {}
        self._target = invocation_target(function_name, qualifier)
        self._timeout = timeout
        self._deadline = None if timeout is None else timeout + margin
        self._concurrency = concurrency
        self._calls = Calls(self._deadline)
        client.meta.events.register("before-call.lambda.Invoke", _add_headers, unique_id="headrace-headers")

    @property
    def concurrency(self) -> int | None:
        return self._concurrency

    @property
    def timeout(self) -> float | None:
        return self._deadline

    @property
    def ends_on_cancel(self) -> bool:
        return False

    @property
    def _endpoint(self) -> str:
        return str(self._client.meta.endpoint_url)

    async def probe(self) -> Ready | NotReady:
        return await reach(self._endpoint, by_proxy=True)

    async def invoke(self, invocation: Invocation) -> Reply:
        started = self._clock.wall()
        ended = await self._calls.run(lambda: self._called(invocation))
        attempt = Attempt(invocation.request_id, started, self._clock.wall())
        match ended:
            case _RemoteAnswer():
                return _judged(attempt, ended)
            case Closed():
                return Unreachable(attempt, closing(ended))
            case Expired():
                text = f"no answer from {self._name} at {self._endpoint} within {self._deadline:g} s; {UNCERTAIN}"
                return unanswered(attempt, text)
            case _:
                return self._refused(attempt, ended)

    async def _called(self, invocation: Invocation) -> _RemoteAnswer | Exception:
        """The answer, or what the client raised; what no client raises goes on."""
        try:
            if isinstance(self._client, LeanClient):
                return await self._short(self._client, invocation)
            return await self._long(invocation)
        except Exception as error:
            if not faults.foreign(error):
                raise
            return error

    async def _short(self, client: LeanClient, invocation: Invocation) -> _RemoteAnswer:
        headers = {"Content-Type": "application/json", **_headers(invocation)}
        if invocation.client_context:
            headers["X-Amz-Client-Context"] = _encoded(invocation.client_context)
        body: bytes | None = None
        try:
            answer = await client.post(self._target, headers, invocation.payload, answers.RESPONSE_LIMIT)
            body = answer.body
        except AnswerTooLarge as large:
            answer = large.head
        told = answer.headers
        return _RemoteAnswer(
            status=answer.status,
            request_id=told.get("x-amzn-requestid", ""),
            version=told.get("x-amz-executed-version"),
            error=told.get("x-amz-function-error"),
            body=body,
        )

    async def _long(self, invocation: Invocation) -> _RemoteAnswer:
        context = {"ClientContext": _encoded(invocation.client_context)} if invocation.client_context else {}
        _sent.set(invocation)
        answer = await self._client.invoke(
            FunctionName=self._name, Payload=in_pieces(invocation.payload), **self._qualifier, **context
        )
        return await _read(answer)

    def _refused(self, attempt: Attempt, error: Exception) -> Throttled | Unreachable:
        metadata = faults.metadata(error)
        attempt = replace(
            attempt,
            request_id=str(metadata.get("RequestId") or attempt.request_id),
            status=faults.status(error),
        )
        said = answers.one_line(str(faults.translate(error, f"invoke {self._name}")))
        if attempt.status == 429:
            after = retry_after(metadata.get("HTTPHeaders", {}))
            return Throttled(attempt, after, _throttle(error), faults.code(error))
        if attempt.status is None:
            return self._unanswered(attempt, error, said)
        return Unreachable(attempt, _refusal(said, attempt.status), _is_down(error, attempt.status))

    def _unanswered(self, attempt: Attempt, error: Exception, said: str) -> Unreachable:
        if faults.unsent(error):
            return unanswered(attempt, f"{said} [{self._endpoint}]", down=True)
        return unanswered(attempt, f"{said} [{self._endpoint}]; {UNCERTAIN}")

    async def aclose(self) -> None:
        """The client is not ours: its maker closes its connections."""
        self._calls.close()


def closing(closed: Closed) -> Reason:
    """Why there is no answer, when the invoker was closed."""
    text = f"Headrace is stopping; {UNCERTAIN}" if closed.started else "Headrace is stopping: not invoked"
    return Reason(ReasonCode.STOPPING, text)


def unanswered(attempt: Attempt, text: str, *, down: bool = False) -> Unreachable:
    """No answer came, or not in time."""
    return Unreachable(attempt, Reason(ReasonCode.FUNCTION_UNREACHABLE, text), down)


async def _read(answer: dict[str, Any]) -> _RemoteAnswer:
    metadata = answer["ResponseMetadata"]
    return _RemoteAnswer(
        status=int(metadata["HTTPStatusCode"]),
        request_id=str(metadata.get("RequestId") or ""),
        version=answer.get("ExecutedVersion"),
        error=answer.get("FunctionError"),
        body=await _bounded(answer["Payload"]),
    )


async def _bounded(payload: Any) -> bytes | None:
    """The body; None when it is larger than a response may be."""
    read = bytearray()
    try:
        while chunk := await payload.read(answers.RESPONSE_LIMIT + 1 - len(read)):
            read += chunk
            if len(read) > answers.RESPONSE_LIMIT:
                return None
        return bytes(read)
    finally:
        payload.close()  # cuts the connection if something is left to read; one that was read to its end is kept


def _judged(attempt: Attempt, answer: _RemoteAnswer) -> Returned | FunctionFailed | Unreachable:
    attempt = replace(
        attempt,
        request_id=answer.request_id or attempt.request_id,
        status=answer.status,
        executed_version=answer.version,
        function_error=answer.error,
    )
    if answer.body is None:
        return answers.oversized(replace(attempt, function_error=answers.UNHANDLED))
    return answers.failed(attempt, answer.body) if answer.error else Returned(attempt, answer.body)


def _is_down(error: Exception, status: int) -> bool:
    return status in _DOWN or faults.code(error) in _MISNAMED


def _refusal(said: str, status: int) -> Reason:
    if status in _DOWN:
        code, hint = _DOWN[status]
        return Reason(code, f"{said} ({hint})")
    if status >= 500:
        return Reason(ReasonCode.FUNCTION_UNREACHABLE, f"{said}; {UNCERTAIN}")
    return Reason(ReasonCode.FUNCTION_REFUSED, said)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of `retry-after`, from headers that are looked up in lower case; None without one, and for a date, which
    no Lambda sends."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0.0 <= seconds < inf else None


def _throttle(error: Exception) -> str:
    """AWS's word for why there is no room."""
    return str(getattr(error, "response", {}).get("Reason") or "")


def _add_headers(params: dict[str, Any], **_: object) -> None:
    """The Invoke API takes the trace as a header, for which the client has no argument; nor has it one for our own."""
    if (invocation := _sent.get()) is None:
        return
    params["headers"].update(_headers(invocation))


def _headers(invocation: Invocation) -> dict[str, str]:
    """Those for which the API has no argument."""
    trace = {"X-Amzn-Trace-Id": invocation.trace} if invocation.trace else {}
    return {HOPS: str(invocation.hops + 1), **trace}


def _encoded(context: str) -> str:
    return base64.b64encode(context.encode()).decode()

"""Functions behind the plain HTTP of AWS's runtime interface emulator (RIE), as in every container image of Lambda.

The emulator is not the Invoke API, and what it answers was read from its source (`InvokeHandler`) and its issues:

    200  the response; or the function's error as JSON, with no header to tell them apart; or, for a timeout, the
         bare text `Task timed out after 3.00 seconds`
    400  without a body: it is busy with another invocation (some versions crash instead, so one at a time is the rule)
    502  the environment broke; with the error as JSON: an init error, or the runtime's process ended
    504  the environment was reset in the middle

An answer of 200 that reads as a runtime's error therefore *is* one (`answers.reads_as_error`). The header
`X-Amz-Function-Error`, which `sam local` sends, is trusted.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...config import descriptors
from ...config.clients import faults
from ...config.clock import Clock
from ...config.core.web_pages import without_page
from ...config.reasons import Reason, ReasonCode
from ..core.model import Attempt, FunctionFailed, Reply, Returned, Throttled, Unreachable
from .base import Invocation, NotReady, Ready
from .calls import Calls, Closed, Expired, in_pieces
from .core import answers
from .reach import PATIENCE, reach
from .remote import MARGIN, UNCERTAIN, closing, retry_after, unanswered

if TYPE_CHECKING:
    import aiohttp

KEEP_ALIVE = 4.0  # seconds; below the 5 s after which common servers close an idle connection under our hands
_DOWN = frozenset({401, 403, 404, 405, 410, 501})


@dataclass(frozen=True, slots=True)
class _HttpAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes | None
    """None when it is over the limit: the rest was not read."""


class HttpInvoker:
    """Posts events to `url`, over connections of its own.

    `timeout` is the function's own, in seconds; None for an answer that may take as long as it likes.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        timeout: float | None = None,
        concurrency: int | None = 1,
        margin: float = MARGIN,
    ) -> None:
        self._url = url
        self._clock = clock
        self._deadline = None if timeout is None else timeout + margin
        self._concurrency = concurrency
        self._calls = Calls(self._deadline)
        self._session: aiohttp.ClientSession | None = None

    @property
    def concurrency(self) -> int | None:
        return self._concurrency

    @property
    def timeout(self) -> float | None:
        return self._deadline

    @property
    def ends_on_cancel(self) -> bool:
        return False

    async def probe(self) -> Ready | NotReady:
        return await reach(self._url)

    async def invoke(self, invocation: Invocation) -> Reply:
        started = self._clock.wall()
        ended = await self._calls.run(lambda: self._called(invocation))
        attempt = Attempt(invocation.request_id, started, self._clock.wall())
        match ended:
            case _HttpAnswer():
                return self._judged(attempt, ended)
            case Closed():
                return Unreachable(attempt, closing(ended))
            case Expired():
                return unanswered(attempt, f"no answer from {self._url} within {self._deadline:g} s; {UNCERTAIN}")
            case _:
                return self._unanswered(attempt, ended)

    async def _called(self, invocation: Invocation) -> _HttpAnswer | Exception:
        """The answer, or what the client raised; what no client raises goes on."""
        try:
            session = self._opened()
            async with session.post(
                self._url, data=in_pieces(invocation.payload), headers=_headers(invocation), allow_redirects=False
            ) as response:
                return _HttpAnswer(response.status, response.headers, await _bounded(response.content))
        except Exception as error:
            if not faults.foreign(error):
                raise
            return error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp  # imported here, so that a daemon without such a function does not load it

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE),
            )
        return self._session

    def _unanswered(self, attempt: Attempt, error: Exception) -> Unreachable:
        said = answers.one_line(str(faults.translate(error, f"invoke {self._url}")))
        if descriptors.spent(error):
            return unanswered(attempt, said, down=True)
        if faults.unsent(error):
            return unanswered(attempt, f"{said}; is it running, and is the address right?", down=True)
        return unanswered(attempt, f"{said}; {UNCERTAIN}")

    def _judged(self, attempt: Attempt, answer: _HttpAnswer) -> Reply:
        attempt = replace(
            attempt,
            request_id=answer.headers.get("x-amzn-RequestId") or attempt.request_id,
            status=answer.status,
        )
        if answer.status == 429:
            return Throttled(attempt, retry_after(answer.headers), detail="TooManyRequests")
        if answer.status == 400 and answer.body == b"":
            return Throttled(attempt, detail="the emulator is busy with another invocation")
        if 200 <= answer.status < 300 or (answer.status == 502 and answers.reads_as_error(answer.body or b"")):
            return _of_function(attempt, answer)
        return Unreachable(attempt, self._refusal(answer), answer.status in _DOWN or 300 <= answer.status < 400)

    def _refusal(self, answer: _HttpAnswer) -> Reason:
        said = answers.one_line(without_page((answer.body or b"").decode(errors="replace")))
        text = f"{self._url} answered {answer.status}{f': {said}' if said else ''}"
        if answer.status in _DOWN or answer.status < 400:
            hint = "the emulator's own path is /2015-03-31/functions/function/invocations"
            return Reason(ReasonCode.FUNCTION_REFUSED, f"{text} ({hint})")
        if answer.status >= 500:
            return Reason(ReasonCode.FUNCTION_UNREACHABLE, f"{text}; {UNCERTAIN}")
        return Reason(ReasonCode.FUNCTION_REFUSED, text)

    async def aclose(self) -> None:
        self._calls.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _of_function(attempt: Attempt, answer: _HttpAnswer) -> Returned | FunctionFailed | Unreachable:
    """An answer that came from the function or its environment; its status is then what AWS would answer."""
    version = answer.headers.get("X-Amz-Executed-Version") or "$LATEST"
    attempt = replace(attempt, status=200, executed_version=version)
    failed = replace(attempt, function_error=answer.headers.get("X-Amz-Function-Error") or answers.UNHANDLED)
    if answer.body is None:
        return answers.oversized(failed)
    if "X-Amz-Function-Error" in answer.headers or answers.reads_as_error(answer.body):
        return answers.failed(failed, answer.body)
    return Returned(attempt, answer.body)


def _headers(invocation: Invocation) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if invocation.trace:
        headers["X-Amzn-Trace-Id"] = invocation.trace
    if invocation.client_context:
        headers["X-Amz-Client-Context"] = base64.b64encode(invocation.client_context.encode()).decode()
    return headers


async def _bounded(content: aiohttp.StreamReader) -> bytes | None:
    """The body; None when it is larger than a response may be."""
    read = bytearray()
    async for chunk in content.iter_any():
        read += chunk
        if len(read) > answers.RESPONSE_LIMIT:
            return None
    return bytes(read)

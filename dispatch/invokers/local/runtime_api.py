"""The Lambda Runtime API of one environment: what a runtime may ask, and what it is answered.

                        next                     hand_out                response, error
    STARTING ─────────────────────────► WAITING ──────────► RUNNING ──────────────────────► ANSWERED
        │ init/error                       ▲                                                   │ next
        ▼                                  └───────────────────────────────────────────────────┘
      FAILED

Everything but these arrows is refused with the answer that AWS's own server gives. One environment serves one
invocation at a time: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import base64
import socket
from dataclasses import dataclass, field
from enum import Enum

import orjson

from ..core.answers import RESPONSE_LIMIT
from .http1 import Connection, RuntimeRequest, written

PREFIX = "/2018-06-01/runtime/"
JSON = {"Content-Type": "application/json"}
ACCEPTED = {keep: written(202, b'{"status":"OK"}', JSON, keep=keep) for keep in (True, False)}
"""The answer to what a runtime posts, by whether its connection stays open."""


class SessionState(Enum):
    STARTING = "Starting"
    WAITING = "Ready"
    RUNNING = "Running"
    ANSWERED = "ResponseSent"
    FAILED = "InitError"


OPEN = (SessionState.RUNNING, SessionState.ANSWERED)
"""An invocation lasts until the runtime asks for the next one."""


@dataclass(frozen=True, slots=True)
class Handed:
    """An invocation as the runtime sees it."""

    request_id: str
    payload: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class RuntimeAnswer:
    """The body that the runtime posted."""

    body: bytes
    failed: bool = False
    """Posted to `/error`."""
    oversized: bool = False


@dataclass(slots=True)
class Refusal:
    status: int
    kind: str
    message: str


INVALID_ID = Refusal(400, "InvalidRequestID", "Invalid request ID")
INCOMPLETE = Refusal(400, "TruncatedHTTPRequest", "HTTP request detected as truncated")
BAD_MODE = Refusal(400, "InvalidFunctionResponseMode", "Invalid function response mode")
FOREIGN = Refusal(403, "Forbidden", "a web page may not call the Runtime API")
TOO_LARGE = Refusal(413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes).")
NOT_SERVED = Refusal(404, "NotFound", "not served here")

STREAMING = "streaming"
MODE = "lambda-runtime-function-response-mode"
ERROR_TYPE = "lambda-runtime-function-error-type"
ERROR_BODY = "lambda-runtime-function-error-body"
XRAY_CAUSE = "application/vnd.aws.lambda.error.cause+json"
FORWARDED = ("errorMessage", "errorType", "stackTrace")
"""The members that the caller sees of an error that is written for X-Ray."""


def wrong_state(state: SessionState, wanted: str) -> Refusal:
    text = f"State transition from {state.value} to {wanted} failed for runtime. Error: State transition is not allowed"
    return Refusal(403, "InvalidStateTransition", text)


class Bell:
    """Wakes those who wait at the moment. They look at what they wait for themselves, before they wait and after."""

    def __init__(self) -> None:
        self.waited_for: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        waiting, self.waited_for = self.waited_for, []
        for each in waiting:
            if not each.done():  # else it was cancelled
                each.set_result(None)

    async def wait(self) -> None:
        waiting = asyncio.get_running_loop().create_future()
        self.waited_for.append(waiting)
        await waiting


class Session:
    """The state of one environment. Knows requests and answers, no sockets; `RuntimeApi` serves it."""

    def __init__(self, *, restarts: bool = False) -> None:
        self._restarts = restarts
        """A runtime that the user starts may be stopped and started again in the middle of an invocation."""
        self.state = SessionState.STARTING
        self.init_error: bytes | None = None
        self.changed = Bell()
        """Rings at every change of state."""
        self.over = Bell()
        """Rings when the invocation that was handed out last is open no more."""
        self.left = False
        """Another runtime asks for an invocation while one is open: the first went away with it."""
        self._parked: RuntimeRequest | None = None
        self._handed: Handed | None = None
        self._expected = ""
        """The path of its response; most requests are this one and `next`."""
        self._answer: RuntimeAnswer | None = None

    @property
    def answer(self) -> RuntimeAnswer | None:
        """The answer to the invocation that was handed out last."""
        return self._answer

    def hand_out(self, handed: Handed) -> None:
        """Give the waiting runtime an invocation."""
        assert self.state is SessionState.WAITING
        assert self._parked is not None
        parked, self._parked = self._parked, None
        self._handed, self._answer = handed, None
        self._expected = f"{PREFIX}invocation/{handed.request_id}/response"
        self._to(SessionState.RUNNING)
        parked.answer(200, handed.payload, handed.headers)

    def on_request(self, request: RuntimeRequest) -> None:
        refusal = self._route(request)
        if refusal is not None:
            body = orjson.dumps({"errorMessage": refusal.message, "errorType": refusal.kind})
            request.answer(refusal.status, body, JSON)

    def forget(self) -> None:
        """The invocation is over without an answer: what the runtime still says of it is refused."""
        self.left = False
        self._handed, self._expected = None, ""
        if self.state is SessionState.RUNNING:
            self._to(SessionState.STARTING)

    def on_closed(self, request: RuntimeRequest) -> None:
        """The client left while its `next` was open."""
        if request is self._parked:
            self._parked = None
            self._to(SessionState.STARTING)

    def _route(self, request: RuntimeRequest) -> Refusal | None:
        if "origin" in request.headers:
            return FOREIGN  # any page in a browser on this machine can reach a loopback port
        if request.path == self._expected and request.method == "POST":
            return self._answered(request, failed=False)
        if request.path == "/2018-06-01/ping":
            request.answer(200, b"pong")
            return None
        if not request.path.startswith(PREFIX):
            return NOT_SERVED
        match request.method, request.path.removeprefix(PREFIX).split("/"):
            case "GET", ["invocation", "next"]:
                return self._next(request)
            case "POST", ["init", "error"]:
                return self._init_error(request)
            case "POST", ["invocation", request_id, ("response" | "error") as kind]:
                known = self._handed is not None and request_id == self._handed.request_id
                return self._answered(request, failed=kind == "error") if known else INVALID_ID
            case _:
                return NOT_SERVED

    def _next(self, request: RuntimeRequest) -> Refusal | None:
        self.left = self._restarts and self.state is SessionState.RUNNING
        if self.state not in (SessionState.STARTING, SessionState.ANSWERED) and not self.left:
            return wrong_state(self.state, "Ready")
        self._parked = request
        self._to(SessionState.WAITING)
        return None

    def _init_error(self, request: RuntimeRequest) -> Refusal | None:
        if self.state is not SessionState.STARTING:
            return wrong_state(self.state, "InitError")
        if request.incomplete:
            return INCOMPLETE
        self.init_error = request.body
        self._to(SessionState.FAILED)
        request.answer_as(ACCEPTED[request.keep])
        return None

    def _answered(self, request: RuntimeRequest, *, failed: bool) -> Refusal | None:
        """To the invocation that was handed out last."""
        if self._answer is not None:
            return INVALID_ID
        if self.state is not SessionState.RUNNING:
            return wrong_state(self.state, "ResponseSent")
        if request.headers.get(MODE, STREAMING) != STREAMING:
            return BAD_MODE
        if request.incomplete:
            return INCOMPLETE
        self._answer = _error(request) if failed else _response(request)
        self._to(SessionState.ANSWERED)
        if request.truncated_here:
            return TOO_LARGE
        request.answer_as(ACCEPTED[request.keep])
        return None

    def _to(self, state: SessionState) -> None:
        self.state = state
        if self.changed.waited_for:
            self.changed.ring()
        if state not in OPEN and self.over.waited_for:
            self.over.ring()


def _response(request: RuntimeRequest) -> RuntimeAnswer:
    """A streamed response that failed on its way says so in its trailers."""
    if ERROR_TYPE in request.headers and request.headers.get(MODE) == STREAMING:
        try:
            return RuntimeAnswer(base64.b64decode(request.headers.get(ERROR_BODY, "")), failed=True)
        except ValueError:
            return RuntimeAnswer(request.headers[ERROR_BODY].encode(), failed=True)
    return RuntimeAnswer(request.body, oversized=request.truncated_here)


def _error(request: RuntimeRequest) -> RuntimeAnswer:
    body = request.body
    if request.headers.get("content-type") == XRAY_CAUSE:
        try:
            cause = orjson.loads(body)
        except orjson.JSONDecodeError:
            cause = None
        if isinstance(cause, dict):
            body = orjson.dumps({name: cause[name] for name in FORWARDED if name in cause})
    return RuntimeAnswer(body, failed=True, oversized=request.truncated_here)


@dataclass(slots=True, eq=False)
class RuntimeApi:
    """A session behind a loopback port of its own."""

    session: Session = field(default_factory=Session)
    _server: asyncio.Server | None = None
    _connections: set[Connection] = field(default_factory=set)
    address: str = ""
    """`host:port`, once open."""

    async def open(self, port: int = 0) -> None:
        """Raises OSError."""
        # asyncio passes over a socket that cannot be made, and would go on without one.
        listener = socket.create_server(("127.0.0.1", port))
        try:
            self._server = await asyncio.get_running_loop().create_server(self._connect, sock=listener)
        except BaseException:
            listener.close()
            raise
        host, bound = listener.getsockname()
        self.address = f"{host}:{bound}"

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.abort()

    def _connect(self) -> Connection:
        return Connection(RESPONSE_LIMIT, self.session.on_request, self.session.on_closed, self._connections)

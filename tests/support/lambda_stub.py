"""A small real HTTP server that answers like the Invoke API, or like the runtime interface emulator (RIE).

What a function does is an async callable from its event to a `Result`; the two dialects put a result on the wire as
the service and the emulator do. `raw` answers stand for what is no result of a function: refusals and accidents.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

RESPONSE_LIMIT = 6 * 1024 * 1024 + 100


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one invocation inside the function's environment."""

    body: bytes
    failed: bool = False
    broken: bool = False
    """The environment itself broke (init error, crash): the RIE answers 502 for it."""
    timed_out: float | None = None
    """Seconds after which the invocation was ended."""


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer to be put on the wire as it is; status 0 cuts the connection without a word."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Function = Callable[[bytes], Awaitable["Result | Raw"]]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


def error_body(kind: str, message: str, **more: object) -> bytes:
    return json.dumps({"errorMessage": message, "errorType": kind, **more}).encode()


def refusal(status: int, kind: str, message: str, headers: Mapping[str, str] | None = None, **more: object) -> Raw:
    """A refusal of the Invoke API: error code in the header and the message in the body, as AWS sends them."""
    body = json.dumps({"Type": "User", "Message": message, "message": message, **more}).encode()
    return Raw(status, body, {"x-amzn-errortype": kind, **(headers or {})})


@dataclass(slots=True)
class LambdaStub:
    """Functions by name, for both dialects; `function` is the name under which the RIE knows the only one."""

    functions: dict[str, Function] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    rie: bool = False
    url: str = ""

    @property
    def rie_url(self) -> str:
        return f"{self.url}/2015-03-31/functions/function/invocations"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(Seen(request.method, request.path, dict(request.query), dict(request.headers), body))
        name = request.match_info["name"]
        function = self.functions.get(name)
        if function is None:
            arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
            return _wire(request, refusal(404, "ResourceNotFoundException", f"Function not found: {arn}:$LATEST"))
        result = await function(body)
        if isinstance(result, Raw):
            return _wire(request, result)
        return _wire(request, _as_rie(result) if self.rie else _as_service(result, request.query.get("Qualifier", "")))


def _as_service(result: Result, qualifier: str) -> Raw:
    request_id = str(uuid.uuid4())
    body, failed = result.body, result.failed
    if result.timed_out is not None:
        text = f"RequestId: {request_id} Error: Task timed out after {result.timed_out:.2f} seconds"
        body, failed = error_body("Sandbox.Timedout", text), True
    if len(body) > RESPONSE_LIMIT:
        text = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
        body, failed = error_body("Function.ResponseSizeTooLarge", text), True
    headers = {
        "X-Amz-Executed-Version": qualifier or "$LATEST",
        "x-amzn-RequestId": request_id,
        "Content-Type": "application/json",
    }
    return Raw(200, body, headers | ({"X-Amz-Function-Error": "Unhandled"} if failed else {}))


def _as_rie(result: Result) -> Raw:
    if result.timed_out is not None:
        return Raw(200, f"Task timed out after {result.timed_out:.2f} seconds".encode())
    return Raw(502 if result.broken else 200, result.body)


def _wire(request: web.Request, raw: Raw) -> web.StreamResponse:
    if raw.status == 0:
        assert request.transport is not None
        request.transport.abort()
    return web.Response(status=raw.status or 200, body=raw.body, headers=raw.headers)


@asynccontextmanager
async def serving(stub: LambdaStub) -> AsyncIterator[LambdaStub]:
    """`stub` on a free port of the loopback, with `url` set."""
    async with serve(stub.answer, "/2015-03-31/functions/{name}/invocations") as url:
        stub.url = url
        yield stub


@asynccontextmanager
async def serve(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]], path: str = "/{tail:.*}"
) -> AsyncIterator[str]:
    """Any handler as a server; gives its base URL."""
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_route("*", path, handler)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()

"""The HTTP routes and their server. Reads the daemon through `View`.

/livez  /healthz  /ping     the process answers
/readyz /ready              every mapping polls or waits for what it names; ?strict: every one polls
/metrics                    Prometheus
/status                     JSON: mappings and functions with state, reason and counts
/v1/…                       what becomes of records, and the levers (`steering.py`)
/ and /page/…               the page that shows it (`page_files.py`)
everything else             the Lambda API, where it is served
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from ...config import descriptors
from ...config.errors import HeadraceError
from ...config.settings import Address
from ..telemetry.view import View
from .code_downloads import ROUTE, CodeDownloads
from .connections import bounded, most_connections
from .lambda_api import LambdaApi
from .steering import Steering
from .views import status

LONGEST_LINE = 64 * 1024
"""Maximum bytes of a request's first line and of one header: a call may name fifty tags in its query string."""


class ListenError(HeadraceError):
    """Listening on the address failed; the message says why and what to do."""


class Listener(socket.socket):
    """A listening socket that accepts a connection even when the process has no free descriptor: liveness checks
    are still answered."""

    def accept(self) -> tuple[socket.socket, Any]:
        with descriptors.lifted():
            return super().accept()


def bind(address: Address) -> socket.socket:
    """Take the address before anything is started. Raises ListenError."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = Listener(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ListenError(
            f"cannot listen on {address}: {error.strerror or error}; name another address with --listen or "
            "HEADRACE_LISTEN (port 0 is any free one)"
        ) from error
    listener.setblocking(False)
    return listener


def address_of(listener: socket.socket) -> Address:
    """The actual address, also when the configured port is 0."""
    host, port = listener.getsockname()[:2]
    return Address(host, port)


def reached_at(address: Address) -> Address:
    """The address by which this machine reaches the listener: a listener on all addresses is on the loopback too."""
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here
    return address._replace(host=loopback.get(address.host, address.host))


@asynccontextmanager
async def serving(
    listener: socket.socket,
    view: View,
    scrape: Callable[[], Awaitable[bytes]],
    api: LambdaApi | None = None,
    code: CodeDownloads | None = None,
    most: int | None = None,
    steering: Steering | None = None,
) -> AsyncIterator[None]:
    """Serve while the body runs, `most` connections at a time; None: half of the process's descriptors."""
    runner = web.AppRunner(
        make_app(view, scrape, api, code, steering),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=0.2,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
        auto_decompress=False,  # signatures and limits apply to the bytes as sent
    )
    await runner.setup()
    assert runner.server is not None, "it was set up"
    made = bounded(runner.server, most_connections() if most is None else most)
    accepting = await asyncio.get_running_loop().create_server(made, sock=listener, backlog=128)
    try:
        yield
    finally:
        accepting.close()
        await runner.cleanup()


def make_app(
    view: View,
    scrape: Callable[[], Awaitable[bytes]],
    api: LambdaApi | None = None,
    code: CodeDownloads | None = None,
    steering: Steering | None = None,
) -> web.Application:
    routes = _Routes(view, scrape, steering.reloads.shown if steering else lambda: None)
    app = web.Application()
    for path in ("/livez", "/healthz", "/ping"):
        app.router.add_get(path, routes.live)
    for path in ("/readyz", "/ready"):
        app.router.add_get(path, routes.ready)
    app.router.add_get("/metrics", routes.metrics)
    app.router.add_get("/status", routes.status)
    if steering is not None:
        steering.add_to(app)
    if code is not None:
        app.router.add_get(ROUTE, code.get)
    if api is not None:
        app.router.add_route("*", r"/{path:[\s\S]*}", api.handle)
    return app


class _Routes:
    def __init__(
        self,
        view: View,
        scrape: Callable[[], Awaitable[bytes]],
        configuration: Callable[[], dict[str, object] | None],
    ) -> None:
        self._view = view
        self._configuration = configuration
        self._scrape = scrape

    async def live(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def ready(self, request: web.Request) -> web.Response:
        readiness = self._view.readiness()
        strict = "strict" in request.query and request.query["strict"] not in ("0", "false", "no")
        good = readiness.polling if strict else readiness.ready
        body = {"ready": good, "reasons": [reason.text for reason in readiness.reasons]}
        return _json(body, 200 if good else 503)

    async def metrics(self, request: web.Request) -> web.Response:
        return web.Response(
            body=await self._scrape(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def status(self, request: web.Request) -> web.Response:
        return _json(status(self._view, self._configuration()), 200)


def _json(body: dict[str, Any], code: int) -> web.Response:
    return web.Response(body=orjson.dumps(body) + b"\n", status=code, content_type="application/json")

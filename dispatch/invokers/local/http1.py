"""Just enough of an HTTP/1.1 server for the Runtime API: one asyncio protocol over httptools' parser.

A connection carries one request at a time; the answer may come much later (`next` is a long poll). Bodies beyond the
limit are counted, not kept. Knows nothing of Lambda; `runtime_api` is its only user.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import httptools

REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 413: "Too Large"}
BODY_HARD_LIMIT = 64 * 1024 * 1024
"""Bytes after which a connection is closed however patient we are."""


@dataclass(slots=True, eq=False)
class Request:
    """A request and the way to answer it, once."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    size: int
    """Bytes of the body as sent; more than `len(body)` when it was over the limit."""
    _answer: Callable[[bytes, bool], None]
    answered: bool = field(default=False)

    @property
    def truncated_here(self) -> bool:
        """The body is larger than what was kept."""
        return self.size > len(self.body)

    @property
    def gone(self) -> bool:
        """Nobody waits for the answer any more."""
        return self.answered

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        if self.answered:
            return
        self.answered = True
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        head = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")
        self._answer(head + body, status < 500)


class Connection(asyncio.Protocol):
    """One client, in `alive` while it is connected. `on_request` gets each whole request; `on_closed` the request that
    is open when the client leaves."""

    def __init__(
        self,
        body_limit: int,
        on_request: Callable[[Request], None],
        on_closed: Callable[[Request], None],
        alive: set[Connection],
    ) -> None:
        self._alive = alive
        self._body_limit = body_limit
        self._on_request = on_request
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._open: Request | None = None
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._size = 0

    # --- asyncio ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._alive.add(self)
        connected = transport.get_extra_info("socket")
        if connected is not None:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._close()

    def connection_lost(self, error: Exception | None) -> None:
        self._alive.discard(self)
        if self._open is not None and not self._open.answered:
            self._open.answered = True
            self._on_closed(self._open)

    # --- httptools --------------------------------------------------------------------------------------------------

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("utf-8", "surrogateescape")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= self._body_limit:
            self._body += body
        elif self._size > BODY_HARD_LIMIT:
            self._close()

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode("latin-1")
        path = self._url.decode("latin-1").partition("?")[0]
        body, size = bytes(self._body), self._size
        request = Request(method, path, self._headers, body if size <= self._body_limit else b"", size, self._send)
        self._open = request
        self._url, self._headers, self._body, self._size = b"", {}, bytearray(), 0
        self._on_request(request)

    # --- ours -------------------------------------------------------------------------------------------------------

    def _send(self, data: bytes, keep: bool) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
            if not keep:
                self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

"""Just enough of an HTTP/1.1 server for the Runtime API: one asyncio protocol over httptools' parser.

A connection answers one request at a time, in order; the answer may come much later (`next` is a long poll). What a
client can make us keep is bounded: bodies beyond the limit are counted, not kept, and heads, connections and requests
sent ahead have limits of their own. Knows nothing of Lambda; `runtime_api` is its only user.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

import httptools

from .core.heads import KnownHeads, SeenRequest

REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 413: "Too Large"}
HEAD_LIMIT = 1024 * 1024 + 64 * 1024
"""Bytes of everything in a message that is not its body: one header may have 1 MiB, the X-Ray cause."""
CHUNK_HEAD = 32
"""Bytes that each chunk of a body may have beside its data."""
AHEAD = 8
"""Requests that a client may send before its first is answered."""
CONNECTIONS = 64
TOGETHER = 0.05
"""Seconds for which an answer waits at most for that to the request behind it."""
SMALL = 64 * 1024
"""Bytes of a body that may be waited for without the parser."""


@dataclass(slots=True, eq=False)
class RuntimeRequest:
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
    keep: bool = True
    """The client wants to use the connection again."""
    incomplete: bool = False
    """The client left before the end of the body that it had announced."""

    @property
    def truncated_here(self) -> bool:
        """The body is larger than what was kept."""
        return self.size > len(self.body)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.answer_as(written(status, body, headers or {}, keep=self.keep))

    def answer_as(self, data: bytes) -> None:
        """`data`: the whole answer, `written` for a request that has the same `keep`."""
        if not self.answered:
            self.answered = True
            self._answer(data, self.keep)


def written(status: int, body: bytes, headers: Mapping[str, str], *, keep: bool) -> bytes:
    """An answer as it is sent."""
    more = "" if keep else "Connection: close\r\n"
    head = f"{_STATUS_LINES.get(status) or _status_line(status)}{len(body)}\r\n{_lines(headers)}{more}\r\n"
    return head.encode("utf-8", "surrogateescape") + body


def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}\r\nContent-Length: "


_STATUS_LINES = {status: _status_line(status) for status in REASONS}


def _lines(headers: Mapping[str, str]) -> str:
    """No value can begin another line."""
    if not "".join(headers.values()).isprintable():
        headers = {
            name: value if value.isprintable() else " ".join(value.splitlines()) for name, value in headers.items()
        }
    return "\r\n".join([*map(": ".join, headers.items()), ""])


@lru_cache(maxsize=256)
def _lower(name: bytes) -> str:
    """The name of a header. A runtime sends the same few with each request."""
    return name.decode("latin-1").lower()


class Connection(asyncio.Protocol):
    """One client, in `alive` while it is connected. `on_request` gets each whole request; `on_closed` the request that
    is open when the client leaves."""

    def __init__(
        self,
        body_limit: int,
        on_request: Callable[[RuntimeRequest], None],
        on_closed: Callable[[RuntimeRequest], None],
        alive: set[Connection],
    ) -> None:
        self._alive = alive
        self._body_limit = body_limit
        self._on_request = on_request
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._open: RuntimeRequest | None = None
        self._ahead: deque[RuntimeRequest] = deque()
        self._heads = KnownHeads(min(body_limit, SMALL))
        self._between = True
        """The parser has nothing of a request that is not complete."""
        self._first = b""
        """The data that the request which the parser reads began with, as long as its head may be learned."""
        self._waiting = b""
        """A request with a known head, without the end of its body."""
        self._more = False
        """Whether data behind the request that is answered may hold the next one."""
        self._unsent = b""
        """Answers that leave together with the next one, or soon."""
        self._sends: asyncio.TimerHandle | None = None
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._size = 0
        self._received = 0
        self._chunks = 0
        self._in_body = False

    # --- asyncio ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if len(self._alive) >= CONNECTIONS:
            self._transport.abort()
            return
        self._alive.add(self)
        connected = transport.get_extra_info("socket")
        if connected is not None:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        if self._between:
            data, self._waiting = self._waiting + data, b""
            while data and (seen := self._heads.read(data)) is not None:
                if len(data) < seen.end:
                    self._waiting = data
                    return
                self._more = len(data) > seen.end
                self._take(self._request(seen, data))
                data = data[seen.end :]
            self._more = False
            self._first = data
        if data:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        self._received += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._refuse()
        if self._received - self._size > HEAD_LIMIT + CHUNK_HEAD * self._chunks:
            self.abort()

    def eof_received(self) -> bool:
        if self._waiting:
            data, self._waiting = self._waiting, b""
            self._parse(data)
        if not self._in_body:
            return False
        self._complete(incomplete=True)
        return True  # so that the answer can still be written

    def connection_lost(self, error: Exception | None) -> None:
        self._alive.discard(self)
        self._ahead.clear()
        if self._open is not None and not self._open.answered:
            self._open.answered = True
            self._on_closed(self._open)

    # --- httptools --------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._between = False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers come here too, after the body."""
        self._headers[_lower(name)] = value.decode("utf-8", "surrogateescape")

    def on_headers_complete(self) -> None:
        self._in_body = True
        if self._headers.get("expect", "").lower() == "100-continue" and self._open is None:
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_chunk_header(self) -> None:
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= self._body_limit:
            self._body += body
        else:
            self._body.clear()

    def on_message_complete(self) -> None:
        """With an offer of another protocol, the parser takes the body for that protocol's: see `_feed`."""
        body = self._headers.get("content-length", "0") != "0" or "transfer-encoding" in self._headers
        if not (body and self._parser.should_upgrade()):
            self._complete(incomplete=False)

    # --- ours -------------------------------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        """Parse, and let a client that offers another protocol (Java's offers HTTP/2 with every request) stay with this
        one. The parser has then left out the body, so it gets the request again, without the offer."""
        while data:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
            self._first = b""
            if self._in_body:
                data = self._head_without_offer() + data
                self._parser = httptools.HttpRequestParser(self)
                self._begin()

    def _head_without_offer(self) -> bytes:
        lines = [b"%s %s HTTP/1.1" % (self._parser.get_method(), self._url)]
        for name, value in self._headers.items():
            if name not in ("upgrade", "connection", "expect"):
                lines.append(f"{name}: {value}".encode("utf-8", "surrogateescape"))
        return b"\r\n".join([*lines, b"", b""])

    def _complete(self, *, incomplete: bool) -> None:
        request = RuntimeRequest(
            self._parser.get_method().decode("latin-1"),
            self._url.decode("latin-1").partition("?")[0],
            self._headers,
            bytes(self._body),
            self._size,
            self._send,
            keep=not incomplete and self._parser.should_keep_alive(),
            incomplete=incomplete,
        )
        if self._first and request.keep:
            self._heads.learn(self._first, self._headers, self._size)
        self._first = b""
        self._between = True
        self._begin()
        self._take(request)

    def _request(self, seen: SeenRequest, data: bytes) -> RuntimeRequest:
        body = data[seen.start : seen.end]
        return RuntimeRequest(seen.method, seen.path, seen.headers, body, len(body), self._send)

    def _take(self, request: RuntimeRequest) -> None:
        if self._open is None:
            self._open = request
            self._on_request(request)
        elif len(self._ahead) < AHEAD:
            self._ahead.append(request)
        else:
            self.abort()

    def _send(self, data: bytes, keep: bool) -> None:
        self._write(data)
        self._open = None
        if not keep:
            self._close()
        elif self._ahead:
            self._open = self._ahead.popleft()
            self._on_request(self._open)

    def _write(self, data: bytes) -> None:
        """Send it; but where the client has sent its next request already, wait a moment for the answer to that."""
        self._unsent += data
        if not self._more:
            self._flush()
        elif self._sends is None:
            self._sends = asyncio.get_running_loop().call_later(TOGETHER, self._send_late)

    def _send_late(self) -> None:
        self._sends = None
        self._flush()

    def _flush(self) -> None:
        data, self._unsent = self._unsent, b""
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _refuse(self) -> None:
        if self._open is None:
            self._write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self._close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _close(self) -> None:
        self._flush()
        if self._transport is not None:
            self._transport.close()

"""One connection to an HTTP/1.1 server: an asyncio protocol over httptools' parser. One exchange at a time.

    idle ──exchange──► waiting ──whole answer──► idle, or closed where the server wants no other request
                          └──cancelled, timed out, too large, damaged, cut off──► closed

Used by `pool.py`. The exception tells how an exchange failed; the caller decides what that means.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httptools

HEAD_MOST = 262_144
"""Bytes of the status line and the headers together."""


class ExchangeFailed(Exception):
    """There is no whole answer. Whether the server did what was asked is unknown."""


class ExchangeTimedOut(ExchangeFailed):
    """Nothing came for too long."""


class ConnectionCut(ExchangeFailed):
    """The connection ended before the answer did."""


class AnswerDamaged(ExchangeFailed):
    """What came is no HTTP, or has no end of its headers."""


@dataclass(frozen=True, slots=True)
class WireAnswer:
    status: int
    headers: dict[str, str]
    """By name in lower case; of several with one name, the last."""
    body: bytes


class AnswerTooLarge(ExchangeFailed):
    """The body is larger than the caller takes; the rest was not read. `head` is the answer without its body."""

    def __init__(self, what: str, head: WireAnswer) -> None:
        super().__init__(what)
        self.head = head


class HttpConnection(asyncio.Protocol):
    """Made by `loop.create_connection`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[WireAnswer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._keep = False
        self.idle_since = self._loop.time()
        self._begin()

    @property
    def closed(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    async def exchange(self, request: bytes, limit: int, patience: float | None) -> WireAnswer:
        """Send a request, and wait for the whole answer. Raises ExchangeFailed. The connection is closed unless the
        answer came whole.

        `limit`: bytes of the body at most. `patience`: seconds without a byte, None for any number.
        """
        assert self._transport is not None
        assert self._answer is None
        self._begin()
        self._limit = limit
        self._answer = self._loop.create_future()
        self._transport.write(request)
        self._heard = self._loop.time()
        if patience is not None:
            self._patience = patience
            self._timer = self._loop.call_later(patience, self._look_at_the_time)
        try:
            return await self._answer
        except BaseException:
            self.close()
            raise
        finally:
            self._answer = None
            self.idle_since = self._loop.time()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()  # nothing is left to send, and no caller waits

    # --- the time ---------------------------------------------------------------------------------------------------

    def _look_at_the_time(self) -> None:
        """One timer an exchange, set again for what is left: setting it at each piece of an answer costs more."""
        left = self._heard + self._patience - self._loop.time()
        if left <= 0:
            self._fail(ExchangeTimedOut(f"nothing came for {self._patience:g} s"))
        else:
            self._timer = self._loop.call_later(left, self._look_at_the_time)

    # --- asyncio ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.close()  # no request is open
            return
        self._heard = self._loop.time()
        if not self._headed:
            self._head += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(AnswerDamaged(str(error) or type(error).__name__))
        if not self._headed and self._head > HEAD_MOST:
            self._fail(AnswerDamaged(f"the headers are larger than {HEAD_MOST} bytes"))

    def eof_received(self) -> bool:
        return False  # closes our side too

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and self._headed and self._until_the_end and error is None:
            self._finish()
        self._fail(ConnectionCut(str(error) if error else "the server closed the connection"))

    # --- httptools --------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._pieces: list[bytes] = []
        self._size = 0
        self._head = 0
        self._headed = False
        self._until_the_end = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._headed = True
        # Without a length an answer ends where its connection does.
        self._until_the_end = not ("content-length" in self._headers or "transfer-encoding" in self._headers)

    def on_body(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            head = WireAnswer(self._parser.get_status_code(), self._headers, b"")
            self._fail(AnswerTooLarge(f"the answer is larger than {self._limit} bytes", head))
        else:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        if 100 <= self._parser.get_status_code() < 200:
            self._begin()  # 100 Continue and its like: the answer is still to come
        else:
            self._keep = bool(self._parser.should_keep_alive())
            self._finish()

    def _finish(self) -> None:
        if self._answer is None or self._answer.done():
            return
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._answer.set_result(WireAnswer(self._parser.get_status_code(), self._headers, body))
        if not self._keep:
            self.close()

    def _fail(self, failure: ExchangeFailed) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(failure)
        self.close()

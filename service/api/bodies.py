"""Request bodies within limits: for one request, and for all running requests together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import anyio
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage

from ..control.refusals import too_large
from .core import recorded
from .wire import refusals

TOGETHER = 512 * 1024 * 1024
"""Bytes of all bodies at a time. A request beyond it gets 429, after which clients try again."""
SILENCE, TOTAL = 30.0, 300.0
"""Maximum seconds without a byte of a body, and for the whole body: slow senders would use up the limit of others."""
_PIECE = 64 * 1024


class BodyRoom:
    """Counts the bytes that are held. `silence` and `total` are the seconds that a body may take."""

    def __init__(self, most: int = TOGETHER, *, silence: float = SILENCE, total: float = TOTAL) -> None:
        self._most = most
        self.silence = silence
        self.total = total
        self.held = 0

    @contextmanager
    def hold(self) -> Iterator[HeldBody]:
        held = HeldBody(self)
        try:
            yield held
        finally:
            self.held -= held.bytes

    def take(self, size: int) -> bool:
        if self.held + size > self._most:
            return False
        self.held += size
        return True


class HeldBody:
    """The bytes that one request holds."""

    def __init__(self, room: BodyRoom) -> None:
        self._room = room
        self.bytes = 0

    async def read(self, request: web.Request, operation: str, headers: dict[str, str]) -> bytes:
        """The body. Raises ApiError for one that is too large, before more is read, and for one that breaks off or
        comes too slowly."""
        most = recorded.most_bytes(operation, headers)
        told = request.content_length or 0
        if told > most:
            raise too_large(recorded.too_many_bytes(operation, headers, told))
        pieces = []
        try:
            with anyio.fail_after(self._room.total):
                while piece := await self._piece(request):
                    self._take(piece)
                    if self.bytes > most:
                        raise too_large(recorded.too_many_bytes(operation, headers, max(told, self.bytes)))
                    pieces.append(piece)
        except TimeoutError as fault:
            raise refusals.too_slow("The body came too slowly: send it again.") from fault
        except (aiohttp.ClientError, BadHttpMessage, ConnectionError) as fault:
            raise refusals.serialization("the body broke off") from fault
        return b"".join(pieces)

    async def _piece(self, request: web.Request) -> bytes:
        """Empty at the end."""
        with anyio.fail_after(self._room.silence):
            return await request.content.read(_PIECE)

    def _take(self, piece: bytes) -> None:
        if not self._room.take(len(piece)):
            raise refusals.too_many("CallerRateLimitExceeded", retry_after=1)
        self.bytes += len(piece)

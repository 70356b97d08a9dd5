"""Bodies of requests, within bounds: of one request, and of all that are at work together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage

from . import recorded
from .wire import errors

TOGETHER = 512 * 1024 * 1024
"""Bytes of all bodies at a time. Whoever is above it is told to come again."""
_PIECE = 64 * 1024


class Room:
    """Counts the bytes that are held."""

    def __init__(self, most: int = TOGETHER) -> None:
        self._most = most
        self.held = 0

    @contextmanager
    def hold(self) -> Iterator[Held]:
        held = Held(self)
        try:
            yield held
        finally:
            self.held -= held.bytes

    def take(self, size: int) -> bool:
        if self.held + size > self._most:
            return False
        self.held += size
        return True


class Held:
    """What one request holds."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.bytes = 0

    async def read(self, request: web.Request, operation: str, headers: dict[str, str]) -> bytes:
        """The body. Raises ApiError for one that is too large, before more is read, and for one that breaks off."""
        most = recorded.most_bytes(operation, headers)
        told = request.content_length or 0
        if told > most:
            raise errors.too_large(recorded.too_many_bytes(operation, headers, told))
        pieces = []
        try:
            async for piece in request.content.iter_chunked(_PIECE):
                self._take(piece)
                if self.bytes > most:
                    raise errors.too_large(recorded.too_many_bytes(operation, headers, max(told, self.bytes)))
                pieces.append(piece)
        except (aiohttp.ClientError, BadHttpMessage, ConnectionError) as fault:
            raise errors.serialization("the body broke off") from fault
        return b"".join(pieces)

    def _take(self, piece: bytes) -> None:
        if not self._room.take(len(piece)):
            raise errors.too_many("CallerRateLimitExceeded", retry_after=1)
        self.bytes += len(piece)

"""Connections to one server: those that are idle are used again, the last one first, and closed when they are old."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

from .connection import HttpConnection, WireAnswer


class NotConnected(OSError):
    """No connection was made: the request was never sent."""


class ConnectionTimedOut(NotConnected):
    """The server did not take the connection in time."""


class TlsRefused(NotConnected):
    """The server is not who it should be, or does not speak TLS as we do."""


class ConnectionPool:
    """Used by one event loop. `aclose` ends every connection, those at work too."""

    def __init__(
        self, host: str, port: int, *, tls: ssl.SSLContext | None, connect_timeout: float, keep_alive: float
    ) -> None:
        """`host` as it is connected to, without brackets. Both times in seconds; an idle connection that is older than
        `keep_alive` is not used again, because the server may be closing it at this moment."""
        self._host = host
        self._port = port
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._keep_alive = keep_alive
        self._idle: deque[HttpConnection] = deque()
        self._busy: set[HttpConnection] = set()

    @property
    def connections(self) -> int:
        """Those that are open."""
        return len(self._busy) + sum(not each.closed for each in self._idle)

    async def exchange(self, request: bytes, limit: int, patience: float | None) -> WireAnswer:
        """Sends a request over a free connection (`HttpConnection.exchange`). Raises NotConnected, ExchangeFailed."""
        connection = self._rested() or await self._connect()
        self._busy.add(connection)
        try:
            return await connection.exchange(request, limit, patience)
        finally:
            self._busy.discard(connection)
            if not connection.closed:
                self._idle.append(connection)

    def close(self) -> None:
        for connection in (*self._busy, *self._idle):
            connection.close()
        self._idle.clear()

    def _rested(self) -> HttpConnection | None:
        """An idle connection. The oldest lie first: whatever is too old goes from that end."""
        oldest = asyncio.get_running_loop().time() - self._keep_alive
        while self._idle and (self._idle[0].closed or self._idle[0].idle_since < oldest):
            self._idle.popleft().close()
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        return None

    async def _connect(self) -> HttpConnection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await loop.create_connection(
                    HttpConnection,
                    self._host,
                    self._port,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                )
        except TimeoutError as error:
            raise ConnectionTimedOut(f"no connection within {self._connect_timeout:g} s") from error
        except ssl.SSLError as error:
            raise TlsRefused(str(error)) from error
        except OSError as error:
            raise NotConnected(str(error)) from error
        return connection

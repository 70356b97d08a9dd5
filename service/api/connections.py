"""Limits the connections that are served at a time, so that pollers and functions always have file descriptors."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable

from aiohttp import web

from ...config import descriptors


def most_connections() -> int:
    """Half of the descriptors that this process may have."""
    most = descriptors.limit()
    return most // 2 if most != resource.RLIM_INFINITY else 65_536


def bounded(server: web.Server, most: int) -> Callable[[], asyncio.BaseProtocol]:
    """Makes the protocol object of each connection of a server; closes a connection beyond the limit at once."""
    return lambda: server() if len(server.connections) < most else _TooMany()


class _TooMany(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()

"""How many connections are served at a time: they leave descriptors for pollers and functions, whoever comes."""

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
    """What makes the protocol of each connection of a server; one too many is ended as it comes."""
    return lambda: server() if len(server.connections) < most else _TooMany()


class _TooMany(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()

"""Layers of the upstream, an emulator's Lambda: looked up by their ARN, and fetched from the address that it gives."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp
import anyio

from ....config.clients import faults
from ....config.errors import ConfigError
from ..advice import of_settings
from ..refusals import ApiError, invalid_parameter
from .packages import unzips_to_too_much
from .uploads import CHUNK, LONGEST

PATIENCE = 30.0
"""Seconds for an answer, and for a package without a byte of it."""


class UpstreamClients(Protocol):
    """Provides the client of one service at one address."""

    async def get(self, service: str, endpoint_url: str | None = None) -> Any: ...


class UpstreamLayers:
    """A `LayerSource`. `url`: of the upstream."""

    def __init__(self, clients: UpstreamClients, url: str) -> None:
        self._clients = clients
        self._url = url

    @asynccontextmanager
    async def fetched(self, arn: str) -> AsyncIterator[AsyncGenerator[bytes] | None]:
        """See `LayerSource`."""
        location = await self._location(arn)
        if location is None:
            yield None
            return
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE, sock_read=PATIENCE)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            yield pieces(session, location)

    async def _location(self, arn: str) -> str | None:
        try:
            with anyio.fail_after(PATIENCE):
                client = await self._clients.get("lambda", self._url)
                found = await _asked(client, arn)
        except ConfigError as error:
            raise invalid_parameter(f"The layer {arn} cannot be looked up: {of_settings(error)}") from error
        except TimeoutError as error:
            raise _unreachable(arn, f"no answer within {PATIENCE:g} seconds") from error
        except Exception as error:
            if not faults.foreign(error):
                raise
            if faults.code(error):  # it answered, and does not have it
                return None
            raise _unreachable(arn, str(faults.translate(error))) from error
        return str((found.get("Content") or {}).get("Location") or "") or None


async def _asked(client: Any, arn: str) -> Mapping[str, Any]:
    """By the ARN, and by name and number where the emulator does not have that call."""
    try:
        found: Mapping[str, Any] = await client.get_layer_version_by_arn(Arn=arn)
    except Exception as error:
        if not faults.foreign(error) or not faults.code(error):
            raise
        layer, _, number = arn.rpartition(":")
        if not number.isdigit():
            raise
        found = await client.get_layer_version(LayerName=layer, VersionNumber=int(number))
    return found


async def pieces(session: aiohttp.ClientSession, location: str) -> AsyncGenerator[bytes]:
    """A package at an address that GetFunction or GetLayerVersion gave. Raises ApiError."""
    try:
        async with session.get(location) as answer:
            answer.raise_for_status()
            size = 0
            async for piece in answer.content.iter_chunked(CHUNK):
                size += len(piece)
                if size > LONGEST:
                    raise unzips_to_too_much()
                yield piece
    except (aiohttp.ClientError, ValueError, TimeoutError) as error:
        raise invalid_parameter(
            f"The package at {location} cannot be fetched: {error or type(error).__name__}"
        ) from error


def _unreachable(arn: str, why: str) -> ApiError:
    return invalid_parameter(f"The layer {arn} cannot be fetched from api.upstream: {why}")

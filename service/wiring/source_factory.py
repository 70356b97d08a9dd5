"""The sources of mappings: each made by its kind (`pollers/kinds/table.py`), behind the guard against real AWS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from ...config.clients import faults
from ...config.clients.aws import Clients
from ...config.clock import Clock, Jitter, ServiceClock
from ...config.errors import ConfigError, SourceError, SourceMissing
from ...config.loader import Config
from ...config.mapping import EventSourceMapping
from ...config.settings import Settings
from ...dispatch.core.observer import Observer
from ...pollers.checkpoints.store import CheckpointStore
from ...pollers.kinds.table import poller_of
from ...pollers.profile import SourceMaker, SourceParts
from ...pollers.source import FunctionFacts, Source
from ..control.mappings.model import SourceLook
from .endpoints import ServiceEndpoints

LOOK = 10.0
"""Seconds that a source has to answer when it is looked at."""


class SourceFactory:
    """Makes the source of each mapping. `directory` is where the files lie that a mapping names; `store` gives the
    store of positions, and is asked for the first mapping that keeps some."""

    def __init__(
        self,
        settings: Settings,
        directory: Callable[[EventSourceMapping], Path],
        clients: Clients,
        endpoints: ServiceEndpoints,
        store: Callable[[], Awaitable[CheckpointStore]],
        clock: Clock,
        jitter: Jitter,
        observer: Observer,
    ) -> None:
        self._endpoints = endpoints
        self.parts = SourceParts(
            clients,
            endpoints.of,
            store,
            directory,
            clock,
            jitter,
            observer,
            rewrite_queue_urls=settings.aws.rewrite_queue_urls,
            until_idle=settings.until_idle is not None,
            dry_run=settings.dry_run,
            idle_shard_pause=settings.idle_shard_pause,
        )
        self._makers: dict[str, SourceMaker] = {}

    def maker(self, mapping: EventSourceMapping) -> SourceMaker:
        """How the source is reached: one for all that the mapping does there."""
        if mapping.name not in self._makers:
            self._makers[mapping.name] = poller_of(mapping).make(mapping, self.parts)
        return self._makers[mapping.name]

    def forget(self, mapping: str) -> None:
        """The mapping is gone, or another one from now on."""
        self._makers.pop(mapping, None)

    async def look(self, mapping: EventSourceMapping) -> SourceLook:
        """Whether the source is there and can be read, now. Raises ConfigError: it would be real AWS unsaid."""
        await self._endpoints.add(mapping)
        self._endpoints.refuse_real_aws([mapping.model_copy(update={"enabled": True})])
        with anyio.move_on_after(LOOK):
            try:
                return SourceLook(visibility=await poller_of(mapping).make(mapping, self.parts).look())
            except SourceMissing:
                return SourceLook(missing=True)
            except SourceError as error:
                cause = error.__cause__ or error
                named = type(cause).__name__ if faults.foreign(cause) else "ServiceUnavailable"
                return SourceLook(code=faults.code(cause) or named, message=str(error))
        return SourceLook(code="RequestTimeout", message=f"there was no answer within {LOOK:g} seconds")

    async def source(self, mapping: EventSourceMapping, function: FunctionFacts, clock: ServiceClock) -> Source:
        """`clock` is told what the source says of the time, where it says something. Raises ConfigError for what would
        be real AWS unsaid, or needs a library that is not installed."""
        await self._endpoints.add(mapping)
        self._endpoints.refuse_real_aws([mapping])
        return await self.maker(mapping).source(function, clock)


def refuse_missing_libraries(config: Config) -> None:
    """Raises ConfigError for mappings that need what is not installed."""
    missing = [
        config.problem(f"mappings.{mapping.name}", what)
        for mapping in config.mappings.values()
        if (what := poller_of(mapping).missing(mapping))
    ]
    if missing:
        raise ConfigError(missing)

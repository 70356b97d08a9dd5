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
from ...pollers.positions import LanePositions
from ...pollers.profile import SourceMaker, SourceParts
from ...pollers.source import FunctionFacts, Source
from ..control.mappings.model import SourceLook
from .endpoints import ServiceEndpoints

LOOK = 10.0
"""Maximum seconds for a source's answer to a check."""


class SourceFactory:
    """Makes the source of each mapping. `directory` contains the files that a mapping names; `store` gives the
    store of positions, and is called for the first mapping that has positions."""

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
        make: Callable[[EventSourceMapping, SourceParts], SourceMaker] | None = None,
    ) -> None:
        """`make`: in the place of what each kind makes."""
        self._make = make or (lambda mapping, parts: poller_of(mapping).make(mapping, parts))
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
        """The connection settings of the source, shared by all parts of the mapping."""
        if mapping.name not in self._makers:
            self._makers[mapping.name] = self._make(mapping, self.parts)
        return self._makers[mapping.name]

    def forget(self, mapping: str) -> None:
        """The mapping is gone, or another one from now on."""
        self._makers.pop(mapping, None)

    async def look(self, mapping: EventSourceMapping) -> SourceLook:
        """Whether the source exists and can be read now. Raises ConfigError for real AWS that the user did not
        allow."""
        await self._endpoints.add(mapping)
        self._endpoints.refuse_real_aws([mapping.model_copy(update={"enabled": True})])
        with anyio.move_on_after(LOOK):
            try:
                return SourceLook(visibility=await self._make(mapping, self.parts).look())
            except SourceMissing:
                return SourceLook(missing=True)
            except SourceError as error:
                cause = error.__cause__ or error
                named = type(cause).__name__ if faults.foreign(cause) else "ServiceUnavailable"
                return SourceLook(code=faults.code(cause) or named, message=str(error))
        return SourceLook(code="RequestTimeout", message=f"there was no answer within {LOOK:g} seconds")

    async def positions(self, mapping: EventSourceMapping) -> LanePositions | None:
        """The positions of a mapping, which may not be at work; None for a kind that has none. Raises
        ConfigError for real AWS that the user did not allow."""
        await self._endpoints.add(mapping)
        self._endpoints.refuse_real_aws([mapping.model_copy(update={"enabled": True})])
        return await poller_of(mapping).make(mapping, self.parts).positions()

    async def source(self, mapping: EventSourceMapping, function: FunctionFacts, clock: ServiceClock) -> Source:
        """`clock` gets the source's time, where the source reports one. Raises ConfigError for real AWS that the user
        did not allow, or for a missing library."""
        await self._endpoints.add(mapping)
        self._endpoints.refuse_real_aws([mapping])
        return await self.maker(mapping).source(function, clock)


def refuse_missing_libraries(config: Config) -> None:
    """Raises ConfigError for mappings that need a missing library."""
    missing = [
        config.problem(f"mappings.{mapping.name}", what)
        for mapping in config.mappings.values()
        if (what := poller_of(mapping).missing(mapping))
    ]
    if missing:
        raise ConfigError(missing)

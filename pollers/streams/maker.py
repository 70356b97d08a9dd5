"""Makes the source of a stream from its mapping: the part that Kinesis and DynamoDB share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

from ...config.clients.endpoints import is_aws
from ...config.clock import ServiceClock
from ...config.errors import BugError
from ...config.fields.arn import Arn
from ...config.mapping import EventSourceMapping
from ...dispatch.destinations.base import Destination
from ..checkpoints.memory import MemoryCheckpoints
from ..positions import LanePositions
from ..profile import Replayed, SourceParts
from ..replay.core.plan import ReplayPlan, ReplayProgress
from ..source import FunctionFacts, Source
from .core.idle_shards import IdleShards
from .opening import StreamSettings
from .polled_shard import Cadence
from .positions import StreamPositions
from .replaying import seeded
from .service import StreamService
from .source import StreamSource


class StreamMaker(ABC):
    """A `SourceMaker`, but for the service."""

    def __init__(self, mapping: EventSourceMapping, parts: SourceParts) -> None:
        self._mapping = mapping
        self._arn = Arn.parse(mapping.source)
        self._parts = parts

    @abstractmethod
    async def service(self, function: FunctionFacts) -> StreamService:
        """Raises ConfigError where no client can be made."""

    def cadence(self, aws: Cadence) -> Cadence:
        """The service's, with the pause that the user set."""
        pause = self._parts.idle_shard_pause
        return aws if pause is None else replace(aws, idle=pause)

    def shared(self, client: Any) -> IdleShards | None:
        """Decides how long a shard rests; None where AWS or the user decides."""
        set_or_aws = self._parts.idle_shard_pause is not None or is_aws(client.meta.endpoint_url)
        return None if set_or_aws else self._parts.idle_shards

    def address(self) -> str:
        return ""

    async def look(self) -> float | None:
        await (await self.service(FunctionFacts())).list()
        return None

    async def source(self, function: FunctionFacts, clock: ServiceClock) -> Source:
        mapping, parts = self._mapping, self._parts
        if mapping.starting_position is None:
            raise BugError(f"mapping {mapping.name} reads a stream without a start")
        settings = StreamSettings(
            mapping.name,
            mapping.uuid,
            mapping.starting_position,
            start_at=mapping.starting_position_timestamp,
            start_over=mapping.starts_over,
        )
        service = await self.service(function)
        return StreamSource(settings, service, await parts.store(), parts.jitter, parts.observer, clock)

    async def replayed(
        self, function: FunctionFacts, clock: ServiceClock, plan: ReplayPlan, progress: ReplayProgress
    ) -> Replayed:
        """Positions are in memory, and begin where the plan does."""
        mapping, parts = self._mapping, self._parts
        service, store = await self.service(function), MemoryCheckpoints()
        await seeded(store, mapping.uuid, service, plan, progress)
        settings = StreamSettings(mapping.name, mapping.uuid, "TRIM_HORIZON", start_over=False)
        return Replayed(StreamSource(settings, service, store, parts.jitter, parts.observer, clock), plan)

    async def positions(self) -> LanePositions:
        return StreamPositions(self._mapping.uuid, await self.service(FunctionFacts()), await self._parts.store())

    def destination(self, function_arn: str) -> Destination | None:
        return None

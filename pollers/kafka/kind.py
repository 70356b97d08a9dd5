"""Makes the source of a Kafka topic from its mapping."""

from __future__ import annotations

from ...config.clients.kafka import MappingAccess
from ...config.clock import ServiceClock
from ...config.errors import ConfigError, Problem
from ...config.kinds import kafka
from ...config.mapping import EventSourceMapping
from ...dispatch.destinations.base import Destination
from ...dispatch.destinations.kafka import KafkaDestination
from ...dispatch.kinds.kafka_documents import subject_of
from ..positions import LanePositions
from ..profile import PollerKind, Replayed, SourceParts
from ..replay.core.plan import ReplayPlan, ReplayProgress
from ..schemas import EXTRA, missing_libraries, open_schemas
from ..schemas.decoding import DecodingSource
from ..source import FunctionFacts, Source
from .positions import TopicPositions
from .replaying import ReplayTopic
from .settings import TopicSettings
from .source import KafkaSource


class TopicMaker:
    """A `SourceMaker`. Source and failure destination reach the brokers in one way, made once."""

    def __init__(self, mapping: EventSourceMapping, parts: SourceParts) -> None:
        self._mapping = mapping
        self._parts = parts
        self._access = MappingAccess(mapping, parts.clients, parts.directory(mapping))

    def address(self) -> str:
        return str(self._access)

    async def look(self) -> float | None:
        """Brokers are not asked: the mapping can say itself what it waits for."""
        return None

    async def source(self, function: FunctionFacts, clock: ServiceClock) -> Source:
        settings, parts = self._settings(joins=not self._parts.dry_run), self._parts
        return self._decoding(KafkaSource(settings, self._access, parts.clock, parts.observer))

    async def replayed(
        self, function: FunctionFacts, clock: ServiceClock, plan: ReplayPlan, progress: ReplayProgress
    ) -> Replayed:
        settings, parts = self._settings(joins=False), self._parts
        topic = ReplayTopic(settings, self._access, parts.clock, parts.observer)
        exact = await topic.resolve(plan, progress)
        return Replayed(self._decoding(topic), exact)

    def _settings(self, *, joins: bool) -> TopicSettings:
        mapping = self._mapping
        return TopicSettings(
            mapping=mapping.name,
            source=mapping.cluster,
            topic=mapping.topic,
            group=mapping.group,
            start=mapping.starting_position or "TRIM_HORIZON",
            start_at=mapping.starting_position_timestamp,
            pollers=mapping.pollers or (1, 1),
            joins=joins,
        )

    def _decoding(self, source: Source) -> Source:
        mapping, parts = self._mapping, self._parts
        registry = mapping.kafka_config.schema_registry_config
        if registry is None:
            return source
        if missing := missing_for(mapping):
            raise ConfigError([Problem(missing, f"mappings.{mapping.name}")])
        schemas = open_schemas(registry, parts.clients, parts.directory(mapping))
        return DecodingSource(source, schemas.read, schemas.aclose, parts.clock)

    async def positions(self) -> LanePositions:
        return TopicPositions(self._settings(joins=not self._parts.dry_run), self._access)

    def destination(self, function_arn: str) -> Destination | None:
        topic = self._mapping.failure_topic
        if not topic:
            return None
        return KafkaDestination(topic, self._access, subject_of(self._mapping, function_arn, self.address))


def missing_for(mapping: EventSourceMapping) -> str:
    """The missing libraries for schemas; empty when all are installed, or no schemas are read."""
    missing = missing_libraries() if mapping.kafka_config.schema_registry_config else ""
    return f"schema_registry_config needs {missing}, which is not installed: {EXTRA}" if missing else ""


TOPIC = PollerKind(kafka.TOPIC, TopicMaker, missing_for)

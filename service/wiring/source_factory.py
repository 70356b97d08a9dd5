"""The sources of mappings: the one place that knows their concrete classes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from ...config.arn import Arn
from ...config.clients import faults
from ...config.clients.aws import Clients
from ...config.clients.endpoints import LocalEndpoint
from ...config.clients.kafka import MappingAccess
from ...config.clients.queue_urls import resolve
from ...config.clock import Clock, Jitter, ServiceClock
from ...config.errors import BugError, ConfigError, Problem, SourceError, SourceMissing
from ...config.limits import RECEIVERS_DEFAULT, RECEIVERS_OF_A_POLLER, SourceKind
from ...config.loader import Config
from ...config.mapping import EventSourceMapping
from ...config.settings import Settings
from ...dispatch.core.observer import Observer
from ...pollers.checkpoints.store import CheckpointStore
from ...pollers.dynamodb.service import DynamoDbService
from ...pollers.kafka.settings import TopicSettings
from ...pollers.kafka.source import KafkaSource
from ...pollers.kinesis.service import KinesisService
from ...pollers.schemas import EXTRA, missing_libraries, open_schemas
from ...pollers.schemas.decoding import DecodingSource
from ...pollers.source import Source
from ...pollers.sqs.source import LOCAL_POLL, LONG_POLL, QueueSettings, SqsSource
from ...pollers.streams.calls import reading
from ...pollers.streams.opening import StreamSettings
from ...pollers.streams.service import StreamService
from ...pollers.streams.source import StreamSource
from ..control.mappings.model import SourceLook
from ..running.functions import FunctionFacts
from .endpoints import ServiceEndpoints

LOOK = 10.0
"""Seconds that a source has to answer when it is looked at."""
IDLE_POLL = 1
"""Seconds of a long poll when the run ends with the work."""
MADE_UP_REGION = "ddblocal"
"""DynamoDB Local's in every ARN; its tables are found by the region that a call is signed for."""


class SourceFactory:
    """Makes the source of each mapping. `directory` is where the files lie that a mapping names; `store` gives the
    store of positions, and is asked for the first mapping that reads a stream."""

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
        self._settings = settings
        self._directory = directory
        self._clients = clients
        self._endpoints = endpoints
        self._store = store
        self._clock = clock
        self._jitter = jitter
        self._observer = observer
        self._access: dict[str, MappingAccess] = {}

    def access(self, mapping: EventSourceMapping) -> MappingAccess:
        """How the brokers of a topic are reached: one for all that the mapping does there."""
        if mapping.name not in self._access:
            self._access[mapping.name] = MappingAccess(mapping, self._clients, self._directory(mapping))
        return self._access[mapping.name]

    def forget(self, mapping: str) -> None:
        """The mapping is gone, or another one from now on."""
        self._access.pop(mapping, None)

    async def look(self, mapping: EventSourceMapping) -> SourceLook:
        """Whether the source is there and can be read, now. A topic's brokers are not asked. Raises ConfigError: it
        would be real AWS unsaid."""
        await self._endpoints.add(mapping)
        self._endpoints.refuse_real_aws([mapping.model_copy(update={"enabled": True})])
        with anyio.move_on_after(LOOK):
            try:
                return await self._look(mapping)
            except SourceMissing:
                return SourceLook(missing=True)
            except SourceError as error:
                cause = error.__cause__ or error
                named = type(cause).__name__ if faults.foreign(cause) else "ServiceUnavailable"
                return SourceLook(code=faults.code(cause) or named, message=str(error))
        return SourceLook(code="RequestTimeout", message=f"there was no answer within {LOOK:g} seconds")

    async def _look(self, mapping: EventSourceMapping) -> SourceLook:
        arn = mapping.arn
        if arn is None or mapping.kind is SourceKind.KAFKA:
            return SourceLook()
        if mapping.kind is SourceKind.KINESIS:
            await (await self._kinesis(mapping, arn, FunctionFacts())).list()
            return SourceLook()
        if mapping.kind is SourceKind.DYNAMODB:
            await (await self._dynamodb(arn)).list()
            return SourceLook()
        return SourceLook(visibility=await self._visibility(mapping, arn))

    async def _visibility(self, mapping: EventSourceMapping, arn: Arn) -> float:
        endpoint = self._endpoints.of(mapping)
        client = await self._clients.get("sqs", region=arn.region)
        url = endpoint.url if isinstance(endpoint, LocalEndpoint) else None
        with reading(f"look at {arn}"), faults.translating(f"look at {arn}"):
            queue = await resolve(client, str(arn), url, self._settings.aws.rewrite_queue_urls)
            reply = await client.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])
            return float(reply["Attributes"]["VisibilityTimeout"])

    async def source(self, mapping: EventSourceMapping, function: FunctionFacts, clock: ServiceClock) -> Source:
        """`clock` is told what the source says of the time, where it says something. Raises ConfigError for what would
        be real AWS unsaid, or needs a library that is not installed."""
        await self._endpoints.add(mapping)
        self._endpoints.refuse_real_aws([mapping])
        if mapping.kind is SourceKind.KAFKA:
            return self._topic(mapping)
        arn = mapping.arn
        if arn is not None:
            match mapping.kind:
                case SourceKind.SQS | SourceKind.SQS_FIFO:
                    return await self._queue(mapping, arn, function)
                case SourceKind.KINESIS:
                    return await self._stream(mapping, await self._kinesis(mapping, arn, function), clock)
                case SourceKind.DYNAMODB:
                    return await self._stream(mapping, await self._dynamodb(arn), clock)
        raise BugError(f"mapping {mapping.name} has a source that the rules should have refused: {mapping.source}")

    # --- queues -----------------------------------------------------------------------------------------------------

    async def _queue(self, mapping: EventSourceMapping, arn: Arn, function: FunctionFacts) -> Source:
        endpoint = self._endpoints.of(mapping)
        settings = QueueSettings(
            arn=arn,
            window=mapping.window,
            function_timeout=function.deadline,
            receivers=receivers_of(mapping, function),
            least_receivers=mapping.pollers[0] if mapping.pollers else 1,
            endpoint_url=endpoint.url if isinstance(endpoint, LocalEndpoint) else None,
            rewrite_urls=self._settings.aws.rewrite_queue_urls,
            long_poll=self._long_poll(local=isinstance(endpoint, LocalEndpoint)),
        )
        connect = _Connected(await self._clients.get("sqs", region=arn.region))
        return SqsSource(settings, connect, self._clock, self._jitter)

    def _long_poll(self, *, local: bool) -> int:
        """Short where somebody waits for the end of the run."""
        if self._settings.until_idle is not None:
            return IDLE_POLL
        return LOCAL_POLL if local else LONG_POLL

    # --- topics -----------------------------------------------------------------------------------------------------

    def _topic(self, mapping: EventSourceMapping) -> Source:
        settings = TopicSettings(
            mapping=mapping.name,
            source=mapping.cluster,
            topic=mapping.topic,
            group=mapping.group,
            start=mapping.starting_position or "TRIM_HORIZON",
            start_at=mapping.starting_position_timestamp,
            pollers=mapping.pollers or (1, 1),
            joins=not self._settings.dry_run,
        )
        source = KafkaSource(settings, self.access(mapping), self._clock, self._observer)
        registry = mapping.kafka_config.schema_registry_config
        if registry is None:
            return source
        if missing := missing_libraries():
            raise ConfigError([Problem(_needs(missing), f"mappings.{mapping.name}")])
        schemas = open_schemas(registry, self._clients, self._directory(mapping))
        return DecodingSource(source, schemas.read, schemas.aclose, self._clock)

    # --- streams ----------------------------------------------------------------------------------------------------

    async def _stream(self, mapping: EventSourceMapping, service: StreamService, clock: ServiceClock) -> Source:
        if mapping.starting_position is None:
            raise BugError(f"mapping {mapping.name} reads a stream without a start")
        settings = StreamSettings(
            mapping.name,
            mapping.uuid,
            mapping.starting_position,
            start_at=mapping.starting_position_timestamp,
            start_over=mapping.starts_over,
        )
        return StreamSource(settings, service, await self._store(), self._jitter, self._observer, clock)

    async def _kinesis(self, mapping: EventSourceMapping, arn: Arn, function: FunctionFacts) -> StreamService:
        client = await self._clients.get("kinesis", region=arn.region)
        role = function.role or role_of(arn)
        return KinesisService(arn, client, self._clock, role=role, deaggregate=bool(mapping.deaggregate))

    async def _dynamodb(self, arn: Arn) -> StreamService:
        region = None if arn.region == MADE_UP_REGION else arn.region
        tables = await self._clients.get("dynamodb", region=region) if arn.is_table else None
        streams = await self._clients.get("dynamodbstreams", region=region)
        return DynamoDbService(arn, tables, streams, self._clock)


def refuse_missing_libraries(config: Config) -> None:
    """Raises ConfigError for mappings with a schema registry where what reads schemas is not installed."""
    missing = missing_libraries()
    wanting = [mapping for mapping in config.mappings.values() if mapping.kafka_config.schema_registry_config]
    if missing and wanting:
        raise ConfigError([config.problem(f"mappings.{each.name}", _needs(missing)) for each in wanting])


def _needs(missing: str) -> str:
    return f"schema_registry_config needs {missing}, which is not installed: {EXTRA}"


@dataclass(frozen=True, slots=True)
class _Connected:
    """Gives the client that was made at the start; what is wrong with its settings was said then."""

    client: Any

    async def __call__(self) -> Any:
        return self.client


def role_of(arn: Arn) -> str:
    """What a function without a role of its own has for one, in the events of this source."""
    return f"arn:{arn.partition}:iam::{arn.account}:role/lambda"


def receivers_of(mapping: EventSourceMapping, function: FunctionFacts) -> int:
    """The most receivers of a mapping: its maximum concurrency, else the function's, else AWS's five. A number of its
    own takes the place of the last two, and bounds the first. In provisioned mode its pollers decide, and the
    function's concurrency bounds them."""
    if mapping.pollers:
        most = mapping.pollers[1] * RECEIVERS_OF_A_POLLER
        return min(most, mapping.receivers or most, function.concurrency or most)
    if mapping.maximum_concurrency:
        return min(mapping.maximum_concurrency, mapping.receivers or mapping.maximum_concurrency)
    return mapping.receivers or function.concurrency or RECEIVERS_DEFAULT

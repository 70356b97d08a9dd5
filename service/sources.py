"""The sources of mappings: the one place that knows their concrete classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..config.arn import Arn
from ..config.clients.aws import Clients
from ..config.clients.endpoints import Local
from ..config.clients.kafka import MappingAccess
from ..config.clock import Clock, Jitter, ServiceClock
from ..config.errors import BugError
from ..config.function import CommandFunction, LocalFunction
from ..config.limits import RECEIVERS_DEFAULT, SourceKind
from ..config.loader import AnyFunction, Config
from ..config.mapping import EventSourceMapping
from ..dispatch.observer import Observer
from ..pollers.checkpoints.store import CheckpointStore
from ..pollers.dynamodb import DynamoDbService
from ..pollers.kafka import KafkaSource
from ..pollers.kafka_settings import TopicSettings
from ..pollers.kinesis import KinesisService
from ..pollers.opening import StreamSettings
from ..pollers.source import Source
from ..pollers.sqs import LOCAL_POLL, LONG_POLL, QueueSettings, SqsSource
from ..pollers.stream_service import StreamService
from ..pollers.streams import StreamSource
from .endpoints import Endpoints

IDLE_POLL = 1
"""Seconds of a long poll when the run ends with the work."""


class Sources:
    """Makes the source of each mapping. `store` may be None where no mapping reads a stream."""

    def __init__(
        self,
        config: Config,
        clients: Clients,
        endpoints: Endpoints,
        store: CheckpointStore | None,
        clock: Clock,
        jitter: Jitter,
        observer: Observer,
    ) -> None:
        self._config = config
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
            directory = self._config.directory(mapping)
            self._access[mapping.name] = MappingAccess(mapping, self._clients, directory)
        return self._access[mapping.name]

    async def source(self, mapping: EventSourceMapping, clock: ServiceClock) -> Source:
        """`clock` is told what the source says of the time, where it says something."""
        if mapping.kind is SourceKind.KAFKA:
            return self._topic(mapping)
        arn = mapping.arn
        if arn is not None:
            match mapping.kind:
                case SourceKind.SQS | SourceKind.SQS_FIFO:
                    return await self._queue(mapping, arn)
                case SourceKind.KINESIS:
                    return self._stream(mapping, await self._kinesis(mapping, arn), clock)
                case SourceKind.DYNAMODB:
                    return self._stream(mapping, await self._dynamodb(arn), clock)
        raise BugError(f"mapping {mapping.name} has a source that the rules should have refused: {mapping.source}")

    # --- queues -----------------------------------------------------------------------------------------------------

    async def _queue(self, mapping: EventSourceMapping, arn: Arn) -> Source:
        function = self._config.functions[mapping.function_name]
        endpoint = self._endpoints.of(mapping)
        settings = QueueSettings(
            arn=arn,
            window=mapping.window,
            function_timeout=function.deadline,
            receivers=receivers_of(mapping, function),
            endpoint_url=endpoint.url if isinstance(endpoint, Local) else None,
            rewrite_urls=self._config.settings.aws.rewrite_queue_urls,
            long_poll=self._long_poll(local=isinstance(endpoint, Local)),
        )
        connect = _Connected(await self._clients.get("sqs", region=arn.region))
        return SqsSource(settings, connect, self._clock, self._jitter)

    def _long_poll(self, *, local: bool) -> int:
        """Short where somebody waits for the end of the run."""
        if self._config.settings.until_idle is not None:
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
            joins=not self._config.settings.dry_run,
        )
        return KafkaSource(settings, self.access(mapping), self._clock, self._observer)

    # --- streams ----------------------------------------------------------------------------------------------------

    def _stream(self, mapping: EventSourceMapping, service: StreamService, clock: ServiceClock) -> Source:
        if self._store is None or mapping.starting_position is None:
            raise BugError(f"mapping {mapping.name} reads a stream without a start or a place for its positions")
        settings = StreamSettings(
            mapping.name,
            mapping.uuid,
            mapping.starting_position,
            start_at=mapping.starting_position_timestamp,
            start_over=mapping.starts_over,
        )
        return StreamSource(settings, service, self._store, self._jitter, self._observer, clock)

    async def _kinesis(self, mapping: EventSourceMapping, arn: Arn) -> StreamService:
        client = await self._clients.get("kinesis", region=arn.region)
        role = self._config.functions[mapping.function_name].role or role_of(arn)
        return KinesisService(arn, client, self._clock, role=role, deaggregate=bool(mapping.deaggregate))

    async def _dynamodb(self, arn: Arn) -> StreamService:
        tables = await self._clients.get("dynamodb", region=arn.region) if arn.is_table else None
        streams = await self._clients.get("dynamodbstreams", region=arn.region)
        return DynamoDbService(arn, tables, streams, self._clock)


@dataclass(frozen=True, slots=True)
class _Connected:
    """Gives the client that was made at the start; what is wrong with its settings was said then."""

    client: Any

    async def __call__(self) -> Any:
        return self.client


def role_of(arn: Arn) -> str:
    """What a function without a role of its own has for one, in the events of this source."""
    return f"arn:{arn.partition}:iam::{arn.account}:role/lambda"


def receivers_of(mapping: EventSourceMapping, function: AnyFunction) -> int:
    """The most receivers of a mapping: its maximum concurrency, else the function's, else AWS's five. A number of its
    own takes the place of the last two, and bounds the first."""
    if mapping.maximum_concurrency:
        return min(mapping.maximum_concurrency, mapping.receivers or mapping.maximum_concurrency)
    return mapping.receivers or _concurrency_of(function) or RECEIVERS_DEFAULT


def _concurrency_of(function: AnyFunction) -> int | None:
    return function.processes if isinstance(function, LocalFunction | CommandFunction) else function.concurrency

"""Members of a consumer group at a real broker, in this process: a source with its supervisor, and a function that
remembers what it was given."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import orjson

from headrace.config.clients.kafka import KafkaConnection
from headrace.config.clock import Clock, SystemClock
from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.keeping import keep_all
from headrace.dispatch.core.model import Record
from headrace.dispatch.core.pages import Records
from headrace.dispatch.core.policy import Policy, Progress
from headrace.dispatch.destinations.base import Destination
from headrace.dispatch.invokers.base import Invocation
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.dispatch.kinds.kafka import KafkaEnvelope
from headrace.pollers.core.pool import Pool
from headrace.pollers.feed_settings import AHEAD_BYTES, Keeps
from headrace.pollers.kafka.reader import KafkaReader
from headrace.pollers.kafka.settings import TopicSettings
from headrace.pollers.kafka.source import KafkaSource
from headrace.pollers.source import FetchResult, Source
from headrace.pollers.supervisor import Supervisor

from .rigs import MappingRig, by_partition, discards_to, target_of
from .topics import Topics
from .world import Watch

Work = Callable[[list[bytes]], Awaitable[None]]


async def take(values: list[bytes]) -> None:
    """A function that takes everything at once."""


@dataclass
class Member:
    """One daemon's part of a mapping."""

    source: Source
    watch: Watch = field(default_factory=Watch)
    work: Work = take
    clock: Clock = field(default_factory=SystemClock)
    begun: list[bytes] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    keeps: Keeps = keep_all
    backoff: Backoff = field(default_factory=lambda: Backoff(base=0.1, cap=0.2))
    pool: Pool = field(default_factory=Pool)
    ahead_bytes: int = AHEAD_BYTES
    limit: int = 10_000
    """Records that one fetch may ask for."""
    window: float = 0.0
    policy: Policy = field(default_factory=lambda: Policy(Progress.PER_RECORD))
    destination: Destination | None = None
    """Of what is given up."""
    supervisor: Supervisor = field(init=False)
    """Once it runs."""

    async def _invoke(self, invocation: Invocation) -> bytes:
        event = orjson.loads(invocation.payload)
        values = [base64.b64decode(each["value"]) for records in event["records"].values() for each in records]
        self.begun += values
        await self.work(values)
        self.taken += values
        return b"{}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Member]:
        clock = self.clock
        function = target_of(CallableInvoker(self._invoke, clock=clock, timeout=60.0, concurrency=10), self.watch)
        rig = MappingRig(
            clock=clock,
            observer=self.watch,
            target=function,
            policy=self.policy,
            envelope=KafkaEnvelope("broker:9092"),
            batch_size=100,
            window=self.window,
            slots=by_partition(),
            keeps=self.keeps,
            destination=discards_to(self.destination, self.watch, clock=clock) if self.destination else None,
            backoff=self.backoff,
            fetch_limit=self.limit,
            ahead_bytes=self.ahead_bytes,
            pool=self.pool,
        )
        supervisor = self.supervisor = rig.supervisor(self.source)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(function.gate.run)
            tasks.start_soon(supervisor.run)
            try:
                yield self
            finally:
                with anyio.CancelScope(shield=True):
                    await supervisor.stop(1.0)
                tasks.cancel_scope.cancel()


class Group:
    """A topic, a consumer group, and what reads them."""

    def __init__(self, topics: Topics, topic: str, *, name: str = "", **settings: Any) -> None:
        self.topics, self.topic, self.name = topics, topic, name or f"group-of-{topic}"
        self._settings = settings

    def source(self, watch: Watch | None = None, **settings: Any) -> KafkaSource:
        return KafkaSource(
            self.settings(**settings), KafkaConnection((self.topics.server,)), SystemClock(), watch or Watch()
        )

    def settings(self, **settings: Any) -> TopicSettings:
        return TopicSettings("mapping", "cluster", self.topic, self.name, **{**self._settings, **settings})

    def member(self, work: Work = take, **settings: Any) -> Member:
        watch = Watch()
        return Member(self.source(watch, **settings), watch, work)

    @property
    def committed(self) -> dict[int, int]:
        return self.topics.committed(self.name, self.topic)

    @asynccontextmanager
    async def reader(self, **settings: Any) -> AsyncIterator[KafkaReader]:
        source = self.source(**settings)
        await source.open()
        reader = await source.reader("poller-1")
        try:
            yield reader
        finally:
            await reader.aclose()


async def fetched(reader: KafkaReader, count: int = 1) -> FetchResult:
    """Fetches until there are so many records; all of them as one, gaps too."""
    records: list[Any] = []
    gaps: list[Any] = []
    with anyio.fail_after(60):
        while len(records) < count:
            found = await reader.fetch(1000, None)
            records += found.records
            gaps += found.gaps
    return FetchResult(Records.of(tuple(records)), tuple(gaps))


def values(records: Iterable[Record]) -> list[bytes]:
    """What their producer sent."""
    return [base64.b64decode(str(record.item["value"])) for record in records]

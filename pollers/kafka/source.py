"""Kafka topics: consumer groups through aiokafka.

    open ──► the topic is there; a group without offsets gets its start committed, before anybody fetches
    poller ──► a member of the group (`reader.py`): partitions come and go, each is a lane

The group keeps the positions: what is committed is the offset after the last record that is done. A member goes on
polling its group by itself while the feed is busy, however long an invocation takes; so a slow function loses nothing.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

from ...config.clients.kafka import BrokerAccess, topics, translate
from ...config.clients.kafka.closing import end
from ...config.clock import Clock
from ...config.errors import SourceError, SourceMissing, SourceUnavailable
from ...config.kinds.kafka import NOUN
from ...config.reasons import Reason, ReasonCode
from ...dispatch.core.observer import Observer, StreamRecreated
from .core.scaling import Pollers
from .reader import KafkaReader
from .settings import TopicSettings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.client import AIOKafkaClient

FOREVER = 7 * 24 * 3600 * 1000
"""The client's limit in milliseconds between two polls: a full feed does not poll, and is healthy."""
PARTITION_BYTES = 1024 * 1024
NOTE = "topic "
ALONE = (1, 1)
"""Pollers without a group: a single poller reads all partitions."""
OPEN = 30.0
"""Seconds for the client to find the start of a group: it would retry forever."""


class KafkaSource:
    """One mapping's topic."""

    lent = False
    patience = math.inf

    def __init__(self, settings: TopicSettings, access: BrokerAccess, clock: Clock, observer: Observer) -> None:
        self._settings = settings
        self._access = access
        self._clock = clock
        self._observer = observer
        self._pollers = Pollers(settings.pollers if settings.joins else ALONE, clock.monotonic())
        self._starts: Mapping[TopicPartition, int] = {}
        self._readers: set[KafkaReader] = set()
        self._id = ""
        """The id of the topic that is read."""
        self._anew = False
        """Whether the topic was missing, or was another one, since we look for it."""
        self._gone = False
        """Whether the topic that we read is gone: none of its offsets may be committed."""
        self._trouble: Reason | None = None

    async def open(self) -> Pollers:
        topic = await self._look()
        consumer = await self._started(await self._consumer())
        try:
            with anyio.fail_after(OPEN):
                strange = await self._begin(consumer, topic)
        except Exception as error:
            raise self._failure(error, "open") from error
        finally:
            await end(consumer.stop())
        if strange or (self._id and topic.id != self._id):
            self._observer.observe(
                StreamRecreated(self._settings.mapping, self._settings.topic, self._settings.topic, NOUN)
            )
        self._id, self._trouble, self._anew, self._gone = topic.id, None, False, False
        self._pollers.partitions = len(topic.leaders)
        return self._pollers

    async def watch(self, changed: Callable[[], None]) -> None:
        """Partitions may be added, brokers go away; a topic that is deleted is waited for. A started client would try
        without end, and say nothing."""
        while True:
            await anyio.sleep(self._settings.look)
            try:
                topic = await self._look_around()
            except SourceUnavailable as error:
                self._trouble = error.reason
            else:
                self._pollers.partitions = len(topic.leaders)
                changed()

    async def reader(self, feed: str) -> KafkaReader:
        settings = self._settings
        consumer = await self._consumer(
            auto_offset_reset="none",
            max_poll_interval_ms=FOREVER,
            session_timeout_ms=settings.session_timeout,
            heartbeat_interval_ms=settings.heartbeat,
            rebalance_timeout_ms=settings.rebalance_timeout,
            max_partition_fetch_bytes=PARTITION_BYTES,
            isolation_level="read_committed",
        )
        reader = KafkaReader(settings, consumer, self._clock, self._observer, self)
        if settings.joins:
            reader.join()
        await self._started(consumer)
        if not settings.joins:
            reader.take(self._starts)
        self._readers.add(reader)
        return reader

    async def empty(self) -> bool:
        """Whether every partition was read to its end, by us or by another member of the group."""
        partitions = self._all(await self._look())
        consumer = await self._started(await self._consumer())
        try:
            ends = await consumer.end_offsets(partitions)
            begins = await consumer.beginning_offsets(partitions)
            for partition in partitions:
                reached = await self._reached(consumer, partition)
                if (begins[partition] if reached is None else reached) < ends[partition]:
                    return False
        except Exception as error:
            raise self._failure(error, "look at") from error
        else:
            return True
        finally:
            await end(consumer.stop())

    async def _reached(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
        """Our own place in a partition is ahead of what can be committed: a transaction's end is no record."""
        for reader in self._readers:
            if (offset := await reader.reached(partition)) is not None:
                return offset
        committed: int | None = await consumer.committed(partition) if self._settings.joins else None
        return committed

    async def aclose(self) -> None:
        """Nothing of its own to close."""

    # --- calls ------------------------------------------------------------------------------------------------------

    async def _consumer(self, **settings: Any) -> AIOKafkaConsumer:
        from aiokafka import AIOKafkaConsumer

        arguments = (await self._access.connection()).arguments()
        group = self._settings.group if self._settings.joins else None
        return AIOKafkaConsumer(group_id=group, enable_auto_commit=False, **arguments, **settings)

    async def _started(self, consumer: AIOKafkaConsumer) -> AIOKafkaConsumer:
        try:
            await consumer.start()
        except BaseException as error:
            await end(consumer.stop())
            if isinstance(error, Exception):
                raise await self._access.explain(error, self._what("reach")) from error
            raise
        return consumer

    # --- what the brokers say ---------------------------------------------------------------------------------------

    async def _look(self) -> topics.TopicDescription:
        """Raises SourceMissing, and SourceUnavailable while nobody keeps the offsets of the group."""
        async with self._asking("look for") as client:
            topic = await self._found(client)
            if self._settings.joins and (gone := await topics.coordinator_away(client, self._settings.group)):
                raise SourceUnavailable(f"{self._what('open')}: {gone}")
            return topic

    async def _look_around(self) -> topics.TopicDescription:
        """Check that the topic is the same as before, and which needed broker is unavailable. Raises SourceMissing."""
        name, group = self._settings.topic, self._settings.group
        async with self._asking("read") as client:
            topic = await self._found(client)
            away = await topics.leaders_away(client, name, topic)
            if not away and self._settings.joins:
                away = await topics.coordinator_away(client, group)
        self._trouble = Reason(ReasonCode.UNAVAILABLE, f"{self._what('read')}: {away}") if away else None
        if topic.id != self._id:
            self._anew = self._gone = True
            raise SourceMissing(f"topic {name} at {self._access} was deleted and created again")
        return topic

    async def _found(self, client: AIOKafkaClient) -> topics.TopicDescription:
        topic = await topics.find(client, self._settings.topic)
        if topic is None:
            self._anew = self._gone = True
            raise SourceMissing(f"topic {self._settings.topic} does not exist at {self._access}")
        return topic

    @asynccontextmanager
    async def _asking(self, what: str) -> AsyncIterator[AIOKafkaClient]:
        try:
            async with topics.asking(await self._access.connection()) as client:
                yield client
        except SourceError:
            raise
        except Exception as error:
            raise await self._access.explain(error, self._what(what)) from error

    def _all(self, topic: topics.TopicDescription) -> list[TopicPartition]:
        from aiokafka import TopicPartition

        return [TopicPartition(self._settings.topic, number) for number in sorted(topic.leaders)]

    # --- what the readers ask ---------------------------------------------------------------------------------------

    @property
    def note(self) -> str | None:
        return None if self._gone else note_of(self._id)

    @property
    def trouble(self) -> Reason | None:
        return self._trouble

    async def expect_same(self) -> None:
        await self._look_around()

    def closed(self, reader: KafkaReader) -> None:
        self._readers.discard(reader)

    # --- where a group starts ---------------------------------------------------------------------------------------

    async def _begin(self, consumer: AIOKafkaConsumer, topic: topics.TopicDescription) -> bool:
        """Where everything starts is known, and in the group, before anybody fetches. Whether the group had offsets of
        another topic under this name."""
        if not self._settings.joins:
            if self._anew or not self._starts:
                self._starts = await self._starts_of(consumer, self._all(topic))
            return False
        async with self._asking("open") as client:
            committed = await topics.committed(client, self._settings.group, self._settings.topic, topic.leaders)
        note = note_of(topic.id)
        strange = {number for number, each in committed.items() if _tells_another(each.note, note)}
        if strange:
            self._anew = True
            await self._commit_starts(consumer, [each for each in self._all(topic) if each.partition in strange], note)
        elif not committed:
            await self._commit_starts(consumer, self._all(topic), note)
        return bool(strange)

    async def _commit_starts(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition], note: str) -> None:
        """A group without any offset of the topic starts where the mapping says. A partition that appears later is read
        from its beginning."""
        from aiokafka.errors import CommitFailedError, UnknownMemberIdError

        consumer.assign(partitions)
        starts = await self._starts_of(consumer, partitions)
        try:
            await consumer.commit({partition: (offset, note) for partition, offset in starts.items()})
        except (CommitFailedError, UnknownMemberIdError) as error:
            what = f"group {self._settings.group} has members, but no offsets of this {self._settings.topic} yet"
            raise SourceUnavailable(what) from error

    async def _starts_of(
        self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """All records of a topic are new when it appeared while we waited for it, or was recreated."""
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
        match "TRIM_HORIZON" if self._anew else self._settings.start:
            case "LATEST":
                return ends
            case "TRIM_HORIZON":
                begins: Mapping[TopicPartition, int] = await consumer.beginning_offsets(partitions)
                return begins
            case "AT_TIMESTAMP":
                moment = math.floor((self._settings.start_at or 0.0) * 1000)
                found = await consumer.offsets_for_times(dict.fromkeys(partitions, moment))
                return {each: found[each].offset if found[each] else ends[each] for each in partitions}

    def _failure(self, error: Exception, what: str) -> SourceError:
        return translate(error, self._what(what))

    def _what(self, what: str) -> str:
        return f"{what} topic {self._settings.topic} at {self._access}"


def note_of(topic_id: str) -> str:
    """The note stored with each offset, so that a recreated topic is not read from the offsets of the old one."""
    return f"{NOTE}{topic_id}" if topic_id else ""


def _tells_another(note: str, ours: str) -> bool:
    """Whether the note names another topic. Other programs that commit may write any note, or none."""
    return bool(ours) and note.startswith(NOTE) and note != ours

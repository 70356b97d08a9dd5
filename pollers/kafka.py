"""Kafka topics: consumer groups through aiokafka.

    open ──► the topic is there; a group without offsets gets its start committed, before anybody fetches
    poller ──► a member of the group (`kafka_reader.py`): partitions come and go, each is a lane

The group keeps the positions: what is committed is the offset after the last record that is done. A member goes on
polling its group by itself while the feed is busy, however long an invocation takes; so a slow function loses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

from ..config.clients.kafka import Access, translate
from ..config.clock import Clock
from ..config.errors import SourceError, SourceMissing, SourceUnavailable
from ..dispatch.observer import Observer
from .kafka_pollers import Pollers
from .kafka_reader import KafkaReader, stopped
from .kafka_settings import TopicSettings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

FOREVER = 7 * 24 * 3600 * 1000
"""Milliseconds between two polls that the client would allow: a full feed does not poll, and is well."""
PARTITION_BYTES = 1024 * 1024
LOOK = 10.0
"""Seconds between two looks at the topic."""


class KafkaSource:
    """One mapping's topic."""

    lent = False

    def __init__(self, settings: TopicSettings, access: Access, clock: Clock, observer: Observer) -> None:
        self._settings = settings
        self._access = access
        self._clock = clock
        self._observer = observer
        self._pollers = Pollers(settings.pollers, clock)
        self._starts: Mapping[TopicPartition, int] = {}
        self._readers: set[KafkaReader] = set()

    async def open(self) -> Pollers:
        partitions = await self._partitions()
        consumer = await self._started(await self._consumer())
        try:
            if self._settings.joins:
                await self._commit_starts(consumer, partitions)
            elif not self._starts:
                self._starts = await self._starts_of(consumer, partitions)
        except Exception as error:
            raise self._failure(error, "open") from error
        finally:
            await stopped(consumer)
        self._pollers.partitions = len(partitions)
        return self._pollers

    async def watch(self, changed: Callable[[], None]) -> None:
        """Partitions may be added; a topic that is deleted is waited for."""
        while True:
            await anyio.sleep(LOOK)
            with suppress(SourceUnavailable):  # what is refused by now, the pollers would try without end
                self._pollers.partitions = len(await self._partitions())
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
        reader = KafkaReader(settings, consumer, self._clock, self._observer, self._readers.discard)
        if settings.joins:
            reader.join()
        await self._started(consumer)
        if not settings.joins:
            reader.take(self._starts)
        self._readers.add(reader)
        return reader

    async def empty(self) -> bool:
        """Whether every partition was read to its end, by us or by another member of the group."""
        partitions = await self._partitions()
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
            await stopped(consumer)

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
            await stopped(consumer)
            if isinstance(error, Exception):
                raise await self._access.explain(error, self._what("reach")) from error
            raise
        return consumer

    async def _partitions(self) -> list[TopicPartition]:
        """Raises SourceMissing. All topics are asked for, since asking for one may create it."""
        from aiokafka import TopicPartition
        from aiokafka.admin import AIOKafkaAdminClient

        name = self._settings.topic
        admin = AIOKafkaAdminClient(**(await self._access.connection()).arguments())
        try:
            await admin.start()
            topics = await admin.describe_topics()
        except Exception as error:
            raise await self._access.explain(error, self._what("look for")) from error
        finally:
            with anyio.CancelScope(shield=True):
                await admin.close()
        found = next((topic for topic in topics if topic["topic"] == name), None)
        if found is None:
            raise SourceMissing(f"topic {name} does not exist at {self._access}")
        return [TopicPartition(name, number) for number in sorted(each["partition"] for each in found["partitions"])]

    async def _commit_starts(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        """A group without any offset of the topic starts where the mapping says. A partition that appears later is read
        from its beginning."""
        consumer.assign(partitions)
        committed = [await consumer.committed(partition) for partition in partitions]
        if any(offset is not None for offset in committed):
            return
        starts = await self._starts_of(consumer, partitions)
        from aiokafka.errors import CommitFailedError, UnknownMemberIdError

        try:
            await consumer.commit(starts)
        except (CommitFailedError, UnknownMemberIdError) as error:
            if not any([await consumer.committed(partition) is not None for partition in partitions]):
                what = f"group {self._settings.group} has members, and no offsets of {self._settings.topic} yet"
                raise SourceUnavailable(what) from error

    async def _starts_of(
        self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
        match self._settings.start:
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

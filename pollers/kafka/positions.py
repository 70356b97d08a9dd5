"""The offsets of one mapping's consumer group in its topic, moved by hand, while the group has no members.

A group keeps offsets, and no other place: where it has none, it gets those of the mapping's starting position. So to
forget them is to set them to that.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

from ...config.clients.kafka import BrokerAccess, topics, translate
from ...config.clients.kafka.closing import end
from ...config.errors import HeadraceError, SourceMissing, SourceRefused
from ..core.wish import Wish, WishKind
from ..positions import PositionRefused
from .core.records import lane_of
from .settings import SESSION_TIMEOUT, TopicSettings
from .source import note_of

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

ALONE = SESSION_TIMEOUT / 1000 + 5
"""Seconds to wait until the group has no members: one that could not say good-bye counts as one for its session."""
AGAIN = 0.5


class TopicPositions:
    """A `LanePositions`."""

    def __init__(self, settings: TopicSettings, access: BrokerAccess) -> None:
        self._settings = settings
        self._access = access

    async def shown(self) -> list[dict[str, Any]]:
        async with self._group() as (consumer, topic, partitions):
            committed = await self._committed(topic)
            ends = await consumer.end_offsets(partitions)
            return [
                {
                    "source": self._settings.source,
                    "shard": self._name(each),
                    "place": "offset",
                    "offset": committed[each.partition].offset,
                    "end": ends[each],
                }
                for each in partitions
                if each.partition in committed
            ]

    async def put(self, lane: str, wish: Wish) -> None:
        async with self._group() as (consumer, topic, partitions):
            chosen = [each for each in partitions if lane in ("", self._name(each))]
            if not chosen:
                known = ", ".join(map(self._name, partitions))
                raise PositionRefused(f"topic {self._settings.topic} has no partition {lane[:200]!r}; it has {known}")
            if wish.kind is WishKind.POSITION and not lane:
                raise PositionRefused("an offset is one of a partition: name the partition, too")
            consumer.assign(chosen)
            offsets = await self._offsets(consumer, chosen, wish)
            await self._commit(consumer, {each: (offset, note_of(topic.id)) for each, offset in offsets.items()})

    async def remove(self) -> None:
        at = self._settings.start_at
        kind = WishKind(self._settings.start)
        await self.put("", Wish(kind, at or 0.0))

    def _name(self, partition: TopicPartition) -> str:
        return lane_of(self._settings.source, partition).shard

    # --- calls ------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _group(self) -> AsyncIterator[tuple[AIOKafkaConsumer, topics.TopicDescription, list[TopicPartition]]]:
        """A consumer that may commit for the group without being a member. Raises SourceError."""
        from aiokafka import AIOKafkaConsumer, TopicPartition

        settings, what = self._settings, f"look at topic {self._settings.topic} at {self._access}"
        try:
            connection = await self._access.connection()
            async with topics.asking(connection) as client:
                topic = await topics.find(client, settings.topic)
            if topic is None:
                raise SourceMissing(f"topic {settings.topic} does not exist at {self._access}")
            consumer = AIOKafkaConsumer(group_id=settings.group, enable_auto_commit=False, **connection.arguments())
            try:
                await consumer.start()
                yield consumer, topic, [TopicPartition(settings.topic, each) for each in sorted(topic.leaders)]
            finally:
                await end(consumer.stop())
        except HeadraceError:
            raise
        except Exception as error:
            raise translate(error, what) from error

    async def _committed(self, topic: topics.TopicDescription) -> Mapping[int, topics.Committed]:
        settings = self._settings
        async with topics.asking(await self._access.connection()) as client:
            return await topics.committed(client, settings.group, settings.topic, topic.leaders)

    async def _offsets(
        self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], wish: Wish
    ) -> Mapping[TopicPartition, int]:
        begins: Mapping[TopicPartition, int] = await consumer.beginning_offsets(partitions)
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
        match wish.kind:
            case WishKind.TRIM_HORIZON:
                return begins
            case WishKind.LATEST:
                return ends
            case WishKind.AT_TIMESTAMP:
                found = await consumer.offsets_for_times(dict.fromkeys(partitions, math.floor(wish.at * 1000)))
                return {each: found[each].offset if found[each] else ends[each] for each in partitions}
            case WishKind.POSITION:
                (partition,), offset = partitions, int(wish.number)
                if wish.sub or not begins[partition] <= offset <= ends[partition]:
                    span = f"{begins[partition]} to {ends[partition]}, its end"
                    raise PositionRefused(f"{self._name(partition)} has the offsets {span}")
                return {partition: offset}

    async def _commit(self, consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        from aiokafka.errors import CommitFailedError, IllegalGenerationError, UnknownMemberIdError

        until = anyio.current_time() + ALONE
        while True:
            try:
                await consumer.commit(offsets)
                return
            except (CommitFailedError, IllegalGenerationError, UnknownMemberIdError) as error:
                if anyio.current_time() >= until:
                    raise SourceRefused(
                        f"the group {self._settings.group} has other members, which keep its offsets: stop those first"
                    ) from error
                await anyio.sleep(AGAIN)

"""A topic that is read again: from offsets to offsets, without a group, so that nothing is committed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...config.clients.kafka import topics
from ...config.clients.kafka.closing import end
from ..replay.core.plan import ReplayPlan, ReplayProgress, ShardDone, Span
from .source import KafkaSource

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition


class ReplayTopic(KafkaSource):
    """A `Source`, once `resolve` was called."""

    _ends: Mapping[TopicPartition, int]
    """The offset behind the last record of the plan."""

    async def resolve(self, plan: ReplayPlan, progress: ReplayProgress) -> ReplayPlan:
        """Find the offsets that the plan means: times do not rise along a partition, so its times are made offsets
        once. Raises SourceError."""
        topic = await self._look()
        consumer = await self._started(await self._consumer())
        try:
            return await self._resolved(consumer, self._all(topic), plan, progress)
        except Exception as error:
            raise self._failure(error, "open") from error
        finally:
            await end(consumer.stop())

    async def _resolved(
        self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition], plan: ReplayPlan, progress: ReplayProgress
    ) -> ReplayPlan:
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        firsts = dict(begins) if plan.since is None else await _at(consumer, partitions, plan.since, ends)
        behind = (
            dict(ends) if plan.until == math.inf else await _at(consumer, partitions, plan.until, ends, behind=True)
        )
        spans: dict[str, list[Span]] = {}
        starts: dict[TopicPartition, int] = {}
        self._ends = {}
        for each in partitions:
            shard = f"{each.topic}-{each.partition}"
            if not plan.covers(shard):
                continue
            wanted = plan.spans[shard] if plan.spans is not None else [Span(firsts[each], behind[each] - 1)]
            spans[shard] = list(wanted)
            done = progress.shards.get(shard, ShardDone()).position
            first = max(begins[each], wanted[0].first, done.number + 1 if done else 0)
            last = min(wanted[-1].last, ends[each] - 1)
            if first <= last:
                starts[each], self._ends[each] = first, int(last) + 1
        self._starts = starts
        return ReplayPlan(spans=spans)

    async def _begin(self, consumer: AIOKafkaConsumer, topic: topics.TopicDescription) -> bool:
        return False

    async def empty(self) -> bool:
        """Whether every partition was read up to the end of the plan."""
        for partition, behind in self._ends.items():
            reached = await self._reached_here(partition)
            if reached is None or reached < behind:
                return False
        return True

    async def _reached_here(self, partition: TopicPartition) -> int | None:
        for reader in self._readers:
            if (offset := await reader.reached(partition)) is not None:
                return offset
        return None


async def _at(
    consumer: AIOKafkaConsumer,
    partitions: list[TopicPartition],
    moment: float,
    ends: Mapping[TopicPartition, int],
    *,
    behind: bool = False,
) -> dict[TopicPartition, int]:
    """The first offset at a moment (wall-clock seconds), or `behind` it; the end where there is none."""
    milliseconds = math.floor(moment * 1000) + (1 if behind else 0)
    found = await consumer.offsets_for_times(dict.fromkeys(partitions, milliseconds))
    return {each: found[each].offset if found.get(each) else ends[each] for each in partitions}

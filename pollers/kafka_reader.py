"""One member of a consumer group: what it fetches and commits, and what becomes of partitions that come and go.

    assigned ──► fetch, commit ──► revoked: the feed gives back what it has of them (`source.Owner`), commits, and only
                                   then the group goes on

Made by `kafka.py`, which finds the topic and decides where its group starts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio

from ..config.clients.kafka import translate
from ..config.clock import Clock
from ..config.errors import SourceUnavailable
from ..dispatch.model import Lane, OpenWindow, Record, Settlement
from ..dispatch.observer import Gap, Lagging, Observer, OffsetsCommitted, Rebalanced
from .kafka_records import lane_of, lanes_of, record_of
from .kafka_settings import TopicSettings
from .source import Fetched, Mark, Owner

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

POLL = 1.0
"""Seconds that one fetch waits for records at most."""
SKIPPING_POLL = 0.1
"""The same while lanes are full: they may have room again at any moment."""


class KafkaReader:
    """One member of the group."""

    lane: Lane | None = None
    window: OpenWindow | None = None

    def __init__(
        self,
        settings: TopicSettings,
        consumer: AIOKafkaConsumer,
        clock: Clock,
        observer: Observer,
        closed: Callable[[KafkaReader], None],
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._clock = clock
        self._observer = observer
        self._closed = closed
        self._owner: Owner | None = None
        self._held: set[TopicPartition] = set()
        self._leaving: set[TopicPartition] = set()
        self._next: dict[TopicPartition, int] = {}
        """The offset after the last record that was given."""
        self._done: dict[TopicPartition, int] = {}
        """What is committed, as far as it is known."""
        self._warily = False
        """One record at a time, because one of those ahead cannot be read."""

    def join(self) -> None:
        """Be a member of the group, from the start of the consumer on."""
        self._consumer.subscribe([self._settings.topic], listener=_listener(self))

    def take(self, starts: Mapping[TopicPartition, int]) -> None:
        """Read these partitions without a group."""
        self._consumer.assign(list(starts))
        for partition, offset in starts.items():
            self._consumer.seek(partition, offset)
        self._held = set(starts)

    async def reached(self, partition: TopicPartition) -> int | None:
        """The offset up to which this member has read; None where the partition is not its own."""
        if partition in self._held and partition in self._consumer.assignment():
            with anyio.move_on_after(POLL):
                offset: int = await self._consumer.position(partition)
                return offset
        return None

    def attach(self, owner: Owner) -> None:
        self._owner = owner

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> Fetched:
        self._pause(skip)
        wait = SKIPPING_POLL if skip else POLL
        if until is not None:
            wait = max(0.0, min(wait, until - self._clock.monotonic()))
        try:
            with anyio.move_on_after(wait + POLL):  # the client waits for the end of a rebalance, however long
                size = 1 if self._warily else limit
                batches = await self._consumer.getmany(timeout_ms=math.ceil(wait * 1000), max_records=size)
                return self._fetched(batches)
        except Exception as error:
            return await self._after(error)
        return Fetched()

    def _fetched(self, batches: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> Fetched:
        """What is being taken away is not begun any more: its next owner gets it."""
        ours = self._held - self._leaving
        records: list[Record] = []
        for partition, raws in batches.items():
            if partition in ours and raws:
                records += [record_of(self._settings.source, raw) for raw in raws]
                self._done.setdefault(partition, raws[0].offset)
                self._next[partition] = raws[-1].offset + 1
        behind = self._tell_lag()
        return Fetched(tuple(records), full=bool(records) and behind)

    def _tell_lag(self) -> bool:
        """Whether there is more to be had."""
        assigned = self._consumer.assignment() & self._held
        ends = {partition: self._consumer.highwater(partition) for partition in assigned}
        known = {partition: end for partition, end in ends.items() if end is not None}
        lags = {self._lane(each): max(0, end - self._done.get(each, end)) for each, end in known.items()}
        self._observer.observe(Lagging(self._settings.mapping, lags))
        return any(end > self._next.get(partition, end) for partition, end in known.items())

    async def _after(self, error: Exception) -> Fetched:
        """A fetch that failed: an offset that the topic does not have is a gap; all else is tried again."""
        from aiokafka import errors

        if isinstance(error, errors.NoOffsetForPartitionError):
            for partition in await self._without_offset():
                await self._consumer.seek_to_beginning(partition)
            return Fetched()
        if isinstance(error, errors.OffsetOutOfRangeError):
            self._warily = False
            gaps = [await self._leap(each, offset) for each, offset in error.args[0].items()]
            return Fetched(gaps=tuple(gaps))
        await self._rewind()
        if isinstance(error, errors.CorruptRecordException):
            if self._warily:
                raise self._damage(error) from error
            self._warily = True
            return Fetched()
        raise translate(error, f"read topic {self._settings.topic}") from error

    def _damage(self, error: Exception) -> SourceUnavailable:
        """Where the damage is: read warily, the last record that was given is the last good one before it."""
        number = re.search(r"partition=(\d+)", str(error))
        shards = {each.partition: (self._lane(each).shard, self._next.get(each)) for each in self._held}
        shard, offset = shards.get(int(number[1]) if number else -1, (self._settings.topic, None))
        place = f"{shard} is damaged at the broker" + ("" if offset is None else f", at offset {offset}")
        return SourceUnavailable(f"{place}: stop, and move the group {self._settings.group} behind it ({error})")

    async def _rewind(self) -> None:
        """The client forgets what it had gathered of other partitions when one of them fails."""
        for partition in self._held & self._consumer.assignment():
            offset = self._next.get(partition)
            if offset is None and self._settings.joins:  # the client's own seek_to_committed passes over offset 0
                offset = await self._consumer.committed(partition)
            if offset is not None and partition in self._consumer.assignment():
                self._consumer.seek(partition, offset)

    async def _without_offset(self) -> list[TopicPartition]:
        return [each for each in self._held if await self._consumer.committed(each) is None]

    async def _leap(self, partition: TopicPartition, offset: int) -> Gap:
        """Go on at the oldest record that there is. Below the offset when the topic was made anew."""
        lane = self._lane(partition)
        begin = (await self._consumer.beginning_offsets([partition]))[partition]
        if begin < offset and self._owner is not None:
            await self._owner.revoke([lane], self._clock.monotonic())  # offsets begin again: nothing is known of them
        self._consumer.seek(partition, begin)
        self._next[partition] = self._done[partition] = begin
        reason = "trimmed by retention" if begin >= offset else "the topic was made anew"
        return Gap(self._settings.mapping, lane, str(offset), str(begin), reason)

    async def hold(self, records: Sequence[Record], until: float) -> float:
        return until

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        return ()  # the group is told nothing of single records: the offset says it

    async def release(self, records: Sequence[Record]) -> None:
        """Nothing was lent."""

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        held = {self._lane(partition): partition for partition in self._held if self._settings.joins}
        offsets = {
            held[lane]: mark.position.number + 1
            for lane, mark in marks.items()
            if lane in held and mark.position is not None
        }
        if not offsets:
            return
        try:
            await self._consumer.commit(offsets)
        except Exception as error:
            failure = translate(error, f"commit offsets of topic {self._settings.topic}")
            raise failure if isinstance(failure, SourceUnavailable) else SourceUnavailable(str(failure)) from error
        moved = sum(max(0, offset - self._done.get(partition, offset)) for partition, offset in offsets.items())
        self._done.update(offsets)
        self._observer.observe(OffsetsCommitted(self._settings.mapping, moved))

    async def aclose(self) -> None:
        self._closed(self)
        await stopped(self._consumer)
        self._gone(self._held)

    # --- partitions that come and go --------------------------------------------------------------------------------

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Returns when nothing of them is under way any more, or the time for it is over."""
        self._leaving |= set(partitions)
        if self._owner is not None and partitions:
            lanes = [self._lane(partition) for partition in partitions]
            await self._owner.revoke(lanes, self._clock.monotonic() + self._settings.withdraw)
        self._leaving -= set(partitions)
        self._gone(partitions)

    def _gone(self, partitions: Collection[TopicPartition]) -> None:
        lost = set(partitions) & self._held
        self._held -= lost
        for partition in lost:
            self._next.pop(partition, None)
            self._done.pop(partition, None)
        if lost:
            self._observer.observe(Rebalanced(self._settings.mapping, lost=self._lanes(lost)))

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        self._held |= set(partitions)
        self._warily = False
        self._observer.observe(Rebalanced(self._settings.mapping, gained=self._lanes(partitions)))

    def _lanes(self, partitions: Collection[TopicPartition]) -> tuple[Lane, ...]:
        return lanes_of(self._settings.source, partitions)

    def _pause(self, skip: Collection[Lane]) -> None:
        wanted = {each for each in self._held & self._consumer.assignment() if self._lane(each) in skip}
        paused = self._consumer.paused()
        if resumed := paused - wanted:
            self._consumer.resume(*resumed)
        if added := wanted - paused:
            self._consumer.pause(*added)

    def _lane(self, partition: TopicPartition) -> Lane:
        return lane_of(self._settings.source, partition)


async def stopped(consumer: AIOKafkaConsumer) -> None:
    """Whatever becomes of who waits for it."""
    with anyio.CancelScope(shield=True):
        await consumer.stop()


def _listener(reader: KafkaReader) -> Any:
    from aiokafka import ConsumerRebalanceListener

    class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
        async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
            await reader.revoked(revoked)

        async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
            reader.assigned(assigned)

    return Listener()

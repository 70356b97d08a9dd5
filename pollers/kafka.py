"""Kafka topics: consumer groups through aiokafka.

    open ──► the topic is there; a group without offsets gets its start committed, before anybody fetches
    poller ──► a member of the group: partitions come and go, each is a lane
    revoked ──► the feed gives back what it has of them (`source.Owner`), commits, and only then the group goes on

The group keeps the positions: what is committed is the offset after the last record that is done. A member goes on
polling its group by itself while the feed is busy, however long an invocation takes; so a slow function loses nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import anyio

from ..config.clients.kafka import Access, translate
from ..config.clock import Clock
from ..config.errors import SourceError, SourceMissing, SourceUnavailable
from ..dispatch import events
from ..dispatch.model import Lane, OpenWindow, Position, Record, Settlement
from ..dispatch.observer import Gap, Lagging, Observer, OffsetsCommitted, Rebalanced
from .source import Fetched, Mark, Owner

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

POLL = 1.0
"""Seconds that one fetch waits for records at most."""
SKIPPING_POLL = 0.1
"""The same while lanes are full: they may have room again at any moment."""
WITHDRAW = 5.0
"""Seconds that invocations in flight get when their partitions are taken away. Well below the rebalance timeout."""
REBALANCE_TIMEOUT = 30_000
SESSION_TIMEOUT = 10_000
HEARTBEAT = 3_000
"""Milliseconds. aiokafka's rebalance timeout would be the session's, too short to give anything back in."""
FOREVER = 7 * 24 * 3600 * 1000
"""Milliseconds between two polls that the client would allow: a full feed does not poll, and is well."""
PARTITION_BYTES = 1024 * 1024
LOOK = 10.0
"""Seconds between two looks at the topic."""
GROW = 15.0
SHRINK = 60.0
"""Seconds that pollers must be behind for one more, or not for one less: each change takes all partitions anew."""


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """What a mapping says about its topic."""

    mapping: str
    source: str
    """The cluster's ARN, or its bootstrap servers; with the topic it names the lanes' source."""
    topic: str
    group: str
    start: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"] = "TRIM_HORIZON"
    start_at: float | None = None
    """Wall-clock seconds, for AT_TIMESTAMP."""
    pollers: tuple[int, int] = (1, 1)
    """Members of the group in this daemon, at least and at most; never more than there are partitions."""
    joins: bool = True
    """Whether the group is joined and its offsets are stored. Else everything is read from the start, and nobody is
    told."""
    withdraw: float = WITHDRAW
    session_timeout: int = SESSION_TIMEOUT
    rebalance_timeout: int = REBALANCE_TIMEOUT
    heartbeat: int = HEARTBEAT


class Pollers:
    """The members of the group that this daemon wants: one more while they are behind, one less while they are not."""

    def __init__(self, bounds: tuple[int, int], clock: Clock) -> None:
        self._least, self._most = bounds
        self._count = self._least
        self._clock = clock
        self._changed = self._behind = clock.monotonic()
        self.partitions = 1

    def wanted(self) -> list[str]:
        return [f"poller-{number}" for number in range(1, max(1, min(self._count, self.partitions)) + 1)]

    def polled(self, feed: str, fetched: Fetched) -> None:
        now = self._clock.monotonic()
        if fetched.full:
            self._behind = now
            if self._count < min(self._most, self.partitions) and now >= self._changed + GROW:
                self._count, self._changed = self._count + 1, now
        elif self._count > self._least and now >= max(self._changed, self._behind) + SHRINK:
            self._count, self._changed = self._count - 1, now


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
            await _stopped(consumer)
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
            await _stopped(consumer)

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
            await _stopped(consumer)
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


async def _stopped(consumer: AIOKafkaConsumer) -> None:
    with anyio.CancelScope(shield=True):
        await consumer.stop()


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
                records += [self._record(raw) for raw in raws]
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
        await _stopped(self._consumer)
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
        return tuple(self._lane(partition) for partition in sorted(partitions))

    def _pause(self, skip: Collection[Lane]) -> None:
        wanted = {each for each in self._held & self._consumer.assignment() if self._lane(each) in skip}
        paused = self._consumer.paused()
        if resumed := paused - wanted:
            self._consumer.resume(*resumed)
        if added := wanted - paused:
            self._consumer.pause(*added)

    # --- records ----------------------------------------------------------------------------------------------------

    def _lane(self, partition: TopicPartition) -> Lane:
        return Lane(f"{self._settings.source}/{partition.topic}", f"{partition.topic}-{partition.partition}")

    def _record(self, raw: ConsumerRecord) -> Record:
        shard = f"{raw.topic}-{raw.partition}"
        item = events.kafka_item(
            topic=raw.topic,
            partition=raw.partition,
            offset=raw.offset,
            timestamp=raw.timestamp,
            timestamp_type=raw.timestamp_type,
            key=raw.key,
            value=raw.value,
            headers=raw.headers,
        )
        return Record(
            lane=Lane(f"{self._settings.source}/{raw.topic}", shard),
            id=(shard, raw.offset),
            item=item,
            arrived=raw.timestamp / 1000,
            position=Position(raw.offset, 0, str(raw.offset)),
            key=None if raw.key is None else raw.key.hex(),
        )


def _listener(reader: KafkaReader) -> Any:
    from aiokafka import ConsumerRebalanceListener

    class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
        async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
            await reader.revoked(revoked)

        async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
            reader.assigned(assigned)

    return Listener()

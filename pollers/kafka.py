"""Kafka topics: consumer groups through aiokafka.

    open ──► the topic is there; a group without offsets gets its start committed, before anybody fetches
    poller ──► a member of the group: partitions come and go, each is a lane
    revoked ──► the feed gives back what it has of them (`source.Owner`), commits, and only then the group goes on

The group keeps the positions: what is committed is the offset after the last record that is done. A member goes on
polling its group by itself while the feed is busy, however long an invocation takes; so a slow function loses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import anyio

from ..config.clients.kafka import KafkaConnection, translate
from ..config.clock import Clock
from ..config.errors import SourceError, SourceMissing, SourceUnavailable
from ..dispatch import events
from ..dispatch.model import Lane, OpenWindow, Position, Record, Settlement
from ..dispatch.observer import Gap, Observer
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
    pollers: int = 1
    """Members of the group in this daemon, at most one per partition."""
    withdraw: float = WITHDRAW
    session_timeout: int = SESSION_TIMEOUT
    rebalance_timeout: int = REBALANCE_TIMEOUT
    heartbeat: int = HEARTBEAT


class Pollers:
    """The members of the group that this daemon wants: no more than there are partitions."""

    def __init__(self, wanted: int, partitions: int) -> None:
        self._wanted = wanted
        self.partitions = partitions

    def wanted(self) -> list[str]:
        return [f"poller-{number}" for number in range(1, max(1, min(self._wanted, self.partitions)) + 1)]

    def polled(self, feed: str, fetched: Fetched) -> None:
        """Pollers come and go with the partitions alone."""


class KafkaSource:
    """One mapping's topic."""

    lent = False

    def __init__(self, settings: TopicSettings, connection: KafkaConnection, clock: Clock, observer: Observer) -> None:
        self._settings = settings
        self._connection = connection
        self._clock = clock
        self._observer = observer
        self._pollers = Pollers(settings.pollers, 1)

    async def open(self) -> Pollers:
        partitions = await self._partitions()
        consumer = await self._started(self._consumer())
        try:
            await self._commit_starts(consumer, partitions)
        except Exception as error:
            raise self._failure(error, "open") from error
        finally:
            await consumer.stop()
        self._pollers.partitions = len(partitions)
        return self._pollers

    async def watch(self, changed: Callable[[], None]) -> None:
        """Partitions may be added; a topic that is deleted is waited for."""
        while True:
            await anyio.sleep(LOOK)
            with suppress(SourceUnavailable):  # the pollers say for themselves what they cannot reach
                self._pollers.partitions = len(await self._partitions())
                changed()

    async def reader(self, feed: str) -> KafkaReader:
        settings = self._settings
        consumer = self._consumer(
            auto_offset_reset="none",
            max_poll_interval_ms=FOREVER,
            session_timeout_ms=settings.session_timeout,
            heartbeat_interval_ms=settings.heartbeat,
            rebalance_timeout_ms=settings.rebalance_timeout,
            max_partition_fetch_bytes=PARTITION_BYTES,
            isolation_level="read_committed",
        )
        reader = KafkaReader(settings, consumer, self._clock)
        await self._started(consumer)
        return reader

    async def empty(self) -> bool:
        """Whether the group's offsets are at the end of every partition."""
        partitions = await self._partitions()
        consumer = await self._started(self._consumer())
        try:
            ends = await consumer.end_offsets(partitions)
            begins = await consumer.beginning_offsets(partitions)
            for partition in partitions:
                committed = await consumer.committed(partition)
                if (begins[partition] if committed is None else committed) < ends[partition]:
                    return False
        except Exception as error:
            raise self._failure(error, "look at") from error
        else:
            return True
        finally:
            await consumer.stop()

    async def aclose(self) -> None:
        """Nothing of its own to close."""

    # --- calls ------------------------------------------------------------------------------------------------------

    def _consumer(self, **settings: Any) -> AIOKafkaConsumer:
        from aiokafka import AIOKafkaConsumer

        arguments = self._connection.arguments()
        return AIOKafkaConsumer(group_id=self._settings.group, enable_auto_commit=False, **arguments, **settings)

    async def _started(self, consumer: AIOKafkaConsumer) -> AIOKafkaConsumer:
        try:
            await consumer.start()
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await consumer.stop()
            if isinstance(error, Exception):
                raise self._failure(error, "reach") from error
            raise
        return consumer

    async def _partitions(self) -> list[TopicPartition]:
        """Raises SourceMissing. All topics are asked for, since asking for one may create it."""
        from aiokafka import TopicPartition
        from aiokafka.admin import AIOKafkaAdminClient

        name = self._settings.topic
        admin = AIOKafkaAdminClient(**self._connection.arguments())
        try:
            await admin.start()
            topics = await admin.describe_topics()
        except Exception as error:
            raise self._failure(error, "look for") from error
        finally:
            with anyio.CancelScope(shield=True):
                await admin.close()
        found = next((topic for topic in topics if topic["topic"] == name), None)
        if found is None:
            raise SourceMissing(f"topic {name} does not exist at {self._connection}")
        return [TopicPartition(name, number) for number in sorted(each["partition"] for each in found["partitions"])]

    async def _commit_starts(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        """A group without any offset of the topic starts where the mapping says. A partition that appears later is read
        from its beginning."""
        consumer.assign(partitions)
        committed = [await consumer.committed(partition) for partition in partitions]
        if any(offset is not None for offset in committed):
            return
        starts = await self._starts(consumer, partitions)
        from aiokafka.errors import CommitFailedError, UnknownMemberIdError

        try:
            await consumer.commit(starts)
        except (CommitFailedError, UnknownMemberIdError) as error:
            if not any([await consumer.committed(partition) is not None for partition in partitions]):
                what = f"group {self._settings.group} has members, and no offsets of {self._settings.topic} yet"
                raise SourceUnavailable(what) from error

    async def _starts(
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
        return translate(error, f"{what} topic {self._settings.topic} at {self._connection}")


class KafkaReader:
    """One member of the group."""

    lane: Lane | None = None
    window: OpenWindow | None = None

    def __init__(self, settings: TopicSettings, consumer: AIOKafkaConsumer, clock: Clock) -> None:
        self._settings = settings
        self._consumer = consumer
        self._clock = clock
        self._owner: Owner | None = None
        self._held: set[TopicPartition] = set()
        self._leaving: set[TopicPartition] = set()
        consumer.subscribe([settings.topic], listener=_listener(self))

    def attach(self, owner: Owner) -> None:
        self._owner = owner

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> Fetched:
        self._pause(skip)
        wait = SKIPPING_POLL if skip else POLL
        if until is not None:
            wait = max(0.0, min(wait, until - self._clock.monotonic()))
        try:
            with anyio.move_on_after(wait + POLL):  # the client waits for the end of a rebalance, however long
                batches = await self._consumer.getmany(timeout_ms=math.ceil(wait * 1000), max_records=limit)
                return self._fetched(batches, limit)
        except Exception as error:
            return await self._after(error)
        return Fetched()

    def _fetched(self, batches: Mapping[TopicPartition, Sequence[ConsumerRecord]], limit: int) -> Fetched:
        """What is being taken away is not begun any more: its next owner gets it."""
        ours = self._held - self._leaving
        records = tuple(self._record(raw) for each, raws in batches.items() if each in ours for raw in raws)
        return Fetched(records, full=len(records) == limit)

    async def _after(self, error: Exception) -> Fetched:
        """A fetch that failed: an offset that the topic does not have is a gap; all else is tried again."""
        from aiokafka import errors

        if isinstance(error, errors.NoOffsetForPartitionError):
            for partition in await self._without_offset():
                await self._consumer.seek_to_beginning(partition)
            return Fetched()
        if isinstance(error, errors.OffsetOutOfRangeError):
            gaps = [await self._leap(each, offset) for each, offset in error.args[0].items()]
            return Fetched(gaps=tuple(gaps))
        raise translate(error, f"read topic {self._settings.topic}") from error

    async def _without_offset(self) -> list[TopicPartition]:
        return [each for each in self._held if await self._consumer.committed(each) is None]

    async def _leap(self, partition: TopicPartition, offset: int) -> Gap:
        """Go on at the oldest record that there is. Below the offset when the topic was made anew."""
        lane = self._lane(partition)
        begin = (await self._consumer.beginning_offsets([partition]))[partition]
        if begin < offset and self._owner is not None:
            await self._owner.revoke([lane], self._clock.monotonic())  # offsets begin again: nothing is known of them
        self._consumer.seek(partition, begin)
        reason = "trimmed by retention" if begin >= offset else "the topic was made anew"
        return Gap(self._settings.mapping, lane, str(offset), str(begin), reason)

    async def hold(self, records: Sequence[Record], until: float) -> float:
        return until

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        return ()  # the group is told nothing of single records: the offset says it

    async def release(self, records: Sequence[Record]) -> None:
        """Nothing was lent."""

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        held = {self._lane(partition): partition for partition in self._held}
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

    async def aclose(self) -> None:
        await self._consumer.stop()

    # --- partitions that come and go --------------------------------------------------------------------------------

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Returns when nothing of them is under way any more, or the time for it is over."""
        self._leaving |= set(partitions)
        if self._owner is not None and partitions:
            lanes = [self._lane(partition) for partition in partitions]
            await self._owner.revoke(lanes, self._clock.monotonic() + self._settings.withdraw)
        self._held -= set(partitions)
        self._leaving -= set(partitions)

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        self._held |= set(partitions)

    def _pause(self, skip: Collection[Lane]) -> None:
        wanted = {partition for partition in self._held if self._lane(partition) in skip}
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

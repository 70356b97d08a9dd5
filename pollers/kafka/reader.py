"""One member of a consumer group: fetches, commits, and handles assigned and revoked partitions.

    assigned ──► fetch, commit ──► revoked: the feed gives back what it has of them (`source.Owner`), commits, and only
                                   then the group goes on

Made by `source.py`, which finds the topic and decides where its group starts.
"""

from __future__ import annotations

import asyncio
import math
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from gzip import BadGzipFile
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from ...config.clients.kafka import partition_of, translate
from ...config.clients.kafka.closing import ending
from ...config.clock import Clock
from ...config.errors import SourceUnavailable
from ...config.kinds.kafka import NOUN
from ...config.reasons import Reason, ReasonCode
from ...dispatch.core.model import Lane, OpenWindow, Record, Settlement
from ...dispatch.core.observer import Gap, Lagging, Observer, OffsetsCommitted, Rebalanced, StreamRecreated
from ...dispatch.core.pages import Page, Records
from ..core.mark import Mark
from ..source import FetchResult, Owner
from .core.quiet import Quiet
from .core.records import lane_of, lanes_of, page_of
from .settings import TopicSettings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

POLL = 1.0
"""Seconds that one fetch waits for records at most."""
SKIPPING_POLL = 0.1
"""The same while lanes are full: they may have room again at any moment."""
PATIENCE = 5.0
"""Seconds after which we end calls that the client would retry forever."""
INSPECTION = 500
"""Milliseconds within which a partition that has records returns some."""
AGAIN = 60.0
"""Seconds after which a damaged partition is looked at again."""


class TopicState(Protocol):
    """The source's facts about its topic."""

    @property
    def note(self) -> str | None:
        """Stored with each committed offset: identifies the topic. None: the topic is gone, commit nothing."""
        ...

    @property
    def trouble(self) -> Reason | None:
        """Which needed broker was unavailable at the last check; None when all were available."""
        ...

    async def expect_same(self) -> None:
        """Raises SourceMissing when the topic is gone, or another one under the same name."""
        ...

    def closed(self, reader: KafkaReader) -> None: ...


@dataclass(frozen=True, slots=True)
class _Damage:
    what: Reason
    until: float
    """Monotonic; then it is looked at again."""


class KafkaReader:
    """One member of the group."""

    lane: Lane | None = None
    window: OpenWindow | None = None

    def __init__(
        self, settings: TopicSettings, consumer: AIOKafkaConsumer, clock: Clock, observer: Observer, topic: TopicState
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._clock = clock
        self._observer = observer
        self._topic = topic
        self._owner: Owner | None = None
        self._names: dict[TopicPartition, Lane] = {}
        self._held: set[TopicPartition] = set()
        self._leaving: set[TopicPartition] = set()
        self._next: dict[TopicPartition, int] = {}
        """The offset after the last record that was given, since the partition came."""
        self._done: dict[TopicPartition, int] = {}
        """The committed offsets, as far as they are known."""
        self._astray: set[TopicPartition] = set()
        """Partitions in which the client's position is beyond records that it did not return."""
        self._damaged: dict[TopicPartition, _Damage] = {}
        self._quiet: Quiet[TopicPartition] = Quiet()
        self._fed: set[TopicPartition] = set()
        self._full = False
        self._trouble: Reason | None = None

    def join(self) -> None:
        """Be a member of the group, from the start of the consumer on."""
        self._consumer.subscribe([self._settings.topic], listener=_listener(self))

    def take(self, starts: Mapping[TopicPartition, int]) -> None:
        """Read these partitions without a group."""
        self._consumer.assign(list(starts))
        for partition, offset in starts.items():
            self._consumer.seek(partition, offset)
        self._held = set(starts)
        self._next = dict(starts)

    async def reached(self, partition: TopicPartition) -> int | None:
        """The offset up to which this member has read; None where the partition is not its own."""
        if partition in self._held and partition in self._consumer.assignment():
            with anyio.move_on_after(POLL):
                offset: int = await self._consumer.position(partition)
                return offset
        return None

    def attach(self, owner: Owner) -> None:
        self._owner = owner

    # --- fetching ---------------------------------------------------------------------------------------------------

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        self._pause(skip)
        wait = SKIPPING_POLL if skip else POLL
        if until is not None:
            wait = max(0.0, min(wait, until - self._clock.monotonic()))
        try:
            with anyio.fail_after(PATIENCE):
                await self._rewind()
                self._trouble = await self._look_for_trouble()
            with anyio.move_on_after(wait + POLL):  # the client waits for the end of a rebalance, however long
                return self._fetched(
                    await self._consumer.getmany(timeout_ms=math.ceil(wait * 1000), max_records=limit), limit
                )
        except Exception as error:
            self._astray |= self._held  # the client forgets what it had gathered of others when one of them fails
            return await self._after(error, limit)
        return FetchResult(trouble=self._trouble)

    async def _after(self, error: Exception, limit: int) -> FetchResult:
        try:
            with anyio.fail_after(PATIENCE + len(self._held) * INSPECTION / 1000):
                return await self._mended(error, limit)
        except Exception as failure:
            raise translate(failure, f"read topic {self._settings.topic}") from failure

    async def _mended(self, error: Exception, limit: int) -> FetchResult:
        """Do what can be done about a fetch that failed; otherwise the feed tries again."""
        from aiokafka import errors

        match error:
            case errors.NoOffsetForPartitionError():
                for partition in await self._without_offset():
                    await self._consumer.seek_to_beginning(partition)
                return FetchResult()
            case errors.OffsetOutOfRangeError():
                leaps = [await self._leap(each, offset) for each, offset in error.args[0].items()]
                return FetchResult(gaps=tuple(gap for gap in leaps if gap is not None))
            case _ if isinstance(error, _damages()):
                await self._rewind()
                return self._fetched(await self._inspected(self._suspects(error), limit), limit)
            case _:
                raise error

    def _fetched(self, batches: Mapping[TopicPartition, Sequence[ConsumerRecord]], limit: int) -> FetchResult:
        """Called in the step in which the client answers; the feed gets the records in the same step. If a partition
        could go and come in between, it would begin where it is committed, and these records are beyond that. A
        partition that is leaving gives nothing more: its next owner gets it."""
        ours = self._held - self._leaving
        self._astray |= batches.keys() - self._held
        now = self._clock.wall()
        pages: list[Page] = []
        for partition, raws in batches.items():
            if partition in ours and raws:
                pages.append(page_of(self._lane(partition), partition, raws, now))
                self._done.setdefault(partition, raws[0].offset)
                self._next[partition] = raws[-1].offset + 1
        records = Records(pages)
        self._fed, self._full = set(batches), len(records) >= limit
        behind = self._tell_lag()
        return FetchResult(records, full=bool(records) and behind, trouble=self._trouble)

    def _tell_lag(self) -> bool:
        """Whether there is more to be had."""
        assigned = self._consumer.assignment() & self._held
        ends = {partition: self._consumer.highwater(partition) for partition in assigned}
        known = {partition: end for partition, end in ends.items() if end is not None}
        lags = {self._lane(each): max(0, end - self._done.get(each, end)) for each, end in known.items()}
        self._observer.observe(Lagging(self._settings.mapping, lags))
        return any(end > self._next.get(partition, end) for partition, end in known.items())

    async def _rewind(self) -> None:
        """Before the next fetch, move partitions that went astray back to the first record that was not returned."""
        for partition in self._astray & self._held & self._consumer.assignment():
            offset = self._next.get(partition)
            if offset is None:  # the client's own seek_to_committed passes over offset 0
                offset = await self._consumer.committed(partition)
            if offset is None:  # it was added later, and has no position yet
                offset = (await self._consumer.beginning_offsets([partition]))[partition]
            if partition in self._consumer.assignment():
                self._consumer.seek(partition, offset)
            self._astray.discard(partition)

    async def _without_offset(self) -> list[TopicPartition]:
        """Partitions that begin where they begin. Of those that gave something it is known where to go on."""
        return [each for each in self._held - self._next.keys() if await self._consumer.committed(each) is None]

    async def _leap(self, partition: TopicPartition, offset: int) -> Gap | None:
        """Go on at the oldest record that there is: behind the offset when retention took what was there, before it
        when the topic has less than was read."""
        lane = self._lane(partition)
        begin = (await self._consumer.beginning_offsets([partition]))[partition]
        if begin < offset:
            await self._topic.expect_same()
            if self._owner is not None:  # offsets begin again: nothing is known of them
                await self._owner.revoke([lane], self._clock.monotonic())
        self._consumer.seek(partition, begin)
        self._astray.discard(partition)
        self._next[partition] = self._done[partition] = begin
        if begin >= offset:
            return Gap(self._settings.mapping, lane, str(offset), str(begin), "trimmed by retention")
        self._observer.observe(StreamRecreated(self._settings.mapping, lane.shard, lane.shard, NOUN))
        return None

    # --- what does not come -----------------------------------------------------------------------------------------

    def _suspects(self, error: Exception) -> list[TopicPartition]:
        """The partitions that an error is about: not each error names its partition."""
        number = partition_of(error)
        return sorted(each for each in self._asked_for() if number is None or each.partition == number)

    async def _inspected(
        self, suspects: Sequence[TopicPartition], limit: int
    ) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
        """One partition after the other and record by record, so that the one that is damaged is found, and nothing
        before the damage is lost. It is left alone for a while; the others go on. What breaks this off takes along all
        that was found: until it is over they are astray."""
        found: dict[TopicPartition, list[ConsumerRecord]] = {}
        sound = set(suspects)
        self._astray |= sound
        for partition in suspects:
            records: list[ConsumerRecord] = []
            try:
                while len(records) < limit:
                    wait = 0 if records else INSPECTION
                    if not (batch := await self._consumer.getmany(partition, timeout_ms=wait, max_records=1)):
                        break
                    records += batch[partition]
            except _damages() as error:
                self._leave_alone(partition, records[-1].offset + 1 if records else self._next.get(partition), error)
                sound.discard(partition)
            if records:
                found[partition] = records
        self._astray -= sound
        return found

    def _leave_alone(self, partition: TopicPartition, offset: int | None, error: Exception) -> None:
        at = "" if offset is None else f", at offset {offset}"
        what = f"{self._lane(partition).shard} is damaged at the broker{at}"
        lane = self._lane(partition).shard
        advice = f"to skip it: headrace positions set {self._settings.mapping} {lane} OFFSET ({error})"
        reason = Reason(ReasonCode.DAMAGED, f"{what}: {advice}")
        self._damaged[partition] = _Damage(reason, self._clock.monotonic() + AGAIN)
        self._consumer.pause(partition)

    async def _look_for_trouble(self) -> Reason | None:
        """The trouble that keeps partitions from being read, by the result of the fetch before this one."""
        if self._damaged:
            return next(iter(self._damaged.values())).what
        asked = self._asked_for()
        answers = {each: self._consumer.last_poll_timestamp(each) for each in asked}
        behind = await self._behind(asked)
        quiet = self._quiet.after(self._clock.monotonic(), answers, self._fed, behind, full=self._full)
        if self._topic.trouble or not quiet:
            return self._topic.trouble
        names = ", ".join(f"{self._lane(each).shard} from offset {self._next.get(each, '?')} on" for each in quiet)
        return Reason(
            ReasonCode.DAMAGED,
            f"no records come from {names}, although the brokers answer: are they damaged? See the brokers' log; "
            f"to skip them: headrace positions set {self._settings.mapping} LANE OFFSET",
        )

    async def _behind(self, asked: Collection[TopicPartition]) -> list[TopicPartition]:
        """Those with records that may be read, as far as this is known."""
        found = []
        for each in asked:
            end = self._consumer.last_stable_offset(each)
            if end is not None and self._next.get(each, end) < end and (await self.reached(each) or end) < end:
                found.append(each)
        return found

    def _asked_for(self) -> set[TopicPartition]:
        assigned: set[TopicPartition] = self._consumer.assignment() - self._consumer.paused()
        return assigned & self._held - self._leaving

    async def hold(self, records: Sequence[Record], until: float) -> float:
        return until

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        return ()  # the group is told nothing of single records: the offset says it

    async def release(self, records: Sequence[Record]) -> None:
        """Nothing was lent."""

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        offsets, note = self._ours(marks), self._topic.note
        if not offsets or note is None:
            return
        try:
            with anyio.fail_after(PATIENCE):  # the client tries again without end
                await self._consumer.commit({partition: (offset, note) for partition, offset in offsets.items()})
        except Exception as error:
            failure = translate(error, f"commit offsets of topic {self._settings.topic}")
            raise SourceUnavailable.because(failure.reason) from error
        self._committed(offsets)

    def _committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        moved = sum(max(0, offset - self._done.get(partition, offset)) for partition, offset in offsets.items())
        self._done.update(offsets)
        self._observer.observe(OffsetsCommitted(self._settings.mapping, moved))

    def _ours(self, marks: Mapping[Lane, Mark]) -> dict[TopicPartition, int]:
        """The offsets of partitions that are here, as far as their records were given since they came: what is said of
        the time before is not ours to commit, and the client would send it as a member of today. Nor does it move what
        is committed back: others may have gone on meanwhile."""
        held = {self._lane(partition): partition for partition in self._held if self._settings.joins}
        offsets = {
            held[lane]: mark.position.number + 1
            for lane, mark in marks.items()
            if lane in held and mark.position is not None
        }
        given = offsets.keys() & self._next.keys()
        return {each: offsets[each] for each in given if self._done[each] <= offsets[each] <= self._next[each]}

    async def aclose(self) -> None:
        self._topic.closed(self)
        try:
            await asyncio.wait({ending(self._consumer.stop())})
        finally:
            self._gone(self._held)

    # --- partitions that come and go --------------------------------------------------------------------------------

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Returns when nothing of them is under way any more, or the time for it is over."""
        self._leaving |= set(partitions)
        if self._owner is not None and partitions:
            lanes = [self._lane(partition) for partition in partitions]
            await self._owner.revoke(lanes, self._clock.monotonic() + self._settings.withdraw)
        self._gone(partitions)

    def _gone(self, partitions: Collection[TopicPartition]) -> None:
        """A partition is leaving until it is not held any more: a fetch between the two would begin it anew."""
        self._leaving -= set(partitions)
        lost = set(partitions) & self._held
        self._held -= lost
        for partition in lost:
            self._next.pop(partition, None)
            self._done.pop(partition, None)
            self._damaged.pop(partition, None)
        if lost:
            self._observer.observe(Rebalanced(self._settings.mapping, lost=self._lanes(lost)))

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        self._held |= set(partitions)
        self._observer.observe(Rebalanced(self._settings.mapping, gained=self._lanes(partitions)))

    def _lanes(self, partitions: Collection[TopicPartition]) -> tuple[Lane, ...]:
        return lanes_of(self._settings.source, partitions)

    def _pause(self, skip: Collection[Lane]) -> None:
        now = self._clock.monotonic()
        self._damaged = {each: damage for each, damage in self._damaged.items() if damage.until > now}
        held = self._held & self._consumer.assignment()
        wanted = {each for each in held if self._lane(each) in skip or each in self._damaged}
        paused = self._consumer.paused()
        if resumed := paused - wanted:
            self._consumer.resume(*resumed)
        if added := wanted - paused:
            self._consumer.pause(*added)

    def _lane(self, partition: TopicPartition) -> Lane:
        lane = self._names.get(partition)
        if lane is None:
            lane = self._names[partition] = lane_of(self._settings.source, partition)
        return lane


def _damages() -> tuple[type[Exception], ...]:
    """The exceptions of the client for a batch whose checksum is wrong, which does not decompress, or whose records
    make no sense: its decoders' own errors."""
    from aiokafka.errors import CorruptRecordException
    from cramjam import DecompressionError

    return CorruptRecordException, UnicodeDecodeError, DecompressionError, BadGzipFile, zlib.error, EOFError


def _listener(reader: KafkaReader) -> Any:
    from aiokafka import ConsumerRebalanceListener

    class LaneListener(ConsumerRebalanceListener):  # type: ignore[misc]
        async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
            await reader.revoked(revoked)

        async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
            reader.assigned(assigned)

    return LaneListener()

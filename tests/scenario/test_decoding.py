"""Records wait for their schemas, each lane for its own: a topic on paper, the real shell, virtual time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest

from headrace.config.clock import LoopClock
from headrace.config.errors import SourceMissing, SourceUnavailable
from headrace.config.reasons import ReasonCode
from headrace.dispatch.core.model import DiscardReason, Lane, OpenWindow, Position, Record, Settlement
from headrace.dispatch.core.observer import Discarded, FetchFailed
from headrace.dispatch.kinds.kafka import kafka_item
from headrace.pollers.core.lifecycle import PollState, Status
from headrace.pollers.core.mark import Mark
from headrace.pollers.schemas import RecordSchemas
from headrace.pollers.schemas.core.model import Schema
from headrace.pollers.schemas.decoding import BESIDE, DecodingReader, DecodingSource
from headrace.pollers.source import FetchResult, Owner
from support.paper import partition
from support.paper_registry import PaperRegistry
from support.reasons import why
from support.topic_lab import Member
from support.virtual_time import EPOCH

ITEM = Schema("JSON", json.dumps({"type": "object", "required": ["n"]}))


def framed(schema_id: int, number: int) -> bytes:
    return b"\x00" + schema_id.to_bytes(4) + b'{"n":%d}' % number


@dataclass
class Topic:
    """Partitions with their values, and what the group committed of each."""

    values: dict[Lane, list[bytes]] = field(default_factory=dict)
    committed: dict[Lane, int] = field(default_factory=dict)
    missing: bool = False
    wall: Callable[[], float] = lambda: EPOCH
    """By which a record has its time: the producer's clock."""
    members: list[TopicReader] = field(default_factory=list)

    lent = False
    patience = float("inf")

    @property
    def member(self) -> TopicReader:
        return self.members[-1]

    def send(self, number: int, *values: bytes) -> None:
        self.values.setdefault(partition(number), []).extend(values)

    def wanted(self) -> list[str]:
        return ["poller-1"]

    def polled(self, feed: str, fetched: FetchResult, now: float) -> None:
        """There is one poller, whatever it brings."""

    def took(self, feed: str, *, held: bool) -> None:
        """And whatever it gives on."""

    async def open(self) -> Topic:
        return self

    async def watch(self, changed: Callable[[], None]) -> None:
        while True:
            await anyio.sleep(1)
            if self.missing:
                raise SourceMissing("no such topic")

    async def reader(self, feed: str) -> TopicReader:
        self.members.append(TopicReader(self))
        return self.member

    async def empty(self) -> bool:
        return all(self.member.places[lane] == len(values) for lane, values in self.values.items())

    async def aclose(self) -> None:
        """Nothing is open."""


class TopicReader:
    lane: Lane | None = None
    window: OpenWindow | None = None

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self.places = {lane: topic.committed.get(lane, 0) for lane in topic.values}
        self.limits: list[int] = []
        self._owner: Owner | None = None

    def attach(self, owner: Owner) -> None:
        self._owner = owner

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        self.limits.append(limit)
        records: list[Record] = []
        for lane in [lane for lane in self.places if lane not in skip]:
            left = self._topic.values[lane][self.places[lane] :][: limit - len(records)]
            records += [self._record(lane, self.places[lane] + n, value) for n, value in enumerate(left)]
            self.places[lane] += len(left)
        if not records:
            await anyio.sleep(0.1)
        return FetchResult(tuple(records))

    def _record(self, lane: Lane, offset: int, value: bytes) -> Record:
        number = int(lane.shard.rpartition("-")[2])
        item = kafka_item(
            topic="orders", partition=number, offset=offset, timestamp=0, timestamp_type=0, key=None, value=value
        )
        return Record(lane, (lane.shard, offset), item, self._topic.wall(), Position(offset))

    async def rebalance(self, lane: Lane) -> None:
        """The lane goes, and comes back."""
        assert self._owner is not None
        await self._owner.revoke([lane], anyio.current_time() + 5)
        self.places[lane] = self._topic.committed.get(lane, 0)

    async def hold(self, records: Sequence[Record], until: float) -> float:
        return until

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        return ()

    async def release(self, records: Sequence[Record]) -> None:
        """Nothing was lent."""

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        self._topic.committed |= {lane: mark.position.number + 1 for lane, mark in marks.items() if mark.position}

    async def aclose(self) -> None:
        """Nothing is open."""


@dataclass
class World:
    """A topic, a registry that has schema 1, and what reads the one with the other."""

    topic: Topic = field(default_factory=Topic)
    registry: PaperRegistry = field(default_factory=lambda: PaperRegistry(_1=ITEM))
    keeps: Callable[[Record], bool] = lambda record: True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Member]:
        member = Member(self.source(), clock=LoopClock(EPOCH), keeps=self.keeps)
        async with member.running():
            yield member

    def source(self) -> DecodingSource:
        schemas = RecordSchemas(self.registry, "JSON", ["VALUE"])
        return DecodingSource(self.topic, schemas.read, schemas.aclose, LoopClock(EPOCH))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[DecodingReader]:
        """A reader by itself, beside the source's own work."""
        source = self.source()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(source.watch, lambda: None)
            await anyio.wait_all_tasks_blocked()
            yield await source.reader("poller-1")
            tasks.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    """Looks again as virtual time goes on."""
    for _ in range(100_000):
        if condition():
            return
        await anyio.sleep(0.05)
    raise AssertionError("it never came")


def numbers(values: Sequence[bytes]) -> list[int]:
    return [json.loads(value)["n"] for value in values]


@pytest.mark.semantics("SCHEMA-10", "SCHEMA-13")
async def test_a_registry_that_is_down_is_waited_for_and_nothing_is_lost() -> None:
    world = World()
    world.registry.down = True
    world.topic.send(0, *(framed(1, number) for number in range(200)))
    async with world.running() as member:
        await anyio.sleep(600)
        assert member.begun == []
        assert world.topic.committed == {}
        status = member.supervisor.status
        assert (status.state, status.reason) == (PollState.WAITING, why("away"))
        failed = member.watch.of(FetchFailed)
        assert {event.cause for event in failed} == {why("away")}
        assert len(world.registry.asked) <= 600 / 0.2 + 10  # as the back-off of fetches says
        assert not await member.source.empty()
        world.registry.down = False
        await until(lambda: len(member.taken) == 200)
        await until(lambda: member.supervisor.status.state is PollState.POLLING)
        assert numbers(member.begun) == list(range(200))
        assert await member.source.empty()
    assert world.topic.committed == {partition(0): 200}
    assert world.registry.closed


@pytest.mark.semantics("SCHEMA-13")
async def test_what_waits_for_its_schema_holds_up_its_own_partition_alone() -> None:
    world = World()
    world.topic.send(0, framed(1, 0))
    async with world.running() as member:
        await until(lambda: len(member.taken) == 1)
        world.registry.down = True
        world.topic.send(0, framed(2, 1), framed(1, 2))
        await anyio.sleep(10)
        for number in range(10, 40):
            world.topic.values.setdefault(partition(1), []).append(framed(1, number))
            world.topic.member.places.setdefault(partition(1), 0)
            await anyio.sleep(1)
        await until(lambda: len(member.taken) == 31)
        assert numbers(member.taken)[1:] == list(range(10, 40))
        assert world.topic.committed == {partition(0): 1, partition(1): 30}
        assert member.watch.of(FetchFailed)
        world.registry.schemas["2"], world.registry.down = ITEM, False
        await until(lambda: len(member.taken) == 33)
        assert numbers(member.taken)[31:] == [1, 2]
    assert world.topic.committed == {partition(0): 3, partition(1): 30}


@pytest.mark.semantics("SCHEMA-09", "SCHEMA-14")
async def test_a_record_that_cannot_be_read_is_given_up_in_its_turn_and_no_filter_is_asked() -> None:
    asked: list[Record] = []

    def keeps(record: Record) -> bool:
        asked.append(record)
        return bool(json.loads(record.view or b"")["n"] != 3)

    world = World(keeps=keeps)
    world.topic.send(0, framed(1, 0), framed(7, 1), framed(1, 2), b"", framed(1, 3))
    async with world.running() as member:
        await until(lambda: world.topic.committed == {partition(0): 5})
        assert numbers(member.taken) == [0, 2]
        told = [(event.records[0].name, event.reason) for event in member.watch.of(Discarded)]
        assert told == [
            ("orders-0@1", DiscardReason.SCHEMA_NOT_FOUND),
            ("orders-0@3", DiscardReason.DESERIALIZATION_ERROR),
        ]
        assert [record.name for record in asked] == ["orders-0@0", "orders-0@2", "orders-0@4"]
        assert all(record.view is None for record in asked)  # nobody needs it any more
    assert world.registry.asked.count("7") == 1


@pytest.mark.semantics("SCHEMA-13")
async def test_a_partition_that_goes_while_it_waits_is_read_again_from_what_is_committed() -> None:
    world = World()
    world.registry.hold = anyio.Event()
    world.topic.send(0, *(framed(1, number) for number in range(8)))
    world.topic.committed[partition(0)] = 5
    async with world.running() as member:
        await anyio.sleep(5)
        assert world.topic.member.places == {partition(0): 8}
        world.topic.committed[partition(0)] = 0  # somebody moved the group back meanwhile
        await world.topic.member.rebalance(partition(0))
        await anyio.sleep(5)
        world.registry.hold.set()
        await until(lambda: len(member.taken) >= 8)
        await anyio.sleep(60)
        assert numbers(member.begun) == list(range(8))
    assert world.topic.committed == {partition(0): 8}


@pytest.mark.semantics("SCHEMA-13")
async def test_a_slow_registry_outlasts_no_window_and_is_not_asked_anew_by_each_fetch() -> None:
    world = World(registry=PaperRegistry())
    world.registry.hold = anyio.Event()
    world.topic.send(0, framed(2, 1))
    async with world.reading() as reader:
        for _ in range(20):
            began = anyio.current_time()
            assert (await reader.fetch(100, began + 0.3)).records == ()
            assert anyio.current_time() <= began + 0.3
        assert world.registry.asked == ["2"]
        world.registry.hold.set()
        (record,) = (await reader.fetch(100, None)).records
        assert record.name == "orders-0@0"


async def test_no_more_is_fetched_than_there_is_room_for() -> None:
    world = World(registry=PaperRegistry())
    world.registry.down = True
    world.topic.send(0, *(framed(1, number) for number in range(10)))
    async with world.reading() as reader:
        for _ in range(3):
            with pytest.raises(SourceUnavailable):
                await reader.fetch(8, None)
        assert world.topic.member.places == {partition(0): 8}
        world.registry.down = False
        assert len((await reader.fetch(5, None)).records) == 5
        assert len((await reader.fetch(5, None)).records) == 5
        assert world.topic.member.limits == [8, 8, 8, 5, 2]


@pytest.mark.semantics("SCHEMA-13")
async def test_what_waits_for_its_schema_is_bounded_for_each_partition() -> None:
    world = World(registry=PaperRegistry())
    world.registry.down = True
    for number in range(6):
        world.topic.send(number, *(framed(1, each) for each in range(5000)))
    async with world.reading() as reader:
        for _ in range(20):
            with pytest.raises(SourceUnavailable):
                await reader.fetch(4000, None)
        assert list(world.topic.member.places.values()) == [4000, *[BESIDE] * 5]


@pytest.mark.semantics("SCHEMA-13")
@pytest.mark.parametrize("waiting", [4, 8])
async def test_a_partition_that_waits_takes_no_room_from_others_and_is_told_of_beside_what_they_bring(
    waiting: int,
) -> None:
    world = World()
    world.registry.down = True
    world.topic.send(0, *(framed(1, number) for number in range(waiting)))
    world.topic.send(1)
    async with world.reading() as reader:
        with pytest.raises(SourceUnavailable):
            await reader.fetch(8, None)
        world.topic.send(0, *(framed(1, number) for number in range(20)))
        for asked in (2, 3, 4):
            world.topic.send(1, *[b"of no schema"] * 8)
            records = (await reader.fetch(8, None)).records
            assert [record.lane for record in records] == [partition(1)] * 8
            with pytest.raises(SourceUnavailable):
                await reader.fetch(8, None)
            assert world.registry.asked == ["1"] * asked
        assert world.topic.member.places == {partition(0): waiting, partition(1): 24}


class Nobody:
    """An owner that has nothing."""

    async def revoke(self, lanes: Collection[Lane], until: float) -> None:
        """There is nothing to give back."""


async def test_what_was_decoded_and_not_handed_on_goes_with_its_partition() -> None:
    world = World(registry=PaperRegistry())
    world.registry.down = True
    world.topic.send(0, *(framed(1, number) for number in range(8)))
    async with world.reading() as reader:
        reader.attach(Nobody())
        with pytest.raises(SourceUnavailable):
            await reader.fetch(8, None)
        world.registry.down = False
        assert len((await reader.fetch(5, None)).records) == 5
        await world.topic.member.rebalance(partition(0))
        again = (await reader.fetch(8, None)).records
        assert [record.position.number for record in again if record.position] == list(range(8))


async def test_what_the_source_itself_says_is_passed_on() -> None:
    world = World()
    world.topic.send(0, framed(1, 0))
    async with world.running() as member:
        world.topic.missing = True
        await until(
            lambda: member.supervisor.status == Status(PollState.WAITING, why("no such topic", ReasonCode.MISSING))
        )

"""In which order one feed settles and commits, and what it does when either fails: one reader on virtual time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import anyio
import pytest

from headrace.config.clock import LoopClock
from headrace.config.errors import SourceUnavailable
from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.model import Lane, OpenWindow, Position, Record, Settlement
from headrace.dispatch.core.observer import CommitFailed, Discarded, SettleFailed
from headrace.dispatch.core.pages import Records
from headrace.dispatch.core.policy import Policy, Progress
from headrace.dispatch.kinds.kinesis import kinesis_item
from headrace.pollers.core.mark import Mark
from headrace.pollers.core.pace import EVERY, Pace
from headrace.pollers.feed import Feed
from headrace.pollers.source import FetchResult, LaneLost, Owner
from support.rigs import MappingRig, by_key
from support.stream_world import Call, Handler, Reading, StreamFunction, StreamWorld, take_all, until
from support.virtual_time import EPOCH, VirtualLoop
from support.world import Watch

LANE = Lane("arn:aws:kinesis:us-east-1:000000000000:stream/orders", "shardId-000000000000")
Told = tuple[str, int]
"""`settle` or `commit`, and the highest sequence number of it."""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


def record(number: int) -> Record:
    raw = {"SequenceNumber": str(number), "PartitionKey": "key", "Data": b"", "ApproximateArrivalTimestamp": EPOCH}
    item = kinesis_item(raw, shard=LANE.shard, arn=LANE.source, region="us-east-1", role="r")
    return Record(LANE, str(number), item, EPOCH, Position.parse(str(number)), "key")


@dataclass
class Shelf:
    """A reader of a shard with three records. It remembers what it was told, and fails as it is told."""

    deaf_to: frozenset[str] = frozenset()
    """Records whose fate it does not hear."""
    failures: list[SourceUnavailable] = field(default_factory=list)
    """What the next commits raise."""
    told: list[Told] = field(default_factory=list)
    lane: Lane = LANE
    window: OpenWindow | None = None
    records: list[Record] = field(default_factory=lambda: [record(number) for number in (1, 2, 3)])

    def attach(self, owner: Owner) -> None:
        pass

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        await anyio.sleep(1.0)
        records, self.records = tuple(self.records), []
        return FetchResult(Records.of(records))

    async def hold(self, records: Sequence[Record], until: float) -> float:
        return until

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        await anyio.sleep(0.1)
        told = [each for settlement in settlements for each in settlement.records]
        self.told.append(("settle", max(int(str(each.id)) for each in told)))
        return [each for each in told if each.id in self.deaf_to]

    async def release(self, records: Sequence[Record]) -> None:
        pass

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        await anyio.sleep(0.1)
        if self.failures:
            raise self.failures.pop(0)
        position = marks[LANE].position
        assert position is not None
        self.told.append(("commit", position.number))

    async def aclose(self) -> None:
        pass


@dataclass
class Rig:
    shelf: Shelf
    handler: Handler = take_all
    watch: Watch = field(default_factory=Watch)
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        self.function = StreamFunction(self.handler, self.watch)

    async def run(self, seconds: float) -> None:
        """One feed, a record per batch, for so long. Raises what it ended with."""
        target = self.function.target
        rig = MappingRig(
            clock=LoopClock(EPOCH),
            observer=self.watch,
            target=target,
            policy=Policy(Progress.PREFIX),
            batch_size=1,
            slots=by_key(),
            backoff=Backoff(),
        )
        settings = replace(rig.feeds(lent=False), pace=self.pace)
        feed = Feed(settings, self.shelf, lambda fetched: None, lambda held: None)
        failures: list[LaneLost] = []

        async def reading() -> None:
            try:
                await feed.run()
            except LaneLost as error:
                failures.append(error)

        async with anyio.create_task_group() as gate:
            gate.start_soon(target.gate.run)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(reading)
                await until(seconds)
                feed.stop()
            gate.cancel_scope.cancel()
        if failures:
            raise failures[0]


async def told_to(shelf: Shelf) -> list[Told]:
    await Rig(shelf).run(30)
    return shelf.told


async def test_the_source_hears_of_a_fate_before_the_position_moves_past_it() -> None:
    told = await told_to(Shelf())
    assert [number for what, number in told if what == "settle"] == [1, 2, 3]
    assert told[-1] == ("commit", 3)
    for place, (what, number) in enumerate(told):
        assert what == "settle" or ("settle", number) in told[:place]


async def test_what_the_source_did_not_hear_holds_the_position() -> None:
    rig = Rig(Shelf(deaf_to=frozenset({"2"})))
    await rig.run(30)
    assert [told for told in rig.shelf.told if told[0] == "commit"] == [("commit", 1)]
    assert [each.id for event in rig.watch.of(SettleFailed) for each in event.records] == ["2"]


def busy(at: list[float], pause: float) -> Shelf:
    """A hundred records, each settled after `pause` seconds; `at` gets the times of the commits."""
    shelf = Shelf(records=[record(number) for number in range(1, 101)])

    async def commit(marks: Mapping[Lane, Mark]) -> None:
        at.append(anyio.current_time())

    async def settle(settlements: Sequence[Settlement]) -> Collection[Record]:
        await anyio.sleep(pause)
        return ()

    shelf.commit, shelf.settle = commit, settle  # type: ignore[method-assign]
    return shelf


@pytest.mark.semantics("STREAM-64")
async def test_positions_that_move_fast_are_stored_eight_times_a_second_at_most() -> None:
    at: list[float] = []
    await Rig(busy(at, 0.01)).run(30)
    assert 7 <= len(at) <= 10
    assert all(later - earlier > EVERY - 0.001 for earlier, later in pairwise(at[:-1]))  # the last is that of the stop


@pytest.mark.semantics("STREAM-64")
async def test_all_feeds_store_their_positions_in_the_same_moments() -> None:
    at: tuple[list[float], list[float]] = [], []
    pace = Pace()
    async with anyio.create_task_group() as tasks:
        for times, pause in zip(at, (0.01, 0.013), strict=True):
            tasks.start_soon(Rig(busy(times, pause), pace=pace).run, 30)
    moments = sorted({round(each, 3) for times in at for each in times})
    assert len(moments) < 13 < len(at[0]) + len(at[1])
    assert all(later - earlier > EVERY - 0.001 for earlier, later in pairwise(moments[:-1]))


@pytest.mark.semantics("STREAM-60")
async def test_what_could_not_be_stored_is_stored_with_the_next_commit() -> None:
    rig = Rig(Shelf(failures=[SourceUnavailable("disk full") for _ in range(5)]))
    await rig.run(30)
    assert rig.shelf.told[-1] == ("commit", 3)
    assert len(rig.watch.of(CommitFailed)) == 5


@pytest.mark.semantics("STREAM-05")
async def test_a_lane_that_was_lost_is_worked_on_no_more() -> None:
    rig = Rig(Shelf(failures=[LaneLost("it has another reader")]))
    with pytest.raises(LaneLost):
        await rig.run(30)
    assert len(rig.function.calls) == 2  # one was begun while the first position was being stored
    assert not [told for told in rig.shelf.told if told[0] == "commit"]


@pytest.mark.semantics("DEST-02")
async def test_a_discard_of_which_nobody_took_the_document_names_its_records() -> None:
    async def refuse(call: Call) -> object:
        raise ValueError(call.data)

    world = StreamWorld()
    stream = world.stream()
    function = world.taking(refuse)
    world.reading(stream, function, Reading(retries=0))
    world.destinations["mapping"].refusal = SourceUnavailable("no")
    stream.put("key", "poison")
    async with world.running():
        await until(60)
    assert world.watch.of(Discarded)[0].cause
    assert world.discarded == [("RetryAttemptsExhausted", ["poison"])]

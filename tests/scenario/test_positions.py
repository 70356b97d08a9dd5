"""Positions that somebody moves while mappings run, and records that somebody gives up on, on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from headrace.config.errors import SourceUnavailable
from headrace.config.mapping import EventSourceMapping
from headrace.dispatch.core.observer import Discarded
from headrace.pollers.checkpoints.memory import MemoryCheckpoints
from headrace.pollers.core.wish import parse_wish
from headrace.pollers.memory.flavours import Flavour
from headrace.pollers.memory.stream import MemoryStream
from headrace.pollers.memory.stream_service import MemoryStreamService
from headrace.pollers.positions import LanePositions, PositionRefused, in_words
from headrace.pollers.streams.positions import StreamPositions
from headrace.service.control.refusals import ApiError
from headrace.service.control.store.document_store import FILE, Documents
from headrace.service.running.pauses import Pauses
from headrace.service.running.positions import PositionLevers
from headrace.service.telemetry.log import Log
from support.mapping_plant import Rig, World
from support.mapping_requests import KINESIS, SQS
from support.stream_world import Call, Reading, StreamWorld, until

BOTH = pytest.mark.parametrize("flavour", Flavour)


# --- skip -----------------------------------------------------------------------------------------------------------


async def no_poison(call: Call) -> object:
    if "poison" in call.data:
        raise ValueError("this record is poison")
    return {}


@pytest.mark.semantics("STEER-12")
@BOTH
@pytest.mark.parametrize("settings", [Reading(batch_size=1), Reading(batch_size=10), Reading(batch_size=3, factor=2)])
async def test_the_record_that_holds_up_a_shard_is_discarded_with_its_document(
    flavour: Flavour, settings: Reading
) -> None:
    world = StreamWorld()
    stream = world.stream(flavour)
    (shard,) = stream.open_shards()
    function = world.taking(no_poison)
    supervisor = world.reading(stream, function, settings)
    for data in ("poison", "one", "two"):
        stream.put("key", data)
    async with world.running():
        await until(60)
        assert function.taken == []
        assert supervisor.skip("another shard") is None
        skip = supervisor.skip(shard)
        assert skip is not None
        assert not skip.waits
        await until(120)
        assert supervisor.skip(shard) is None
    assert function.taken == ["one", "two"]
    assert world.discarded == [("Skipped", ["poison"])]
    (document,) = world.documents()
    assert document["requestContext"]["condition"] == "Skipped"
    assert document["requestContext"]["approximateInvokeCount"] > 1
    assert next(value for key, value in document.items() if key.endswith("BatchInfo"))["batchSize"] == 1
    (shown,) = await StreamPositions("mapping", MemoryStreamService(stream), world.store).shown()
    assert in_words(shown) == f"after {function.calls[-1].numbers[-1]}"


@pytest.mark.semantics("STEER-12")
async def test_a_record_in_the_middle_of_a_batch_is_given_up_by_its_name() -> None:
    world = StreamWorld()
    stream = world.stream()
    (shard,) = stream.open_shards()

    async def summing(call: Call) -> object:
        return {"state": {}, **dict(await no_poison(call))}  # type: ignore[call-overload]

    function = world.taking(summing)
    supervisor = world.reading(stream, function, Reading(tumbling=60))
    for data in ("one", "poison", "two"):
        stream.put("key", data)
    async with world.running():
        await until(30)
        number = function.calls[0].numbers[1]
        skip = supervisor.skip(shard, number)
        assert skip is not None
        assert skip.record == number
        await until(200)
    assert function.taken == ["one", "two"]
    assert world.discarded == [("Skipped", ["poison"])]
    stored = await world.store.opened("mapping", stream.arn)
    assert stored is not None
    assert stored.lanes[shard].window is None  # the window ended


@pytest.mark.semantics("STEER-12")
async def test_a_record_that_the_function_has_is_given_up_when_it_fails_and_not_when_it_is_taken() -> None:
    world = StreamWorld()
    stream = world.stream()
    (shard,) = stream.open_shards()

    async def slow(call: Call) -> object:
        await anyio.sleep(20)
        return await no_poison(call)

    function = world.taking(slow, timeout=60.0)
    supervisor = world.reading(stream, function, Reading(batch_size=1))
    for data in ("good", "poison", "last"):
        stream.put("key", data)
    async with world.running():
        await until(10)
        skip = supervisor.skip(shard)
        assert skip is not None
        assert skip.waits
        await until(30)
        assert function.taken == ["good"]
        assert supervisor.skip(shard) is not None
        await until(35)
        assert not world.watch.of(Discarded)  # nothing is decided under an invocation
        await until(120)
    assert function.taken == ["good", "last"]
    assert world.discarded == [("Skipped", ["poison"])]


@pytest.mark.semantics("STEER-12")
async def test_a_record_of_a_function_that_cannot_start_is_given_up_at_once() -> None:
    world = StreamWorld()
    stream = world.stream()
    (shard,) = stream.open_shards()
    function = world.taking()
    supervisor = world.reading(stream, function, Reading(batch_size=1))
    async with world.running():
        await until(5)
        function.invoker.break_down("No module named 'stock'")
        for data in ("one", "two"):
            stream.put("key", data)
        await until(30)
        assert supervisor.skip(shard) is not None
        await until(40)
        assert world.discarded == [("Skipped", ["one"])]
        function.invoker.mend()
        await until(120)
    assert function.taken == ["two"]


# --- where streams go on ----------------------------------------------------------------------------------------------


class Moves:
    """A stream with ten records in two shards, and the positions of a mapping in it."""

    def __init__(self, flavour: Flavour) -> None:
        self.world = StreamWorld()
        self.stream = self.world.stream(flavour)
        self.function = self.world.taking()
        self.service = MemoryStreamService(self.stream)
        self.positions = StreamPositions("mapping", self.service, self.world.store)

    async def put(self, to: str, lane: str = "") -> None:
        wish = parse_wish(to)
        assert wish is not None
        await self.positions.put(lane, wish)

    async def read(self, seconds: float = 60.0) -> list[str]:
        """What a mapping reads from where it stands, until there is no more."""
        before = len(self.function.taken)
        supervisor = self.world.reading(self.service, self.function)
        self.world.start(supervisor)
        await anyio.sleep(seconds)
        await supervisor.stop(grace=1.0)
        return self.function.taken[before:]

    def puts(self, *data: str) -> None:
        for each in data:
            self.stream.put("key", each)

    @property
    def shard(self) -> str:
        return self.stream.open_shards()[0]


@pytest.mark.semantics("STEER-10")
@BOTH
async def test_a_mapping_goes_on_where_somebody_wants_it(flavour: Flavour) -> None:
    moves = Moves(flavour)
    async with moves.world.running():
        moves.puts("a", "b")
        await anyio.sleep(100)
        late = f"{moves.world.clock.wall():.0f}"
        moves.puts("c", "d")
        await anyio.sleep(10)
        assert await moves.read() == ["a", "b", "c", "d"]
        await moves.put("TRIM_HORIZON")
        assert await moves.read() == ["a", "b", "c", "d"]
        await moves.put(_iso(float(late) - 50))
        assert await moves.read() == ["c", "d"]
        await moves.put("LATEST")
        moves.puts("e")
        assert await moves.read() == ["e"]
        number = moves.function.calls[0].numbers[1]
        await moves.put(number, moves.shard)
        assert [each["sequence_number"] for each in await moves.positions.shown()] == [number]
        assert await moves.read() == ["c", "d", "e"]
        await moves.put("TRIM_HORIZON", moves.shard)
        assert await moves.read() == ["a", "b", "c", "d", "e"]
        await moves.positions.remove()
        assert await moves.positions.shown() == []
        assert await moves.read() == ["a", "b", "c", "d", "e"]


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


@pytest.mark.semantics("STEER-10")
@BOTH
async def test_shards_that_were_read_to_their_end_are_read_again_in_their_order(flavour: Flavour) -> None:
    moves = Moves(flavour)
    async with moves.world.running():
        moves.puts("a", "b")
        parent = moves.shard
        moves.stream.split(parent)
        moves.puts("c", "d")
        assert sorted(await moves.read()) == ["a", "b", "c", "d"]
        await moves.put("TRIM_HORIZON")
        again = await moves.read()
        assert again[:2] == ["a", "b"]
        assert sorted(again) == ["a", "b", "c", "d"]
        await moves.put("TRIM_HORIZON", parent)
        moves.puts("e")
        again = await moves.read()
        assert again == ["a", "b", "e"]  # its children go on where they were, behind it
        await moves.put("LATEST", parent)
        assert await moves.read() == []


@pytest.mark.semantics("STEER-11")
async def test_what_cannot_be_a_position_is_refused_and_changes_nothing() -> None:
    moves = Moves(Flavour.KINESIS)
    async with moves.world.running():
        with pytest.raises(PositionRefused, match="no positions yet"):
            await moves.put("LATEST", moves.shard)
        moves.puts("a", "b")
        await moves.read()
        before = await moves.positions.shown()
        for to, lane, why in (
            ("LATEST", "shard", "has no shard 'shard'; it has shardId-"),
            ("7", "", "name the shard"),
            ("7", moves.shard, "not a sequence number of|has no record"),
            ("9" * 60, moves.shard, "has no record"),
        ):
            with pytest.raises(PositionRefused, match=why):
                await moves.put(to, lane)
        moves.stream.delete()
        with pytest.raises(Exception, match="does not exist"):
            await moves.put("LATEST")
        assert await moves.positions.shown() == before


@pytest.mark.semantics("STEER-10")
async def test_streams_that_a_table_had_before_are_moved_too() -> None:
    arn = "arn:aws:dynamodb:us-east-1:000000000000:table/orders"
    world = StreamWorld()
    old = MemoryStream(f"{arn}/stream/2023-11-14T22:13:20.000", world.clock, Flavour.DYNAMODB)
    service = MemoryStreamService(old, name=arn)
    positions = StreamPositions("mapping", service, world.store)
    function = world.taking()
    async with world.running():
        old.put("key", "a")
        supervisor = world.reading(service, function)
        world.start(supervisor)
        await anyio.sleep(30)
        await supervisor.stop(1.0)
        new = MemoryStream(f"{arn}/stream/2023-11-14T23:13:20.000", world.clock, Flavour.DYNAMODB)
        old.put("key", "b")
        service.replace(new)
        new.put("key", "c")
        wish = parse_wish("LATEST")
        assert wish is not None
        await positions.put("", wish)
        assert {each["source"] for each in await positions.shown()} == {old.arn, new.arn}


# --- beside a mapping that runs ---------------------------------------------------------------------------------------


@asynccontextmanager
async def moving(state: Path, **world: Any) -> AsyncIterator[tuple[Rig, PositionLevers, Pauses]]:
    documents = await Documents.open(state / FILE)
    try:
        rig = Rig(World(state, {"f": 3.0, "g": 3.0}, **world), documents, {})

        async def find(mapping: EventSourceMapping) -> LanePositions | None:
            if mapping.profile.competing:
                return None
            return StreamPositions(mapping.uuid, MemoryStreamService(rig.world.stream), rig.world.positions)

        log = Log(rig.stderr)
        levers = PositionLevers(rig.plant, find, rig.following.follow, rig.sight.flow, log)
        await rig.following.begin()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rig.plant.run)
            tasks.start_soon(rig.following.run)
            yield rig, levers, Pauses(documents, rig.plant, rig.following.follow, log)
            tasks.cancel_scope.cancel()
    finally:
        await documents.aclose()


async def read_from_its_beginning(rig: Rig) -> str:
    """The name of a mapping that has read three records."""
    for each in ("a", "b", "c"):
        rig.world.stream.put("key", each)
    uuid = await rig.create(**{**KINESIS, "StartingPosition": "TRIM_HORIZON", "BatchSize": 1})
    await anyio.sleep(60)
    return rig.plane.all[uuid].config.name


@pytest.mark.semantics("STEER-10")
async def test_positions_are_moved_beside_a_mapping_that_runs(tmp_path: Path) -> None:
    async with moving(tmp_path) as (rig, levers, _):
        name = await read_from_its_beginning(rig)
        assert rig.world.invoked == 3
        answer = await levers.put(name, "", "TRIM_HORIZON")
        assert [each["place"] for each in answer["positions"]] == ["start"]
        assert answer["in_flight"] == answer["retrying"] == ()
        await anyio.sleep(60)
        assert rig.world.invoked == 6
        assert (await levers.shown(name))["positions"][0]["place"] == "position"
        await levers.remove(name)
        await anyio.sleep(60)
        assert rig.world.invoked == 9
        assert rig.plant.readiness().polling


@pytest.mark.semantics("STEER-11")
async def test_what_is_in_flight_ends_first_and_is_told(tmp_path: Path) -> None:
    async with moving(tmp_path, seconds=2.5) as (rig, levers, _):
        for each in ("a", "b"):
            rig.world.stream.put("key", each)
        uuid = await rig.create(**{**KINESIS, "StartingPosition": "TRIM_HORIZON", "BatchSize": 1})
        name = rig.plane.all[uuid].config.name
        while not rig.world.invoked:  # noqa: ASYNC110 - virtual time
            await anyio.sleep(0.1)
        answer = await levers.put(name, "", "LATEST")
        assert [each.records for each in answer["in_flight"]] == [1]
        assert rig.account.counts[name].delivered == 1  # and its position moved before ours did
        await anyio.sleep(60)
        assert rig.world.invoked == 1  # b is passed over


@pytest.mark.semantics("STEER-11")
async def test_a_paused_mapping_stays_paused_and_a_source_that_fails_changes_nothing(tmp_path: Path) -> None:
    async with moving(tmp_path) as (rig, levers, pauses):
        name = await read_from_its_beginning(rig)
        await pauses.pause(name)
        await anyio.sleep(30)
        await levers.put(name, "", "TRIM_HORIZON")
        await anyio.sleep(60)
        assert rig.world.invoked == 3
        with pytest.raises(ApiError, match="can be skipped"):
            await levers.skip(name, rig.world.stream.open_shards()[0], "")
        await pauses.resume(name)
        await anyio.sleep(60)
        assert rig.world.invoked == 6
        rig.world.stream.fault = SourceUnavailable("the service is away")
        with pytest.raises(ApiError, match="the service is away"):
            await levers.put(name, "", "TRIM_HORIZON")
        rig.world.stream.fault = None
        await anyio.sleep(60)
        assert rig.world.invoked == 6
        assert rig.plant.readiness().polling
        for to, why in (("yesterday", "is no place to go on: write TRIM_HORIZON"), ("7", "name the shard")):
            with pytest.raises(ApiError, match=why):
                await levers.put(name, "", to)


@pytest.mark.semantics("STEER-13")
async def test_a_queue_has_no_positions_and_says_what_to_do(tmp_path: Path) -> None:
    async with moving(tmp_path) as (rig, levers, _):
        uuid = await rig.create(**SQS)
        await rig.settled()
        name = rig.plane.all[uuid].config.name
        assert (await levers.shown(name))["positions"] == []
        for lever in (levers.put(name, "", "LATEST"), levers.remove(name), levers.skip(name, "", "")):
            with pytest.raises(ApiError, match="dead-letter queue"):
                await lever
        with pytest.raises(ApiError, match="there is no mapping 'x'"):
            await levers.shown("x")


@pytest.mark.semantics("STEER-11")
async def test_two_moves_at_once_wait_for_each_other(tmp_path: Path) -> None:
    async with moving(tmp_path) as (rig, levers, _):
        name = await read_from_its_beginning(rig)
        async with anyio.create_task_group() as tasks:
            for to in ("TRIM_HORIZON", "LATEST", "TRIM_HORIZON"):
                tasks.start_soon(levers.put, name, "", to)
        await anyio.sleep(60)
        assert rig.world.invoked == 6
        assert isinstance(rig.world.positions, MemoryCheckpoints)
        assert rig.plant.held == set()

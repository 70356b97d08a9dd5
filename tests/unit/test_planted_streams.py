"""What the engine of streams does with lanes that were lost, finished, vanished or trimmed, and with streams that were
replaced, where no other part would notice."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.dispatch.core.model import Position
from headrace.dispatch.core.observer import Gap
from headrace.pollers.checkpoints.store import Checkpoint, Finished, Key
from headrace.pollers.core.mark import Mark
from headrace.pollers.memory.flavours import Flavour
from headrace.pollers.memory.stream import MemoryStream
from headrace.pollers.memory.stream_service import MemoryStreamService
from headrace.pollers.source import LaneLost
from headrace.pollers.streams.source import ShardReader
from support.stream_world import Call, Reading, StreamWorld, until
from support.virtual_time import VirtualLoop

HOUR = 3600.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


async def reader_of(world: StreamWorld, stream: MemoryStream) -> ShardReader:
    """The only shard's, as a mapping that was just started has it."""
    source = world.source(world.service(stream))
    (shard,) = (await source.open()).wanted()
    return await source.reader(shard)


# --- who may commit -------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-05")
async def test_who_lost_a_shard_to_another_owner_is_told() -> None:
    world = StreamWorld()
    stream = world.stream()
    one, other = await reader_of(world, stream), await reader_of(world, stream)
    with pytest.raises(LaneLost, match="another reader"):
        await one.commit({one.lane: Mark(Position(7, 0, "7"))})
    await other.commit({other.lane: Mark(Position(5, 0, "5"))})
    stored = await world.store.load(Key("mapping", other.lane))
    assert stored == Checkpoint(Position(5, 0, "5"))


@pytest.mark.semantics("STREAM-03")
async def test_a_position_behind_the_stored_one_is_told() -> None:
    world = StreamWorld()
    reader = await reader_of(world, world.stream())
    await reader.commit({reader.lane: Mark(Position(7, 0, "7"))})
    with pytest.raises(LaneLost, match="behind the stored one"):
        await reader.commit({reader.lane: Mark(Position(5, 0, "5"))})


async def test_a_finished_shard_keeps_its_last_position() -> None:
    world = StreamWorld()
    reader = await reader_of(world, world.stream())
    await reader.commit({reader.lane: Mark(Position(7, 0, "7"))})
    await reader.commit({reader.lane: Mark(None, ended=True)})
    stored = await world.store.load(Key("mapping", reader.lane))
    assert stored == Checkpoint(Finished(Position(7, 0, "7")))


# --- where a shard begins -------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-12")
async def test_a_shard_that_waited_long_for_its_parent_is_read_from_its_beginning() -> None:
    async def stuck(call: Call) -> object:
        if "stuck" in call.data and call.at < 900:
            raise ValueError("not yet")
        return {}

    world = StreamWorld()
    stream = world.stream()
    function = world.taking(stuck)
    world.reading(stream, function, Reading(start="LATEST"))
    async with world.running():
        await until(65)  # between two looks
        stream.put("key", "stuck")
        stream.rotate()
        stream.put("key", "first of the child")
        await until(1200)
    assert function.taken == ["stuck", "first of the child"]


@pytest.mark.semantics("STREAM-17")
async def test_a_position_below_what_the_listing_tells_is_a_gap() -> None:
    world = StreamWorld()
    stream = world.stream()
    (shard,) = stream.open_shards()
    reader = await reader_of(world, stream)
    done, trimmed, left = (stream.put("key", data) for data in ("done", "trimmed", "left"))
    await reader.commit({reader.lane: Mark(Position.parse(done))})
    stream.shard(shard).entries[:2] = []
    stream.shard(shard).first = int(left)
    stream.shard(shard).trimmed = int(trimmed)
    function = world.taking()
    world.reading(stream, function)
    async with world.running():
        await until(60)
    assert function.taken == ["left"]
    assert [(gap.start, gap.end) for gap in world.watch.of(Gap)] == [(done, "trim horizon")]


@pytest.mark.semantics("STREAM-15")
async def test_a_shard_that_vanished_while_nobody_read_it_is_a_gap() -> None:
    world = StreamWorld()
    stream = world.stream(Flavour.DYNAMODB, retention=HOUR)
    reader = await reader_of(world, stream)
    done = stream.put("key", "done")
    await reader.commit({reader.lane: Mark(Position.parse(done))})
    stream.put("key", "never read")
    stream.rotate()
    await until(2 * HOUR)
    stream.put("key", "of the child")
    function = world.taking()
    world.reading(stream, function)
    async with world.running():
        await until(2 * HOUR + 60)
    assert function.taken == ["of the child"]
    assert [(gap.lane, gap.start, gap.end) for gap in world.watch.of(Gap)] == [
        (reader.lane, done, "the end of the shard")
    ]


# --- which stream ---------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-56")
async def test_what_is_left_in_a_tables_earlier_stream_is_read_in_the_next_life() -> None:
    table = "arn:aws:dynamodb:us-east-1:000000000000:table/orders"
    world = StreamWorld()
    old = world.stream(Flavour.DYNAMODB)
    service = MemoryStreamService(old, name=table)
    await world.source(service).open()
    old.put("key", "of the old stream")
    old.disable()
    new = MemoryStream(f"{table}/stream/2024-01-01T00:00:00.000", world.clock, Flavour.DYNAMODB)
    service.replace(new)
    new.put("key", "of the new stream")
    function = world.taking()
    world.reading(service, function)
    async with world.running():
        await until(120)
    assert function.taken == ["of the old stream", "of the new stream"]

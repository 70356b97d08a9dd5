"""Shards that split, merge, rotate and vanish while records come in: what the function sees, and in which order."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
import pytest

from headrace.dispatch.core.observer import Gap
from headrace.pollers.memory.flavours import Flavour
from headrace.pollers.memory.stream import MemoryStream
from headrace.pollers.streams.polled_shard import Cadence
from support.stream_world import Call, Reading, StreamWorld, until

SLOW = Cadence(20.0, 5, None, 1000)
KEYS = [f"key-{number}" for number in range(12)]


def per_key(taken: Iterable[str]) -> dict[str, list[int]]:
    """The numbers of each key, in the order in which they were taken. Data is `<key> <number>`."""
    keys: dict[str, list[int]] = {}
    for data in taken:
        key, number = data.split()
        keys.setdefault(key, []).append(int(number))
    return keys


class Producer:
    """Puts records of all keys, so many a second; each key counts its own."""

    def __init__(self, stream: MemoryStream) -> None:
        self.stream = stream
        self.counts = dict.fromkeys(KEYS, 0)

    async def run(self, seconds: float, pause: float = 0.5) -> None:
        end = anyio.current_time() + seconds
        while anyio.current_time() < end:
            for key in KEYS:
                self.put(key)
            await anyio.sleep(pause)

    def put(self, key: str) -> None:
        self.stream.put(key, f"{key} {self.counts[key]}")
        self.counts[key] += 1

    @property
    def wanted(self) -> dict[str, list[int]]:
        return {key: list(range(number)) for key, number in self.counts.items() if number}


@pytest.mark.semantics("STREAM-12", "STREAM-13")
@pytest.mark.parametrize("flavour", Flavour)
async def test_keys_keep_their_order_while_shards_split_and_merge_under_load(flavour: Flavour) -> None:
    world = StreamWorld()
    stream = world.stream(flavour, shards=2)
    producer = Producer(stream)

    async def handler(call: Call) -> object:
        await anyio.sleep(0.3)
        return {}

    function = world.taking(handler)
    world.reading(stream, function, Reading(batch_size=50))
    async with world.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(producer.run, 120)
        for number in range(1, 12):
            await until(number * 10.0)
            shards = stream.open_shards()
            if number % 3:
                stream.split(shards[0])
            else:
                stream.merge(*neighbours(stream))
        await until(400)
    assert per_key(function.taken) == producer.wanted
    assert len(function.taken) == sum(producer.counts.values())
    assert len(world.handed()) == 12


def neighbours(stream: MemoryStream) -> tuple[str, str]:
    shards = sorted(map(stream.shard, stream.open_shards()), key=lambda shard: shard.low)
    return shards[0].id, shards[1].id


@pytest.mark.semantics("STREAM-13")
async def test_children_wait_for_a_parent_whose_last_batch_fails() -> None:
    world = StreamWorld()
    stream = world.stream()
    (parent,) = stream.open_shards()

    async def handler(call: Call) -> object:
        if "of the parent" in call.data and call.at < 1000:
            raise ValueError("not yet")
        return {}

    function = world.taking(handler)
    world.reading(stream, function)
    stream.put("key", "of the parent")
    for child in stream.split(parent):
        stream.put(stream.key_of(child), f"of {child}")
    async with world.running():
        await until(900)
        assert {data for batch in function.batches for data in batch} == {"of the parent"}
        await until(1100)
    assert function.taken[0] == "of the parent"
    assert len(function.taken) == 3


@pytest.mark.semantics("STREAM-13")
@pytest.mark.parametrize("blocked", [0, 1])
async def test_a_merge_waits_for_both_parents(blocked: int) -> None:
    world = StreamWorld()
    stream = world.stream(shards=2)
    parents = stream.open_shards()

    async def handler(call: Call) -> object:
        if f"parent {blocked}" in call.data and call.at < 500:
            raise ValueError("not yet")
        return {}

    function = world.taking(handler)
    world.reading(stream, function)
    for number, parent in enumerate(parents):
        stream.put(stream.key_of(parent), f"parent {number}")
    child = stream.merge(*parents)
    stream.put("key", "of the child")
    async with world.running():
        await until(450)
        assert child not in world.handed()
        assert function.taken == [f"parent {1 - blocked}"]
        await until(600)
    assert function.taken == [f"parent {1 - blocked}", f"parent {blocked}", "of the child"]


@pytest.mark.semantics("STREAM-13")
async def test_a_child_is_read_soon_after_its_parent_is_done() -> None:
    world = StreamWorld()
    stream = world.stream()
    (parent,) = stream.open_shards()
    function = world.taking()
    world.reading(stream, function)
    async with world.running():
        await until(60)
        stream.put("key", "last of the parent")
        children = stream.split(parent)
        for child in children:
            stream.put(stream.key_of(child), child)
        await until(65)
    assert function.taken[0] == "last of the parent"
    assert sorted(function.taken[1:]) == sorted(children)


@pytest.mark.semantics("STREAM-15")
async def test_a_shard_that_vanishes_while_its_batch_fails_is_a_gap_and_its_child_goes_on_after_it() -> None:
    world = StreamWorld()
    stream = world.stream()

    async def handler(call: Call) -> object:
        if "stuck" in call.data and call.at < 30 * 3600:
            raise ValueError("not yet")
        return {}

    function = world.taking(handler)
    world.reading(stream, function, Reading(batch_size=1, ahead=1))
    stream.put("key", "stuck")
    stream.put("key", "never read")
    stream.rotate()
    async with world.running():
        await until(20 * 3600)
        stream.put("key", "of the child")
        await until(29 * 3600)
        assert function.taken == []
        await until(31 * 3600)
    assert function.taken == ["stuck", "of the child"]
    (gap,) = world.watch.of(Gap)
    assert "list" in gap.reason


@pytest.mark.semantics("STREAM-16")
async def test_positions_of_shards_that_rotate_do_not_pile_up() -> None:
    world = StreamWorld()
    stream = world.stream(Flavour.DYNAMODB, shards=2, rotation=600.0)
    producer = Producer(stream)
    function = world.taking()
    world.reading(stream, function, Reading(cadence=SLOW))
    kept = []
    async with world.running():
        for _ in range(30):
            await producer.run(600, pause=60)
            (row,) = await world.store.kept()
            kept.append(row.lanes)
        await anyio.sleep(60)
    assert per_key(function.taken) == producer.wanted
    assert max(kept) <= 6

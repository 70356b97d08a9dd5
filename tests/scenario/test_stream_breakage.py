"""Streams where two things go wrong at once: what one shard, a look or the store suffers costs the others nothing."""

from __future__ import annotations

import pytest

from penstock.dispatch.model import Record
from penstock.pollers.checkpoints.memory import MemoryCheckpoints
from penstock.pollers.checkpoints.store import BEGINNING, Held, Key, Start, StoreUnavailable
from penstock.pollers.lifecycle import State, Status
from support.stream_world import Call, Reading, StreamWorld, data_of, until


class FullDisk(MemoryCheckpoints):
    """A store in which some shards cannot be acquired."""

    def __init__(self, *shards: str) -> None:
        super().__init__()
        self.refused = set(shards)

    async def acquire(self, key: Key, start: Start = BEGINNING) -> Held:
        if key.lane.shard in self.refused:
            raise StoreUnavailable("disk full")
        return await super().acquire(key, start)


@pytest.mark.semantics("STREAM-51")
async def test_a_shard_whose_position_cannot_be_read_holds_up_no_other() -> None:
    world = StreamWorld()
    stream = world.stream(shards=3)
    poison, refused, healthy = stream.open_shards()
    store = world.store = FullDisk(refused)

    async def handler(call: Call) -> object:
        if "poison" in call.data:
            raise ValueError("poison")
        return {}

    function = world.taking(handler)
    world.reading(stream, function)
    for shard, data in [(poison, "poison"), (refused, "later"), (healthy, "early")]:
        stream.put(stream.key_of(shard), data)
    async with world.running():
        await until(60)
        assert function.taken == ["early"]
        stream.put(stream.key_of(healthy), "meanwhile")
        await until(120)
        assert function.taken == ["early", "meanwhile"]
        store.refused.clear()
        await until(180)
    assert function.taken == ["early", "meanwhile", "later"]


@pytest.mark.semantics("STREAM-50")
async def test_a_fault_of_ours_in_one_shard_is_got_over_while_another_shard_fails_for_ever() -> None:
    world = StreamWorld()
    stream = world.stream(shards=2)
    poison, faulty = stream.open_shards()
    bugs = ["bug"]

    async def handler(call: Call) -> object:
        if "poison" in call.data:
            raise ValueError("poison")
        return {}

    def keeps(record: Record) -> bool:
        if data_of(record.item) in bugs:
            bugs.clear()
            raise RuntimeError("a fault of ours")
        return True

    function = world.taking(handler)
    world.reading(stream, function, Reading(keeps=keeps))
    stream.put(stream.key_of(poison), "poison")
    async with world.running():
        await until(30)
        stream.put(stream.key_of(faulty), "bug")
        await until(90)
        stream.put(stream.key_of(faulty), "later")
        await until(120)
    assert function.taken == ["bug", "later"]


async def test_a_mapping_whose_only_shard_cannot_be_held_says_why() -> None:
    world = StreamWorld()
    stream = world.stream()
    (shard,) = stream.open_shards()
    world.store = FullDisk(shard)
    mapping = world.reading(stream, world.taking())
    async with world.running():
        await until(60)
        assert mapping.status == Status(State.WAITING, "disk full")

"""Shards that wait for their parents while listings leave them out, or until they are trimmed: what the function sees,
and what is reported. On virtual time."""

from __future__ import annotations

from typing import Literal

import anyio
import pytest

from headrace.dispatch.core.observer import Gap
from headrace.pollers.checkpoints.store import BEGINNING
from headrace.pollers.memory.flavours import Flavour
from headrace.pollers.memory.stream import MemoryStream
from support.stream_world import Call, Forgetful, Reading, StreamWorld, until

HOUR = 3600.0
BOTH = pytest.mark.parametrize("flavour", Flavour)


def generations(stream: MemoryStream) -> list[str]:
    """Three shards in a line, a record in each."""
    shards: list[str] = []
    for name in ("grandparent", "parent", "child"):
        if shards:
            stream.rotate()
        shards += stream.open_shards()
        stream.put("key", name)
    return shards


class Stuck:
    """A function that fails on this record until then."""

    def __init__(self, data: str, end: float) -> None:
        self.data = data
        self.end = end
        self.over = anyio.Event()

    async def __call__(self, call: Call) -> object:
        if self.data in call.data:
            if call.at < self.end:
                raise ValueError("not yet")
            self.over.set()
        return {}


@pytest.mark.semantics("STREAM-13", "STREAM-19")
@pytest.mark.parametrize("restarted", [False, True], ids=["on and on", "restarted"])
@BOTH
async def test_a_shard_that_is_left_out_when_its_turn_comes_is_read_in_its_turn(
    flavour: Flavour, restarted: bool
) -> None:
    world = StreamWorld()
    stream = world.stream(flavour)
    service = Forgetful(stream)
    stuck = Stuck("grandparent", 100.0)
    function = world.taking(stuck)
    supervisor = world.reading(service, function)
    async with world.running():
        await until(10)
        _, parent, _ = generations(stream)
        await stuck.over.wait()
        service.left_out = (parent,)
        if restarted:
            await anyio.sleep(0.5)
            await supervisor.stop(grace=1.0)
            world.start(world.reading(service, function))
        await anyio.sleep(1.5)
        assert function.taken == ["grandparent"]
        service.left_out = ()
        await anyio.sleep(30)
    assert function.taken == ["grandparent", "parent", "child"]
    assert not world.watch.of(Gap)


@pytest.mark.semantics("STREAM-11", "STREAM-13", "STREAM-19")
@pytest.mark.parametrize(
    ("start", "taken"),
    [("TRIM_HORIZON", ["grandparent", "parent", "child", "new"]), ("LATEST", ["new"]), ("AT_TIMESTAMP", ["new"])],
)
@BOTH
async def test_a_shard_that_the_first_listing_leaves_out_is_read_in_its_turn(
    flavour: Flavour, start: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"], taken: list[str]
) -> None:
    world = StreamWorld()
    stream = world.stream(flavour)
    _, parent, _ = generations(stream)
    service = Forgetful(stream)
    service.left_out = (parent,)
    function = world.taking()
    async with world.running():
        await until(10)
        at = world.clock.wall() if start == "AT_TIMESTAMP" else None
        world.start(world.reading(service, function, Reading(start=start, start_at=at, discovery=600.0)))
        await until(11.5)
        service.left_out = ()
        await until(30)
        stream.put("key", "new")
        await until(60)
    assert function.taken == taken


@pytest.mark.semantics("STREAM-13", "STREAM-15")
@pytest.mark.parametrize("restart", [None, 0.5, 2.5], ids=["on and on", "restarted", "restarted after the trim"])
@BOTH
async def test_a_shard_that_is_trimmed_while_it_waits_is_a_gap_and_its_children_stay_behind(
    flavour: Flavour, restart: float | None
) -> None:
    world = StreamWorld()
    stream = world.stream(flavour, retention=HOUR)
    one = Reading(batch_size=1, ahead=1)
    function = world.taking(Stuck("grandparent", 3 * HOUR))
    supervisor = world.reading(stream, function, one)
    async with world.running():
        await until(10)
        grandparent, parent, child = generations(stream)
        if restart is not None:
            await until(restart * HOUR)
            await supervisor.stop(grace=1.0)
            world.start(world.reading(stream, function, one))
        await until(2.6 * HOUR)
        stream.put("key", "late")
        await until(2.9 * HOUR)
        in_flight = restart is None or restart < 1
        assert function.taken == ([] if in_flight else ["late"])
        assert child not in world.handed() or not in_flight
        await until(3.1 * HOUR)
    assert function.taken == (["grandparent", "late"] if in_flight else ["late"])
    gaps = {gap.lane.shard: (gap.start, gap.end) for gap in world.watch.of(Gap)}
    assert gaps[parent] == ("TRIM_HORIZON", "the end of the shard")
    assert gaps.keys() - {child} == {grandparent, parent}


@pytest.mark.semantics("STREAM-13")
async def test_shards_that_wait_without_a_position_since_an_earlier_version_are_read_in_their_turn() -> None:
    world = StreamWorld()
    stream = world.stream()
    grandparent, parent, child = generations(stream)
    await world.store.begin("mapping", stream.arn, stream.created, {grandparent: BEGINNING})
    function = world.taking(Stuck("grandparent", 100.0))
    world.reading(stream, function)
    async with world.running():
        await until(50)
        opened = await world.store.opened("mapping", stream.arn)
        assert opened is not None
        assert opened.lanes.keys() == {grandparent, parent, child}
        await until(200)
    assert function.taken == ["grandparent", "parent", "child"]
    assert not world.watch.of(Gap)

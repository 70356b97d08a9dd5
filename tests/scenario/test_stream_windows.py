"""Tumbling windows through the real shell on virtual time: the state, the end, and what survives a restart."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from headrace.dispatch.core.model import Lane
from headrace.dispatch.core.observer import Gap
from headrace.dispatch.core.windows import QUIET
from headrace.pollers.checkpoints.store import Key
from support.stream_world import Call, Reading, StreamFunction, StreamWorld, until

MINUTE = 60
SUMS = Reading(tumbling=MINUTE)


async def add(call: Call) -> dict[str, Any]:
    """Adds up the records' numbers per window."""
    return {"state": {"sum": call.state.get("sum", 0) + sum(map(int, call.data))}}


def finals(function: StreamFunction) -> list[tuple[str, int]]:
    """Each window's start and its final state, as the final invocations would have left it."""
    return [
        (call.event["window"]["start"][11:19], call.state.get("sum", 0) + sum(map(int, call.data)))
        for call in function.calls
        if call.final
    ]


@pytest.mark.semantics("WINDOW-01", "WINDOW-02", "WINDOW-03", "WINDOW-04", "WINDOW-05")
async def test_each_window_ends_with_the_sum_of_its_records() -> None:
    """EPOCH is 22:13:20, so the first window has 40 seconds left."""
    world = StreamWorld()
    stream = world.stream()
    function = world.taking(add)
    world.reading(stream, function, SUMS)
    async with world.running():
        for number in range(150):
            stream.put("key", str(number))
            await anyio.sleep(1.0)
        await until(600)
    assert finals(function) == [
        ("22:13:00", sum(range(40))),
        ("22:14:00", sum(range(40, 100))),
        ("22:15:00", sum(range(100, 150))),
    ]
    last = [call for call in function.calls if call.final][-1]
    assert last.data == []
    assert last.at == pytest.approx(160.0 + QUIET, abs=2.0)
    assert all(call.event["shardId"] == stream.open_shards()[0] for call in function.calls)


@pytest.mark.semantics("WINDOW-06")
async def test_the_end_of_a_shard_ends_its_window_and_its_children_begin_anew() -> None:
    world = StreamWorld()
    stream = world.stream()
    (parent,) = stream.open_shards()
    function = world.taking(add)
    world.reading(stream, function, SUMS)
    async with world.running():
        stream.put("key", "1")
        await until(3)
        stream.put("key", "2")
        children = stream.split(parent)
        for child in children:
            stream.put(stream.key_of(child), "10")
        await until(30)
        assert finals(function) == [("22:13:00", 3)]
        await until(600)
    shards = [call.event["shardId"] for call in function.calls if call.final]
    assert shards[0] == parent
    assert sorted(shards[1:]) == sorted(children)
    assert [total for _, total in finals(function)] == [3, 10, 10]


@pytest.mark.semantics("WINDOW-07")
async def test_a_state_that_outgrew_its_limit_ends_the_window_early() -> None:
    world = StreamWorld()
    stream = world.stream()

    async def hoard(call: Call) -> object:
        return {"state": {"all": call.state.get("all", "") + "x" * 600_000 * len(call.data)}}

    function = world.taking(hoard)
    world.reading(stream, function, Reading(tumbling=900, batch_size=1))
    async with world.running():
        for number in range(3):
            stream.put("key", str(number))
        await until(30)
    early = [call.event["isWindowTerminatedEarly"] for call in function.calls]
    sizes = [len(call.state.get("all", "")) for call in function.calls]
    assert early == [False, False, True, False]
    assert sizes == [0, 600_000, 1_200_000, 0]
    assert [call.final for call in function.calls] == [False, False, True, False]


@pytest.mark.semantics("WINDOW-08", "STREAM-04")
@pytest.mark.parametrize("pause", [0.0, 20.0, 400.0], ids=["at once", "within the window", "beyond its quiet time"])
async def test_a_window_goes_on_in_the_next_life_where_it_was(pause: float) -> None:
    world = StreamWorld()
    stream = world.stream()
    function = world.taking(add)
    supervisor = world.reading(stream, function, SUMS)
    async with world.running():
        for number in range(50):
            stream.put("key", str(number))
            await anyio.sleep(1.0)
            if number in (15, 30):
                await supervisor.stop(grace=5.0)
                await anyio.sleep(pause)
                supervisor = world.reading(stream, function, SUMS)
                world.start(supervisor)
        await anyio.sleep(600)
    assert sum(total for _, total in finals(function)) == sum(range(50))
    assert sorted(map(int, function.taken)) == list(range(50))


@pytest.mark.semantics("WINDOW-03", "WINDOW-08")
async def test_a_window_whose_records_were_all_of_the_life_before_ends_in_the_next_one() -> None:
    world = StreamWorld()
    stream = world.stream()
    function = world.taking(add)
    supervisor = world.reading(stream, function, SUMS)
    async with world.running():
        stream.put("key", "5")
        await until(10)
        await supervisor.stop(grace=1.0)
        await until(100)
        world.start(world.reading(stream, function, SUMS))
        await until(400)
    assert [(call.final, call.data, call.state) for call in function.calls] == [
        (False, ["5"], {}),
        (True, [], {"sum": 5}),
    ]


@pytest.mark.semantics("WINDOW-06", "WINDOW-08", "STREAM-15")
async def test_the_window_of_a_shard_that_vanished_between_two_lives_has_its_end() -> None:
    world = StreamWorld()
    stream = world.stream()
    function = world.taking(add)
    supervisor = world.reading(stream, function, SUMS)
    async with world.running():
        stream.put("key", "5")
        await until(10)
        await supervisor.stop(grace=1.0)
        stream.put("key", "6")
        stream.rotate()
        await until(25 * 3600)
        stream.put("key", "7")
        world.start(world.reading(stream, function, SUMS))
        await until(26 * 3600)
    assert [(call.final, call.data, call.state) for call in function.calls] == [
        (False, ["5"], {}),
        (True, [], {"sum": 5}),
        (False, ["7"], {}),
        (True, [], {"sum": 7}),
    ]
    (gap,) = world.watch.of(Gap)
    assert gap.start == function.calls[0].numbers[0]


@pytest.mark.semantics("WINDOW-08")
async def test_a_life_that_ends_in_the_middle_of_an_invocation_leaves_the_state_of_the_position() -> None:
    world = StreamWorld()
    stream = world.stream()

    async def slow(call: Call) -> object:
        await anyio.sleep(2.0)
        return await add(call)

    function = world.taking(slow)
    supervisor = world.reading(stream, function, SUMS)
    async with world.running():
        for number in range(30):
            stream.put("key", str(number))
            await anyio.sleep(0.7)
            if number % 4 == 3:
                await supervisor.stop(grace=0.0)
                supervisor = world.reading(stream, function, SUMS)
                world.start(supervisor)
        await until(600)
    assert sum(total for _, total in finals(function)) == sum(range(30))


@pytest.mark.semantics("WINDOW-10", "WINDOW-11")
@pytest.mark.parametrize("bisect", [False, True])
@pytest.mark.parametrize("times", [1, 3, 99], ids=["once", "three times", "always"])
async def test_after_partial_failures_a_window_has_each_taken_record_once(bisect: bool, times: int) -> None:
    world = StreamWorld()
    stream = world.stream()
    refused = dict.fromkeys(("7", "17", "27", "37"), times)

    async def picky(call: Call) -> object:
        bad = next((data for data in call.data if refused.get(data)), None)
        good = call.data if bad is None else call.data[: call.data.index(bad)]
        if bad is not None:
            refused[bad] -= 1
        state = {"sum": call.state.get("sum", 0) + sum(map(int, good))}
        return {"state": state, **call.failing(*filter(None, [bad]))}

    function = world.taking(picky)
    world.reading(stream, function, Reading(tumbling=MINUTE, retries=3, partial=True, bisect=bisect, batch_size=10))
    for number in range(40):
        stream.put("key", str(number))
    async with world.running():
        await until(900)
    gone = [data for _, batch in world.discarded for data in batch]
    assert sorted(map(int, function.taken + gone)) == list(range(40))
    assert (gone == []) is (times < 99)
    if bisect and times == 99:
        assert gone == ["7", "17", "27", "37"]
    assert finals(function) == [("22:13:00", sum(map(int, function.taken)))]


@pytest.mark.semantics("WINDOW-08", "WINDOW-11")
async def test_bisect_partial_failures_and_restarts_together_leave_the_sum() -> None:
    world = StreamWorld()
    stream = world.stream()
    failures = 0

    async def moody(call: Call) -> object:
        nonlocal failures
        await anyio.sleep(0.5)
        failures += 1
        if len(call.data) > 3 and failures % 3:
            raise ValueError("too many")
        state = call.state.get("sum", 0)
        if len(call.data) > 1 and failures % 2:
            return {"state": {"sum": state + int(call.data[0])}, **call.failing(call.data[1])}
        return {"state": {"sum": state + sum(map(int, call.data))}}

    function = world.taking(moody)
    settings = Reading(tumbling=MINUTE, partial=True, bisect=True)
    supervisor = world.reading(stream, function, settings)
    async with world.running():
        for number in range(120):
            stream.put("key", str(number))
            await anyio.sleep(0.9)
            if number % 25 == 24:
                await supervisor.stop(grace=float(number % 2))
                supervisor = world.reading(stream, function, settings)
                world.start(supervisor)
        await until(900)
    assert sum(total for _, total in finals(function)) == sum(range(120))


@pytest.mark.semantics("WINDOW-09")
async def test_a_final_invocation_that_fails_for_good_blocks_no_shard_for_ever() -> None:
    world = StreamWorld()
    stream = world.stream()

    async def never_final(call: Call) -> object:
        if call.final:
            raise ValueError("no end")
        return await add(call)

    function = world.taking(never_final)
    world.reading(stream, function, Reading(tumbling=MINUTE, retries=1))
    async with world.running():
        stream.put("key", "1")
        await until(300)
        stream.put("key", "2")
        await until(600)
    assert [(call.final, call.state.get("sum", 0)) for call in function.calls] == [
        (False, 0),
        (True, 1),
        (True, 1),
        (False, 0),
        (True, 2),
        (True, 2),
    ]


@pytest.mark.semantics("STREAM-04")
async def test_a_finished_window_leaves_no_state_behind() -> None:
    world = StreamWorld()
    stream = world.stream()
    function = world.taking(add)
    world.reading(stream, function, SUMS)
    key = Key("mapping", Lane(stream.arn, stream.open_shards()[0]))
    async with world.running():
        stream.put("key", "1")
        await until(10)
        under_way = await world.store.load(key)
        await until(300)
        over = await world.store.load(key)
    assert under_way is not None
    assert under_way.window is not None
    assert under_way.window.state == b'{"sum":1}'
    assert over is not None
    assert over.window is None
    assert over.place == under_way.place

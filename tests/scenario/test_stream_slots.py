"""Several batches of one shard at a time (ParallelizationFactor), batches that are gathered, and filters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import anyio
import pytest

from headrace.dispatch.core.keeping import Keeps
from headrace.dispatch.core.observer import Blocked, Filtered
from headrace.dispatch.kinds import dynamodb, kinesis
from headrace.pollers.memory.flavours import Flavour
from headrace.pollers.memory.stream import MemoryStream
from support.stream_world import Call, Reading, StreamWorld, until

KEYS = [f"key-{number}" for number in range(16)]
CAP = 400


def of_key(taken: Sequence[str], key: str) -> list[int]:
    return [int(data.split()[1]) for data in taken if data.split()[0] == key]


async def produce(stream: MemoryStream, rounds: int, pause: float) -> None:
    for number in range(rounds):
        for key in KEYS:
            stream.put(key, f"{key} {number}")
        await anyio.sleep(pause)


@pytest.mark.semantics("STREAM-52")
@pytest.mark.parametrize("flavour", Flavour)
async def test_four_batches_of_a_shard_run_at_a_time_and_each_key_keeps_its_order(flavour: Flavour) -> None:
    world = StreamWorld()
    stream = world.stream(flavour)
    running, most = 0, 0

    async def handler(call: Call) -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await anyio.sleep(1 + len(call.data) % 3)
        running -= 1
        return {}

    function = world.taking(handler, timeout=None)
    world.reading(stream, function, Reading(batch_size=10, factor=4))
    async with world.running():
        await produce(stream, 40, 0.5)
        await until(600)
    assert most == 4
    assert all(of_key(function.taken, key) == list(range(40)) for key in KEYS)


@pytest.mark.semantics("STREAM-53")
async def test_one_poison_key_of_four_slots_lets_the_others_go_on_to_the_cap_and_is_named_once() -> None:
    world = StreamWorld()
    stream = world.stream()
    poison = KEYS[3]

    async def handler(call: Call) -> object:
        return call.failing(f"{poison} 5") if call.at < 3600 else {}

    function = world.taking(handler)
    world.reading(stream, function, Reading(batch_size=10, factor=4, ahead=CAP, partial=True))
    async with world.running():
        await produce(stream, 100, 1.0)
        await until(3000)
        beyond = [data for data in function.taken if int(data.split()[1]) > 5]
        looks = stream.looks
        await until(3500)
        assert stream.looks == looks
        assert CAP // 2 < len(beyond) < CAP
        assert len({data.split()[0] for data in beyond}) >= len(KEYS) // 2
        (blocked,) = world.watch.of(Blocked)
        assert blocked.key == poison
        await until(4000)
    assert all(of_key(function.taken, key) == list(range(100)) for key in KEYS)
    assert world.discarded == []


@pytest.mark.semantics("STREAM-53")
async def test_what_shares_a_slot_with_a_poison_key_waits_and_nothing_else_does() -> None:
    world = StreamWorld()
    stream = world.stream()
    keys = [stream.key_of(stream.open_shards()[0], number) for number in range(40)]

    async def handler(call: Call) -> object:
        if f"{keys[0]} 0" in call.data:
            raise ValueError("poison")
        return {}

    function = world.taking(handler)
    world.reading(stream, function, Reading(factor=4))
    for number in range(5):
        for key in keys:
            stream.put(key, f"{key} {number}")
    async with world.running():
        await until(100)
    done = {data.split()[0] for data in function.taken}
    assert 20 <= len(done) < 40
    assert all(of_key(function.taken, key) == list(range(5)) for key in done)


# --- gathering ------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("BATCH-02", "BATCH-03")
async def test_a_batch_is_gathered_over_several_looks_until_it_is_full() -> None:
    world = StreamWorld()
    stream = world.stream()
    function = world.taking()
    world.reading(stream, function, Reading(batch_size=50, window=300.0))
    async with world.running():
        for number in range(120):
            stream.put("key", str(number))
            await anyio.sleep(1.0)
        assert list(map(len, function.batches)) == [50, 50]
        await until(600)
    assert list(map(len, function.batches)) == [50, 50, 20]
    assert function.taken == [str(number) for number in range(120)]


@pytest.mark.semantics("BATCH-03", "BATCH-04")
async def test_a_window_ends_the_gathering_and_counts_from_the_first_record() -> None:
    world = StreamWorld()
    stream = world.stream()
    function = world.taking()
    world.reading(stream, function, Reading(batch_size=1000, window=20.0))
    async with world.running():
        await until(100)
        for number in range(30):
            stream.put("key", str(number))
            await anyio.sleep(1.0)
        await until(300)
    assert [call.at for call in function.calls] == pytest.approx([120.0, 140.0], abs=1.1)
    assert function.taken == [str(number) for number in range(30)]


@pytest.mark.semantics("BATCH-05")
async def test_a_batch_is_cut_at_the_size_of_an_event() -> None:
    world = StreamWorld()
    stream = world.stream()
    for number in range(20):
        stream.put("key", f"{number:02}" * 250_000)
    function = world.taking()
    world.reading(stream, function)
    async with world.running():
        await until(30)
    assert [int(data[:2]) for data in function.taken] == list(range(20))
    assert list(map(len, function.batches)) == [9, 9, 2]


@pytest.mark.semantics("BATCH-02")
async def test_twenty_records_that_were_there_and_ten_later_make_three_batches_of_ten() -> None:
    """As recorded: the first two are strictly serial."""
    world = StreamWorld()
    stream = world.stream()
    for number in range(20):
        stream.put("key", str(number))

    async def handler(call: Call) -> object:
        await anyio.sleep(5.0)
        return {}

    function = world.taking(handler, timeout=10.0)
    world.reading(stream, function, Reading(batch_size=10))
    async with world.running():
        await until(20)
        for number in range(20, 30):
            stream.put("key", str(number))
        await until(60)
    assert list(map(len, function.batches)) == [10, 10, 10]
    assert function.taken == [str(number) for number in range(30)]
    assert all(later.at >= earlier.at + 5.0 for earlier, later in pairwise(function.calls))


# --- filters --------------------------------------------------------------------------------------------------------


def wanting(flavour: Flavour) -> Keeps:
    if flavour is Flavour.KINESIS:
        return kinesis.STREAM.keeps([{"data": {"kind": ["wanted"]}}])
    return dynamodb.STREAM.keeps([{"dynamodb": {"NewImage": {"data": {"S": [{"prefix": '{"kind":"wanted"'}]}}}}])


@pytest.mark.semantics("FILTER-41", "FILTER-42", "STREAM-54")
@pytest.mark.parametrize("flavour", Flavour)
async def test_what_a_filter_refuses_moves_the_position_and_never_reaches_the_function(flavour: Flavour) -> None:
    world = StreamWorld()
    stream = world.stream(flavour)
    function = world.taking()
    settings = Reading(batch_size=10, keeps=wanting(flavour))
    supervisor = world.reading(stream, function, settings)
    for number in range(100):
        kind = "wanted" if number == 50 else "noise"
        stream.put("key", f'{{"kind":"{kind}", "number": {number} }}')
    async with world.running():
        await until(30)
        assert function.batches == [['{"kind":"wanted", "number": 50 }']]
        await supervisor.stop(grace=1.0)
        world.start(world.reading(stream, function, settings))
        await until(60)
    assert len(function.calls) == 1
    assert sum(len(event.records) for event in world.watch.of(Filtered)) == 99

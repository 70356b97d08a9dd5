"""Where a shard is read from: after faults of its iterator, after retention, after a restart, and when the stream was
recreated. On virtual time."""

from __future__ import annotations

import anyio
import pytest

from headrace.config.errors import SourceUnavailable
from headrace.dispatch.core.observer import Gap, StreamRecreated
from headrace.pollers.core.lifecycle import PollState
from headrace.pollers.memory.flavours import Flavour
from headrace.pollers.memory.stream import MemoryStream
from headrace.pollers.memory.stream_service import MemoryStreamService
from support.stream_world import STREAMS, Call, Reading, StreamWorld, until, where

HOUR = 3600.0
DAY = 24 * HOUR
BOTH = pytest.mark.parametrize("flavour", Flavour)


def puts(stream: MemoryStream, numbers: range) -> list[str]:
    for number in numbers:
        stream.put("key", str(number))
    return list(map(str, numbers))


# --- iterators ------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-31")
@BOTH
async def test_an_iterator_that_expired_behind_a_long_invocation_loses_and_repeats_nothing(flavour: Flavour) -> None:
    world = StreamWorld()
    stream = world.stream(flavour)

    async def slow(call: Call) -> object:
        await anyio.sleep(400.0)
        return {}

    function = world.taking(slow, timeout=900.0)
    world.reading(stream, function, Reading(batch_size=10, ahead=10))
    wanted = puts(stream, range(50))
    async with world.running():
        await until(3000)
    assert function.taken == wanted
    assert len(function.calls) == 5


@pytest.mark.semantics("STREAM-31", "STREAM-35", "STREAM-55")
@BOTH
@pytest.mark.parametrize("fault", ["restart", "null iterators", "empty pages", "all of them"])
async def test_a_service_that_forgets_loses_us_nothing(flavour: Flavour, fault: str) -> None:
    world = StreamWorld()
    stream = world.stream(flavour)
    shard = stream.shard(stream.open_shards()[0])
    function = world.taking()
    world.reading(stream, function)
    wanted = []
    async with world.running():
        for number in range(100):
            wanted += puts(stream, range(number * 3, number * 3 + 3))
            if fault in ("restart", "all of them") and number % 7 == 0:
                stream.restart()
            if fault in ("null iterators", "all of them") and number % 5 == 0:
                shard.null_iterators = 2
            if fault in ("empty pages", "all of them") and number % 3 == 0:
                shard.empty_pages = 2
            await anyio.sleep(1.3)
        await anyio.sleep(30)
    assert function.taken == wanted
    assert world.handed() == {shard.id: wanted}
    assert not world.watch.of(Gap)


@pytest.mark.semantics("STREAM-35")
async def test_an_iterator_that_is_missing_does_not_end_a_shard_that_is_open() -> None:
    world = StreamWorld()
    stream = world.stream()
    stream.shard(stream.open_shards()[0]).null_iterators = 50
    function = world.taking()
    supervisor = world.reading(stream, function)
    async with world.running():
        await until(30)
        wanted = puts(stream, range(5))
        await until(120)
        assert where(supervisor) is PollState.POLLING
        assert supervisor.feeds == 1
    assert function.taken == wanted


# --- retention ------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-34")
@BOTH
async def test_what_retention_took_while_we_were_away_is_one_gap_and_the_rest_is_read(flavour: Flavour) -> None:
    world = StreamWorld()
    stream = world.stream(flavour)
    function = world.taking()
    supervisor = world.reading(stream, function)
    async with world.running():
        read = puts(stream, range(5))
        await until(30)
        await supervisor.stop(grace=1.0)
        puts(stream, range(5, 10))
        await until(20 * HOUR)
        kept = puts(stream, range(10, 15))
        await until(30 * HOUR)
        world.start(world.reading(stream, function))
        await until(30 * HOUR + 60)
    assert function.taken == read + kept
    if flavour is Flavour.DYNAMODB:  # Kinesis does not tell
        (gap,) = world.watch.of(Gap)
        assert gap.lane.shard == stream.open_shards()[0]


@pytest.mark.semantics("STREAM-34")
async def test_what_retention_takes_behind_a_shard_that_is_blocked_is_a_gap() -> None:
    world = StreamWorld()
    stream = world.stream(Flavour.DYNAMODB)

    async def stuck(call: Call) -> object:
        if call.at < 30 * HOUR:
            raise ValueError("not yet")
        return {}

    function = world.taking(stuck)
    world.reading(stream, function, Reading(batch_size=5, ahead=5))
    held = puts(stream, range(5))
    puts(stream, range(5, 10))
    async with world.running():
        await until(20 * HOUR)
        kept = puts(stream, range(10, 15))
        await until(31 * HOUR)
    assert function.taken == held + kept
    assert len(world.watch.of(Gap)) == 1


# --- where a mapping starts -----------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-02", "STREAM-57")
@BOTH
async def test_latest_begins_once_and_a_restart_before_the_first_record_loses_none(flavour: Flavour) -> None:
    world = StreamWorld()
    stream = world.stream(flavour, shards=2)
    puts(stream, range(5))
    function = world.taking()
    latest = Reading(start="LATEST")
    async with world.running():
        await until(10.5)
        supervisor = world.reading(stream, function, latest)
        world.start(supervisor)
        await until(20)
        await supervisor.stop(grace=1.0)
        wanted = puts(stream, range(5, 10))
        await until(600)
        world.start(world.reading(stream, function, latest))
        await until(700)
    assert function.taken == wanted


@pytest.mark.semantics("STREAM-57")
async def test_latest_while_the_service_is_down_begins_when_it_first_answers() -> None:
    world = StreamWorld()
    stream = world.stream()
    stream.fault = SourceUnavailable("no route")
    function = world.taking()
    supervisor = world.reading(stream, function, Reading(start="LATEST"))
    async with world.running():
        puts(stream, range(5))
        await until(60)
        assert where(supervisor) is PollState.WAITING
        stream.fault = None
        await until(120)
        wanted = puts(stream, range(5, 10))
        await until(180)
    assert function.taken == wanted


@pytest.mark.semantics("STREAM-11", "STREAM-12")
@BOTH
async def test_latest_reads_no_closed_shard_and_children_from_their_beginning(flavour: Flavour) -> None:
    world = StreamWorld()
    stream = world.stream(flavour)
    puts(stream, range(5))
    (parent,) = stream.open_shards()
    stream.split(parent)
    puts(stream, range(5, 10))
    function = world.taking()
    async with world.running():
        await until(5.5)
        world.start(world.reading(stream, function, Reading(start="LATEST", discovery=600.0)))
        await until(10)
        for shard in stream.open_shards():
            stream.split(shard)
        for child in stream.open_shards():
            stream.put(stream.key_of(child), child)
        await until(1000)
    assert sorted(function.taken) == sorted(stream.open_shards())
    assert parent not in world.handed()


@pytest.mark.semantics("STREAM-11")
async def test_a_moment_in_the_past_begins_there() -> None:
    world = StreamWorld()
    stream = world.stream()
    function = world.taking()
    async with world.running():
        puts(stream, range(5))
        await until(100)
        wanted = puts(stream, range(5, 10))
        await until(200)
        start = world.clock.wall() - 150
        world.start(world.reading(stream, function, Reading(start="AT_TIMESTAMP", start_at=start)))
        await until(300)
    assert function.taken == wanted


# --- the stream is gone, or another one -----------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-58")
@BOTH
@pytest.mark.parametrize("numbers_again", [False, True], ids=["new numbers", "same numbers"])
@pytest.mark.parametrize("start", ["TRIM_HORIZON", "LATEST"])
async def test_a_stream_made_anew_while_it_is_read_is_read_from_its_beginning(
    flavour: Flavour, numbers_again: bool, start: str
) -> None:
    world = StreamWorld()
    stream = world.stream(flavour)
    function = world.taking()
    supervisor = world.reading(stream, function, Reading(start=start))  # type: ignore[arg-type]
    async with world.running():
        await until(2)
        before = puts(stream, range(10))
        await until(30)
        stream.delete()
        await until(90)
        assert where(supervisor) is PollState.WAITING
        assert "does not exist" in str(supervisor.status.reason)
        stream.recreate(numbers_again=numbers_again)
        after = puts(stream, range(100, 120))
        await until(180)
        assert where(supervisor) is PollState.POLLING
    assert function.taken == before + after
    assert len(world.watch.of(StreamRecreated)) == 1


@pytest.mark.semantics("STREAM-58")
@pytest.mark.parametrize("numbers_again", [False, True], ids=["new numbers", "same numbers"])
async def test_a_stream_made_anew_between_two_looks_is_noticed(numbers_again: bool) -> None:
    """With the same numbers the old position leads into the middle of the new stream until it is noticed."""
    world = StreamWorld()
    stream = world.stream()
    function = world.taking()
    world.reading(stream, function)
    async with world.running():
        before = puts(stream, range(10))
        await until(31)
        stream.delete()
        stream.recreate(numbers_again=numbers_again)
        after = puts(stream, range(100, 120))
        await until(120)
    assert function.taken[: len(before)] == before
    assert function.taken[-len(after) :] == after
    assert len(world.watch.of(StreamRecreated)) == 1


@pytest.mark.semantics("STREAM-58")
@BOTH
@pytest.mark.parametrize("numbers_again", [False, True], ids=["new numbers", "same numbers"])
async def test_a_stream_made_anew_while_we_were_away_is_read_from_its_beginning(
    flavour: Flavour, numbers_again: bool
) -> None:
    world = StreamWorld()
    stream = world.stream(flavour)
    function = world.taking()
    supervisor = world.reading(stream, function)
    async with world.running():
        before = puts(stream, range(10))
        await until(30)
        await supervisor.stop(grace=1.0)
        await until(60)
        stream.recreate(numbers_again=numbers_again)
        after = puts(stream, range(100, 120))
        await until(90)
        world.start(world.reading(stream, function))
        await until(120)
    assert function.taken == before + after
    (line,) = world.watch.of(StreamRecreated)
    assert line.source == stream.arn


@pytest.mark.semantics("STREAM-58")
async def test_a_stream_made_anew_stops_a_mapping_that_wants_that() -> None:
    world = StreamWorld()
    stream = world.stream()
    function = world.taking()
    supervisor = world.reading(stream, function, Reading(start_over=False))
    async with world.running():
        before = puts(stream, range(10))
        await until(30)
        stream.delete()
        stream.recreate()
        puts(stream, range(100, 120))
        await until(300)
        assert where(supervisor) is PollState.WAITING
        assert "recreated" in str(supervisor.status.reason)
    assert function.taken == before


@pytest.mark.semantics("STREAM-18", "STREAM-59")
@BOTH
async def test_an_emulator_that_was_only_restarted_is_read_on(flavour: Flavour) -> None:
    world = StreamWorld()
    stream = world.stream(flavour)
    function = world.taking()
    supervisor = world.reading(stream, function)
    async with world.running():
        wanted = puts(stream, range(10))
        await until(33)  # between two looks: these records are read and done before it is noticed
        stream.restart(tells_created_anew=True)
        wanted += puts(stream, range(10, 20))
        await until(90)
        await supervisor.stop(grace=1.0)
        stream.restart(tells_created_anew=True)
        wanted += puts(stream, range(20, 30))
        world.start(world.reading(stream, function))
        await until(120)
    assert function.taken == wanted
    assert not world.watch.of(StreamRecreated)


@pytest.mark.semantics("STREAM-44", "STREAM-56")
async def test_a_table_whose_stream_was_enabled_anew_is_read_on_there_when_the_old_one_is_done() -> None:
    world = StreamWorld()
    table = "arn:aws:dynamodb:us-east-1:000000000000:table/orders"
    old = world.stream(Flavour.DYNAMODB)
    service = MemoryStreamService(old, name=table)
    function = world.taking()
    world.reading(service, function, Reading(start="LATEST"))
    async with world.running():
        await until(10)
        wanted = puts(old, range(10))
        await until(20)
        wanted += puts(old, range(10, 20))
        old.disable()
        new = MemoryStream(f"{table}/stream/2024-01-01T00:00:00.000", world.clock, Flavour.DYNAMODB)
        service.replace(new)
        wanted += puts(new, range(20, 30))
        await until(120)
    assert function.taken == wanted
    assert [key.source for key in await world.store.kept()] == [new.arn]


# --- the source as a whole ------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-51")
async def test_a_service_that_is_down_is_waited_for_and_nothing_is_lost() -> None:
    world = StreamWorld()
    stream = world.stream(shards=3)
    function = world.taking()
    supervisor = world.reading(stream, function)
    async with world.running():
        wanted = puts(stream, range(10))
        await until(30)
        stream.fault = SourceUnavailable("no route to host")
        wanted += puts(stream, range(10, 20))
        await until(200)
        assert where(supervisor) is PollState.WAITING
        assert "no route to host" in str(supervisor.status.reason)
        stream.fault = None
        await until(300)
        assert where(supervisor) is PollState.POLLING
    assert function.taken == wanted


async def test_a_missing_stream_is_waited_for_visibly_and_read_when_it_is_there() -> None:
    world = StreamWorld()
    stream = world.stream()
    stream.delete()
    function = world.taking()
    supervisor = world.reading(stream, function)
    async with world.running():
        await until(60)
        assert where(supervisor) is PollState.WAITING
        assert STREAMS[Flavour.KINESIS] in str(supervisor.status.reason)
        stream.recreate()
        wanted = puts(stream, range(5))
        await until(120)
    assert function.taken == wanted

"""Streams where two things go wrong at once: trouble of one shard, of a listing or of the store does not affect the
others."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from headrace.config.clock import LoopClock
from headrace.config.durable.faults import StoreUnavailable
from headrace.config.errors import SourceUnavailable
from headrace.config.reasons import ReasonCode
from headrace.dispatch.core.model import Position, Record
from headrace.dispatch.core.observer import Crashed, Fetched, FetchesAgain, FetchFailed, Gap, StreamRecreated
from headrace.pollers.checkpoints.memory import MemoryCheckpoints
from headrace.pollers.checkpoints.store import BEGINNING, Checkpoint, CommitAnswer, HeldLane, Key, Start, Token
from headrace.pollers.core.lifecycle import PollState, Status
from headrace.pollers.memory.flavours import Flavour
from headrace.pollers.memory.stream import MemoryStream
from headrace.pollers.memory.stream_service import MemoryStreamService
from headrace.pollers.streams.polled_shard import Cadence
from headrace.pollers.streams.service import Listing, Page, Pages
from support.reasons import why
from support.stream_world import STREAMS, Call, Forgetful, Reading, StreamWorld, data_of, until
from support.virtual_time import EPOCH


class FullDisk(MemoryCheckpoints):
    """A store in which some shards cannot be acquired."""

    def __init__(self, *shards: str) -> None:
        super().__init__()
        self.refused = set(shards)

    async def acquire(self, key: Key, start: Start = BEGINNING) -> HeldLane:
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


@pytest.mark.semantics("STREAM-50")
async def test_a_fault_of_ours_that_stays_in_one_shard_costs_the_others_nothing() -> None:
    world = StreamWorld()
    stream = world.stream(shards=3)
    faulty, failing, slow = stream.open_shards()

    def keeps(record: Record) -> bool:
        if data_of(record.item) == "bug":
            raise RuntimeError("a fault of ours")
        return True

    async def handler(call: Call) -> object:
        if call.data == ["poison"]:
            raise ValueError("poison")
        await anyio.sleep(50)
        return {}

    function = world.taking(handler, timeout=None)
    world.reading(stream, function, Reading(keeps=keeps, retries=5))
    for shard, data in [(faulty, "bug"), (failing, "poison"), (slow, "slow")]:
        stream.put(stream.key_of(shard), data)
    async with world.running():
        await until(60)
        assert world.discarded == [("RetryAttemptsExhausted", ["poison"])]
        assert function.taken == ["slow"]
        assert function.batches.count(["slow"]) == 1
        assert len(world.watch.of(Crashed)) > 2


@pytest.mark.semantics("STREAM-51")
async def test_that_a_mapping_fetches_again_is_told_once_when_its_last_shard_does() -> None:
    world = StreamWorld()
    stream = world.stream(shards=3)
    refused, throttled, _ = stream.open_shards()
    store = world.store = FullDisk(refused)
    world.reading(stream, world.taking())
    async with world.running():
        stream.shard(throttled).throttled = True
        await until(60)
        store.refused.clear()
        await until(120)
        assert not world.watch.of(FetchesAgain)
        stream.shard(throttled).throttled = False
        await until(180)
        (told,) = world.watch.times(FetchesAgain)
        assert 120 < told < 131
        stream.shard(refused).throttled = True
        await until(190)
        stream.shard(refused).throttled = False
        await until(240)
    assert len(world.watch.of(FetchesAgain)) == 2


class Hanging(MemoryStreamService):
    """A service that fails once and then does not answer."""

    def pages(self, stream: str, shard: str, place: Start | Position) -> Pages:
        return Hung()


class Hung:
    failed = False

    async def next(self, limit: int, until: float | None) -> Page:
        if self.failed:
            await anyio.sleep_forever()
        self.failed = True
        raise SourceUnavailable("no route")

    async def aclose(self) -> None:
        """Nothing to close."""


async def test_a_fetch_that_a_stop_cuts_short_tells_of_no_recovery() -> None:
    world = StreamWorld()
    supervisor = world.reading(Hanging(world.stream()), world.taking())
    async with world.running():
        await until(30)
        await supervisor.stop(grace=1.0)
    assert len(world.watch.of(FetchFailed)) == 1
    assert not world.watch.of(FetchesAgain)


async def test_a_mapping_whose_only_shard_cannot_be_held_says_why() -> None:
    world = StreamWorld()
    stream = world.stream()
    (shard,) = stream.open_shards()
    world.store = FullDisk(shard)
    mapping = world.reading(stream, world.taking())
    async with world.running():
        await until(60)
        assert mapping.status == Status(PollState.WAITING, why("disk full", ReasonCode.STATE_UNAVAILABLE))


# --- tumbling windows -----------------------------------------------------------------------------------------------


class Sums:
    """A function that adds up what it is given; `finals` has the sum with which each window ended."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self.finals: list[int] = []

    async def __call__(self, call: Call) -> object:
        await anyio.sleep(self._seconds)
        total = call.state.get("sum", 0) + sum(map(int, call.data))
        if call.final:
            self.finals.append(total)
        return {"state": {"sum": total}}


@pytest.mark.semantics("WINDOW-05")
async def test_that_the_stream_cannot_be_reached_is_no_silence_that_ends_a_window() -> None:
    world = StreamWorld()
    stream = world.stream()
    sums = Sums()
    world.reading(stream, world.taking(sums), Reading(tumbling=60))
    async with world.running():
        await until(45)
        stream.put("key", "1")
        await until(50)
        stream.fault = SourceUnavailable("down")
        stream.put("key", "2")
        await until(600)
        stream.fault = None
        await until(900)
    assert sums.finals == [3]


@pytest.mark.semantics("WINDOW-05")
async def test_a_restart_while_the_stream_cannot_be_reached_ends_no_window() -> None:
    world = StreamWorld()
    stream = world.stream()
    sums = Sums()
    settings = Reading(tumbling=60)
    mapping = world.reading(stream, function := world.taking(sums), settings)
    async with world.running():
        await until(45)
        stream.put("key", "1")
        await until(50)
        await mapping.stop(0)
        stream.put("key", "2")
        (shard,) = stream.open_shards()
        stream.shard(shard).fault = SourceUnavailable("down")
        world.start(world.reading(stream, function, settings))
        await until(600)
        stream.shard(shard).fault = None
        await until(900)
    assert sums.finals == [3]


@pytest.mark.semantics("WINDOW-05")
async def test_a_long_invocation_that_keeps_us_from_reading_on_is_no_silence_that_ends_a_window() -> None:
    world = StreamWorld()
    stream = world.stream()
    sums = Sums(seconds=200)
    world.reading(stream, world.taking(sums, timeout=None), Reading(tumbling=60, batch_size=2, ahead=2))
    for _ in range(6):
        stream.put("key", "1")
    async with world.running():
        await until(3000)
    assert sums.finals == [6]


@pytest.mark.semantics("WINDOW-05")
async def test_refused_records_that_are_still_read_are_no_silence_that_ends_a_window() -> None:
    world = StreamWorld()
    stream = world.stream()
    sums = Sums()
    cadence = Cadence(20.0, 1, None, 1)
    world.reading(
        stream, world.taking(sums), Reading(tumbling=60, cadence=cadence, keeps=lambda r: data_of(r.item) != "0")
    )
    for data in ["1", *["0"] * 300, "2"]:
        stream.put("key", data)
    async with world.running():
        await until(1500)
    assert sums.finals == [3]


@pytest.mark.semantics("WINDOW-05", "WINDOW-09")
async def test_a_window_that_ends_by_silence_ends_with_its_state_however_young_records_must_be() -> None:
    world = StreamWorld()
    stream = world.stream()
    sums = Sums()
    world.reading(stream, world.taking(sums), Reading(tumbling=60, max_age=60))
    async with world.running():
        for number in (1, 2, 3):
            stream.put("key", str(number))
            await anyio.sleep(5)
        await until(400)
    assert sums.finals == [6]
    assert not world.discarded


# --- age ------------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("RETRY-04")
async def test_records_that_grew_too_old_while_the_function_was_down_are_not_delivered_when_it_is_back() -> None:
    world = StreamWorld()
    stream = world.stream(shards=4)
    function = world.taking()
    world.reading(stream, function, Reading(max_age=60))
    async with world.running():
        await until(10)
        function.invoker.break_down("no such module")
        for shard in stream.open_shards():
            stream.put(stream.key_of(shard), f"old of {shard}")
        await until(3600)
        for shard in stream.open_shards():
            stream.put(stream.key_of(shard), f"young of {shard}")
        function.invoker.mend()
        await until(3700)
    assert sorted(function.taken) == [f"young of {shard}" for shard in stream.open_shards()]
    assert sorted(world.discarded) == [("RecordAgeExceeded", [f"old of {shard}"]) for shard in stream.open_shards()]


@pytest.mark.semantics("RETRY-04")
async def test_records_that_grew_too_old_while_they_waited_for_the_function_are_not_delivered() -> None:
    world = StreamWorld()
    stream = world.stream(shards=2)
    first, second = stream.open_shards()

    async def handler(call: Call) -> object:
        await anyio.sleep(100)
        return {}

    function = world.taking(handler, timeout=None, concurrency=1)
    world.reading(stream, function, Reading(max_age=60))
    async with world.running():
        await until(10)
        stream.put(stream.key_of(first), "first")
        await until(20)
        stream.put(stream.key_of(second), "old")
        await until(70)
        stream.put(stream.key_of(second), "young")
        await until(300)
    assert function.batches == [["first"], ["young"]]
    assert world.discarded == [("RecordAgeExceeded", ["old"])]


# --- while the store is slow ----------------------------------------------------------------------------------------


class SlowDisk(MemoryCheckpoints):
    """A store that takes its time to forget."""

    async def compact(self, mapping: str, source: str, shards: Collection[str]) -> int:
        await anyio.sleep(3.0)
        return await super().compact(mapping, source, shards)


@pytest.mark.semantics("STREAM-16")
async def test_a_shard_that_is_done_while_others_are_being_forgotten_is_not_read_again() -> None:
    world = StreamWorld()
    stream = world.stream(shards=2)
    first, second = stream.open_shards()
    world.store = SlowDisk()
    function = world.taking()
    world.reading(stream, function)
    async with world.running():
        await until(10)
        for child in stream.split(first):
            stream.put(stream.key_of(child), f"of {child}")
        await until(21)
        stream.split(second)
        await until(60)
    assert not world.watch.of(Crashed)
    assert len(function.taken) == 2


class SlowAnswers(MemoryCheckpoints):
    """A store that says only long after a commit that it stored it."""

    async def commit(self, key: Key, token: Token, checkpoint: Checkpoint) -> CommitAnswer:
        answer = await super().commit(key, token, checkpoint)
        await anyio.sleep(7.0)
        return answer


@pytest.mark.semantics("STREAM-13")
async def test_an_end_that_was_stored_although_nobody_heard_of_it_is_an_end() -> None:
    world = StreamWorld()
    stream = world.stream()
    (parent,) = stream.open_shards()
    world.store = SlowAnswers()
    function = world.taking()
    world.reading(stream, function)
    stream.put("key", "of the parent")
    for child in stream.split(parent):
        stream.put(stream.key_of(child), f"of {child}")
    async with world.running():
        await until(120)
    assert not world.watch.of(Crashed)
    assert function.taken[0] == "of the parent"
    assert len(function.taken) == 3


# --- listings -------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-15", "STREAM-51")
async def test_a_parent_that_one_listing_left_out_is_read_to_its_end() -> None:
    world = StreamWorld()
    stream = world.stream()
    (parent,) = stream.open_shards()
    service = Forgetful(stream, cadence=Cadence(1.0, 5, None, 2))

    async def handler(call: Call) -> object:
        await anyio.sleep(10)
        return {}

    function = world.taking(handler, timeout=None)
    world.reading(service, function, Reading(batch_size=2, ahead=2))
    for number in range(10):
        stream.put("key", str(number))
    stream.split(parent)
    async with world.running():
        await until(5)
        service.left_out = (parent,)
        await until(15)
        service.left_out = ()
        await until(25)
        stream.shard(parent).fault = SourceUnavailable("down")
        await until(60)
        stream.shard(parent).fault = None
        await until(200)
    assert function.taken == [str(number) for number in range(10)]
    assert not world.watch.of(Gap)


@pytest.mark.semantics("STREAM-19")
@pytest.mark.parametrize("reopened", [False, True], ids=["while it is read", "at an opening"])
async def test_an_idle_shard_that_one_listing_left_out_is_read_on(reopened: bool) -> None:
    """A listing that comes late is nothing unusual for a table's stream. Another shard's parent is gone, so that the
    line of this one could have ended as well."""
    world = StreamWorld()
    stream = world.stream(shards=2, retention=100.0)
    idle, parent = stream.open_shards()
    service = Forgetful(stream)
    function = world.taking()
    supervisor = world.reading(service, function)
    async with world.running():
        await until(10)
        stream.put(stream.key_of(idle), "early")
        stream.split(parent)
        await until(140)
        stream.put(stream.key_of(idle), "recent")
        await until(150)
        if reopened:
            await supervisor.stop(grace=1.0)
            service.left_out = (idle,)
            world.start(world.reading(service, function))
            await anyio.sleep(8)
        else:
            service.left_out = (idle,)
            await anyio.sleep(12)
        service.left_out = ()
        await anyio.sleep(60)
        stream.put(stream.key_of(idle), "late")
        await anyio.sleep(30)
    assert function.taken == ["early", "recent", "late"]
    assert not world.watch.of(Gap)
    assert not world.watch.of(StreamRecreated)


# --- what is opened is closed ---------------------------------------------------------------------------------------


class Counting(MemoryStreamService):
    """A service that knows how many of its shards are being read."""

    reading = 0

    def pages(self, stream: str, shard: str, place: Start | Position) -> Pages:
        self.reading += 1
        return Counted(super().pages(stream, shard, place), self)


@dataclass
class Counted:
    pages: Pages
    service: Counting

    async def next(self, limit: int, until: float | None) -> Page:
        return await self.pages.next(limit, until)

    async def aclose(self) -> None:
        self.service.reading -= 1


async def test_a_fault_of_ours_leaves_no_shard_open_behind() -> None:
    world = StreamWorld()
    stream = world.stream()
    service = Counting(stream)
    bugs = ["bug"]

    def keeps(record: Record) -> bool:
        if bugs:
            bugs.clear()
            raise RuntimeError("a fault of ours")
        return True

    function = world.taking()
    world.reading(service, function, Reading(keeps=keeps))
    stream.put("key", "bug")
    async with world.running():
        await until(60)
        assert service.reading == 1
    assert function.taken == ["bug"]
    assert service.reading == 0


class Listed(MemoryStreamService):
    """A service that knows how often it was listed."""

    looks = 0

    async def list(self, stream: str = "") -> Listing:
        self.looks += 1
        return await super().list(stream)


@pytest.mark.semantics("STREAM-51")
async def test_a_hundred_shards_that_cannot_be_read_make_no_storm_of_listings() -> None:
    world = StreamWorld(random.Random(7).random)
    stream = world.stream(shards=100)
    service = Listed(stream)
    world.reading(service, world.taking())
    async with world.running():
        for shard in stream.open_shards():
            stream.shard(shard).throttled = True
        await until(100)
    assert service.looks <= 101


# --- memory ---------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-62")
async def test_what_all_shards_hold_together_is_bounded_and_each_shard_goes_on() -> None:
    world = StreamWorld()
    stream = world.stream(shards=20)

    async def handler(call: Call) -> object:
        if call.at < 100:
            await until(100)
        await anyio.sleep(0.01)
        return {}

    function = world.taking(handler, timeout=None, concurrency=1)
    world.reading(stream, function, Reading(batch_size=10, pool=500 * 1024))
    for number in range(10_000):
        stream.put(f"key-{number}", str(number))
    async with world.running():
        await until(99)
        fetched = sum(len(event.records) for event in world.watch.of(Fetched))
        assert len({event.records[0].lane for event in world.watch.of(Fetched) if event.records}) == 20
        assert fetched < 1_500, "what fills it, and a batch of each shard"
        await until(1000)
    assert sorted(map(int, function.taken)) == list(range(10_000))


# --- clocks ---------------------------------------------------------------------------------------------------------


def off_by(world: StreamWorld, seconds: float, **settings: Any) -> MemoryStream:
    """A stream whose service has another clock than we have."""
    return MemoryStream(STREAMS[Flavour.KINESIS], LoopClock(EPOCH + seconds), **settings)


AN_HOUR_OFF = pytest.mark.parametrize("seconds", [-3600.0, -7.0, 0.0, 7.0, 3600.0])


@pytest.mark.semantics("STREAM-63")
@AN_HOUR_OFF
async def test_the_age_of_a_record_goes_by_the_services_clock(seconds: float) -> None:
    world = StreamWorld()
    stream = off_by(world, seconds)

    async def handler(call: Call) -> object:
        if call.data == ["poison"]:
            raise ValueError("poison")
        return {}

    function = world.taking(handler)
    world.reading(stream, function, Reading(max_age=60))
    async with world.running():
        await until(10)
        stream.put("key", "good")
        await until(20)
        stream.put("key", "poison")
        await until(60)
        assert function.taken == ["good"]
        assert not world.discarded
        await until(120)
    assert world.discarded == [("RecordAgeExceeded", ["poison"])]


@pytest.mark.semantics("STREAM-63", "WINDOW-05")
@AN_HOUR_OFF
async def test_the_end_of_a_window_goes_by_the_services_clock(seconds: float) -> None:
    """EPOCH is 100 seconds before a multiple of 900, as is every hour."""
    world = StreamWorld()
    stream = off_by(world, seconds)
    sums = Sums()
    function = world.taking(sums)
    world.reading(stream, function, Reading(tumbling=900))
    async with world.running():
        await until(150)
        stream.put("key", "1")
        await until(600)
        stream.put("key", "2")
        await until(1000 + 100)
        assert sums.finals == []
        await until(1000 + 140)
    assert sums.finals == [3]


@pytest.mark.semantics("STREAM-57")
@AN_HOUR_OFF
async def test_latest_goes_by_the_services_clock(seconds: float) -> None:
    world = StreamWorld()
    stream = off_by(world, seconds)
    function = world.taking()
    async with world.running():
        stream.put("key", "before")
        await until(10)
        world.start(world.reading(stream, function, Reading(start="LATEST")))
        await until(12)
        stream.put("key", "after")
        await until(30)
    assert function.taken == ["after"]


# --- a service that pushes, and says nothing while there is nothing ---------------------------------------------------


class Pushing(MemoryStreamService):
    def pages(self, stream: str, shard: str, place: Start | Position) -> Pages:
        return Pushed(super().pages(stream, shard, place))


@dataclass
class Pushed:
    pages: Pages

    async def next(self, limit: int, until: float | None) -> Page:
        while not (page := await self.pages.next(limit, until)).records and not page.ended:
            if until is not None and anyio.current_time() >= until:
                return Page(caught_up=False)
        return page

    async def aclose(self) -> None:
        await self.pages.aclose()


@pytest.mark.semantics("BATCH-03", "BATCH-04")
async def test_a_batch_whose_window_begins_while_nothing_comes_is_due_at_its_end() -> None:
    world = StreamWorld()
    stream = world.stream()

    async def handler(call: Call) -> object:
        await anyio.sleep(3.0)
        return {}

    function = world.taking(handler, timeout=None)
    world.reading(Pushing(stream), function, Reading(window=2.0))
    async with world.running():
        await until(10)
        stream.put("key", "first")
        await until(13)
        stream.put("key", "second")
        await until(60)
        assert function.taken == ["first", "second"]
    first, second = [call.at for call in function.calls]
    assert second == pytest.approx(first + 5.0, abs=0.01)


# --- a table's streams ----------------------------------------------------------------------------------------------


class Unforgetting(MemoryCheckpoints):
    """A store that cannot remove anything for a while."""

    broken = True

    async def remove(self, mapping: str, source: str | None = None) -> int:
        if self.broken:
            raise StoreUnavailable("disk full")
        return await super().remove(mapping, source)


@pytest.mark.semantics("STREAM-56")
async def test_the_positions_of_all_former_streams_of_a_table_go_in_the_end() -> None:
    world = StreamWorld()
    table = "arn:aws:dynamodb:us-east-1:000000000000:table/orders"
    streams = [
        MemoryStream(f"{table}/stream/2024-01-0{day}T00:00:00.000", world.clock, Flavour.DYNAMODB) for day in (1, 2, 3)
    ]
    store = world.store = Unforgetting()
    service = MemoryStreamService(streams[0], name=table)
    function = world.taking()
    world.reading(service, function)
    async with world.running():
        for day, stream in enumerate(streams):
            if day:
                streams[day - 1].disable()
                service.replace(stream)
            stream.put("key", stream.arn)
            await until(100 * (day + 1))
        store.broken = False
        await until(400)
    assert function.taken == [stream.arn for stream in streams]
    assert [key.source for key in await store.kept()] == [streams[2].arn]
    assert [event.source for event in world.watch.of(StreamRecreated)] == [stream.arn for stream in streams[1:]]

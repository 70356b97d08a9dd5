"""The wall clock steps while records wait, are tried again and arrive: none is discarded before its time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from headrace.config.clock import ServiceClock
from headrace.dispatch.core.model import DiscardReason
from headrace.dispatch.core.observer import Discarded
from headrace.dispatch.core.policy import Policy, Progress
from headrace.pollers.memory.flavours import Flavour
from headrace.pollers.memory.stream import MemoryStream
from headrace.pollers.memory.stream_service import MemoryStreamService
from headrace.pollers.streams.polled_shard import PolledShard
from headrace.pollers.streams.service import Listing, Page
from support.paper import partition
from support.stepping import HOUR, STEPS, SteppingClock
from support.stream_world import STREAMS, Call, Reading, StreamFunction, StreamWorld, until
from support.topic_lab import Member
from support.world import World

from .test_asynchronous_deliveries import Rig, fails
from .test_decoding import Topic

RECORDS = 120
AGE = 300.0
"""Seconds that a record may wait."""


class SteppingWorld(StreamWorld):
    """`machine` is our clock, `service` the stream's."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = self.machine = SteppingClock()
        self.service_clock = SteppingClock()

    def stream(self, flavour: Flavour = Flavour.KINESIS, **settings: Any) -> MemoryStream:
        return MemoryStream(STREAMS[flavour], self.service_clock, flavour, **settings)

    def step(self, seconds: float, whose: str) -> None:
        if "machine" in whose:
            self.machine.step(seconds)
        if "service" in whose:
            self.service_clock.step(seconds)


class WithoutDate(MemoryStreamService):
    """An emulator whose answers do not tell the time."""

    async def list(self, stream: str = "") -> Listing:
        return replace(await super().list(stream), told=None)

    def pages(self, stream: str, shard: str, place: Any) -> Any:
        return _Untold(super().pages(stream, shard, place))


class _Untold:
    def __init__(self, inner: Any) -> None:
        self._inner: PolledShard = inner

    async def next(self, limit: int, until: float | None) -> Page:
        return replace(await self._inner.next(limit, until), told=None)

    async def aclose(self) -> None:
        await self._inner.aclose()


@pytest.mark.semantics("STREAM-74")
@pytest.mark.parametrize(
    ("whose", "tells"),
    [
        ("machine and service", True),
        ("machine and service", False),
        ("machine", True),
        ("machine", False),
        ("service", True),
    ],
)
@pytest.mark.parametrize("seconds", STEPS)
@pytest.mark.parametrize("flavour", [Flavour.KINESIS, Flavour.DYNAMODB])
async def test_a_step_discards_no_fresh_record_of_a_stream(
    flavour: Flavour, seconds: float, whose: str, tells: bool
) -> None:
    """Some of the records are being tried again at the step, the others come after it."""
    world = SteppingWorld()
    stream = world.stream(flavour)
    failing = True

    async def work(call: Call) -> object:
        if failing:
            raise ValueError("not yet")
        return {}

    function = world.taking(work)
    settings = Reading(max_age=AGE, batch_size=10)
    world.reading(stream if tells else WithoutDate(stream), function, settings)
    async with world.running():
        for number in range(RECORDS // 2):
            stream.put("key", str(number))
        await until(60)
        world.step(seconds, whose)
        for number in range(RECORDS // 2, RECORDS):
            stream.put("key", str(number))
            await anyio.sleep(0.1)
        await until(120)
        failing = False
        await until(180)
    assert world.discarded == []
    assert function.taken == [str(number) for number in range(RECORDS)]


@pytest.mark.semantics("STREAM-74")
@pytest.mark.parametrize("flavour", [Flavour.KINESIS, Flavour.DYNAMODB])
async def test_the_answer_with_the_records_says_what_time_they_are_judged_by(flavour: Flavour) -> None:
    """They come at once after a step back of the service's clock, long before its shards are listed again."""
    world = SteppingWorld()
    stream = world.stream(flavour)
    function = world.taking()
    world.reading(stream, function, Reading(max_age=AGE, discovery=1000.0))
    async with world.running():
        await until(60)
        world.step(-2 * HOUR, "service")
        for number in range(RECORDS):
            stream.put("key", str(number))
        await until(70)
    assert world.discarded == []
    assert function.taken == [str(number) for number in range(RECORDS)]


@pytest.mark.semantics("STREAM-74")
@pytest.mark.parametrize("flavour", [Flavour.KINESIS, Flavour.DYNAMODB])
@pytest.mark.parametrize("seconds", [2 * HOUR, 600.0])
async def test_a_step_forward_leaves_an_old_record_its_age(flavour: Flavour, seconds: float) -> None:
    """It is discarded when it is really five minutes old, and so is one that came after the step."""
    world = SteppingWorld()
    stream = world.stream(flavour)

    async def work(call: Call) -> object:
        raise ValueError("never")

    world.reading(stream, world.taking(work), Reading(max_age=AGE, batch_size=1))
    async with world.running():
        stream.put("key", "before")
        await until(60)
        world.step(seconds, "machine and service")
        await until(120)
        stream.put("key", "after")
        await until(600)
    assert world.discarded == [("RecordAgeExceeded", ["before"]), ("RecordAgeExceeded", ["after"])]
    assert [round(at / 60) for at in world.watch.times(Discarded)] == [5, 7]


@pytest.mark.semantics("STREAM-74")
async def test_a_step_back_discards_an_old_record_late_never_early() -> None:
    world = SteppingWorld()
    stream = world.stream()

    async def work(call: Call) -> object:
        raise ValueError("never")

    world.reading(stream, world.taking(work), Reading(max_age=AGE, batch_size=1))
    async with world.running():
        stream.put("key", "before")
        await until(60)
        world.step(-600, "machine and service")
        await until(1200)
    (at,) = world.watch.times(Discarded)
    assert AGE <= at <= AGE + 600 + 60


# --- tumbling windows -------------------------------------------------------------------------------------------------


async def count(call: Call) -> dict[str, Any]:
    return {"state": {"count": call.state.get("count", 0) + len(call.data)}}


def counted(function: StreamFunction) -> list[tuple[str, int]]:
    return [
        (call.event["window"]["start"][11:19], call.state.get("count", 0) + len(call.data))
        for call in function.calls
        if call.final
    ]


@pytest.mark.semantics("WINDOW-12")
@pytest.mark.parametrize(
    ("seconds", "windows"),
    [
        (2 * HOUR, [("22:13:00", 40), ("22:14:00", 20), ("00:14:00", 40), ("00:15:00", 50)]),
        (-2 * HOUR, [("22:13:00", 40), ("22:14:00", 20), ("20:14:00", 40), ("20:15:00", 50)]),
        (600.0, [("22:13:00", 40), ("22:14:00", 20), ("22:24:00", 40), ("22:25:00", 50)]),
    ],
)
@pytest.mark.parametrize("tells", [True, False])
async def test_a_step_ends_a_window_and_no_record_is_counted_twice(
    seconds: float, windows: list[tuple[str, int]], tells: bool
) -> None:
    """A record a second: 60 before the step and 90 after it. Windows are a minute long before and after it."""
    world = SteppingWorld()
    stream = world.stream()
    function = world.taking(count)
    settings = Reading(tumbling=60)
    world.reading(stream if tells else WithoutDate(stream), function, settings)
    async with world.running():
        for number in range(150):
            if number == 60:
                await anyio.sleep(1.5)
                world.step(seconds, "machine and service")
            stream.put("key", str(number))
            await anyio.sleep(1.0)
        await until(600)
    assert sum(found for _, found in counted(function)) == 150
    assert [start for start, _ in counted(function)] == [start for start, _ in windows]
    assert all(abs(found - wanted) <= 2 for (_, found), (_, wanted) in zip(counted(function), windows, strict=True))


# --- Kafka ------------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("KAFKA-32")
@pytest.mark.parametrize("brokers_step_too", [True, False])
@pytest.mark.parametrize("seconds", STEPS)
async def test_a_step_discards_no_fresh_record_of_a_topic(seconds: float, brokers_step_too: bool) -> None:
    """The producers' clock is this machine's, or another one that does not step."""
    clock = SteppingClock()
    topic = Topic(wall=clock.wall if brokers_step_too else clock.steady)
    failing = True

    async def work(values: list[bytes]) -> None:
        if failing:
            raise ValueError("not yet")

    policy = Policy(Progress.PER_RECORD, max_age=AGE)
    member = Member(topic, clock=ServiceClock(clock), work=work, policy=policy)
    values = [b"%d" % number for number in range(RECORDS)]
    topic.send(0, *values[:60])
    async with member.running():
        await until(60)
        clock.step(seconds)
        topic.send(0, *values[60:])
        await until(120)
        failing = False
        await until(180)
    assert member.watch.of(Discarded) == []
    assert sorted(member.taken) == sorted(values)
    assert topic.committed[partition(0)] == RECORDS


@pytest.mark.semantics("KAFKA-32")
async def test_a_record_of_a_topic_is_old_when_both_clocks_say_so() -> None:
    clock = SteppingClock()
    topic = Topic(wall=clock.wall)

    async def work(values: list[bytes]) -> None:
        raise ValueError("never")

    member = Member(topic, clock=ServiceClock(clock), work=work, policy=Policy(Progress.PER_RECORD, max_age=AGE))
    topic.send(0, b"before")
    async with member.running():
        await until(60)
        clock.step(2 * HOUR)
        await until(600)
    assert [event.reason for event in member.watch.of(Discarded)] == [DiscardReason.AGE_EXCEEDED]
    assert [round(at / 60) for at in member.watch.times(Discarded)] == [5]


# --- queues -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("SQS-28")
@pytest.mark.parametrize("seconds", STEPS)
async def test_a_step_changes_nothing_of_a_queue(seconds: float) -> None:
    """Every message is handed out at the moment at which it would be without the step."""

    async def moments(step: float) -> list[tuple[float, list[str]]]:
        world, began = World(), anyio.current_time()
        clock = world.clock = SteppingClock()
        queue = world.queue()

        async def refuse(bodies: list[str]) -> None:
            if len(world.watch.invocation_times()) < 6:
                raise ValueError("not yet")

        world.mapping(queue, world.function(refuse), window=5.0)
        async with world.running():
            queue.send("before")
            await anyio.sleep(45)
            clock.step(step)
            queue.send("after")
            await anyio.sleep(355)
        times = [round(at - began, 3) for at in world.watch.invocation_times()]
        return list(zip(times, world.watch.invoked_bodies(), strict=True))

    assert await moments(seconds) == await moments(0.0)
    assert len(await moments(seconds)) >= 7


# --- asynchronous invocations -----------------------------------------------------------------------------------------


@pytest.mark.semantics("ASYNC-14")
@pytest.mark.parametrize("seconds", STEPS)
async def test_a_step_changes_nothing_of_an_event(tmp_path: Path, seconds: float) -> None:
    """It has its attempts when it would have had them, and is told of as ever."""
    rig = Rig(tmp_path)
    clock = rig.clock = SteppingClock()
    rig.catalogue.put()
    rig.does["orders"] = fails
    async with rig.open():
        await rig.accept("before")
        await anyio.sleep(30)
        clock.step(seconds)
        await rig.accept("after")
        await anyio.sleep(600)
    assert rig.times("before") == [0.0, 60.0, 180.0]
    assert rig.times("after") == [30.0, 90.0, 210.0]
    assert [(told, over.condition) for _, told, over in rig.told] == [
        ("before", "RetriesExhausted"),
        ("after", "RetriesExhausted"),
    ]

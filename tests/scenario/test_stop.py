"""A stop keeps its promise whatever hangs: each part has its share of the time, alone and all at once."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import pytest

from headrace.config.core.stop_budget import PATIENCE, StopBudget, StopTimes
from headrace.config.mapping import EventSourceMapping
from headrace.config.settings import Settings
from headrace.dispatch.destinations.memory import MemoryDestination
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.pollers.checkpoints.memory import MemoryCheckpoints
from headrace.pollers.memory import queue
from headrace.pollers.memory.queue import MemoryQueueReceiver, MemoryQueueSource
from headrace.pollers.memory.stream_service import MemoryStreamService
from headrace.pollers.streams.source import ShardReader
from headrace.service.running.functions import RunningFunction
from headrace.service.running.mappings import Changes, RunningMapping, RunningMappings
from headrace.service.telemetry.account import Account
from headrace.service.telemetry.log import Log
from headrace.service.wiring.bounded_exits import bounded_exits
from headrace.service.wiring.exits import Exit
from headrace.service.wiring.life import Life, Outside
from support.fleets import fleet_of, no_metrics
from support.stream_world import Call, Reading, StreamWorld, until

BEGUN = 100.0
"""When the stop begins."""
QUEUE, STREAM = "arn:aws:sqs:us-east-1:000000000000:orders", "arn:aws:kinesis:us-east-1:000000000000:stream/orders"


async def never(*arguments: object, **more: object) -> None:
    await anyio.sleep_forever()


class Companion:
    """A part that sends for as long as it may."""

    hangs = False

    async def run(self) -> None:
        await anyio.sleep_forever()

    async def stop(self, until: float) -> None:
        with anyio.CancelScope(deadline=until):
            if self.hangs:
                await never()


@dataclass
class Plant:
    """A queue and a stream, each with a function; what the stream's refuses goes to a failure destination."""

    stop_timeout: float = 8.0
    slow: bool = False
    """Whether functions run when the stop begins."""
    poison: bool = False
    world: StreamWorld = field(default_factory=StreamWorld)

    def __post_init__(self) -> None:
        world = self.world
        self.queue, self.stream = world.queue(visibility=600.0), world.stream()
        self.parts, self.last = Companion(), Companion()
        of_queue = world.function(self._take, name="of queue", timeout=900.0)
        of_stream = world.taking(self._read, timeout=900.0)
        supervisors = {
            "queue": world.mapping(self.queue, of_queue, name="queue"),
            "mapping": world.reading(self.stream, of_stream, Reading(batch_size=1, retries=0)),
        }
        functions = {"queue": of_queue.target, "mapping": of_stream.target}
        sources = {"queue": QUEUE, "mapping": STREAM}
        configs = {name: EventSourceMapping(name=name, source=sources[name], function="f") for name in supervisors}
        works = [RunningMapping(configs[name], supervisors[name], functions[name]) for name in supervisors]
        fleet = fleet_of(*(RunningFunction(target, "a fake") for target in functions.values()))
        self.plant = RunningMappings(
            configs.values(), works, fleet, Account(), Changes(), parts=[self.parts], last=[self.last]
        )
        outside = Outside(Log(io.StringIO()), print, None, no_metrics, self._nothing)
        self.life = Life(self.plant, Settings(stop_timeout=self.stop_timeout), outside, world.clock)

    async def _nothing(self) -> None:
        """Nothing runs beside."""

    async def _take(self, bodies: list[str]) -> None:
        if self.slow:
            await never()

    async def _read(self, call: Call) -> object:
        if self.slow:
            await never()
        if self.poison:
            raise ValueError("poison")
        return {}

    async def send(self) -> None:
        """Records for both mappings, just before the stop."""
        self.queue.send("late")
        self.stream.put("key", "late")

    async def stopped(self) -> tuple[StopTimes, float]:
        """The phases of the stop, and when it was over."""
        codes: list[Exit] = []

        async def live() -> None:
            codes.append(await self.life.run())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(live)
            await until(BEGUN - 2.0)
            await self.send()
            await until(BEGUN)
            self.life.stop()
        assert codes == [Exit.OK]
        return StopBudget.of_daemon(self.stop_timeout).begin(BEGUN), anyio.current_time()


Hang = Callable[[pytest.MonkeyPatch, Plant], None]


def hanging(kind: type, name: str) -> Hang:
    return lambda patch, plant: patch.setattr(kind, name, never)


def slow(patch: pytest.MonkeyPatch, plant: Plant) -> None:
    plant.slow = True


def silent_destination(patch: pytest.MonkeyPatch, plant: Plant) -> None:
    plant.poison = True
    patch.setattr(MemoryDestination, "write", never)


def part(patch: pytest.MonkeyPatch, plant: Plant) -> None:
    plant.parts.hangs = True


def sending(patch: pytest.MonkeyPatch, plant: Plant) -> None:
    plant.last.hangs = True


HANGING: dict[str, tuple[Hang, str]] = {
    "a function": (slow, "finish"),
    "a poll of a queue": (hanging(MemoryQueueReceiver, "fetch"), "finish"),
    "a part beside the mappings": (part, "finish"),
    "a failure destination": (silent_destination, "write"),
    "a queue that is told": (hanging(MemoryQueueReceiver, "settle"), "settle"),
    "positions": (hanging(MemoryCheckpoints, "commit"), "settle"),
    "a reader that is closed": (hanging(MemoryQueueReceiver, "aclose"), "close"),
    "a shard that is closed": (hanging(ShardReader, "aclose"), "close"),
    "a source that is closed": (hanging(MemoryQueueSource, "aclose"), "close"),
    "a function that is closed": (hanging(CallableInvoker, "aclose"), "close"),
    "lines that are sent": (sending, "send"),
}
"""What hangs, and the phase at whose end it is left alone."""
AT_ONCE = {
    "a queue that is opened": hanging(MemoryQueueSource, "open"),
    "a stream that is listed": hanging(MemoryStreamService, "list"),
    "a function that is tried": hanging(CallableInvoker, "probe"),
}
"""What no stop waits for."""


@pytest.mark.semantics("CLI-30")
@pytest.mark.parametrize("what", HANGING)
@pytest.mark.parametrize("stop_timeout", [8.0, 1.0, 30.0])
async def test_what_hangs_has_its_share_of_the_stop(
    what: str, stop_timeout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "LONG_POLL", 0.5)
    plant = Plant(stop_timeout)
    hang, phase = HANGING[what]
    hang(monkeypatch, plant)
    times, ended = await plant.stopped()
    assert ended <= getattr(times, phase) + 1e-6
    gives_up = PATIENCE + 0.5  # what is done at an end has no more than that, however long the stop may last
    assert ended == pytest.approx(getattr(times, phase)) or PATIENCE <= ended - BEGUN <= gives_up


@pytest.mark.semantics("CLI-30")
@pytest.mark.parametrize("what", AT_ONCE)
async def test_what_does_not_work_for_anybody_yet_holds_up_no_stop(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "LONG_POLL", 4.0)
    plant = Plant()
    AT_ONCE[what](monkeypatch, plant)
    _, ended = await plant.stopped()
    assert ended <= BEGUN + 4.0


@pytest.mark.semantics("CLI-30")
@pytest.mark.parametrize("stop_timeout", [8.0, 1.0, 0.0])
async def test_a_stop_is_over_in_time_when_everything_hangs(
    stop_timeout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = Plant(stop_timeout)
    for hang, _ in HANGING.values():
        hang(monkeypatch, plant)
    times, ended = await plant.stopped()
    assert ended <= times.send + 1e-6


@pytest.mark.semantics("CLI-30")
async def test_a_stop_in_which_nothing_hangs_is_over_when_its_poll_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "LONG_POLL", 4.0)
    _, ended = await Plant().stopped()
    assert ended <= BEGUN + 4.0


async def test_what_was_opened_is_closed_in_its_order_and_not_waited_for_beyond_the_end() -> None:
    closed: list[str] = []

    async def close(name: str) -> None:
        closed.append(f"{name} begins")
        await anyio.sleep(0.1)
        closed.append(f"{name} ends")

    async with bounded_exits(lambda: 5.0) as stack:
        stack.callback(closed.append, "lock")
        stack.push_async_callback(close, "last")
        stack.push_async_callback(never)
        stack.push_async_callback(close, "first")
    assert closed == ["first begins", "first ends", "last begins", "lock"]
    assert anyio.current_time() == 5.0


async def test_an_error_of_the_start_is_not_lost_when_something_hangs_behind_it() -> None:
    async def start() -> None:
        async with bounded_exits(lambda: 5.0) as stack:
            stack.push_async_callback(never)
            raise ValueError("the start")

    with pytest.raises(ValueError, match="the start"):
        await start()

"""A source that accepts a request and never answers is reported within ten seconds, long before the call times out."""

from __future__ import annotations

import anyio
import pytest

from headrace.config.clock import LoopClock
from headrace.config.fields.arn import Arn
from headrace.pollers.memory.queue import MemoryQueueReceiver, MemoryQueueSource
from headrace.pollers.source import FetchResult
from headrace.pollers.sqs.source import LOCAL_POLL, QueueSettings, SqsSource
from headrace.pollers.supervisor import Supervisor
from support.stream_world import Reading, StreamWorld
from support.virtual_time import EPOCH
from support.world import World


async def until(moment: float) -> None:
    """Virtual time, not a wait: the loop jumps there when everything before it has happened."""
    await anyio.sleep(moment - anyio.current_time())


def state_of(supervisor: Supervisor) -> str:
    return supervisor.status.state.value


async def take_all(bodies: list[str]) -> None:
    return None


@pytest.mark.semantics("OBS-21")
async def test_a_fetch_without_an_answer_shows_as_trouble_until_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = anyio.Event()
    real = MemoryQueueReceiver.fetch

    async def late(self: MemoryQueueReceiver, *arguments: object) -> FetchResult:
        await answered.wait()
        return await real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(MemoryQueueReceiver, "fetch", late)
    monkeypatch.setattr(MemoryQueueSource, "patience", 9.0)
    world = World()
    queue = world.queue()
    supervisor = world.mapping(queue, world.function(take_all), receivers=2)
    queue.send("one")
    async with world.running():
        await until(8.9)
        assert state_of(supervisor) == "polling"
        await until(9.9)
        assert state_of(supervisor) == "waiting"
        assert "has not answered for 9 s" in str(supervisor.status.reason)
        answered.set()
        await until(10.1)
        assert state_of(supervisor) == "polling"


async def test_a_source_that_may_have_nothing_to_say_is_never_silent() -> None:
    world = World()
    supervisor = world.mapping(world.queue(), world.function(take_all))
    async with world.running():
        await until(19.9)  # its long poll takes twenty seconds
        assert state_of(supervisor) == "polling"


@pytest.mark.semantics("OBS-21")
async def test_an_emulators_queue_or_stream_that_is_silent_shows_within_ten_seconds() -> None:
    async def connect() -> object:
        raise AssertionError("nobody connects")

    arn = Arn.parse("arn:aws:sqs:us-east-1:000000000000:orders")
    settings = QueueSettings(arn, 0.0, 3.0, 5, long_poll=LOCAL_POLL)
    queue = SqsSource(settings, connect, LoopClock(EPOCH), lambda: 0.0)
    world = StreamWorld()
    stream = world.source(world.service(world.stream()), Reading())
    assert max(queue.patience, stream.patience) < 10.0

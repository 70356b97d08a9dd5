"""Functions with a remembered start: messages are received for them once they were seen to start."""

from __future__ import annotations

import anyio
import pytest

from headrace.config.errors import SourceUnavailable
from headrace.dispatch.core.observer import GateClosed, GateOpened
from headrace.pollers.memory.queue import MemoryQueueSource
from headrace.pollers.supervisor import LOOKS, Supervisor
from support.world import World


async def until(moment: float) -> None:
    """Virtual time, not a wait: the loop jumps there when everything before it has happened."""
    await anyio.sleep(moment - anyio.current_time())


async def take_all(bodies: list[str]) -> None:
    return None


def state_of(supervisor: Supervisor) -> str:
    return supervisor.status.state.value


@pytest.mark.semantics("SQS-29")
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
async def test_nothing_is_received_for_a_function_that_started_once_and_cannot_any_more(fifo: bool) -> None:
    world = World()
    queue = world.queue(max_receives=1, fifo=fifo)
    function = world.function(take_all, remembered=True)
    function.invoker.break_down("No module named 'stock'")
    supervisor = world.mapping(queue, function, receivers=5)
    for _ in range(20):
        queue.send("precious", "group" if fifo else None)
    async with world.running():
        await until(1800)
        assert {message.receives for message in queue.messages} == {0}
        assert "No module named 'stock'" in str(supervisor.status.reason)
        function.invoker.mend()
        await until(2000)
    assert queue.messages == queue.dead == []


@pytest.mark.semantics("SQS-29")
@pytest.mark.parametrize("moment", [0.0, 1.0, 30.0])
async def test_a_stop_while_it_cannot_start_sends_nothing_to_the_dead_letter_queue(moment: float) -> None:
    world = World()
    queue = world.queue(max_receives=1)
    for _ in range(20):
        queue.send("precious")
    function = world.function(take_all, remembered=True)
    function.invoker.break_down("No module named 'stock'")
    world.mapping(queue, function)
    async with world.running():
        await until(moment)
    after = World()
    after.mapping(queue, after.function(take_all))
    async with after.running():
        await until(moment + 100)
    assert queue.messages == queue.dead == []


@pytest.mark.semantics("SQS-29")
async def test_while_nothing_waits_the_function_needs_no_start_and_its_mapping_is_polling() -> None:
    world = World()
    queue = world.queue()
    supervisor = world.mapping(queue, world.function(take_all, remembered=True))
    async with world.running():
        await until(3600)
        assert state_of(supervisor) == "polling"
        assert world.watch.of(GateOpened) == []


@pytest.mark.semantics("SQS-29")
async def test_what_comes_to_a_queue_that_was_idle_since_the_start_waits_for_one_look_and_later_for_none() -> None:
    world = World()
    queue = world.queue()
    world.mapping(queue, world.function(take_all, remembered=True))
    async with world.running():
        await until(3599.5)
        queue.send("first")
        await until(3700)
        queue.send("second")
        await until(3800)
    first, second = world.watch.invocation_times()
    assert first - 3599.5 <= LOOKS
    assert second == 3700.0
    assert len(world.watch.of(GateOpened)) == 1


@pytest.mark.semantics("SQS-29")
async def test_messages_that_somebody_else_still_has_are_a_reason_to_start() -> None:
    """A daemon that was killed has received them; they are visible again when the function is up."""
    world = World()
    queue = world.queue(visibility=30.0)
    queue.send("taken")
    queue.receive(1, 30.0)
    world.mapping(queue, world.function(take_all, remembered=True))
    async with world.running():
        await until(100)
    assert world.watch.invocation_times() == [30.0]


@pytest.mark.semantics("SQS-29")
async def test_what_one_mapping_finds_of_a_function_holds_for_the_others() -> None:
    world = World()
    busy, idle = world.queue("busy"), world.queue("idle")
    function = world.function(take_all, remembered=True)
    function.invoker.break_down("No module named 'stock'")
    other = world.mapping(idle, function, name="idle")
    world.mapping(busy, function, name="busy")
    busy.send("one")
    async with world.running():
        await until(10)
        assert "No module named 'stock'" in str(other.status.reason)
        assert world.watch.of(GateClosed)
        function.invoker.mend()
        await until(60)
        idle.send("two")
        await until(70)
    assert busy.messages == idle.messages == []
    assert world.watch.invocation_times()[-1] == 60.0


@pytest.mark.semantics("SQS-29")
async def test_a_queue_that_goes_while_nobody_receives_is_missed_and_found_again() -> None:
    world = World()
    queue = world.queue()
    supervisor = world.mapping(queue, world.function(take_all, remembered=True))
    async with world.running():
        await until(10)
        queue.exists = False
        await until(60)
        assert "does not exist" in str(supervisor.status.reason)
        queue.exists = True
        await until(120)
        assert state_of(supervisor) == "polling"
        queue.broken = SourceUnavailable("no route")
        await until(130)
        assert "no route" in str(supervisor.status.reason)
        queue.broken = None
        queue.send("one")
        await until(200)
    assert queue.messages == []


@pytest.mark.semantics("OBS-21")
async def test_a_queue_that_does_not_say_whether_it_is_empty_shows_as_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = anyio.Event()
    real = MemoryQueueSource.empty

    async def late(self: MemoryQueueSource) -> bool:
        await answered.wait()
        return await real(self)

    monkeypatch.setattr(MemoryQueueSource, "empty", late)
    monkeypatch.setattr(MemoryQueueSource, "patience", 9.0)
    world = World()
    queue = world.queue()
    supervisor = world.mapping(queue, world.function(take_all, remembered=True))
    queue.send("one")
    async with world.running():
        await until(8.9)
        assert state_of(supervisor) == "polling"
        await until(9.1)
        assert "has not answered for 9 s" in str(supervisor.status.reason)
        answered.set()
        await until(60)
    assert queue.messages == []

"""How long messages stay invisible: during their invocation, while their function cannot start, and no longer."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from headrace.config.core.stop_budget import StopBudget
from headrace.config.errors import SourceUnavailable
from headrace.dispatch.core.model import ABANDONED, Attempt, Record, Reply, Unreachable
from headrace.dispatch.core.observer import Crashed, FeedsChanged, GateClosed, Settled
from headrace.pollers.memory.queue import MemoryQueueReceiver
from support.reasons import no_start
from support.virtual_time import EPOCH
from support.world import World

MEGABYTE = 1_000_000
"""Six of such messages fill an event."""


async def until(moment: float) -> None:
    """Virtual time, not a wait: the loop jumps there when everything before it has happened."""
    await anyio.sleep(moment - anyio.current_time())


async def take_all(bodies: list[str]) -> None:
    return None


async def refuse_all(bodies: list[str]) -> None:
    raise ValueError("no")


def absent() -> Reply:
    return Unreachable(Attempt("r", EPOCH, EPOCH, 404), no_start("no such function"), down=True)


@pytest.mark.semantics("SQS-07")
async def test_a_batch_in_hand_is_held_while_its_function_is_down() -> None:
    """With maxReceiveCount 1 a single fall-back to the queue would mean the dead-letter queue."""
    world = World()
    queue = world.queue(visibility=30.0, max_receives=1)
    function = world.function(take_all)
    world.mapping(queue, function)
    async with world.running():
        await until(1)  # it was seen to start, and fetches
        function.invoker.break_down("connection refused")
        queue.send("precious")
        queue.send("second")
        await until(1800)
        assert [message.receives for message in queue.messages] == [1, 1]
        assert queue.dead == []
        assert len(world.watch.of(GateClosed)) > 3
        function.invoker.mend()
        await until(2000)
    assert queue.messages == queue.dead == []


@pytest.mark.semantics("SQS-07")
async def test_a_batch_in_hand_is_held_between_probes_that_succeed_and_trials_that_fail() -> None:
    """A function that is not there sits behind an endpoint that is: every probe succeeds."""
    world = World()
    queue = world.queue(visibility=30.0, max_receives=1)

    async def handler(bodies: list[str]) -> object:
        return absent() if anyio.current_time() < 1800 else {}

    world.mapping(queue, world.function(handler))
    queue.send("precious")
    async with world.running():
        await until(2000)
    assert queue.messages == queue.dead == []


@pytest.mark.semantics("SQS-14")
async def test_an_invocation_longer_than_the_visibility_timeout_is_not_delivered_twice() -> None:
    world = World()
    queue = world.queue(visibility=30.0)

    async def slow(bodies: list[str]) -> None:
        await anyio.sleep(200)

    world.mapping(queue, world.function(slow, timeout=300.0, concurrency=2), batch_size=1, receivers=2)
    queue.send("long")
    async with world.running():
        await until(600)
    assert world.watch.invocation_times() == [0.0]
    assert queue.messages == []


@pytest.mark.semantics("SQS-14")
async def test_a_hold_that_fails_in_passing_is_tried_again_and_ends_no_invocation() -> None:
    world = World()
    queue = world.queue(visibility=30.0, max_receives=1)

    async def slow(bodies: list[str]) -> None:
        await anyio.sleep(200)

    world.mapping(queue, world.function(slow, timeout=300.0, concurrency=2), batch_size=1, receivers=2)
    queue.send("long")
    async with world.running():
        await until(24)
        queue.broken = SourceUnavailable("no route")
        await until(27)
        queue.broken = None
        await until(600)
    assert world.watch.of(Crashed) == []
    assert world.watch.invocation_times() == [0.0]
    assert queue.messages == queue.dead == []


@pytest.mark.semantics("SQS-14")
async def test_a_hold_shortens_nothing_that_is_held_for_longer() -> None:
    world = World()
    queue = world.queue(visibility=120.0)

    async def fails(bodies: list[str]) -> None:
        await anyio.sleep(60)
        raise ValueError("no")

    world.mapping(queue, world.function(fails, timeout=300.0), batch_size=100, window=100.0)
    async with world.running():
        await until(10)
        queue.send("early")
        await until(80)
        queue.send("late")
        await until(175)  # the early one was held at 125, the batch failed at 170
        assert [message.visible_at for message in queue.messages] == [160.0 + 30.0, 200.0]


async def test_a_failure_inside_the_visibility_timeout_is_not_extended() -> None:
    world = World()
    queue = world.queue(visibility=30.0, max_receives=2)

    async def slow(bodies: list[str]) -> None:
        await anyio.sleep(20)
        raise ValueError("no")

    world.mapping(queue, world.function(slow, timeout=300.0))
    queue.send("long")
    async with world.running():
        await until(200)
    assert world.watch.invocation_times() == [0.0, 30.0]


@pytest.mark.semantics("SQS-14")
async def test_a_quick_failure_comes_back_after_a_short_visibility_timeout() -> None:
    world = World()
    queue = world.queue(visibility=1.0, max_receives=4)
    world.mapping(queue, world.function(refuse_all))
    queue.send("poison")
    async with world.running():
        await until(60)
    assert world.watch.invocation_times() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.semantics("SQS-07")
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
async def test_what_waits_behind_a_batch_in_hand_is_held_with_it(fifo: bool) -> None:
    """One receive can bring more than an event holds."""
    world = World()
    queue = world.queue(visibility=30.0, max_receives=1, fifo=fifo)
    function = world.function(take_all)
    world.mapping(queue, function)
    async with world.running():
        await until(1)
        function.invoker.break_down("connection refused")
        for _ in range(10):
            queue.send("x" * MEGABYTE, "group" if fifo else None)
        await until(300)
        assert all(message.receives == 1 for message in queue.messages)
        function.invoker.mend()
        await until(600)
    assert queue.messages == queue.dead == []


@pytest.mark.semantics("SQS-06")
async def test_an_invocation_that_runs_for_long_does_not_keep_others_from_a_function_that_is_up_again() -> None:
    """It went through the gate before: it cannot go on trial, and there is nothing to wait for."""
    world = World()
    first, second = world.queue("first"), world.queue("second")

    async def handler(bodies: list[str]) -> object:
        if bodies == ["long"]:
            await anyio.sleep(800)
        elif anyio.current_time() < 100:
            return absent()
        return {}

    function = world.function(handler, timeout=900.0, concurrency=2)
    world.mapping(first, function, name="first")
    stopped = world.mapping(second, function, name="second")
    async with world.running(grace=900.0):
        await until(1)
        first.send("long")
        await until(2)
        second.send("finds out")
        await until(50)
        await stopped.stop(grace=0.0)
        await until(100)
        assert function.target.gate.is_open
    assert first.messages == []


@pytest.mark.semantics("SQS-16")
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
async def test_a_stop_gives_back_what_waits_behind_the_batch_of_a_retired_receiver(fifo: bool) -> None:
    world = World()
    queue = world.queue(visibility=600.0, fifo=fifo)

    async def hang(bodies: list[str]) -> None:
        await anyio.sleep(300)

    world.mapping(queue, world.function(hang, timeout=300.0, concurrency=2), receivers=2)
    for _ in range(10):
        queue.send("x" * MEGABYTE, "group" if fifo else None)
    async with world.running(grace=5.0):
        await until(1)
        queue.exists = False  # the second receiver notices, and the first one is to end with its work
        queue.wake()
        await until(2)
        assert world.watch.of(FeedsChanged)[-1].feeds == 1
    assert [message.visible_at for message in queue.messages] == [7.0] * 10


@pytest.mark.semantics("SQS-16")
async def test_what_waited_for_a_batch_at_a_stop_has_its_fate() -> None:
    world = World()
    queue = world.queue(visibility=600.0)
    world.mapping(queue, world.function(take_all), batch_size=100, window=300.0)
    async with world.running(grace=5.0):
        await until(1)
        queue.send("early")
        await until(2)
    assert [each.fate for event in world.watch.of(Settled) for each in event.settlements] == [ABANDONED]
    assert [message.visible_at for message in queue.messages] == [7.0]  # the poll under way was let go on till then


async def test_a_source_that_never_answers_a_release_does_not_hold_up_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(self: MemoryQueueReceiver, records: Sequence[Record]) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(MemoryQueueReceiver, "release", never)
    world = World()
    queue = world.queue(visibility=600.0)
    world.mapping(queue, world.function(take_all), batch_size=100, window=300.0)
    async with world.running(grace=5.0):
        await until(1)
        queue.send("early")
        await until(2)
    assert anyio.current_time() == StopBudget.of_mapping(5.0).begin(2.0).settle

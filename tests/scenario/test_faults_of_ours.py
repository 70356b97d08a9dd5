"""An unexpected exception reaches neither another mapping nor the daemon."""

from __future__ import annotations

import anyio
import pytest
from anyio.abc import TaskGroup

from headrace.dispatch.core.model import Lane, Record, Reply
from headrace.dispatch.core.observer import Crashed
from headrace.dispatch.invokers.base import Invocation, NotReady, Ready
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.pollers.memory.queue import MemoryQueueReceiver, MemoryQueueSource
from headrace.pollers.source import Owner, Roster
from headrace.pollers.supervisor import Supervisor
from support.world import World


async def until(moment: float) -> None:
    """Virtual time, not a wait: the loop jumps there when everything before it has happened."""
    await anyio.sleep(moment - anyio.current_time())


async def take_all(bodies: list[str]) -> None:
    return None


async def test_a_fault_of_ours_ends_neither_the_daemon_nor_for_good_its_mapping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is raised where nothing should be: told aloud, and tried again."""
    world = World()
    queue = world.queue()
    function = world.function(take_all)
    supervisor = world.mapping(queue, function)
    faults = iter([KeyError("first"), ValueError("second")])
    real_open, real_probe = MemoryQueueSource.open, CallableInvoker.probe
    probes = iter([OSError("no more descriptors")])

    async def broken_open(self: MemoryQueueSource) -> Roster:
        if (fault := next(faults, None)) is not None:
            raise fault
        return await real_open(self)

    async def broken_probe(self: CallableInvoker) -> Ready | NotReady:
        if (fault := next(probes, None)) is not None:
            raise fault
        return await real_probe(self)

    monkeypatch.setattr(MemoryQueueSource, "open", broken_open)
    monkeypatch.setattr(CallableInvoker, "probe", broken_probe)
    queue.send("patient")
    async with world.running():
        await until(0.25)
        assert "no more descriptors" in str(supervisor.status.reason)
        await until(0.75)
        assert "first" in str(supervisor.status.reason)
        await until(60)
    assert len(world.watch.of(Crashed)) == 2
    assert queue.messages == []


async def test_a_fault_of_ours_on_trial_leaves_the_trial_to_another_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    first, second = world.queue("first"), world.queue("second")
    function = world.function(take_all, concurrency=2)
    world.mapping(first, function, name="first")
    world.mapping(second, function, name="second")
    real = CallableInvoker.invoke
    faults = iter([KeyError("ours")])

    async def broken(self: CallableInvoker, invocation: Invocation) -> Reply:
        if anyio.current_time() > 10 and (fault := next(faults, None)) is not None:
            raise fault
        return await real(self, invocation)

    monkeypatch.setattr(CallableInvoker, "invoke", broken)
    async with world.running():
        await until(1)  # it was seen to start, and both fetch
        function.invoker.break_down("not yet")
        first.send("one")
        second.send("two")
        await until(10)
        function.invoker.mend()
        await until(120)
    assert len(world.watch.of(Crashed)) == 1
    assert first.messages == second.messages == []


async def test_a_reader_whose_lanes_are_taken_when_it_closes_waits_for_no_feed_that_a_fault_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A member of a consumer group gives its partitions back when it is closed."""
    world = World()
    queue = world.queue()
    owners: list[Owner] = []
    faults = iter([KeyError("ours")])

    def keeps(record: Record) -> bool:
        if (fault := next(faults, None)) is not None:
            raise fault
        return True

    async def gives_back(self: MemoryQueueReceiver) -> None:
        await owners[-1].revoke((Lane(queue.arn),), anyio.current_time())

    monkeypatch.setattr(MemoryQueueReceiver, "attach", lambda self, owner: owners.append(owner))
    monkeypatch.setattr(MemoryQueueReceiver, "aclose", gives_back)
    world.mapping(queue, world.function(take_all), keeps=keeps)
    queue.send("patient")
    async with world.running():
        await until(120)
    assert len(world.watch.of(Crashed)) == 1
    assert queue.messages == []


async def test_a_fault_of_ours_between_the_feeds_of_a_mapping_ends_neither_it_nor_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What decides which feeds there are runs in a task of its own, beside all of them."""
    world = World()
    first, second = world.queue("first"), world.queue("second")
    function = world.function(take_all, concurrency=2)
    world.mapping(first, function, name="first")
    world.mapping(second, function, name="second")
    real = Supervisor._align
    faults = iter([KeyError("ours")])

    def broken(self: Supervisor, tasks: TaskGroup, roster: Roster) -> None:
        if self.mapping == "first" and (fault := next(faults, None)) is not None:
            raise fault
        real(self, tasks, roster)

    monkeypatch.setattr(Supervisor, "_align", broken)
    first.send("one")
    second.send("two")
    async with world.running():
        await until(60)
        assert first.messages == second.messages == []
    assert [event.mapping for event in world.watch.of(Crashed)] == ["first"]

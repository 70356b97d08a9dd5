"""Mappings and functions that come, change and go while the daemon runs; on virtual time, with the shipped fakes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from headrace.config.clock import LoopClock
from headrace.config.core.stop_budget import StopBudget
from headrace.config.mapping import EventSourceMapping
from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.observer import Observers
from headrace.dispatch.invokers.base import Invocation
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.pollers.memory.queue import MemoryQueue, MemoryQueueSource
from headrace.service.running.functions import RunningFunction, RunningFunctions
from headrace.service.running.mappings import Changes, RunningMapping, RunningMappings
from headrace.service.telemetry.account import Account
from headrace.service.telemetry.metrics import Labels, Metrics
from support.reasons import no_start
from support.rigs import MappingRig, target_of
from support.virtual_time import EPOCH, VirtualLoop

ARN = "arn:aws:sqs:us-east-1:000000000000:orders"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@dataclass
class Rig:
    """A plant that begins empty, a queue, and functions that remember what they were invoked with."""

    seconds: float = 0.0
    """Of an invocation."""
    taken: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    broken: str = ""

    def __post_init__(self) -> None:
        self.clock = LoopClock(EPOCH)
        self.queue = MemoryQueue(ARN, self.clock, 30.0)
        self.account, self.changes = Account(), Changes()
        self.observer = Observers([self.account, self.changes])
        self.invokers: dict[str, CallableInvoker] = {}
        self.fleet = RunningFunctions(self.make)
        self.plant = RunningMappings([], [], self.fleet, self.account, self.changes)

    async def make(self, name: str) -> RunningFunction:
        self.made.append(name)
        await anyio.sleep(0.5)

        async def take(invocation: Invocation) -> bytes:
            self.taken.append(name)
            await anyio.sleep(self.seconds)
            return b"{}"

        invoker = self.invokers[name] = CallableInvoker(take, clock=self.clock, timeout=60.0, concurrency=2)
        if self.broken:
            invoker.break_down(self.broken)
        return RunningFunction(target_of(invoker, self.observer, name=name, backoff=Backoff(cap=4.0)), "a fake")

    async def work(self, name: str = "m", function: str = "f") -> RunningMapping:
        target = (await self.fleet.member(function)).target
        rig = MappingRig(
            clock=self.clock, observer=self.observer, target=target, name=name, batch_size=1, backoff=Backoff(cap=4.0)
        )
        mapping = EventSourceMapping(name=name, source=ARN, function=function)
        return rig.work(mapping, MemoryQueueSource(self.queue, 2))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[RunningMappings]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.plant.run)
            await anyio.sleep(1)
            yield self.plant
            tasks.cancel_scope.cancel()


async def test_a_mapping_that_comes_while_the_plant_runs_polls() -> None:
    rig = Rig()
    rig.queue.send("one")
    async with rig.running() as plant:
        assert plant.readiness().polling  # nothing is configured, so nothing is missing
        work = await rig.work()
        plant.put(work.config, work)
        await anyio.sleep(5)
        assert rig.taken == ["f"]
        assert plant.mappings()[0].state == "polling"
        assert [function.name for function in plant.functions()] == ["f"]


async def test_a_mapping_that_is_taken_down_fetches_no_more_and_is_shown_as_not_enabled() -> None:
    rig = Rig()
    async with rig.running() as plant:
        work = await rig.work()
        plant.put(work.config, work)
        await anyio.sleep(5)
        await plant.take_down("m", 1.0)
        rig.queue.send("one")
        await anyio.sleep(60)
        assert rig.taken == []
        assert plant.mappings()[0].state == "disabled"
        assert not plant.works
        plant.forget("m")
        assert plant.mappings() == ()


async def test_an_invocation_in_flight_ends_before_a_mapping_is_down() -> None:
    rig = Rig(seconds=3.0)
    rig.queue.send("one")
    async with rig.running() as plant:
        work = await rig.work()
        plant.put(work.config, work)
        await anyio.sleep(1)
        await plant.take_down("m", 10.0)
        assert rig.account.counts["m"].delivered == 1
        assert not rig.queue.messages


async def test_one_that_does_not_end_in_time_is_ended_and_its_message_comes_again() -> None:
    rig = Rig(seconds=1000.0)
    rig.queue.send("one")
    async with rig.running() as plant:
        work = await rig.work()
        plant.put(work.config, work)
        await anyio.sleep(1)
        asked = anyio.current_time()
        await plant.take_down("m", 2.0)
        assert anyio.current_time() - asked <= 10.0
        rig.seconds = 0.0
        work = await rig.work(function="g")
        plant.put(work.config, work)
        await anyio.sleep(60)
        assert rig.taken == ["f", "g"]
        assert not rig.queue.messages


async def test_a_function_is_made_once_for_all_who_ask_at_once() -> None:
    rig = Rig()
    found: list[RunningFunction] = []

    async def ask() -> None:
        found.append(await rig.fleet.member("f"))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
    assert rig.made == ["f"]
    assert found[0] is found[1] is found[2]


async def test_a_function_that_comes_broken_is_probed_until_nobody_needs_it() -> None:
    rig = Rig(broken="no module named app")
    async with rig.running() as plant:
        member = await rig.fleet.member("f")
        await anyio.sleep(20)
        assert "no module named app" in str(member.target.gate.cause)
        rig.invokers["f"].mend()
        await anyio.sleep(20)
        assert member.target.gate.is_open
        await rig.fleet.release("f", lambda: True)
        assert len(plant.functions()) == 1
        await rig.fleet.release("f", lambda: False)
        assert plant.functions() == ()
        with member.target.gate.entry() as entry:
            await entry.admitted()
            entry.failed(no_start("gone"))
        await anyio.sleep(60)
        assert not member.target.gate.is_open  # nobody probes it


async def test_nothing_begins_once_the_plant_stops() -> None:
    rig = Rig()
    rig.queue.send("one")
    async with rig.running() as plant:
        await plant.stop(StopBudget.of_mapping(1.0).begin(anyio.current_time()))
        work = await rig.work()
        plant.put(work.config, work)
        await anyio.sleep(60)
        assert rig.taken == []


def test_the_series_of_a_mapping_come_and_go_with_it() -> None:
    metrics = Metrics([])
    metrics.add(Labels("m", "kinesis", "f"))
    metrics.add(Labels("n", "sqs", "f"))
    assert 'mapping="m"' in metrics.render().decode()
    metrics.remove("m")
    text = metrics.render().decode()
    assert 'mapping="m"' not in text
    assert 'mapping="n"' in text

"""Accepted events over hours, on virtual time: the real queue, the shipped fake of a function."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio.lowlevel
import pytest

from headrace.config.clock import LoopClock
from headrace.dispatch.core.model import Reply, Returned, Unreachable
from headrace.dispatch.core.observer import Event as Seen
from headrace.dispatch.core.observer import EventDropped, EventFinished, EventRetried
from headrace.dispatch.invokers.base import Invocation, Invoker
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.service.async_invoke.core.model import HeldEvent, Over
from headrace.service.async_invoke.deliveries import Deliveries, EventQueue, RetryPace
from headrace.service.async_invoke.store import FILE, EventStore
from headrace.service.control.catalogue import AsynchronousSettings, Runnable
from headrace.service.running.environments import Environments
from headrace.service.running.invocations import Invocations
from support.catalogues import PaperCatalogue
from support.fleets import fleet_of
from support.virtual_time import EPOCH, VirtualLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@dataclass
class Rig:
    directory: Path
    catalogue: PaperCatalogue = field(default_factory=PaperCatalogue)
    does: dict[str, Callable[[Invocation], Any]] = field(default_factory=dict)
    """What a function does: seconds that it takes, or something that it raises."""
    attempts: list[tuple[float, str, str]] = field(default_factory=list)
    """Seconds, function, request id."""
    told: list[tuple[float, str, Over]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    telling: float = 0.0
    shared: int = 1000

    def __post_init__(self) -> None:
        self.clock = LoopClock(EPOCH)
        self.most: dict[str, int] = {}

    def observe(self, event: Seen) -> None:
        self.seen.append(event)

    async def tell(self, held: HeldEvent, over: Over, settings: AsynchronousSettings, dead_letter: str) -> None:
        await anyio.sleep(self.telling)
        self.told.append((self.now, held.event.request_id, over))

    @property
    def now(self) -> float:
        return round(self.clock.monotonic(), 3)

    def make(self, runnable: Runnable) -> Invoker:
        at_once = 0

        async def function(invocation: Invocation) -> bytes:
            nonlocal at_once
            self.attempts.append((self.now, runnable.name, invocation.request_id))
            at_once += 1
            self.most[runnable.name] = max(self.most.get(runnable.name, 0), at_once)
            try:
                does = self.does.get(runnable.name)
                await anyio.sleep(does(invocation) if does else 0.0)
            finally:
                at_once -= 1
            return b"null"

        return CallableInvoker(function, clock=self.clock, concurrency=None, timeout=None)

    @asynccontextmanager
    async def open(self, pace: RetryPace | None = None) -> AsyncIterator[EventQueue]:
        """A daemon's life; it is stopped at the end, with a minute of grace."""
        store = await EventStore.open(self.directory / FILE)
        environments = Environments(self.catalogue, self.make, self.shared, self.clock, lambda: 1.0)
        self.queue = EventQueue(store, self.clock)
        invocations = Invocations((), fleet_of(), environments, self.clock)
        self.deliveries = Deliveries(self.queue, invocations, self, self, self.clock, pace or RetryPace())
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.deliveries.run)
                yield self.queue
                await self.deliveries.stop(anyio.current_time() + 60.0)
        finally:
            await store.aclose()

    async def accept(self, request_id: str, function: str = "orders", qualifier: str = "") -> None:
        await self.queue.accept(function, qualifier, request_id, b"{}", 0)

    def times(self, request_id: str) -> list[float]:
        return [at for at, _, each in self.attempts if each == request_id]


def fails(invocation: Invocation) -> float:
    raise ValueError("no")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    made = Rig(tmp_path)
    made.catalogue.put()
    return made


@pytest.mark.semantics("ASYNC-01")
async def test_an_event_is_delivered_told_of_and_forgotten(rig: Rig) -> None:
    async with rig.open() as queue:
        await rig.accept("r")
        await anyio.sleep(1)
        assert await queue.store.count() == 0
    assert rig.times("r") == [0.0]
    ((_, told, over),) = rig.told
    assert (told, over.condition, over.attempts) == ("r", "Success", 1)
    assert EventFinished("orders", "r", "Success", 1) in rig.seen


@pytest.mark.semantics("ASYNC-01")
async def test_an_event_whose_caller_went_is_delivered_or_was_never_accepted(rig: Rig) -> None:
    async with rig.open() as queue:
        for steps in range(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(rig.accept, str(steps))
                for _ in range(steps):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
            await anyio.sleep(1)
            assert await queue.store.count() == 0
    assert rig.attempts


@pytest.mark.semantics("ASYNC-02")
async def test_a_failing_function_gets_it_three_times_under_one_request_id(rig: Rig) -> None:
    rig.does["orders"] = fails
    async with rig.open():
        await rig.accept("r")
        await anyio.sleep(600)
    assert rig.times("r") == [0.0, 60.0, 180.0]
    ((at, _, over),) = rig.told
    assert (at, over.condition, over.attempts) == (180.0, "RetriesExhausted", 3)


@pytest.mark.semantics("ASYNC-02")
async def test_an_attempt_after_an_update_runs_the_new_code(rig: Rig) -> None:
    rig.does["orders"] = fails
    async with rig.open():
        await rig.accept("r")
        await anyio.sleep(30)
        rig.does["orders"] = lambda _: 0.0
        rig.catalogue.put(identity="new")
        await anyio.sleep(60)
    ((_, _, over),) = rig.told
    assert (over.condition, over.attempts) == ("Success", 2)


@pytest.mark.semantics("ASYNC-04")
async def test_the_configuration_at_the_end_of_an_attempt_holds(rig: Rig) -> None:
    def fails_when_it_shall_not_be_retried(invocation: Invocation) -> float:
        rig.catalogue.settings["orders", "$LATEST"] = AsynchronousSettings(maximum_retry_attempts=0)
        return fails(invocation)

    rig.does["orders"] = fails_when_it_shall_not_be_retried
    async with rig.open():
        await rig.accept("r")
        await anyio.sleep(600)
    ((at, _, over),) = rig.told
    assert (at, over.condition, over.attempts) == (0.0, "RetriesExhausted", 1)


async def test_a_function_is_told_how_often_its_event_was_sent_on(rig: Rig) -> None:
    hops: list[int] = []

    def remembers(invocation: Invocation) -> float:
        hops.append(invocation.hops)
        return 0.0

    rig.does["orders"] = remembers
    async with rig.open() as queue:
        await queue.accept("orders", "", "r", b"{}", 3)
        await anyio.sleep(1)
    assert hops == [3]


@pytest.mark.semantics("ASYNC-09")
async def test_an_event_that_comes_while_another_one_waits_is_delivered_at_once(rig: Rig) -> None:
    rig.does["orders"] = lambda invocation: fails(invocation) if invocation.request_id == "r" else 0.0
    async with rig.open():
        await rig.accept("r")
        await anyio.sleep(30)
        await rig.accept("s")
        await anyio.sleep(1)
        assert rig.times("s") == [30.0]


@pytest.mark.semantics("ASYNC-03")
async def test_a_function_without_room_gets_it_later_uncounted(rig: Rig) -> None:
    rig.catalogue.put("other")
    rig.shared = 1
    rig.does["orders"] = lambda _: 100.0
    async with rig.open():
        await rig.accept("r")
        await anyio.sleep(1)
        await rig.accept("o", "other")
        await anyio.sleep(200)
    assert {told: over.attempts for _, told, over in rig.told} == {"r": 1, "o": 1}
    assert rig.times("o") == [128.0]  # 1 + 1 + 2 + 4 … seconds after it was accepted


@pytest.mark.semantics("ASYNC-09")
async def test_no_more_events_are_under_way_than_may_run(rig: Rig) -> None:
    rig.catalogue.limit("orders", 1)
    rig.does["orders"] = lambda _: 100.0
    async with rig.open(RetryPace(at_once=3)):
        for number in range(3):
            await rig.accept(str(number))
        await anyio.sleep(400)
    assert [over.attempts for _, _, over in rig.told] == [1, 1, 1]
    assert rig.most == {"orders": 1}
    assert not [event for event in rig.seen if isinstance(event, EventRetried)]


@pytest.mark.semantics("ASYNC-05")
async def test_a_function_that_may_not_run_is_told_of_at_once(rig: Rig) -> None:
    rig.catalogue.limit("orders", 0)
    async with rig.open():
        await rig.accept("r")
        await anyio.sleep(1)
    assert rig.attempts == []
    ((at, _, over),) = rig.told
    assert (at, over.condition, over.attempts) == (0.0, "ZeroReservedConcurrency", 0)


@pytest.mark.semantics("ASYNC-09")
async def test_a_slow_function_holds_up_no_other(rig: Rig) -> None:
    rig.catalogue.put("slow")
    rig.does["slow"] = lambda _: 800.0
    async with rig.open() as queue:
        for number in range(40):
            await rig.accept(f"s{number}", "slow")
        for number in range(40):
            await rig.accept(f"o{number}")
        await anyio.sleep(10)
        assert len([each for each in rig.told if each[1].startswith("o")]) == 40
        assert await queue.store.count() == 40
        await anyio.sleep(4000)
    assert len(rig.told) == 80
    assert rig.most["slow"] == 10


@pytest.mark.semantics("ASYNC-10")
async def test_a_restart_goes_on_where_it_was(rig: Rig) -> None:
    rig.does["orders"] = fails
    async with rig.open():
        await rig.accept("r")
        await anyio.sleep(100)
    assert rig.times("r") == [0.0, 60.0]
    await anyio.sleep(1000)  # nobody is here
    async with rig.open():
        await anyio.sleep(100)
    assert [round(at) for at in rig.times("r")] == [0, 60, 1100]
    ((_, _, over),) = rig.told
    assert (over.condition, over.attempts) == ("RetriesExhausted", 3)


@pytest.mark.semantics("ASYNC-10")
async def test_a_stop_waits_for_what_runs_and_begins_nothing(rig: Rig) -> None:
    rig.does["orders"] = lambda _: 30.0
    async with rig.open(RetryPace(at_once=1)):
        await rig.accept("r")
        await rig.accept("s")
        await anyio.sleep(1)
    assert [told for _, told, _ in rig.told] == ["r"]
    assert rig.times("s") == []


@pytest.mark.semantics("ASYNC-10")
async def test_an_event_that_is_found_during_a_stop_is_not_begun(rig: Rig) -> None:
    rig.catalogue.put("slow")
    rig.does["slow"] = lambda _: 30.0
    async with rig.open() as queue:
        await rig.accept("r", "slow")
        await anyio.sleep(1)
        found = queue.store.due

        async def slowly(function: str, now: float, limit: int, besides: Collection[int]) -> list[HeldEvent]:
            events = await found(function, now, limit, besides)
            await anyio.sleep(5)
            return events

        queue.store.due = slowly  # type: ignore[method-assign]
        await rig.accept("s")
        await anyio.sleep(1)
    assert [told for _, told, _ in rig.told] == ["r"]
    assert rig.times("s") == []


@pytest.mark.semantics("ASYNC-10")
async def test_what_a_stop_cuts_off_is_attempted_again(rig: Rig) -> None:
    rig.does["orders"] = lambda _: 500.0
    async with rig.open():
        await rig.accept("r")
        await anyio.sleep(1)
    assert rig.told == []
    async with rig.open():
        await anyio.sleep(600)
    assert len(rig.times("r")) == 2
    ((_, _, over),) = rig.told
    assert over.attempts == 1


@pytest.mark.semantics("ASYNC-10")
async def test_an_event_is_forgotten_only_when_it_was_told_of(rig: Rig) -> None:
    rig.telling = 500.0
    async with rig.open():
        await rig.accept("r")
        await anyio.sleep(1)
    assert rig.told == []
    rig.telling = 0.0
    async with rig.open():
        await anyio.sleep(1)
    assert [told for _, told, _ in rig.told] == ["r"]


async def test_a_destination_that_takes_long_holds_up_only_its_event(rig: Rig) -> None:
    rig.telling = 50.0
    async with rig.open():
        for number in range(5):
            await rig.accept(str(number))
        await anyio.sleep(60)
    assert {at for at, _, _ in rig.told} == {50.0}


@pytest.mark.semantics("ASYNC-11")
async def test_the_events_of_a_function_that_is_gone_are_dropped_aloud(rig: Rig) -> None:
    async with rig.open() as queue:
        await rig.accept("r", "gone")
        await anyio.sleep(1)
        assert await queue.store.count() == 0
    assert EventDropped("gone", "r") in rig.seen
    assert rig.told == []


@pytest.mark.semantics("ASYNC-04")
async def test_the_configuration_of_the_qualifier_that_was_invoked_holds(rig: Rig) -> None:
    rig.catalogue.put(version="1")
    rig.catalogue.alias("orders", "live", "1")
    rig.catalogue.settings["orders", "live"] = AsynchronousSettings(maximum_retry_attempts=0)
    rig.catalogue.settings["orders", "$LATEST"] = AsynchronousSettings(maximum_retry_attempts=1)
    rig.does["orders"] = fails
    async with rig.open():
        for qualifier in ("", "live", "1"):
            await rig.accept(f"q{qualifier}", qualifier=qualifier)
        await anyio.sleep(1000)
    assert {told: over.attempts for _, told, over in rig.told} == {"q": 2, "qlive": 1, "q1": 3}


@pytest.mark.semantics("API-INVOKE-18")
async def test_a_stop_gives_invocations_their_time_and_takes_no_more(rig: Rig) -> None:
    rig.does["orders"] = lambda _: 30.0
    invocations = Invocations(
        (), fleet_of(), Environments(rig.catalogue, rig.make, 10, rig.clock, lambda: 1.0), rig.clock
    )
    replies: list[Reply] = []

    async def invoke() -> None:
        replies.append(await invocations.invoke("orders", "", Invocation(b"{}", "r")))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(invoke)
        await anyio.sleep(1)
        await invocations.stop(anyio.current_time() + 60.0)
        assert rig.now == 30.0
        await invoke()
    assert [type(reply) for reply in replies] == [Returned, Unreachable]
    before = rig.now
    await invocations.stop(anyio.current_time() + 60.0)
    assert rig.now == before


async def test_a_fault_of_ours_stops_no_other_event(rig: Rig) -> None:
    rig.catalogue.put("other")
    tell = rig.tell

    async def broken(held: HeldEvent, over: Over, settings: AsynchronousSettings, dead_letter: str) -> None:
        if held.event.function == "orders" and rig.now < 30:
            raise ZeroDivisionError
        await tell(held, over, settings, dead_letter)

    rig.tell = broken  # type: ignore[method-assign]
    async with rig.open():
        await rig.accept("r")
        await rig.accept("o", "other")
        await anyio.sleep(100)
    assert sorted(told for _, told, _ in rig.told) == ["o", "r"]
    assert rig.times("r") == [0.0, 60.0]


async def test_an_event_whose_caller_went_while_it_was_stored_is_delivered_without_a_restart(rig: Rig) -> None:
    async with rig.open() as queue:
        await anyio.sleep(1)  # what was there at the start is found
        with anyio.CancelScope() as caller:
            caller.cancel()
            await queue.accept("orders", "", "r", b"1", 0)
        await anyio.sleep(1)
        assert [request_id for _, _, request_id in rig.attempts] == ["r"]

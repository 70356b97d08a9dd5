"""Permits are fair and never lost; the gate lets one batch try before it opens."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from headrace.config.clock import LoopClock
from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.observer import Event, GateClosed, GateOpened
from headrace.dispatch.invokers.base import Invocation, NotReady, Ready
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.dispatch.permits import Gate, Permits
from support.reasons import no_start
from support.virtual_time import VirtualLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


async def granted_order(permits: Permits, waiters: list[str]) -> list[str]:
    """In what order these mappings, asking in this order for one taken permit, get it."""
    order: list[str] = []

    async def ask(mapping: str) -> None:
        with permits.claim(mapping) as claim:
            await claim.granted()
            order.append(mapping)

    async with anyio.create_task_group() as tasks:
        with permits.claim("first") as claim:
            await claim.granted()
            for mapping in waiters:
                tasks.start_soon(ask, mapping)
                await anyio.lowlevel.checkpoint()
    return order


@pytest.mark.semantics("SQS-19")
async def test_mappings_take_turns_however_many_batches_each_has_waiting() -> None:
    assert await granted_order(Permits(1), ["a", "a", "a", "b", "c"]) == ["a", "b", "c", "a", "a"]


@pytest.mark.parametrize("granted", ["never", "in the same moment", "before"])
async def test_a_cancelled_waiter_loses_no_permit(granted: str) -> None:
    """The cancellation is a plain one of asyncio: anyio's waits while an event that was set is being heard of."""
    permits = Permits(1)

    async def ask() -> None:
        with permits.claim("b") as claim:
            await claim.granted()
            await anyio.sleep_forever()

    with ExitStack() as first:
        claim = first.enter_context(permits.claim("a"))
        await claim.granted()
        waiter = asyncio.create_task(ask())
        await anyio.wait_all_tasks_blocked()
        if granted != "never":
            first.close()
            assert permits.taken == 1
        if granted == "before":
            await anyio.wait_all_tasks_blocked()
        waiter.cancel()
        await asyncio.wait([waiter])
    assert waiter.cancelled()
    assert (permits.taken, permits.slack) == (0, True)


async def test_a_claim_that_was_given_up_is_not_waited_for() -> None:
    permits = Permits(1)
    order: list[str] = []

    async def ask(mapping: str) -> None:
        with permits.claim(mapping) as claim:
            await claim.granted()
            order.append(mapping)

    async with anyio.create_task_group() as tasks:
        with permits.claim("a") as claim:
            await claim.granted()
            async with anyio.create_task_group() as given_up:
                given_up.start_soon(ask, "b")
                await anyio.wait_all_tasks_blocked()
                given_up.cancel_scope.cancel()
            tasks.start_soon(ask, "c")
            await anyio.wait_all_tasks_blocked()
    assert order == ["c"]


async def test_slack_is_gone_while_somebody_waits_or_none_is_free() -> None:
    permits = Permits(1)
    seen = [permits.slack]
    with permits.claim("a") as claim:
        seen.append(permits.slack)
        await claim.granted()
        seen.append(permits.slack)
    seen.append(permits.slack)
    assert seen == [True, True, False, True]


def test_a_throttle_lowers_by_one_never_below_one_and_a_success_raises_to_the_limit() -> None:
    permits = Permits(3)
    for expected in (2, 1, 1):
        permits.throttled()
        assert permits.allowed == expected
    for expected in (2, 3, 3):
        permits.succeeded()
        assert permits.allowed == expected


@pytest.mark.semantics("SQS-20")
async def test_an_unlimited_function_learns_its_limit_from_throttles() -> None:
    permits = Permits(None)
    with ExitStack() as running:
        for _ in range(6):
            await running.enter_context(permits.claim("a")).granted()
        with permits.claim("a") as seventh:
            await seventh.granted()
            with permits.claim("a") as eighth:
                await eighth.granted()
            permits.throttled()
            assert permits.allowed == 7
        permits.throttled()
        assert permits.allowed == 6


class Watch:
    def __init__(self) -> None:
        self.seen: list[Event] = []

    def observe(self, event: Event) -> None:
        self.seen.append(event)


@pytest.mark.parametrize("outcome", ["refused", "taken"])
async def test_a_function_is_said_to_be_up_when_it_took_a_batch_not_when_it_answered_a_probe(outcome: str) -> None:
    watch, backoff = Watch(), Backoff(base=0.001, cap=0.001)
    answers = CallableInvoker(echo, clock=LoopClock(0.0))
    gate = Gate("f", answers, observer=watch, jitter=lambda: 1.0, backoff=backoff, remembered=True)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gate.run)
        with gate.in_hand():
            for _ in range(3):
                with gate.entry() as entry:
                    await entry.admitted()
                    entry.failed(no_start("no such function"))
            with gate.entry() as entry:
                await entry.admitted()
                assert {type(event) for event in watch.seen} == {GateClosed}
                if outcome == "taken":
                    entry.passed()
                else:
                    entry.failed(no_start("no such function"))
            assert [type(event) for event in watch.seen].count(GateOpened) == (outcome == "taken")
        tasks.cancel_scope.cancel()


@pytest.mark.semantics("DEST-14")
async def test_no_trial_is_waited_for_that_the_only_batch_in_hand_will_not_make() -> None:
    """It is being written to a failure destination, and may be for long."""
    answers = CallableInvoker(echo, clock=LoopClock(0.0))
    gate = Gate("f", answers, observer=Watch(), jitter=lambda: 1.0, backoff=Backoff(base=0.001), remembered=True)
    with gate.entry() as entry:
        await entry.admitted()
        entry.failed(no_start("no such function"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gate.run)
        with gate.in_hand():
            while gate.is_shut:
                await gate.wait_changed()
            with gate.under_way():
                assert gate.is_open
        tasks.cancel_scope.cancel()


async def echo(invocation: Invocation) -> bytes:
    return invocation.payload


async def test_another_limit_holds_for_those_who_come_and_wakes_those_who_wait() -> None:
    permits = Permits(1)
    order: list[int] = []
    over = anyio.Event()

    async def ask(number: int) -> None:
        with permits.claim("a") as claim:
            await claim.granted()
            order.append(number)
            await over.wait()

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(ask, number)
        await anyio.wait_all_tasks_blocked()
        assert order == [0]
        permits.relimit(3)
        await anyio.wait_all_tasks_blocked()
        assert order == [0, 1, 2]
        permits.relimit(1)
        assert (permits.taken, permits.slack) == (3, False)
        over.set()
    assert (permits.taken, permits.slack) == (0, True)


async def test_a_batch_that_stops_waiting_does_not_end_the_trial_of_another() -> None:
    answers = CallableInvoker(echo, clock=LoopClock(0.0))
    gate = Gate("f", answers, observer=Watch(), jitter=lambda: 1.0, backoff=Backoff(base=0.001))
    let_in: list[str] = []

    async def enter(name: str) -> None:
        with gate.in_hand(), gate.entry() as entry:
            await entry.admitted()
            let_in.append(name)
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(enter, "first")
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(gate.run)
        await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as stopped:
            stopped.start_soon(enter, "second")
            await anyio.wait_all_tasks_blocked()
            stopped.cancel_scope.cancel()
        tasks.start_soon(enter, "third")
        await anyio.wait_all_tasks_blocked()
        assert let_in == ["first"]
        tasks.cancel_scope.cancel()


async def test_the_trial_of_a_batch_that_was_cut_off_is_the_next_ones() -> None:
    answers = CallableInvoker(echo, clock=LoopClock(0.0))
    gate = Gate("f", answers, observer=Watch(), jitter=lambda: 1.0, backoff=Backoff(base=0.001))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gate.run)
        with gate.in_hand(), gate.in_hand():
            with anyio.CancelScope() as cut, gate.entry() as first:
                await first.admitted()
                cut.cancel()
                await anyio.sleep_forever()
            with gate.entry() as second:
                await second.admitted()
        tasks.cancel_scope.cancel()


async def test_a_gate_whose_probing_was_cut_off_is_probed_again() -> None:
    """Its mapping went while the function was starting, and another one came."""
    probes: list[str] = []

    class Slow(CallableInvoker):
        async def probe(self) -> Ready | NotReady:
            probes.append("began")
            if len(probes) == 1:
                await anyio.sleep_forever()
            return await super().probe()

    gate = Gate("f", Slow(echo, clock=LoopClock(0.0)), observer=Watch(), jitter=lambda: 1.0, backoff=Backoff())
    for _ in range(2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gate.run)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    assert gate.is_open
    assert len(probes) == 2


async def test_an_invocation_that_passes_during_a_probe_leaves_the_gate_open_whatever_the_probe_finds() -> None:
    answer = anyio.Event()

    class Slow(CallableInvoker):
        async def probe(self) -> Ready | NotReady:
            await answer.wait()
            return NotReady(no_start("too slow"))

    watch = Watch()
    invoker = Slow(echo, clock=LoopClock(0.0))
    gate = Gate("f", invoker, observer=watch, jitter=lambda: 1.0, backoff=Backoff(), remembered=True)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gate.run)
        with gate.entry() as slow, gate.entry() as broken:
            await slow.admitted()
            await broken.admitted()
            broken.failed(no_start("no such module"))
            await anyio.wait_all_tasks_blocked()
            slow.passed()
            answer.set()
            await anyio.wait_all_tasks_blocked()
            assert (gate.is_open, gate.cause) == (True, None)
        tasks.cancel_scope.cancel()
    assert [type(event) for event in watch.seen] == [GateClosed, GateOpened]

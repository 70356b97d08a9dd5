"""Permits are fair and never lost; the gate lets one batch try before it opens."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from headrace.config.clock import LoopClock
from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.observer import Event, GateClosed, GateOpened
from headrace.dispatch.invokers.base import Invocation
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.dispatch.permits import Gate, GateState, Permits
from support.reasons import no_start


async def granted_order(permits: Permits, waiters: list[str]) -> list[str]:
    """In what order these mappings, asking in this order for one taken permit, get it."""
    order: list[str] = []

    async def ask(mapping: str) -> None:
        await permits.acquire(mapping)
        order.append(mapping)
        permits.release()

    await permits.acquire("first")
    async with anyio.create_task_group() as tasks:
        for mapping in waiters:
            tasks.start_soon(ask, mapping)
            await anyio.lowlevel.checkpoint()
        permits.release()
    return order


@pytest.mark.semantics("SQS-19")
async def test_mappings_take_turns_however_many_batches_each_has_waiting() -> None:
    assert await granted_order(Permits(1), ["a", "a", "a", "b", "c"]) == ["a", "b", "c", "a", "a"]


@pytest.mark.parametrize("granted_first", [True, False])
async def test_a_cancelled_waiter_loses_no_permit(granted_first: bool) -> None:
    permits = Permits(1)

    async def ask() -> None:
        await permits.acquire("b")
        permits.release()

    await permits.acquire("a")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.lowlevel.checkpoint()
        if granted_first:
            permits.release()
        tasks.cancel_scope.cancel()
    if not granted_first:
        permits.release()
    assert permits.slack
    assert permits.taken == 0


async def test_slack_is_gone_while_somebody_waits_or_none_is_free() -> None:
    permits = Permits(1)
    seen = [permits.slack]
    await permits.acquire("a")
    seen.append(permits.slack)
    permits.release()
    seen.append(permits.slack)
    assert seen == [True, False, True]


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
    for _ in range(8):
        await permits.acquire("a")
    permits.release()
    permits.throttled()
    assert permits.allowed == 7
    permits.release()
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
                gate.close(no_start("no such function"))
                await gate.enter()
            assert {type(event) for event in watch.seen} == {GateClosed}
            if outcome == "taken":
                gate.passed()
            else:
                gate.close(no_start("no such function"))
            assert [type(event) for event in watch.seen].count(GateOpened) == (outcome == "taken")
        tasks.cancel_scope.cancel()


@pytest.mark.semantics("DEST-14")
async def test_no_trial_is_waited_for_that_the_only_batch_in_hand_will_not_make() -> None:
    """It is being written to a failure destination, and may be for long."""
    answers = CallableInvoker(echo, clock=LoopClock(0.0))
    gate = Gate("f", answers, observer=Watch(), jitter=lambda: 1.0, backoff=Backoff(base=0.001), remembered=True)
    gate.close(no_start("no such function"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gate.run)
        with gate.in_hand():
            while gate.state is not GateState.TRIAL:
                await gate.wait_changed()
            with gate.under_way():
                assert gate.is_open
        tasks.cancel_scope.cancel()


async def echo(invocation: Invocation) -> bytes:
    return invocation.payload


async def test_another_limit_holds_for_those_who_come_and_wakes_those_who_wait() -> None:
    permits = Permits(1)
    order: list[int] = []

    async def ask(number: int) -> None:
        await permits.acquire("a")
        order.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(ask, number)
        await anyio.wait_all_tasks_blocked()
        assert order == [0]
        permits.relimit(3)
    assert order == [0, 1, 2]
    permits.relimit(1)
    permits.release()
    assert (permits.taken, permits.slack) == (2, False)

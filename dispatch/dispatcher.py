"""Carries out the planner's decisions about one batch: invokes, waits, and passes each fate on as soon as it is
decided.

One `Dispatcher` per mapping, one `Delivery` per batch in flight. The decisions are the planner's; the records are the
feed's, which is told of every fate through `Ledger.settle`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from math import inf
from typing import assert_never

import anyio

from ..config.clock import Jitter, ServiceClock
from ..config.core.stop_budget import NEVER, StopTimes, soon
from ..config.reasons import Reason
from .core.documents import Report
from .core.events import Envelope
from .core.model import (
    ABANDONED,
    BatchKind,
    FailedItems,
    FateKind,
    FunctionFailed,
    Lane,
    Now,
    Outcome,
    Record,
    Succeeded,
    Throttled,
    Unreachable,
)
from .core.observer import Bisected, Discarded, Invoked, Invoking, Observer, Retrying
from .core.pages import NONE, Records
from .core.planner import DiscardStep, Done, Halved, InvokeStep, Planner, Retry, SettleStep, Step, Wait
from .core.policy import Policy
from .core.response import Identifiers, judge
from .core.slots import Taken
from .core.steps import Skip
from .core.trace_carriers import NOTHING_HANDED, Handing
from .destinations.persistence import DestinationDelivery, Ending, FailureDestination, GivenUp, Interrupted, Written
from .invokers.base import Invocation, Invoker
from .ledger import Ledger
from .permits import Gate, GateEntry, PermitClaim, Permits

HOLD_MARGIN = 5.0
"""Ask for more time so many seconds before the hold ends; in the last quarter of a shorter hold. Messages of a function
that fails sooner come again after the queue's own time."""
HOLD_STEP = 30.0
"""Seconds by which records are held at a time. Short, so that a failed record soon becomes visible again."""
HOLD_AGAIN = 1.0
"""Seconds between attempts of a hold that the source refused, as long as the records are still ours."""


@dataclass(frozen=True, slots=True)
class Target:
    """A function, as all mappings that invoke it share it."""

    name: str
    invoker: Invoker
    permits: Permits
    gate: Gate

    @property
    def closed(self) -> Reason | None:
        """Why nothing may be invoked, with the function's name in front; None when its gate is open."""
        cause = self.gate.cause
        return cause.of(f"function {self.name}") if cause and not self.gate.is_open else None


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """The parts that all deliveries of one mapping share."""

    mapping: str
    target: Target
    policy: Policy
    envelope: Envelope
    identifiers: Identifiers
    clock: ServiceClock
    jitter: Jitter
    observer: Observer
    destination: FailureDestination | None = None
    request_id: Callable[[], str] = lambda: str(uuid.uuid4())
    handed: Handing = lambda request_id: NOTHING_HANDED

    def delivery(self, taken: Taken, ledger: Ledger) -> Delivery:
        planner = Planner(self.policy, taken.batch, discard=taken.discard, state=taken.state)
        return Delivery(self, taken, planner, ledger)

    def now(self) -> Now:
        return Now(self.clock.monotonic(), self.clock.wall(), self.clock.others())


class Delivery:
    """One batch from its first invocation to its last fate."""

    def __init__(self, dispatcher: Dispatcher, taken: Taken, planner: Planner, ledger: Ledger) -> None:
        self._common = dispatcher
        self._target = dispatcher.target
        self._batch = taken.batch
        self._state = taken.state
        self._kind = BatchKind.RECORDS
        self._planner = planner
        self._ledger = ledger
        self._stopped = False
        self._pause = anyio.CancelScope()
        self._running = anyio.CancelScope()
        self._settling = anyio.CancelScope()
        self._times = NEVER
        self._left_running = NONE
        self._handover: DestinationDelivery | None = None
        self._given_up = NONE
        """On their way to the failure destination."""
        self._withdrawn: set[Lane] = set()

    async def run(self) -> None:
        """Until every record has its fate."""
        with self._target.gate.in_hand():
            while not isinstance(step := self._planner.next(self._common.now()), Done):
                await self._carry_out(step)

    def stop(self, times: StopTimes = NEVER) -> None:
        """Begin nothing new: records that are not in flight get the fate ABANDONED. So do discarded records, unless
        their failure destination accepts the document in the present attempt, or in the first. `times`: the deadline of
        each phase; NEVER where the invocation in flight has all its time."""
        self.stop_lanes(None)
        self._stopped = True
        self._times = times
        self._end_handover()
        self._settling.deadline = times.settle

    def stop_lanes(self, lanes: Collection[Lane] | None) -> None:
        """Begin nothing new of these lanes (None: of any)."""
        self._planner.stop(lanes)
        self._pause.cancel()

    def hasten(self) -> bool:
        """Invoke now what waits for its next attempt. Whether something did."""
        if not self._planner.hasten(self._common.now()):
            return False
        self._pause.cancel()
        return True

    def blocking(self, lane: str, name: str = "") -> Record | None:
        """The first record of a lane that has no fate yet, or the one of this name."""
        undecided = self._planner.undecided
        return next((each for each in undecided if each.lane.shard == lane and name in ("", each.name)), None)

    def skip(self, record: Record) -> Skip | None:
        """Give up on this record. None when it has its fate already."""
        if (skip := self._planner.skip(record)) is not None:
            self._pause.cancel()
        return skip

    def works_on(self, lanes: Collection[Lane]) -> bool:
        """Whether a record of these lanes has no fate yet, or is on its way to the failure destination."""
        return not (self._planner.undecided + self._given_up).lanes.isdisjoint(lanes)

    def cut(self) -> None:
        """After a stop: end the invocation in flight as well."""
        self._running.cancel()

    def withdraw(self, lanes: Collection[Lane]) -> None:
        """These lanes have another owner now: later results of their records are ignored."""
        self._withdrawn.update(lanes)
        self._planner.withdraw(lanes)

    # --- steps ------------------------------------------------------------------------------------------------------

    async def _carry_out(self, step: Step) -> None:
        match step:
            case InvokeStep():
                await self._invoke(step)
            case SettleStep():
                await self._settle(step)
            case DiscardStep():
                await self._discard(step)
            case Wait(until=until):
                await self._wait(until)
            case Done():
                pass
            case _:
                assert_never(step)

    async def _invoke(self, step: InvokeStep) -> None:
        """One invocation, if the function may be invoked in time. A call that never began is as if never planned."""
        with self._target.gate.entry() as entry:
            with self._target.permits.claim(self._common.mapping) as claim:
                # It may have waited for long: the planner cuts what is too old.
                if not await self._admitted(step, entry, claim) or self._planner.is_late(self._common.now()):
                    self._planner.recall(step.call)
                    return
                outcome = await self._begin(step)
            if outcome is not None:
                self._learn(outcome, entry)
        if outcome is None:
            self._planner.withdraw()
            return
        news = self._planner.on(step.call, outcome, self._common.now(), self._common.jitter())
        self._ledger.invoked()
        self._tell(news)

    async def _settle(self, step: SettleStep | DiscardStep) -> None:
        # Decided fates are settled even during cancellation: otherwise a processed record comes again.
        with anyio.CancelScope(shield=True, deadline=self._times.settle) as self._settling:
            await self._ledger.settle(step)
            if step.fate.kind is FateKind.ABANDONED:
                running = set(self._left_running)
                await self._ledger.release([record for record in step.records if record not in running])

    async def _discard(self, step: DiscardStep) -> None:
        """Written, then settled: a crash between the two writes it twice rather than not at all."""
        match await self._hand_over(step):
            case Written(arn=arn):
                told = Discarded(self._common.mapping, step.records, step.reason, arn)
            case GivenUp(cause=cause):
                told = Discarded(self._common.mapping, step.records, step.reason, "", cause)
            case Interrupted():
                if step.records:  # the end of a tumbling window may have none; the window stays open in the store
                    await self._settle(SettleStep(step.records, ABANDONED))
                return
        self._common.observer.observe(told)
        await self._settle_ours(step)

    async def _settle_ours(self, step: DiscardStep) -> None:
        """While the document was written, a lane may have moved to another owner; its records are not settled here,
        because the same position may be another record by now."""
        gone, ours = step.records.by_lane(self._withdrawn.__contains__)
        if gone:
            await self._settle(SettleStep(gone, ABANDONED))
            step = replace(step, records=ours)
        if ours or not gone:
            await self._settle(step)

    async def _hand_over(self, step: DiscardStep) -> Ending:
        destination = self._common.destination
        if destination is None:
            return GivenUp()
        self._handover = destination.handover(self._report(step))
        if self._stopped:  # decided by an invocation that was in flight: one attempt
            self._end_handover()
        self._given_up = step.records
        try:
            with self._target.gate.under_way():
                return await self._handover.run()
        finally:
            self._given_up = NONE

    def _report(self, step: DiscardStep) -> Report:
        kind, common = BatchKind.WINDOW_END if step.closes else self._kind, self._common
        return Report(
            step,
            self._batch.lane or step.records.pages[0].lane,
            common.clock.wall(),
            common.request_id(),
            lambda records: self._render(records, kind, self._state),
        )

    def _end_handover(self) -> None:
        if self._handover is not None:
            self._handover.stop(soon(self._times.write, self._common.clock.monotonic()))

    async def _wait(self, until: float) -> None:
        """Sleep; but hold the batch as long as its function cannot start. A successful probe proves little: the
        endpoint can answer while the function is missing."""
        gate = self._target.gate
        with self._pause_scope():
            if gate.is_open:
                await self._sleep_until(until)
                return
            async with self._held(self._planner.undecided, self._next_step):
                if gate.is_shut:
                    await gate.wait_changed()
                else:
                    await self._sleep_until(until)

    async def _sleep_until(self, until: float) -> None:
        await anyio.sleep(max(0.0, until - self._common.clock.monotonic()))

    # --- one invocation ---------------------------------------------------------------------------------------------

    async def _admitted(self, step: InvokeStep, entry: GateEntry, claim: PermitClaim) -> bool:
        """Through the gate and with a permit in hand; False when we stopped, or the records fell back to the source."""
        with self._pause_scope():
            async with self._held(step.records, self._next_step):
                await entry.admitted()
            return await self._permit(claim)
        return False

    async def _permit(self, claim: PermitClaim) -> bool:
        """Wait for the function's permit, but not beyond the time for which the records are ours."""
        until = self._planner.held_until
        wait = None if until == inf else max(0.0, until - self._common.clock.monotonic())
        with anyio.move_on_after(wait):
            await claim.granted()
            return True
        return False

    async def _begin(self, step: InvokeStep) -> Outcome | None:
        """The reply; None when the invocation was cut, or we were stopped before it began."""
        self._kind, self._state = step.kind, step.state
        with anyio.CancelScope() as self._running:
            if not self._stopped:
                self._left_running = NONE if self._target.invoker.ends_on_cancel else step.records
                with self._target.gate.under_way():
                    outcome = await self._call(step)
                self._left_running = NONE
                return outcome
        return None

    async def _call(self, step: InvokeStep) -> Outcome:
        common, target = self._common, self._target
        payload = self._render(step.records, step.kind, step.state)
        request_id = common.request_id()
        age = max(0.0, common.clock.wall() - step.records.last_arrived) if step.records else 0.0
        common.observer.observe(Invoking(common.mapping, target.name, request_id, step.records, len(payload), age))
        handed = common.handed(request_id)
        invocation = Invocation(payload, request_id, common.mapping, handed.trace, handed.client_context)
        started = common.clock.monotonic()
        deadline = inf if target.invoker.timeout is None else started + target.invoker.timeout + HOLD_MARGIN
        async with self._held(step.records, lambda until: min(deadline, self._next_step(until))):
            reply = await target.invoker.invoke(invocation)
        outcome = judge(
            reply,
            step.records,
            partial=common.policy.partial,
            windowed=common.policy.windowed,
            identifiers=common.identifiers,
        )
        seconds = common.clock.monotonic() - started
        common.observer.observe(Invoked(common.mapping, target.name, step.records, outcome, seconds))
        return outcome

    def _render(self, records: Records, kind: BatchKind, state: bytes) -> bytes:
        return self._common.envelope.render(
            records,
            lane=self._batch.lane,
            kind=kind,
            window=self._batch.window,
            terminated_early=self._batch.terminated_early,
            state=state,
        )

    def _learn(self, outcome: Outcome, entry: GateEntry) -> None:
        """Report to the gate what an outcome shows about the function itself."""
        match outcome:
            case Unreachable(down=True, cause=cause):
                entry.failed(cause)
            case Unreachable():
                pass  # nothing: another batch finds out whether it can start
            case Throttled():
                entry.passed()
                self._target.permits.throttled()
            case FunctionFailed():
                entry.passed()
            case Succeeded() | FailedItems():
                entry.passed()
                self._target.permits.succeeded()

    # --- holding ----------------------------------------------------------------------------------------------------

    def _next_step(self, until: float) -> float:
        return max(until, self._common.clock.monotonic()) + HOLD_STEP

    @asynccontextmanager
    async def _held(self, records: Records, target: Callable[[float], float]) -> AsyncIterator[None]:
        """Keep lent records ours while the body runs: shortly before they fall back, ask for more time. Few bodies run
        for that long, so a timer begins it."""
        until = records.held_until
        if until == inf:
            yield
            return
        keeping: asyncio.Task[None] | None = None

        def keep() -> None:
            nonlocal keeping
            keeping = loop.create_task(self._keep(records, until, target))

        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._until_hold(until), keep)
        try:
            yield
        finally:
            timer.cancel()
            if keeping is not None:
                await _ended(keeping)

    def _until_hold(self, until: float) -> float:
        """Seconds after which records that are ours until then are held for longer."""
        left = max(0.0, until - self._common.clock.monotonic())
        return left - min(HOLD_MARGIN, left / 4)

    async def _keep(self, records: Records, until: float, target: Callable[[float], float]) -> None:
        clock = self._common.clock
        while True:
            wanted = target(until)
            if wanted <= until:
                return
            due = [record for record in records if record.held_until < wanted]  # the others are held for longer already
            while (reached := await self._ledger.hold(due, wanted)) <= until:
                if clock.monotonic() + HOLD_AGAIN > until:
                    return  # the source refused; the planner returns the records when their time is over
                await anyio.sleep(HOLD_AGAIN)
            until = reached
            for record in due:
                record.held_until = reached
            self._planner.hold(due, reached)
            await anyio.sleep(self._until_hold(until))

    # --- small ------------------------------------------------------------------------------------------------------

    def _pause_scope(self) -> anyio.CancelScope:
        self._pause = anyio.CancelScope()
        if self._stopped:
            self._pause.cancel()
        return self._pause

    def _tell(self, news: Retry | Halved | None) -> None:
        common = self._common
        match news:
            case Retry(records=records, attempt=attempt, delay=delay):
                common.observer.observe(Retrying(common.mapping, records, attempt, delay))
            case Halved(records=records):
                common.observer.observe(Bisected(common.mapping, records))
            case None:
                pass


async def _ended(task: asyncio.Task[None]) -> None:
    """End it, whoever is being cancelled meanwhile. What it failed with is a fault of ours."""
    task.cancel()
    with anyio.CancelScope(shield=True):
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()

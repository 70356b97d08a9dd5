"""Random scripts of outcomes, time, stops and withdrawals against the planner's promises."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from headrace.dispatch.core.model import (
    ABANDONED,
    DELIVERED,
    RETURNED,
    Batch,
    BatchKind,
    DiscardReason,
    FailedItems,
    Fate,
    FateKind,
    FunctionFailed,
    Lane,
    Outcome,
    Record,
    Succeeded,
    Window,
)
from headrace.dispatch.core.pages import NONE, Records
from headrace.dispatch.core.planner import DiscardStep, Done, InvokeStep, Planner, SettleStep, Wait
from headrace.dispatch.core.policy import Policy, Progress
from support.counts import count
from support.paper import ATTEMPT, EPOCH, at, failed, ok, partition, throttled, unreachable

SCRIPTS = settings(
    max_examples=count(200, 10_000),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

policies = st.builds(
    Policy,
    progress=st.sampled_from(Progress),
    retries=st.one_of(st.none(), st.integers(0, 3)),
    max_age=st.one_of(st.none(), st.sampled_from([1.0, 5.0, 60.0])),
    bisect=st.booleans(),
    windowed=st.booleans(),
)


class Script:
    """One planner under a random script, with the promises checked after every step."""

    def __init__(self, data: DataObject) -> None:
        self.data = data
        self.policy = data.draw(policies)
        self.batch = self._batch()
        self.planner = Planner(self.policy, self.batch, state=b"0")
        self.time = 0.0
        self.fates: dict[Record, Fate] = {}
        self.taken: set[Record] = set()
        self.attempts: dict[Record, int] = {}
        self.state = b"0"
        self.states = 0
        self.withdrawn: set[Lane] = set()
        self.closed = 0
        self.flying: InvokeStep | None = None
        self.stopped: set[Lane] = set()

    def _batch(self) -> Batch:
        lanes = 3 if self.policy.progress is Progress.PER_RECORD else 1
        size = self.data.draw(st.integers(0, 9))
        ages = st.sampled_from([0.0, 0.5, 3.0, 100.0])
        lent = self.policy.progress is Progress.NONE
        holds = st.sampled_from([inf, 2.0, 10.0]) if lent else st.just(inf)
        records = [
            Record(
                partition(number % lanes),
                str(number),
                {},
                EPOCH - self.data.draw(ages),
                held_until=self.data.draw(holds),
            )
            for number in range(size)
        ]
        end = self.policy.windowed and self.policy.progress is Progress.PREFIX and self.data.draw(st.booleans())
        kind = BatchKind.WINDOW_END if end else BatchKind.RECORDS
        window = Window(int(EPOCH) - 60, int(EPOCH)) if end else None
        return Batch(Records.of(tuple(records)), kind, window, lane=partition(0) if end else None)

    # --- the two sides --------------------------------------------------------------------------------------------

    def run(self) -> None:
        for _ in range(self.data.draw(st.integers(0, 40))):
            self.one()
        self.finish()
        self.check_end()

    def one(self) -> None:
        if self.data.draw(st.integers(0, 9)) == 0:
            self.interrupt()
        match self.advance():
            case InvokeStep() | Wait(until=_) if self.flying:
                self.time += self.data.draw(st.sampled_from([0.0, 0.1, 7.0]))
                self.answer(
                    self.data.draw(st.sampled_from(["ok", "failed", "named", "throttled", "unreachable", "recall"]))
                )
            case Wait(until):
                self.check_wait(until)
                self.time = until if until != inf else self.time
            case _:
                pass

    def finish(self) -> None:
        """A function that works from here on ends it."""
        while not isinstance(step := self.advance(), Done):
            if self.flying:
                self.answer("ok")
            elif isinstance(step, Wait):
                self.check_wait(step.until)
                self.time = step.until
        if self.flying:
            self.answer("ok")
            assert isinstance(self.advance(), Done)

    def interrupt(self) -> None:
        lanes = self.data.draw(st.one_of(st.none(), st.sets(st.sampled_from([partition(n) for n in range(3)]))))
        which = self.data.draw(st.sampled_from(["stop", "withdraw", "hold"]))
        event(which)
        named = {partition(n) for n in range(3)} if lanes is None else lanes
        match which:
            case "stop":
                self.planner.stop(lanes)
                self.stopped |= named
            case "withdraw":
                self.planner.withdraw(lanes)
                self.stopped |= named
                self.withdrawn |= named
            case _ if self.policy.progress is Progress.NONE:
                self.planner.hold(self.planner.undecided, self.time + 5.0)

    def advance(self) -> InvokeStep | Wait | Done:
        while True:
            step = self.planner.next(at(self.time))
            match step:
                case SettleStep() | DiscardStep():
                    self.check_fate(step)
                case InvokeStep():
                    self.check_invoke(step)
                    self.flying = step
                    return step
                case _:
                    return step

    def answer(self, kind: str) -> None:
        invoke, self.flying = self.flying, None
        assert invoke is not None
        event(kind)
        if kind == "recall":
            self.planner.recall(invoke.call)
            return
        outcome = self.outcome(kind, invoke)
        if isinstance(outcome, (FunctionFailed, FailedItems)):
            for each in invoke.records:
                self.attempts[each] = self.attempts.get(each, 0) + 1
        self.note_taken(invoke, outcome)
        self.planner.on(invoke.call, outcome, at(self.time), self.data.draw(st.floats(0, 0.99)))

    def outcome(self, kind: str, invoke: InvokeStep) -> Outcome:
        self.states += 1
        match kind:
            case "failed":
                return failed()
            case "throttled":
                return throttled()
            case "unreachable":
                return unreachable()
            case "named" if invoke.records:
                bad = self.data.draw(st.sets(st.sampled_from([each.id for each in invoke.records]), min_size=1))
                return FailedItems(ATTEMPT, frozenset(bad), str(self.states).encode())
            case _:
                return ok(str(self.states).encode())

    def note_taken(self, invoke: InvokeStep, outcome: Outcome) -> None:
        """What the function took, by the rules of its progress, said in another way than the planner says it."""
        if isinstance(outcome, Succeeded):
            self.taken.update(invoke.records)
        elif isinstance(outcome, FailedItems):
            for each in invoke.records:
                if each.id in outcome.ids:
                    if self.policy.progress is Progress.PREFIX:
                        break
                    continue
                self.taken.add(each)

    # --- the promises ---------------------------------------------------------------------------------------------

    def check_fate(self, step: SettleStep | DiscardStep) -> None:
        assert step.records or step.closes
        self.closed += step.closes
        for each in step.records:
            assert each not in self.fates, "a second fate"
            self.fates[each] = step.fate
            if step.fate == DELIVERED:
                assert each in self.taken, "delivered, but the function never took it"
                assert each.lane not in self.withdrawn or not self.flying
            if step.fate == RETURNED:
                assert self.policy.progress is Progress.NONE
            if step.fate == ABANDONED:
                assert each.lane in self.stopped
        if isinstance(step, SettleStep) and step.state is not None:
            assert self.policy.windowed
            assert step.fate == DELIVERED
            self.state = step.state
        if isinstance(step, DiscardStep):
            self.check_discard(step)

    def check_discard(self, step: DiscardStep) -> None:
        if step.reason is DiscardReason.RETRIES_EXHAUSTED:
            assert self.policy.retries is not None
            assert step.invocations == self.policy.retries + 1
            assert step.failure is not None
        else:
            assert self.policy.max_age is not None
            for each in step.records:
                assert at(self.time).wall - each.arrived >= self.policy.max_age
        for each in step.records:
            assert self.attempts.get(each, 0) >= step.invocations

    def check_invoke(self, step: InvokeStep) -> None:
        assert self.flying is None, "two in flight"
        assert step.records or step.kind is BatchKind.WINDOW_END
        assert step.state == self.state
        order = [self.batch.records.index(each) for each in step.records]
        assert order == sorted(order)
        if self.policy.retries is not None and self.policy.progress is not Progress.NONE:
            assert step.attempt <= self.policy.retries + 1
        for each in step.records:
            assert each not in self.fates, "invoked after its fate"
            assert each.held_until > self.time, "invoked although the source has it again"
            assert each.lane not in self.stopped
        if self.policy.max_age is not None and self.policy.progress is not Progress.NONE and step.records:
            judged = step.records if self.policy.progress is Progress.PER_RECORD else step.records[:1]
            assert all(at(self.time).wall - each.arrived < self.policy.max_age for each in judged)
        if self.policy.progress is Progress.PREFIX:
            left = [each for each in self.batch.records if each not in self.fates]
            assert list(step.records) == left[: len(step.records)], "a later record before an earlier one"

    def check_wait(self, until: float) -> None:
        assert until > self.time
        held = [each.held_until for each in self.planner.undecided]
        assert self.flying or until <= min(held, default=inf)

    def check_end(self) -> None:
        assert set(self.fates) == set(self.batch.records), "a record without a fate"
        assert self.planner.undecided == NONE
        assert not any(fate.kind is FateKind.FILTERED for fate in self.fates.values())
        if not self.stopped:
            assert self.closed == (self.batch.kind is BatchKind.WINDOW_END)
        assert self.closed <= 1


@pytest.mark.semantics("RETRY-23")
@SCRIPTS
@given(st.data())
def test_every_record_gets_exactly_one_fate_in_order_within_the_limits(data: DataObject) -> None:
    Script(data).run()


@SCRIPTS
@given(st.integers(1, 400), st.data())
def test_bisect_finds_any_set_of_poison_records(size: int, data: DataObject) -> None:
    """Without retries exactly the poison records are discarded, each alone, and all others delivered in order."""
    numbers = list(range(size))
    bad = data.draw(st.sets(st.sampled_from(numbers), max_size=5))
    records = tuple(Record(partition(0), str(number), {}, EPOCH) for number in numbers)
    planner = Planner(Policy(Progress.PREFIX, 0, bisect=True), Batch(Records.of(records)))
    order: list[int] = []
    calls = 0
    while not isinstance(step := planner.next(at(0.0)), Done):
        match step:
            case InvokeStep(records=invoked, call=call):
                calls += 1
                poisoned = any(int(str(each.id)) in bad for each in invoked)
                planner.on(call, failed() if poisoned else ok(), at(0.0))
            case SettleStep(records=settled, fate=fate):
                assert fate == DELIVERED
                order += [int(str(each.id)) for each in settled]
            case DiscardStep(records=discarded):
                assert [int(str(each.id)) in bad for each in discarded] == [True]
                order += [int(str(each.id)) for each in discarded]
            case Wait():
                raise AssertionError("a bisect without retries never waits")
    assert order == numbers
    assert calls <= 1 + 2 * max(1, len(bad)) * (size - 1).bit_length()


@SCRIPTS
@given(st.integers(0, 3), st.lists(st.sampled_from(["failed", "throttled", "unreachable"]), max_size=40))
def test_only_failures_count(retries: int, kinds: list[str]) -> None:
    planner = Planner(Policy(Progress.PREFIX, retries), Batch(Records.of((Record(partition(0), "1", {}, EPOCH),))))
    time, failures = 0.0, 0
    for kind in kinds:
        while isinstance(step := planner.next(at(time)), Wait):
            time = step.until
        if not isinstance(step, InvokeStep):
            assert failures == retries + 1
            return
        assert step.attempt == failures + 1
        failures += kind == "failed"
        outcomes: dict[str, Outcome] = {"failed": failed(), "throttled": throttled(), "unreachable": unreachable()}
        planner.on(step.call, outcomes[kind], at(time))
    assert failures <= retries + 1

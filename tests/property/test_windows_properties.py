"""A shard with a tumbling window under random traffic: each window's sum arrives whole, once, in order."""

from __future__ import annotations

import json

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from headrace.dispatch.core.batcher import Limits
from headrace.dispatch.core.events import WindowEnvelope
from headrace.dispatch.core.model import ABANDONED, DELIVERED, BatchKind, FateKind, Now, Outcome, Record
from headrace.dispatch.core.pages import NONE, Records
from headrace.dispatch.core.planner import DiscardStep, Done, InvokeStep, Planner, SettleStep, Wait
from headrace.dispatch.core.policy import Policy, Progress
from headrace.dispatch.core.slots import Taken
from headrace.dispatch.core.windows import WindowSlot, window_of
from support.counts import count
from support.paper import EPOCH, LANE, at, failed, named, ok, throttled

SECONDS = 60


class Shard:
    """A shard, its slot, its store and a function that counts records into the window's state."""

    def __init__(self, data: DataObject) -> None:
        self.data = data
        self.limits = Limits(data.draw(st.integers(1, 5)), data.draw(st.sampled_from([0.0, 5.0])), WindowEnvelope())
        self.policy = Policy(Progress.PREFIX, bisect=data.draw(st.booleans()), windowed=True)
        self.slots = WindowSlot(self.limits, SECONDS, LANE, at(0))
        self.time = 0.0
        self.arrived = EPOCH
        self.sent: list[Record] = []
        self.committed = 0
        """How many records from the front have their fate in the store."""
        self.stored = self.slots.stored
        self.sums: list[tuple[int, list[int]]] = []
        """Each window that ended: its start and the numbers in its state."""
        self.ending: tuple[int, list[int]] | None = None
        self.fetched = 0
        self.abandoned = False

    def run(self) -> None:
        for _ in range(self.data.draw(st.integers(0, 15))):
            self.produce()
            self.fetch()
            if self.data.draw(st.booleans()):
                self.time += self.data.draw(st.sampled_from([0.0, 5.0, 30.0, 400.0]))
                if self.data.draw(st.booleans()):
                    self.slots.heard(self.now())
            self.work()
            if self.data.draw(st.integers(0, 5)) == 0:
                event("restart")
                self.restart()
        self.fetch()
        self.slots.close(at(self.time))
        self.work(calm=True)
        assert self.slots.idle
        self.check_sums()

    def now(self) -> Now:
        return at(self.time)

    def produce(self) -> None:
        for _ in range(self.data.draw(st.integers(0, 5))):
            self.arrived += self.data.draw(st.sampled_from([0.0, 1.0, 20.0, 100.0]))
            self.sent.append(Record(LANE, str(len(self.sent)), {}, self.arrived))

    def fetch(self) -> None:
        self.slots.put(Records.of(self.sent[self.fetched :]), self.now())
        self.fetched = len(self.sent)

    def restart(self) -> None:
        """What the store has is all there is: the rest is fetched again, as new records."""
        self.slots = WindowSlot(self.limits, SECONDS, LANE, self.now(), self.stored)
        self.fetched = self.committed

    def work(self, *, calm: bool = False) -> None:
        while True:
            taken = self.slots.take(self.now())
            if taken is None:
                due = self.slots.deadline()
                if not calm or due is None:
                    return
                self.time = max(self.time, due)
            elif not self.invoke(taken, calm):
                return

    def invoke(self, taken: Taken, calm: bool) -> bool:
        """False when the work was interrupted."""
        self.check_taken(taken)
        planner = Planner(self.policy, taken.batch, state=taken.state)
        while not isinstance(step := planner.next(self.now()), Done):
            match step:
                case InvokeStep():
                    self.slots.invoked(taken.slot, self.now())
                    planner.on(step.call, self.answer(step, taken, calm), self.now())
                case SettleStep() | DiscardStep():
                    self.commit(taken, step)
                case Wait(until):
                    self.time = until
                    if not calm and self.data.draw(st.integers(0, 3)) == 0:
                        planner.stop()
        self.slots.completed(taken.slot, self.now())
        if self.abandoned:
            self.abandoned = False
            self.restart()
            return False
        return True

    def answer(self, step: InvokeStep, taken: Taken, calm: bool) -> Outcome:
        numbers = json.loads(step.state).get("n", [])
        mine = [int(str(each.id)) for each in step.records]
        kinds = ["ok"] if calm else ["ok", "ok", "failed", "named", "throttled"]
        kind = self.data.draw(st.sampled_from(kinds))
        event(kind)
        if kind == "failed":
            return failed()
        if kind == "throttled":
            return throttled()
        if kind == "named" and mine:
            first = self.data.draw(st.integers(0, len(mine) - 1))
            return named(mine[first], state=json.dumps({"n": numbers + mine[:first]}).encode())
        if step.kind is BatchKind.WINDOW_END:
            assert taken.batch.window is not None
            self.ending = (taken.batch.window.start, numbers + mine)
        return ok(json.dumps({"n": numbers + mine}).encode())

    def commit(self, taken: Taken, step: SettleStep | DiscardStep) -> None:
        """Settle, then commit position and window in one transaction."""
        assert self.slots.settled(taken.slot, step, self.now()) == NONE
        if step.fate == ABANDONED:
            self.abandoned = True
            return
        assert step.fate.kind is FateKind.DELIVERED
        for each in step.records:
            assert int(str(each.id)) == self.committed, "out of order"
            self.committed += 1
        self.stored = self.slots.stored
        if step.closes:
            assert step.fate == DELIVERED
            assert self.ending is not None
            self.sums.append(self.ending)
            assert self.stored is None

    def check_taken(self, taken: Taken) -> None:
        window = taken.batch.window
        assert window is not None
        assert window.end - window.start == SECONDS
        assert window.start % SECONDS == 0
        assert taken.batch.records or taken.batch.kind is BatchKind.WINDOW_END
        assert {window_of(each.arrived, SECONDS) for each in taken.batch.records} <= {window}
        assert len(taken.batch.records) <= self.limits.size

    def check_sums(self) -> None:
        """Arrivals are in order, so every record is in exactly one state, in windows of its own arrival."""
        assert self.committed == len(self.sent)
        assert [number for _, numbers in self.sums for number in numbers] == list(range(len(self.sent)))
        for start, numbers in self.sums:
            assert {window_of(self.sent[number].arrived, SECONDS).start for number in numbers} <= {start}
        starts = [start for start, _ in self.sums]
        assert starts == sorted(starts)


@pytest.mark.semantics("WINDOW-02", "WINDOW-08")
@settings(max_examples=count(200, 10_000), deadline=None)
@given(st.data())
def test_every_record_is_in_the_final_state_of_its_window_once(data: DataObject) -> None:
    Shard(data).run()

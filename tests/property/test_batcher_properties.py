"""Random traffic through every kind of slots: nothing lost, nothing twice, order, limits, exact sizes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from headrace.dispatch.core.batcher import Batcher, Limits
from headrace.dispatch.core.events import Envelope, RecordsEnvelope
from headrace.dispatch.core.model import ABANDONED, DELIVERED, DiscardReason, Lane, Record
from headrace.dispatch.core.pages import Records
from headrace.dispatch.core.partition_slots import PartitionSlots
from headrace.dispatch.core.slots import KeyHash, SingleSlot, Slots, Taken, Waiting
from headrace.dispatch.core.steps import SettleStep
from headrace.dispatch.kinds.kafka import KafkaEnvelope
from support.counts import count
from support.paper import EPOCH, at, page, partition

SCRIPTS = settings(max_examples=count(200, 10_000), deadline=None)

PAYLOAD = 400
envelopes = st.sampled_from([RecordsEnvelope(), KafkaEnvelope("broker:9092")])
limits = st.builds(
    Limits,
    size=st.integers(1, 6),
    window=st.sampled_from([0.0, 1.0, 10.0]),
    envelope=envelopes,
    payload=st.just(PAYLOAD),
)


def records(data: DataObject, start: int, lanes: int) -> list[Record]:
    made = []
    for number in range(start, start + data.draw(st.integers(0, 8))):
        lane = partition(data.draw(st.integers(0, lanes - 1)))
        size = data.draw(st.sampled_from([1, 30, 90, 200, 500]) | st.integers(PAYLOAD - 110, PAYLOAD))
        key = data.draw(st.sampled_from([None, "a", "b", "c", "d"]))
        made.append(Record(lane, str(number), {"n": "x" * size}, EPOCH, key=key))
    return made


@pytest.mark.semantics("BATCH-05")
@SCRIPTS
@given(limits, st.data())
def test_a_batch_is_the_longest_prefix_that_the_limits_allow(limit: Limits, data: DataObject) -> None:
    queue = Batcher(limit)
    waiting = records(data, 0, 3)
    for each in waiting:
        queue.add(page(each), 0.0)
    while waiting:
        portion = queue.take(0.0, flush=True)
        assert portion is not None
        assert list(portion.records) == waiting[: len(portion.records)]
        waiting = waiting[len(portion.records) :]
        size = len(limit.envelope.render(Records.of(portion.records)))
        assert (portion.discard is DiscardReason.OVERSIZED) == (size > PAYLOAD)
        if portion.discard is None:
            longer = (*portion.records, *waiting[:1])
            full = len(portion.records) == limit.size or len(limit.envelope.render(Records.of(longer))) > PAYLOAD
            assert full or not waiting
        queue.completed(0.0)
    assert (queue.take(0.0, flush=True), queue.bytes, len(queue)) == (None, 0, 0)


class Traffic:
    """One Slots under random puts, takes, fates, withdrawals and drops."""

    def __init__(
        self, data: DataObject, slots: Slots, limit: Limits, unit: Callable[[Record], object], lanes: int
    ) -> None:
        self.data, self.slots, self.limit, self.unit, self.lanes = data, slots, limit, unit, lanes
        self.time = 0.0
        self.sent: list[Record] = []
        self.out: list[Record] = []
        self.waiting: dict[int, Record] = {}
        self.taken: dict[int, list[Record]] = {}
        self.lost: dict[int, set[Lane]] = defaultdict(set)

    def run(self) -> None:
        for _ in range(self.data.draw(st.integers(1, 30))):
            self.time += self.data.draw(st.sampled_from([0.0, 0.5, 20.0]))
            step = self.data.draw(st.sampled_from(["put", "put", "take", "take", "settle", "complete", "drop"]))
            getattr(self, step)()
            self.check_deadline()
        self.drain()

    def put(self) -> None:
        made = records(self.data, len(self.sent), self.lanes)
        self.sent += made
        self.waiting |= {id(each): each for each in made}
        self.slots.put(Records.of(made), at(self.time))
        assert self.slots.waiting() == Waiting(len(self.waiting), sum(len(each.body) for each in self.waiting.values()))

    def take(self) -> None:
        due = self.slots.deadline()
        taken = self.slots.take(at(self.time))
        assert (taken is not None) == (due is not None and due <= self.time)
        if taken is not None:
            self.check_taken(taken)

    def check_taken(self, taken: Taken) -> None:
        batch = taken.batch.records
        assert 1 <= len(batch) <= self.limit.size
        assert (len(self.limit.envelope.render(Records.of(batch))) > PAYLOAD) == (
            taken.discard is DiscardReason.OVERSIZED
        )
        assert taken.discard is None or len(batch) == 1
        assert taken.slot not in self.taken, "a slot with two batches"
        busy = {self.unit(each) for left in self.taken.values() for each in left}
        busy |= {lane for lanes in self.lost.values() for lane in lanes}
        assert not busy & {self.unit(each) for each in batch}, "one unit of order in two batches"
        for each in batch:
            del self.waiting[id(each)]
            older = [other for other in self.waiting.values() if self.unit(other) == self.unit(each)]
            earlier = [other for other in older if int(str(other.id)) < int(str(each.id))]
            assert not [other for other in earlier if other not in batch], "a later record before an earlier one"
        self.taken[taken.slot] = list(batch)
        self.out += batch

    def settle(self) -> None:
        """Some records of a slot get their fate, perhaps while an invocation runs."""
        if not self.taken:
            return
        slot = self.data.draw(st.sampled_from(sorted(self.taken)))
        left = self.taken[slot]
        lanes = {each.lane for each in left if self.data.draw(st.booleans())}
        gone = tuple(each for each in left if each.lane in lanes)
        running = self.data.draw(st.booleans())
        if gone:
            event("withdrawn" if running else "settled")
            self.slots.settled(
                slot, SettleStep(Records.of(gone), ABANDONED if running else DELIVERED, running=running), at(self.time)
            )
            self.taken[slot] = [each for each in left if each.lane not in lanes]
            if running and isinstance(self.slots, PartitionSlots):
                self.lost[slot] |= lanes

    def complete(self) -> None:
        if not self.taken:
            return
        slot = self.data.draw(st.sampled_from(sorted(self.taken)))
        self.slots.invoked(slot, at(self.time))
        self.lost.pop(slot, None)
        if self.data.draw(st.booleans()):
            left = tuple(self.taken.pop(slot))
            if left:
                self.slots.settled(slot, SettleStep(Records.of(left), DELIVERED), at(self.time))
            self.slots.completed(slot, at(self.time))

    def drop(self) -> None:
        lanes = {partition(self.data.draw(st.integers(0, self.lanes - 1)))}
        dropped = self.slots.drop(lanes)
        assert {id(each) for each in dropped} == {key for key, each in self.waiting.items() if each.lane in lanes}
        for each in dropped:
            del self.waiting[id(each)]
        self.out += dropped

    def check_deadline(self) -> None:
        """Before its deadline nothing comes, at its deadline something does."""
        due = self.slots.deadline()
        if due is None:
            assert self.slots.take(at(self.time + 1e9)) is None
        elif due > self.time:
            assert self.slots.take(at(self.time)) is None
            self.data.draw(st.just(None))

    def drain(self) -> None:
        while self.waiting or self.taken:
            for slot, left in list(self.taken.items()):
                self.slots.invoked(slot, at(self.time))
                self.lost.pop(slot, None)
                if left:
                    self.slots.settled(slot, SettleStep(Records.of(left), DELIVERED), at(self.time))
                del self.taken[slot]
                self.slots.completed(slot, at(self.time))
            self.time = max(self.time, self.slots.deadline() or 0.0)
            self.take()
        assert self.slots.idle
        assert self.slots.waiting() == Waiting(0, 0)
        assert sorted(int(str(each.id)) for each in self.out) == list(range(len(self.sent)))


@pytest.mark.semantics("BATCH-09")
@SCRIPTS
@given(limits, st.integers(1, 4), st.data())
def test_slots_by_key(limit: Limits, slots: int, data: DataObject) -> None:
    made = KeyHash(limit, slots)
    Traffic(data, made, limit, lambda record: made.slot_of(record.key), 1).run()


@SCRIPTS
@given(limits, st.data())
def test_a_single_slot(limit: Limits, data: DataObject) -> None:
    Traffic(data, SingleSlot(limit), limit, lambda record: 0, 2).run()


@pytest.mark.semantics("BATCH-11", "BATCH-13")
@SCRIPTS
@given(limits, st.one_of(st.none(), st.integers(1, 4)), st.data())
def test_slots_that_drain_partitions(limit: Limits, slots: int | None, data: DataObject) -> None:
    Traffic(data, PartitionSlots(limit, slots), limit, lambda record: record.lane, 4).run()


@SCRIPTS
@given(envelopes, st.data())
def test_an_event_is_as_long_as_its_parts(envelope: Envelope, data: DataObject) -> None:
    batch = records(data, 0, 3)
    lanes = {each.lane for each in batch}
    account = envelope.overhead + sum(len(each.body) for each in batch) + max(0, len(batch) - 1)
    assert len(envelope.render(Records.of(batch))) == account + sum(envelope.lane_overhead(lane) for lane in lanes)

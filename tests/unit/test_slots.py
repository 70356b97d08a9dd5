"""Which batch is in flight where: queues and shards."""

from __future__ import annotations

import pytest

from headrace.dispatch.core.batcher import Limits
from headrace.dispatch.core.events import RecordsEnvelope
from headrace.dispatch.core.model import ABANDONED, DELIVERED, RETURNED, DiscardReason, Fate
from headrace.dispatch.core.pages import NONE, Records
from headrace.dispatch.core.slots import KeyHash, SingleSlot, Slots, Taken, Waiting
from headrace.dispatch.core.steps import SettleStep
from support.paper import at, flawed, ids, record


def limits(size: int = 10, window: float = 0.0, payload: int = 6_291_456) -> Limits:
    return Limits(size, window, RecordsEnvelope(), payload)


def take(slots: Slots, time: float = 0.0) -> Taken:
    taken = slots.take(at(time))
    assert taken is not None
    return taken


def test_a_receiver_has_one_batch_at_a_time() -> None:
    slots: Slots = SingleSlot(limits(2))
    slots.put(Records.of([record(n) for n in range(3)]), at(0))
    first = take(slots)
    assert (first.slot, ids(first.batch.records), first.discard, first.state) == (0, [0, 1], None, b"{}")
    assert (slots.take(at(0)), slots.take(at(9), flush=True), slots.deadline()) == (None, None, None)
    assert slots.waiting() == Waiting(1, len(record(2).body))
    slots.completed(0, at(1))
    assert ids(take(slots, 1).batch.records) == [2]
    assert not slots.idle
    slots.completed(0, at(2))
    assert slots.idle


def test_a_decided_record_comes_as_a_batch_of_one() -> None:
    slots = SingleSlot(limits())
    slots.put(Records.of([flawed(record(1))]), at(0))
    slots.put(Records.of([record(2)]), at(0))
    assert take(slots).discard is DiscardReason.SCHEMA_NOT_FOUND
    slots.completed(0, at(0))
    assert take(slots).discard is None


@pytest.mark.semantics("BATCH-08")
@pytest.mark.parametrize("fate", [RETURNED, ABANDONED])
def test_what_waits_of_a_group_goes_back_with_an_earlier_message_of_it(fate: Fate) -> None:
    slots = SingleSlot(limits(2), grouped=True)
    slots.put(Records.of([record(n, key=key) for n, key in enumerate("abcab")]), at(0))
    taken = take(slots)
    assert ids(taken.batch.records) == [0, 1]
    back = slots.settled(0, SettleStep(taken.batch.records[:1], fate), at(0))
    assert ids(back) == [3]
    assert ids(slots.settled(0, SettleStep(taken.batch.records[1:], DELIVERED), at(0))) == []
    slots.completed(0, at(0))
    assert ids(take(slots).batch.records) == [2, 4]


def test_what_waits_of_a_standard_queue_is_not_touched() -> None:
    slots = SingleSlot(limits(1))
    slots.put(Records.of([record(n, key="a") for n in range(2)]), at(0))
    assert slots.settled(0, SettleStep(take(slots).batch.records, RETURNED), at(0)) == NONE


@pytest.mark.semantics("BATCH-09")
def test_the_records_of_a_key_stay_in_one_slot_and_other_slots_go_on() -> None:
    slots = KeyHash(limits(100), 4)
    slots.put(Records.of([record(n, key=f"k{n % 20}") for n in range(100)]), at(0))
    batches = []
    while (taken := slots.take(at(0))) is not None:
        batches.append(taken)
    assert {taken.slot for taken in batches} == {0, 1, 2, 3}
    keys = [{each.key for each in taken.batch.records} for taken in batches]
    assert sum(map(len, keys)) == 20
    for taken in batches:
        assert ids(taken.batch.records) == sorted(ids(taken.batch.records))
    slots.completed(batches[2].slot, at(0))
    slots.put(Records.of([record(n, key=f"k{n % 20}") for n in range(100, 200)]), at(0))
    again = take(slots)
    assert (again.slot, {each.key for each in again.batch.records}) == (batches[2].slot, keys[2])
    assert slots.take(at(0)) is None


@pytest.mark.semantics("BATCH-09")
def test_the_slot_of_a_key_is_the_same_in_every_process() -> None:
    slots = KeyHash(limits(), 10)
    assert [slots.slot_of(key) for key in ("a", "orders-17", "\ud800", "")] == [7, 4, 0, 0]
    assert slots.slot_of(None) == 0


def test_the_first_deadline_counts() -> None:
    slots = KeyHash(limits(window=10.0), 10)
    slots.put(Records.of([record(1, key="a")]), at(3))
    slots.put(Records.of([record(2, key="orders-17")]), at(1))
    assert slots.deadline() == 11.0
    assert slots.room() == 10
    slots.close(at(4))
    assert slots.deadline() == 1.0
    assert slots.take(at(4)) is not None


def test_drop_gives_back_what_waits() -> None:
    slots = KeyHash(limits(), 2)
    slots.put(Records.of([record(n, key=str(n)) for n in range(6)]), at(0))
    slots.invoked(0, at(0))
    assert sorted(ids(slots.drop())) == list(range(6))
    assert slots.idle

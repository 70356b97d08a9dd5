"""Kafka's slots: disjoint partitions, drained one by one, let go one by one."""

from __future__ import annotations

import pytest

from headrace.dispatch.core.batcher import Limits
from headrace.dispatch.core.model import ABANDONED, DELIVERED, DiscardReason, Fate
from headrace.dispatch.core.pages import NONE, Records
from headrace.dispatch.core.partition_slots import PartitionSlots
from headrace.dispatch.core.slots import Slots, Taken, Waiting
from headrace.dispatch.core.steps import SettleStep
from headrace.dispatch.kinds.kafka import KafkaEnvelope
from support.paper import at, flawed, ids, kafka_records, partition

ENVELOPE = KafkaEnvelope("b:9092")


def lanes(slots: int | None = None, size: int = 4, window: float = 0.0, payload: int = 6_291_456) -> PartitionSlots:
    return PartitionSlots(Limits(size, window, ENVELOPE, payload), slots)


def put(slots: Slots, number: int, offsets: range, time: float = 0.0) -> Records:
    made = kafka_records(partition(number), offsets)
    slots.put(Records.of(made), at(time))
    return made


def take(slots: Slots, time: float = 0.0) -> Taken:
    taken = slots.take(at(time))
    assert taken is not None
    return taken


def finish(slots: Slots, taken: Taken, time: float, fate: Fate = DELIVERED) -> None:
    slots.invoked(taken.slot, at(time))
    slots.settled(taken.slot, SettleStep(taken.batch.records, fate), at(time))
    slots.completed(taken.slot, at(time))


def shards(taken: Taken) -> list[str]:
    return list(dict.fromkeys(each.lane.shard for each in taken.batch.records))


@pytest.mark.semantics("BATCH-10")
def test_a_backlog_gives_one_partition_per_batch() -> None:
    slots = lanes()
    for number in range(3):
        put(slots, number, range(10 * number, 10 * number + 9))
    batches = [take(slots) for _ in range(3)]
    assert [ids(taken.batch.records) for taken in batches] == [[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]
    assert slots.take(at(0)) is None


@pytest.mark.semantics("BATCH-10")
def test_a_trickle_gives_mixed_batches() -> None:
    slots = lanes(size=10, window=1.0)
    for number in range(3):
        put(slots, number, range(number, number + 1), time=number / 10)
    assert slots.deadline() == 1.0
    assert slots.take(at(0.9)) is None
    assert shards(take(slots, 1.0)) == ["orders-0", "orders-1", "orders-2"]


@pytest.mark.semantics("BATCH-10")
def test_a_slot_takes_one_partition_until_it_is_dry_then_the_next() -> None:
    slots = lanes()
    put(slots, 0, range(2))
    put(slots, 1, range(10, 15))
    taken = take(slots)
    assert ids(taken.batch.records) == [0, 1, 10, 11]
    put(slots, 0, range(2, 4))
    assert slots.take(at(0)) is None  # both partitions are held


@pytest.mark.semantics("BATCH-11")
def test_no_two_slots_hold_the_same_partition() -> None:
    slots = lanes(5)
    put(slots, 0, range(20))
    take(slots)
    assert slots.take(at(0), flush=True) is None
    assert slots.deadline() is None


@pytest.mark.semantics("BATCH-11")
def test_a_partition_is_let_go_with_its_last_fate_while_others_are_retried() -> None:
    slots = lanes(2)
    zero, one = put(slots, 0, range(2)), put(slots, 1, range(10, 12))
    first = take(slots)
    put(slots, 0, range(2, 4))
    put(slots, 1, range(12, 14))
    slots.settled(first.slot, SettleStep(zero[:1], DELIVERED), at(1))
    assert slots.take(at(1)) is None
    slots.settled(first.slot, SettleStep(zero[1:2] + one[:1], DELIVERED), at(2))
    second = take(slots, 2)
    assert ids(second.batch.records) == [2, 3]
    assert second.slot != first.slot
    slots.settled(first.slot, SettleStep(one[1:], DELIVERED), at(3))
    slots.completed(first.slot, at(3))
    assert ids(take(slots, 3).batch.records) == [12, 13]


@pytest.mark.semantics("BATCH-12")
def test_provisioned_pollers_bound_the_batches_in_flight() -> None:
    slots = lanes(1)
    for number in range(3):
        put(slots, number, range(10 * number, 10 * number + 4))
    first = take(slots)
    assert (slots.take(at(0)), slots.deadline()) == (None, None)
    finish(slots, first, 1.0)
    assert shards(take(slots, 1.0)) == ["orders-1"]


def test_partitions_take_turns() -> None:
    slots = lanes(1)
    for number in range(3):
        put(slots, number, range(100 * number, 100 * number + 40), time=number / 10)
    turns = []
    for time in range(1, 10):
        taken = take(slots, time)
        turns.append(shards(taken)[0])
        finish(slots, taken, time + 0.5)
    assert turns == ["orders-0", "orders-1", "orders-2"] * 3


@pytest.mark.semantics("BATCH-13")
def test_a_revoked_partition_that_comes_back_waits_for_its_withdrawn_invocation() -> None:
    slots = lanes(3, size=10)
    zero, one = put(slots, 0, range(2)), put(slots, 1, range(10, 12))
    first = take(slots)
    assert slots.drop({partition(0)}) == NONE
    slots.settled(first.slot, SettleStep(zero, ABANDONED, running=True), at(1))
    back = put(slots, 0, range(2), time=2)
    assert slots.take(at(2), flush=True) is None
    slots.invoked(first.slot, at(3))
    second = take(slots, 3)
    assert second.batch.records == back
    slots.settled(first.slot, SettleStep(one, DELIVERED), at(4))
    slots.completed(first.slot, at(4))
    finish(slots, second, 5)
    assert slots.idle


@pytest.mark.semantics("BATCH-13")
def test_a_revoked_partition_that_was_only_waiting_for_its_retry_is_free_at_once() -> None:
    slots = lanes(3, size=10)
    zero, _ = put(slots, 0, range(2)), put(slots, 1, range(10, 12))
    first = take(slots)
    slots.settled(first.slot, SettleStep(zero, ABANDONED), at(1))
    back = put(slots, 0, range(2), time=2)
    assert take(slots, 2).batch.records == back


@pytest.mark.semantics("BATCH-13")
def test_a_revoked_partition_with_records_of_both_fates_is_free_when_the_last_has_one() -> None:
    """Of what was in flight one record was decided before, the other only after the invocation."""
    slots = lanes(3, size=10)
    first, second = put(slots, 0, range(2))
    taken = take(slots)
    slots.settled(taken.slot, SettleStep(Records.of([first]), ABANDONED, running=True), at(1))
    slots.invoked(taken.slot, at(2))
    put(slots, 0, range(2, 3), time=2)
    assert slots.take(at(2), flush=True) is None
    slots.settled(taken.slot, SettleStep(Records.of([second]), DELIVERED), at(3))
    assert ids(take(slots, 3).batch.records) == [2]


def test_a_slot_that_ends_without_fates_lets_its_partitions_go() -> None:
    """A delivery that met a fault of ours."""
    slots = lanes(1, size=10)
    put(slots, 0, range(2))
    taken = take(slots)
    put(slots, 0, range(2, 3))
    assert slots.take(at(0)) is None
    slots.completed(taken.slot, at(1))
    assert ids(take(slots, 1).batch.records) == [2]


def test_what_waits_behind_the_batches_is_told() -> None:
    slots = lanes(1, size=1)
    zero, one = put(slots, 0, range(2)), put(slots, 1, range(10, 12))
    take(slots)
    assert slots.behind() == zero[1:2] + one


def test_drop_gives_back_what_waits_of_the_revoked_partitions() -> None:
    slots = lanes(1, size=1)
    zero, one = put(slots, 0, range(3)), put(slots, 1, range(10, 12))
    first = take(slots)
    assert slots.drop({partition(0)}) == zero[1:]
    assert slots.waiting() == Waiting(2, sum(len(each.body) for each in one))
    finish(slots, first, 1)
    assert slots.drop() == one
    assert slots.idle


@pytest.mark.semantics("BATCH-07")
def test_the_bytes_of_a_mixed_batch_are_exact() -> None:
    both = [*kafka_records(partition(0), range(2)), *kafka_records(partition(1), range(10, 12))]
    exact = len(ENVELOPE.render(Records.of(both)))
    for payload, due, expected in ((exact, 5.0, [0, 1, 10, 11]), (exact - 1, 0.0, [0, 1, 10])):
        slots = lanes(payload=payload, window=5.0, size=100)
        slots.put(Records.of(both), at(0))
        assert slots.deadline() == due
        assert ids(take(slots, due).batch.records) == expected


def test_a_decided_record_goes_alone_and_in_its_place() -> None:
    slots = lanes(1, window=5.0)
    slots.put(Records.of(kafka_records(partition(0), [1])), at(0))
    slots.put(Records.of([flawed(each) for each in kafka_records(partition(0), [2])]), at(0))
    slots.put(Records.of(kafka_records(partition(0), [3])), at(0))
    first = take(slots, 5)
    assert (ids(first.batch.records), first.discard) == ([1], None)
    finish(slots, first, 6)
    second = take(slots, 6)
    assert (ids(second.batch.records), second.discard) == ([2], DiscardReason.SCHEMA_NOT_FOUND)
    finish(slots, second, 7)
    assert (slots.take(at(7)), slots.deadline()) == (None, 12.0)


def test_room_and_close() -> None:
    slots = lanes(None, size=4, window=60.0)
    put(slots, 0, range(3))
    assert slots.room() == 1
    slots.close(at(1))
    assert slots.deadline() == 0.0
    assert len(take(slots, 1).batch.records) == 3

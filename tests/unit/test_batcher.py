"""Records into batches: number, bytes, window."""

from __future__ import annotations

import pytest

from headrace.dispatch.core.batcher import PAYLOAD_LIMIT, Batcher, Limits, Portion
from headrace.dispatch.core.events import RecordsEnvelope
from headrace.dispatch.core.model import DiscardReason
from headrace.dispatch.core.pages import Records
from headrace.dispatch.kinds.kafka import KafkaEnvelope
from support.paper import flawed, ids, kafka_records, page, partition, record, records

ENVELOPE = RecordsEnvelope()


def batcher(size: int = 10, window: float = 0.0, payload: int = PAYLOAD_LIMIT) -> Batcher:
    return Batcher(Limits(size, window, ENVELOPE, payload))


def put(queue: Batcher, *numbers: int, now: float = 0.0, size: int = 0) -> None:
    for number in numbers:
        queue.add(page(record(number, size=size)), now)


def taken(queue: Batcher, now: float, *, flush: bool = False) -> list[int] | None:
    portion = queue.take(now, flush=flush)
    return None if portion is None else ids(portion.records)


def test_an_empty_batcher_gives_nothing_and_waits_for_nothing() -> None:
    queue = batcher()
    assert (queue.take(0.0), queue.take(0.0, flush=True), queue.deadline(), queue.room(), len(queue)) == (
        None,
        None,
        None,
        10,
        0,
    )


@pytest.mark.semantics("BATCH-01")
def test_without_a_window_what_one_fetch_brought_is_one_batch() -> None:
    queue = batcher()
    put(queue, 1, 2, 3)
    assert queue.deadline() == 0.0
    assert taken(queue, 0.0) == [1, 2, 3]


@pytest.mark.semantics("BATCH-02")
def test_a_batch_holds_batch_size_records_at_most() -> None:
    """As recorded: 30 records, size 10: three batches of exactly ten, in order."""
    queue = batcher()
    put(queue, *range(30))
    for first in (0, 10, 20):
        assert taken(queue, 0.0) == list(range(first, first + 10))
        queue.completed(0.0)
    assert taken(queue, 0.0) is None


@pytest.mark.semantics("BATCH-03")
def test_with_a_window_a_batch_waits_for_it() -> None:
    queue = batcher(window=5.0)
    put(queue, 1, now=10.0)
    put(queue, 2, now=12.0)
    assert queue.deadline() == 15.0
    assert taken(queue, 14.999) is None
    assert taken(queue, 15.0) == [1, 2]


@pytest.mark.semantics("BATCH-03")
def test_a_full_batch_does_not_wait() -> None:
    queue = batcher(size=2, window=5.0)
    put(queue, 1, 2, 3, now=10.0)
    assert queue.deadline() == 10.0
    assert taken(queue, 10.0) == [1, 2]


@pytest.mark.semantics("BATCH-04")
def test_the_window_of_what_waited_starts_when_the_previous_batch_is_completed() -> None:
    queue = batcher(size=2, window=5.0)
    put(queue, 1, 2, 3)
    assert taken(queue, 0.0) == [1, 2]
    assert queue.deadline() is None
    assert taken(queue, 100.0, flush=True) is None
    queue.completed(100.0)
    assert queue.deadline() == 105.0
    put(queue, 4, now=101.0)
    assert queue.deadline() == 100.0  # full
    assert taken(queue, 101.0) == [3, 4]


@pytest.mark.semantics("BATCH-04")
def test_the_window_of_a_record_that_comes_later_starts_with_it() -> None:
    queue = batcher(window=5.0)
    put(queue, 1)
    taken(queue, 5.0)
    queue.completed(6.0)
    put(queue, 2, now=60.0)
    assert queue.deadline() == 65.0


@pytest.mark.semantics("BATCH-05")
def test_the_bytes_of_the_whole_event_are_counted() -> None:
    three = records(range(3))
    exact = len(ENVELOPE.render(Records.of(three)))
    fits = batcher(payload=exact)
    tight = batcher(payload=exact - 1)
    for queue in (fits, tight):
        for each in records(range(3)):
            queue.add(page(each), 0.0)
    assert taken(fits, 0.0) == [0, 1, 2]
    assert taken(tight, 0.0) == [0, 1]


@pytest.mark.semantics("BATCH-05")
def test_a_batch_that_is_full_by_bytes_does_not_wait_for_its_window() -> None:
    queue = batcher(window=300.0)
    put(queue, 1, 2, now=1.0, size=PAYLOAD_LIMIT // 2 - 20)
    assert taken(queue, 1.0) is None
    put(queue, 3, now=2.0, size=100)
    assert taken(queue, 2.0) == [1, 2]


@pytest.mark.semantics("BATCH-05")
def test_the_limit_is_that_of_a_synchronous_invocation() -> None:
    assert PAYLOAD_LIMIT == 6 * 1024 * 1024


@pytest.mark.semantics("BATCH-06")
def test_a_record_that_alone_is_over_the_limit_is_decided_and_goes_alone() -> None:
    queue = batcher(window=300.0, payload=200)
    put(queue, 1)
    put(queue, 2, size=200 - ENVELOPE.overhead + 1)
    put(queue, 3)
    assert taken(queue, 0.0) == [1]
    queue.completed(0.0)
    portion = queue.take(0.0)
    assert portion is not None
    assert (ids(portion.records), portion.discard) == ([2], DiscardReason.OVERSIZED)
    queue.completed(0.0)
    assert taken(queue, 0.0) is None
    assert taken(queue, 300.0) == [3]


@pytest.mark.semantics("BATCH-06")
def test_a_record_that_just_fits_is_not_over_the_limit() -> None:
    queue = batcher(payload=200)
    put(queue, 1, size=200 - ENVELOPE.overhead)
    portion = queue.take(0.0)
    assert portion is not None
    assert portion.discard is None
    assert len(ENVELOPE.render(Records.of(portion.records))) == 200


@pytest.mark.semantics("BATCH-06")
def test_the_name_of_its_partition_counts_for_a_record_that_is_alone() -> None:
    envelope = KafkaEnvelope("b:9092")
    (alone,) = kafka_records(partition(0), [1])
    exact = len(envelope.render(Records.of((alone,))))
    for payload, discard in ((exact, None), (exact - 1, DiscardReason.OVERSIZED)):
        queue = Batcher(Limits(10, 0.0, envelope, payload))
        queue.add(page(alone), 0.0)
        assert queue.take(0.0) == Portion(Records.of([alone]), discard)


def test_records_that_are_decided_keep_their_place() -> None:
    queue = batcher(window=300.0)
    queue_records = records([1, 2])
    for each in queue_records:
        queue.add(page(flawed(each)), 0.0)
    first = queue.take(0.0)
    assert first == Portion(queue_records[:1], DiscardReason.SCHEMA_NOT_FOUND)


@pytest.mark.semantics("BATCH-07")
def test_a_kafka_batch_counts_the_name_of_each_partition_once() -> None:
    envelope = KafkaEnvelope("b:9092")
    both = kafka_records(partition(0), [1, 2]) + kafka_records(partition(1), [3])
    exact = len(envelope.render(Records.of(both)))
    for payload, size in ((exact, 3), (exact - 1, 2)):
        queue = Batcher(Limits(10, 0.0, envelope, payload))
        for each in both:
            queue.add(page(each), 0.0)
        portion = queue.take(0.0)
        assert portion is not None
        assert len(portion.records) == size


def test_groups_do_not_share_a_batch() -> None:
    queue = batcher(window=300.0)
    for number, group in ((1, 0), (2, 0), (3, 60), (4, 60)):
        queue.add(page(record(number)), 0.0, group=group)
    assert taken(queue, 0.0) == [1, 2]
    queue.completed(0.0)
    assert (queue.head_group, taken(queue, 0.0), taken(queue, 300.0)) == (60, None, [3, 4])


def test_flush_takes_what_there_is() -> None:
    queue = batcher(window=300.0)
    put(queue, 1)
    assert taken(queue, 0.0, flush=True) == [1]


def test_room_is_what_the_next_batch_still_takes() -> None:
    queue = batcher(size=3)
    put(queue, 1)
    assert queue.room() == 2
    put(queue, 2, 3, 4, 5)
    assert queue.room() == 0
    taken(queue, 0.0)
    assert queue.room() == 1


def test_dropped_records_are_given_back_and_no_longer_counted() -> None:
    queue = batcher(size=3, window=10.0)
    put(queue, 1)
    for each in kafka_records(partition(1), [7, 8]):
        queue.add(page(each), 1.0)
    assert queue.room() == 0
    assert ids(queue.drop({partition(1)})) == [7, 8]
    assert (queue.room(), len(queue), queue.bytes) == (2, 1, len(record(1).body))
    assert queue.deadline() == 10.0
    assert ids(queue.drop()) == [1]
    assert (queue.deadline(), queue.bytes) == (None, 0)

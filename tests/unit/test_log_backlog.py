"""Lines that wait: order, batches within the limits of a call, and what is dropped when there is no room."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.service.telemetry.core import log_backlog
from headrace.service.telemetry.core.log_backlog import BATCH_SPAN, Backlog, LogBatch, LogPlace

A, B = LogPlace("/aws/lambda/a", "one"), LogPlace("/aws/lambda/b", "two")
PLENTY = 1 << 30


def texts(batch: LogBatch | None) -> list[str]:
    assert batch is not None
    return [line.text for line in batch.lines]


@pytest.mark.semantics("LOGS-04")
def test_the_place_that_waits_for_longest_goes_first_with_all_its_lines() -> None:
    backlog = Backlog(PLENTY)
    for place, text in ((A, "1"), (B, "2"), (A, "3"), (B, "")):
        backlog.add(place, 0, text)
    first, second = backlog.take(), backlog.take()
    assert (texts(first), texts(second)) == (["1\n", "3\n"], ["2\n", "\n"])
    assert backlog.take() is None
    assert not backlog


@pytest.mark.semantics("LOGS-04")
def test_a_batch_is_no_larger_than_a_call_may_be() -> None:
    backlog = Backlog(PLENTY)
    for number in range(10_005):
        backlog.add(A, number, "x")
    assert [len(texts(backlog.take())) for _ in range(2)] == [10_000, 5]
    for _ in range(5):
        backlog.add(A, 0, "x" * 300_000)  # cut to what one event may have
    batches = [backlog.take(), backlog.take()]
    assert [len(texts(batch)) for batch in batches] == [3, 2]
    assert all(batch is not None and batch.size <= log_backlog.BATCH_BYTES for batch in batches)
    for at in (0, BATCH_SPAN - 1, BATCH_SPAN):
        backlog.add(A, at, "x")
    assert [len(texts(backlog.take())) for _ in range(2)] == [2, 1]


@pytest.mark.semantics("LOGS-04")
def test_a_clock_that_goes_back_changes_no_order() -> None:
    backlog = Backlog(PLENTY)
    for at in (10, 5, 12):
        backlog.add(A, at, "x")
    batch = backlog.take()
    assert batch is not None
    assert [line.at for line in batch.lines] == [10, 10, 12]


@pytest.mark.semantics("LOGS-05")
def test_where_there_is_no_room_the_oldest_is_dropped_and_counted() -> None:
    backlog = Backlog(3 * 28)
    for number, place in enumerate((A, B, A, B, B)):
        backlog.add(place, 0, str(number))
    assert backlog.dropped() == {A.group: 1, B.group: 1}
    assert backlog.dropped() == {}
    assert [texts(backlog.take()), texts(backlog.take())] == [["2\n"], ["3\n", "4\n"]]


@pytest.mark.semantics("LOGS-05")
def test_what_is_in_hand_takes_room_until_it_is_done_and_may_come_back() -> None:
    backlog = Backlog(3 * 28)
    for number in range(3):
        backlog.add(A, 0, str(number))
    batch = backlog.take()
    assert batch is not None
    backlog.add(B, 0, "b")
    assert backlog.dropped() == {B.group: 1}  # nothing else waits
    backlog.put_back(batch)
    assert texts(backlog.take()) == ["0\n", "1\n", "2\n"]
    backlog.done(batch)
    assert backlog.size == 0


@pytest.mark.semantics("LOGS-04")
def test_what_came_meanwhile_stands_behind_what_comes_back() -> None:
    backlog = Backlog(PLENTY)
    backlog.add(A, 0, "first")
    batch = backlog.take()
    assert batch is not None
    backlog.add(A, 0, "second")
    backlog.put_back(batch)
    assert texts(backlog.take()) == ["first\n", "second\n"]


@pytest.mark.semantics("LOGS-05")
def test_where_there_is_no_room_a_line_costs_the_same_with_a_thousand_streams() -> None:
    """Counted, not timed: the places that are looked at for a line that is dropped."""
    looked = 0

    class Looking(dict[LogPlace, Any]):
        def __getitem__(self, place: LogPlace) -> Any:
            nonlocal looked
            looked += 1
            return super().__getitem__(place)

    backlog = Backlog(1000 * 28)
    backlog._waiting = Looking()
    places = [LogPlace("/aws/lambda/a", str(number)) for number in range(1000)]
    for place in places:
        backlog.add(place, 0, "x")
    looked = 0
    for place in places:
        backlog.add(place, 0, "x")
    assert backlog.dropped() == {"/aws/lambda/a": 1000}
    assert looked < 10 * len(places)


@given(st.lists(st.tuples(st.sampled_from([A, B, None]), st.integers(0, 200)), max_size=60), st.integers(28, 2000))
def test_each_line_is_sent_in_order_or_counted(turns: list[tuple[LogPlace | None, int]], limit: int) -> None:
    """None takes a batch, and with an odd number puts it back."""
    backlog, sent, added = Backlog(limit), dict[LogPlace, list[int]](), 0
    for number, (place, size) in enumerate(turns):
        if place is not None:
            backlog.add(place, 0, f"{number:03d}{'x' * size}")
            added += 1
        elif (batch := backlog.take()) is not None:
            if size % 2:
                backlog.put_back(batch)
            else:
                backlog.done(batch)
                sent.setdefault(batch.place, []).extend(int(line.text[:3]) for line in batch.lines)
        assert backlog.size <= limit
    while batch := backlog.take():
        backlog.done(batch)
        sent.setdefault(batch.place, []).extend(int(line.text[:3]) for line in batch.lines)
    assert all(numbers == sorted(set(numbers)) for numbers in sent.values())
    assert sum(map(len, sent.values())) + sum(backlog.dropped().values()) == added
    assert backlog.size == 0

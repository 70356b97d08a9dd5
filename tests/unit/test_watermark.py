"""How far a lane is done when its records finish out of order."""

from __future__ import annotations

import pytest

from headrace.dispatch.core.model import Position
from headrace.dispatch.core.watermark import Blocker, Watermark


def positions(*numbers: int) -> list[Position]:
    return [Position(number) for number in numbers]


def watermark(*numbers: int, cap_records: int = 100, cap_bytes: int = 1000) -> Watermark:
    made = Watermark(cap_records, cap_bytes)
    for position in positions(*numbers):
        made.add(position, 10, f"key-{position.number}")
    return made


def test_nothing_is_done_at_first() -> None:
    made = watermark()
    assert (made.mark, made.blocker, made.full, made.pending, made.records, made.bytes) == (None, None, False, 0, 0, 0)


@pytest.mark.semantics("RETRY-24")
def test_the_mark_stops_before_the_first_that_is_not_done() -> None:
    made = watermark(1, 2, 3, 4)
    assert not made.done(Position(2))
    before = made.mark
    assert before is None
    assert made.done(Position(1))
    assert made.mark == Position(2)
    assert not made.done(Position(4))
    assert (made.blocker, made.records, made.pending) == (Blocker(Position(3), "key-3"), 2, 1)
    assert made.done(Position(3))
    assert (made.mark, made.blocker) == (Position(4), None)


def test_the_mark_keeps_the_sources_own_spelling() -> None:
    made = Watermark(10, 10)
    made.add(Position.parse("00007"), 1)
    made.done(Position(7))
    assert made.mark is not None
    assert made.mark.text == "00007"


def test_holes_in_the_numbers_are_no_hole_in_what_is_done() -> None:
    made = watermark(5, 900, 1000)
    for position in positions(900, 5):
        made.done(position)
    assert made.mark == Position(900)


def test_records_inside_an_aggregate_have_their_own_places() -> None:
    made = Watermark(10, 10)
    inner = [Position(7, sub) for sub in range(3)]
    for position in [*inner, Position(8)]:
        assert made.add(position, 1)
    made.done(inner[0])
    made.done(inner[2])
    assert made.mark == Position(7, 0)
    made.done(inner[1])
    assert made.mark == Position(7, 2)


def test_a_fetch_that_is_repeated_is_not_added_again() -> None:
    made = watermark(1, 2, 3)
    made.done(Position(1))
    assert [made.add(position, 10) for position in positions(1, 2, 3, 4)] == [False, False, False, True]
    assert (made.pending, made.bytes) == (3, 30)


def test_done_twice_or_for_something_unknown_changes_nothing() -> None:
    made = watermark(1, 2, 3)
    made.done(Position(2))
    assert not made.done(Position(2))
    assert not made.done(Position(99))
    assert (made.pending, made.bytes, made.mark) == (2, 20, None)


def test_full_by_records_counts_from_the_blocker_on() -> None:
    made = watermark(*range(5), cap_records=5)
    assert made.full
    for number in (1, 2, 3, 4):
        made.done(Position(number))
    assert made.full
    made.done(Position(0))
    assert not made.full


def test_full_by_bytes_counts_what_is_not_done() -> None:
    made = watermark(*range(4), cap_bytes=40)
    assert made.full
    made.done(Position(3))
    assert not made.full

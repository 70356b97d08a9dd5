"""How far a lane is done when its records finish out of order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headrace.dispatch.core.model import Lane, Position, Record
from headrace.dispatch.core.pages import Page, RecordSheet
from headrace.dispatch.core.watermark import Blocker, Watermark

LANE = Lane("stream", "shard-1")


def page_at(*positions: Position) -> Page:
    """Records of ten bytes."""
    made = Page(
        RecordSheet([Record(LANE, str(each.number), {}, 0.0, each, f"key-{each.number}") for each in positions])
    )
    made.sheet.bodies[:] = [b"x" * 10] * len(positions)
    return made


def watermark(*numbers: int, cap_records: int = 100, cap_bytes: int = 1000) -> tuple[Watermark, Callable[[int], Page]]:
    """With records of these numbers, and what gives one of them."""
    made, page = Watermark(cap_records, cap_bytes), page_at(*map(Position, numbers))
    made.add(made.fresh(page))
    return made, lambda number: page.part(numbers.index(number), numbers.index(number) + 1)


def test_nothing_is_done_at_first() -> None:
    made = Watermark(100, 1000)
    made.add(page_at(Position(1)).part(0, 0))
    assert (made.mark, made.blocker, made.full, made.pending, made.records, made.bytes) == (None, None, False, 0, 0, 0)


@pytest.mark.semantics("RETRY-24")
def test_the_mark_stops_before_the_first_that_is_not_done() -> None:
    made, of = watermark(1, 2, 3, 4)
    assert not made.done(of(2))
    before = made.mark
    assert before is None
    assert made.done(of(1))
    assert made.mark == Position(2)
    assert not made.done(of(4))
    assert (made.blocker, made.records, made.pending) == (Blocker(Position(3), "key-3"), 2, 1)
    assert made.done(of(3))
    assert (made.mark, made.blocker) == (Position(4), None)


def test_the_mark_keeps_the_sources_own_spelling() -> None:
    made, page = Watermark(10, 10), page_at(Position.parse("00007"))
    made.add(page)
    made.done(page)
    assert made.mark is not None
    assert made.mark.text == "00007"


def test_holes_in_the_numbers_are_no_hole_in_what_is_done() -> None:
    made, of = watermark(5, 900, 1000)
    for number in (900, 5):
        made.done(of(number))
    assert made.mark == Position(900)


def test_records_inside_an_aggregate_have_their_own_places() -> None:
    made, page = Watermark(10, 100), page_at(*[Position(7, sub) for sub in range(3)], Position(8))
    assert made.fresh(page) is page
    made.add(page)
    made.done(page.part(0, 1))
    made.done(page.part(2, 3))
    assert made.mark == Position(7, 0)
    made.done(page.part(1, 2))
    assert made.mark == Position(7, 2)


def test_a_fetch_that_is_repeated_is_not_added_again() -> None:
    made, of = watermark(1, 2, 3)
    made.done(of(1))
    again = made.fresh(page_at(*map(Position, (1, 2, 3, 4))))
    assert [record.position for record in again] == [Position(4)]
    made.add(again)
    assert (made.pending, made.bytes) == (3, 30)


def test_done_twice_or_for_something_unknown_changes_nothing() -> None:
    made, of = watermark(1, 2, 3)
    made.done(of(2))
    assert not made.done(of(2))
    assert not made.done(page_at(Position(1)))
    assert (made.pending, made.bytes, made.mark) == (2, 20, None)


def test_full_by_records_counts_from_the_blocker_on() -> None:
    made, of = watermark(*range(5), cap_records=5)
    assert made.full
    for number in (1, 2, 3, 4):
        made.done(of(number))
    assert made.full
    made.done(of(0))
    assert not made.full


def test_full_by_bytes_counts_what_is_not_done() -> None:
    made, of = watermark(*range(4), cap_bytes=40)
    assert made.full
    made.done(of(3))
    assert not made.full


def test_what_a_record_said_is_let_go_when_it_is_done() -> None:
    made, of = watermark(1, 2, 3)
    sheet = of(1).sheet
    made.done(of(2))
    assert sheet.bodies == [b"x" * 10, b"", b"x" * 10]
    assert sheet.record(1).body == b""

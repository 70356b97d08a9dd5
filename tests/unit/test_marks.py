"""What is committed of a lane: one position without a hole, and the window that belongs to it."""

from __future__ import annotations

import pytest

from penstock.dispatch.model import Lane, OpenWindow, Position, Record, Window
from penstock.pollers.marks import Marks
from penstock.pollers.source import Mark

LANE, OTHER = Lane("stream", "shard-1"), Lane("stream", "shard-2")
WINDOW = OpenWindow(Window(0, 60), b'{"sum":3}')


def records(*numbers: int, lane: Lane = LANE) -> list[Record]:
    return [Record(lane, str(n), {"n": n}, 0.0, Position(n), key=f"key-{n}") for n in numbers]


def added(marks: Marks, *numbers: int, lane: Lane = LANE, size: int = 1) -> list[Record]:
    found = records(*numbers, lane=lane)
    assert all(marks.add(record, size) for record in found)
    return found


@pytest.mark.semantics("STREAM-03")
def test_what_is_committed_has_no_hole() -> None:
    marks = Marks(100, 100, LANE)
    one, two, three = added(marks, 1, 2, 3)
    marks.done([three, one])
    assert marks.take() == {LANE: Mark(Position(1))}
    assert not marks.unstored
    marks.done([two])
    assert marks.take() == {LANE: Mark(Position(3))}
    assert marks.take() == {}


def test_what_was_not_stored_is_taken_again_with_what_came_since() -> None:
    marks = Marks(100, 100)
    one, two = added(marks, 1, 2)
    (far,) = added(marks, 9, lane=OTHER)
    marks.done([one, far])
    taken = marks.take()
    assert taken == {LANE: Mark(Position(1)), OTHER: Mark(Position(9))}
    marks.put_back(taken)
    marks.done([two])
    assert marks.take() == {LANE: Mark(Position(2)), OTHER: Mark(Position(9))}


def test_a_record_that_is_known_is_dropped_and_one_without_position_is_not_tracked() -> None:
    marks = Marks(100, 100)
    added(marks, 5)
    assert not marks.add(records(5)[0], 1)
    assert not marks.add(records(4)[0], 1)
    unplaced = Record(LANE, "message", {}, 0.0)
    assert marks.add(unplaced, 1)
    assert marks.add(unplaced, 1)
    marks.done([unplaced])
    assert not marks.unstored


@pytest.mark.semantics("STREAM-04")
def test_a_window_is_committed_with_its_position_and_alone_when_only_it_changed() -> None:
    marks = Marks(100, 100, LANE)
    marks.done(added(marks, 1))
    marks.keep(WINDOW)
    assert marks.take() == {LANE: Mark(Position(1), WINDOW)}
    marks.keep(WINDOW)
    assert not marks.unstored
    marks.keep(None)
    assert marks.take() == {LANE: Mark(Position(1), None)}


@pytest.mark.semantics("STREAM-04")
def test_a_window_that_was_restored_can_end_before_any_record_came() -> None:
    marks = Marks(100, 100, LANE, WINDOW)
    marks.keep(WINDOW)
    assert not marks.unstored
    marks.keep(None)
    assert marks.take() == {LANE: Mark(None, None)}


def test_a_lane_has_ended_when_its_last_record_is_done() -> None:
    marks = Marks(100, 100, LANE)
    one, two = added(marks, 1, 2)
    marks.done([one])
    marks.end({LANE})
    assert marks.take() == {LANE: Mark(Position(1))}
    marks.done([two])
    marks.end({LANE})
    assert marks.take() == {LANE: Mark(Position(2), ended=True)}


def test_a_lane_that_ends_without_a_record_has_ended() -> None:
    marks = Marks(100, 100, LANE)
    marks.end({LANE})
    assert marks.take() == {LANE: Mark(None, ended=True)}


def test_room_is_counted_from_the_lowest_record_that_is_not_done_in_lanes_that_are_not_full() -> None:
    marks = Marks(4, 100, LANE)
    first, *rest = added(marks, 1, 2, 3)
    marks.done(rest)
    assert (marks.room, len(marks.full), marks.stuck is None) == (1, 0, True)
    added(marks, 4)
    assert (marks.room, set(marks.full)) == (4, {LANE})
    stuck = marks.stuck
    assert stuck is not None
    assert (stuck.lane, stuck.blocker.key, stuck.records) == (LANE, "key-1", 4)
    marks.done([first])
    assert (marks.room, len(marks.full), marks.stuck is None) == (3, 0, True)


def test_bytes_are_bounded_too() -> None:
    marks = Marks(100, 10, LANE)
    (heavy,) = added(marks, 1, size=10)
    assert marks.full
    marks.done([heavy])
    assert not marks.full


def test_a_lane_that_is_forgotten_begins_anew() -> None:
    marks = Marks(100, 100)
    one, _ = added(marks, 1, 2)
    marks.done([one])
    marks.forget({LANE})
    assert not marks.unstored
    (again,) = added(marks, 1)
    marks.done([one])
    assert marks.take() == {LANE: Mark(Position(1))}
    marks.done([again])
    assert not marks.unstored

"""What is committed of a lane: one position without a hole, and the window that belongs to it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from headrace.dispatch.core.model import Lane, OpenWindow, Position, Record, Window
from headrace.dispatch.core.pages import NONE, Records
from headrace.pollers.core.mark import Mark
from headrace.pollers.core.marks import SHARE, LaneRoom, Marks
from headrace.pollers.core.pool import AROUND_A_RECORD, UNKNOWN, Pool

LANE, OTHER = Lane("stream", "shard-1"), Lane("stream", "shard-2")
WINDOW = OpenWindow(Window(0, 60), b'{"sum":3}')


def records(*numbers: int, lane: Lane = LANE) -> Records:
    return Records.of(Record(lane, str(n), {"n": n}, 0.0, Position(n), key=f"key-{n}") for n in numbers)


def added(marks: Marks, *numbers: int, lane: Lane = LANE, size: int = 1) -> list[Records]:
    """What was added, each record for itself."""
    found = records(*numbers, lane=lane)
    for page in found.pages:
        page.sheet.bodies[:] = [b"x" * size] * len(page)
        assert marks.fresh(page) is page
        marks.add(page)
    return [found[index : index + 1] for index in range(len(found))]


def together(parts: Iterable[Records]) -> Records:
    return Records(page for part in parts for page in part.pages)


@pytest.mark.semantics("STREAM-03")
def test_what_is_committed_has_no_hole() -> None:
    marks = Marks(100, 100, LANE)
    one, two, three = added(marks, 1, 2, 3)
    marks.done(together([three, one]))
    assert marks.take() == {LANE: Mark(Position(1))}
    assert not marks.unstored
    marks.done(together([two]))
    assert marks.take() == {LANE: Mark(Position(3))}
    assert marks.take() == {}


def test_what_was_not_stored_is_taken_again_with_what_came_since() -> None:
    marks = Marks(100, 100)
    one, two = added(marks, 1, 2)
    (far,) = added(marks, 9, lane=OTHER)
    marks.done(together([one, far]))
    taken = marks.take()
    assert taken == {LANE: Mark(Position(1)), OTHER: Mark(Position(9))}
    marks.put_back(taken)
    marks.done(together([two]))
    assert marks.take() == {LANE: Mark(Position(2)), OTHER: Mark(Position(9))}


def test_a_record_that_is_known_is_dropped_and_one_without_position_is_not_tracked() -> None:
    marks = Marks(100, 100)
    added(marks, 5)
    (again,) = records(4, 5, 6, 6, 7).pages
    assert [record.id for record in marks.fresh(again)] == ["6", "7"]
    unplaced = Records.of([Record(LANE, "message", {}, 0.0)])
    for page in unplaced.pages:
        assert marks.fresh(page) is page
        marks.add(page)
        assert marks.fresh(page) is page
    marks.done(unplaced)
    assert not marks.unstored


@pytest.mark.semantics("STREAM-04")
def test_a_window_is_committed_with_its_position_and_alone_when_only_it_changed() -> None:
    marks = Marks(100, 100, LANE)
    marks.done_in_window(together(added(marks, 1)), WINDOW)
    assert marks.take() == {LANE: Mark(Position(1), WINDOW)}
    marks.done_in_window(NONE, WINDOW)
    assert not marks.unstored
    marks.done_in_window(NONE, None)
    assert marks.take() == {LANE: Mark(Position(1), None)}


@pytest.mark.semantics("STREAM-04")
def test_a_window_that_was_restored_can_end_before_any_record_came() -> None:
    marks = Marks(100, 100, LANE, WINDOW)
    marks.done_in_window(NONE, WINDOW)
    assert not marks.unstored
    marks.done_in_window(NONE, None)
    assert marks.take() == {LANE: Mark(None, None)}


def test_a_lane_has_ended_when_its_last_record_is_done() -> None:
    marks = Marks(100, 100, LANE)
    one, two = added(marks, 1, 2)
    marks.done(together([one]))
    marks.end({LANE})
    assert marks.take() == {LANE: Mark(Position(1))}
    marks.done(together([two]))
    marks.end({LANE})
    assert marks.take() == {LANE: Mark(Position(2), ended=True)}


def test_a_lane_that_ends_without_a_record_has_ended() -> None:
    marks = Marks(100, 100, LANE)
    marks.end({LANE})
    assert marks.take() == {LANE: Mark(None, ended=True)}


def test_room_is_counted_from_the_lowest_record_that_is_not_done_in_lanes_that_are_not_full() -> None:
    marks = Marks(4, 100, LANE)
    first, *rest = added(marks, 1, 2, 3)
    marks.done(together(rest))
    assert (marks.begin_fetch(10_000, 10).records, len(marks.full), marks.stuck is None) == (1, 0, True)
    marks.end_fetch()
    added(marks, 4)
    assert set(marks.full) == {LANE}
    stuck = marks.stuck
    assert stuck is not None
    assert (stuck.lane, stuck.blocker.key, stuck.records) == (LANE, "key-1", 4)
    marks.done(together([first]))
    assert (marks.begin_fetch(10_000, 10).records, len(marks.full)) == (3, 0)


@pytest.mark.parametrize("behind", [1, 100, 9_999])
def test_what_one_lane_of_many_lacks_to_its_cap_is_never_the_limit_of_all(behind: int) -> None:
    marks = Marks(10_000, 10**9, pool=Pool(1 << 40))
    first, *rest = added(marks, *range(behind, 10_000))
    marks.done(together(rest))
    assert marks.begin_fetch(10_000, 100).records >= 10_000 // SHARE
    marks.end_fetch()
    marks.done(together([first]))
    assert marks.begin_fetch(10_000, 100).records == 10_000


def test_a_lane_of_many_goes_a_share_beyond_its_cap_at_most() -> None:
    marks = Marks(160, 10**9)
    added(marks, *range(159))
    room = marks.begin_fetch(1000, 5)
    assert room == LaneRoom(11, frozenset())
    added(marks, *range(1000, 1011))
    assert marks.begin_fetch(1000, 5) == LaneRoom(170, frozenset({LANE}))


@pytest.mark.semantics("KAFKA-31")
@pytest.mark.parametrize("full", [True, False])
def test_while_too_much_is_here_lanes_that_have_their_share_are_passed_over_and_the_others_get_a_batch(
    full: bool,
) -> None:
    pool = Pool(10**9 if full else 11 * AROUND_A_RECORD)
    marks = Marks(10, SHARE * 8 * AROUND_A_RECORD, pool=pool)
    held = added(marks, *range(10 if full else 8))
    added(marks, *range(3), lane=OTHER)
    waiting = SHARE * 8 * AROUND_A_RECORD
    assert marks.begin_fetch(1000, 5, waiting) == LaneRoom(5, frozenset({LANE}))
    assert marks.tight
    assert marks.begin_fetch(1000, 0, waiting).records == 1
    marks.end_fetch()
    marks.done(together(held))
    assert marks.begin_fetch(1000, 5, waiting).skip == frozenset()
    assert not marks.tight


@pytest.mark.semantics("KAFKA-31")
def test_a_lane_that_had_its_share_is_fetched_again_when_half_of_it_is_done() -> None:
    marks = Marks(1000, SHARE * 8 * AROUND_A_RECORD, pool=Pool(1))
    held = added(marks, *range(8))
    added(marks, 1, lane=OTHER)
    for done, skipped in [(0, True), (3, True), (4, True), (5, False), (5, False)]:
        marks.done(together(held[:done]))
        assert (LANE in marks.begin_fetch(1000, 5).skip) == skipped
        marks.end_fetch()
    added(marks, 100, 101)
    assert LANE not in marks.begin_fetch(1000, 5).skip


def test_a_feed_is_tight_until_there_is_some_relief() -> None:
    marks = Marks(1000, 10**9, pool=Pool(80 * AROUND_A_RECORD))
    held = added(marks, *range(80), size=0)
    for done, tight in [(0, True), (5, True), (10, True), (11, False)]:
        marks.done(together(held[:done]))
        marks.begin_fetch(1000, 5)
        marks.end_fetch()
        assert marks.tight == tight
    added(marks, *range(100, 105), size=0)
    marks.begin_fetch(1000, 5)
    assert not marks.tight


def test_bytes_are_bounded_too() -> None:
    marks = Marks(100, 10, LANE)
    (heavy,) = added(marks, 1, size=10)
    assert marks.full
    marks.done(together([heavy]))
    assert not marks.full


def test_a_lane_that_is_forgotten_begins_anew() -> None:
    marks = Marks(100, 100)
    one, _ = added(marks, 1, 2)
    marks.done(together([one]))
    marks.forget({LANE})
    assert not marks.unstored
    (again,) = added(marks, 1)
    marks.done(together([one]))
    assert not marks.unstored
    marks.done(together([again]))
    assert marks.take() == {LANE: Mark(Position(1))}


@pytest.mark.semantics("STREAM-62")
def test_a_feed_that_holds_something_waits_while_all_together_hold_too_much() -> None:
    pool = Pool(10 * AROUND_A_RECORD)
    mine, others = Marks(100, 10**9, LANE, pool=pool), Marks(100, 10**9, LANE, pool=pool)
    held = added(others, *range(1, 10))
    assert (mine.crowded, others.crowded) == (False, False)
    one = added(mine, 1)
    assert (mine.crowded, others.crowded) == (True, True)
    mine.done(together(one))
    assert (mine.crowded, others.crowded) == (False, False)
    others.done(together(held))


@pytest.mark.semantics("STREAM-62")
def test_whatever_the_others_hold_a_feed_that_holds_nothing_may_fetch_a_batch() -> None:
    pool = Pool(AROUND_A_RECORD)
    mine, others = Marks(100, 10**9, LANE, pool=pool), Marks(100, 10**9, LANE, pool=pool)
    added(others, 1, 2, 3)
    assert not mine.crowded
    assert mine.begin_fetch(10_000, 7).records == 7
    mine.end_fetch()
    assert mine.begin_fetch(10_000, 0).records == 1


@pytest.mark.semantics("STREAM-62")
def test_all_feeds_may_fetch_their_share_at_the_same_time() -> None:
    pool = Pool(1000 * UNKNOWN)
    feeds = [Marks(10_000, 10**9, LANE, pool=pool) for _ in range(10)]
    shares = [feed.begin_fetch(10_000, 1).records for feed in feeds]
    assert shares[0] == 100
    assert 500 < sum(shares) <= 1000
    for feed in feeds:
        feed.end_fetch()
    assert feeds[9].begin_fetch(10_000, 1).records == 100


def test_a_share_is_larger_where_records_are_small_and_where_feeds_have_gone() -> None:
    pool = Pool(1000 * UNKNOWN)
    feeds = [Marks(10_000, 10**9, LANE, pool=pool) for _ in range(10)]
    feeds[0].done(together(added(feeds[0], *range(1, 1000))))
    assert 4000 < feeds[0].begin_fetch(10_000, 1).records < 10_000
    feeds[0].end_fetch()
    for feed in feeds[1:]:
        feed.close()
    assert feeds[0].begin_fetch(10_000, 1).records == 10_000


def test_a_feed_that_has_gone_holds_nothing_any_more() -> None:
    pool = Pool(AROUND_A_RECORD)
    mine, other = Marks(100, 10**9, LANE, pool=pool), Marks(100, 10**9, LANE, pool=pool)
    added(other, 1)
    added(mine, 1, 2, 3)
    mine.begin_fetch(10_000, 5)
    mine.end_fetch()
    mine.close()
    assert other.crowded
    assert pool.full
    other.close()
    assert not pool.full

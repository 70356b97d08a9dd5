"""Which lines wait for a reader, and which go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.service.telemetry.core.line_backlog import AROUND_A_LINE, LineBacklog, LineCounts

LINE = b"0123456789"
COST = len(LINE) + AROUND_A_LINE


def numbered(*numbers: int) -> bytes:
    return b"".join(b"%09d\n" % number for number in numbers)


def filled(limit: int, *of_function: bool) -> LineBacklog:
    backlog = LineBacklog(limit * COST)
    for number, each in enumerate(of_function):
        backlog.add(numbered(number), of_function=each)
    return backlog


def test_lines_come_out_in_the_order_in_which_they_came_whoever_said_them() -> None:
    backlog = filled(10, True, False, False, True)
    chunk = backlog.take(1000)
    assert chunk.text == numbered(0, 1, 2, 3)
    assert chunk.lines == LineCounts(functions=2, own=2)
    assert (bool(backlog), backlog.size) == (False, 0)


def test_the_oldest_line_of_a_function_goes_first_and_is_counted() -> None:
    backlog = filled(3, False, True, True, False, False)
    assert backlog.take(1000).text == numbered(0, 3, 4)
    assert backlog.dropped() == LineCounts(functions=2)
    assert backlog.dropped() == LineCounts()


def test_a_line_of_a_function_never_takes_the_place_of_the_daemons() -> None:
    backlog = filled(2, False, False, True)
    assert backlog.take(1000).text == numbered(0, 1)
    assert backlog.dropped() == LineCounts(functions=1)


def test_where_all_lines_are_the_daemons_the_oldest_go() -> None:
    backlog = filled(2, False, False, False, False)
    assert backlog.take(1000).text == numbered(2, 3)
    assert backlog.dropped() == LineCounts(own=2)


@pytest.mark.parametrize(("most", "lines"), [(0, 1), (10, 1), (19, 1), (20, 2), (1000, 3)])
def test_a_chunk_has_so_many_bytes_or_one_line(most: int, lines: int) -> None:
    assert filled(10, False, False, False).take(most).text == numbered(*range(lines))


def test_a_line_that_is_larger_than_all_the_room_is_dropped() -> None:
    backlog = LineBacklog(100)
    backlog.add(b"x" * 1000, of_function=False)
    assert (bool(backlog), backlog.size, backlog.dropped()) == (False, 0, LineCounts(own=1))


def test_what_could_not_be_written_is_counted_with_the_rest() -> None:
    backlog = filled(2, False, False, False)
    backlog.lost(backlog.take(1000).lines)
    assert backlog.dropped() == LineCounts(own=3)


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans())), st.integers(0, 2000))
def test_no_line_is_forgotten_and_memory_is_bounded(lines: list[tuple[int, bool]], limit: int) -> None:
    backlog = LineBacklog(limit)
    for length, of_function in lines:
        backlog.add(b"x" * length, of_function=of_function)
        assert backlog.size <= limit
    taken = LineCounts()
    while backlog:
        taken += backlog.take(100).lines
    of_functions = sum(of_function for _, of_function in lines)
    assert taken + backlog.dropped() == LineCounts(of_functions, len(lines) - of_functions)
    assert backlog.size == 0

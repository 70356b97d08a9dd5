"""How often the same thing is said."""

from __future__ import annotations

import pytest

from headrace.service.telemetry.core.repeats import LINE, REMEMBERED, Flow, Repeats


def test_a_fault_that_lasts_is_said_once_per_window_with_how_often_it_was_left_out() -> None:
    repeats = Repeats(window=30.0)
    said = [repeats.admit("a", now) for now in (0.0, 10.0, 29.9, 30.0, 31.0, 60.0)]
    assert said == [0, None, None, 2, None, 1]


def test_different_things_do_not_hide_each_other() -> None:
    repeats = Repeats()
    assert [repeats.admit(key, 0.0) for key in ("a", "b", "a")] == [0, 0, None]


def test_what_was_forgotten_is_news() -> None:
    repeats = Repeats()
    repeats.admit("a", 0.0)
    repeats.forget("a")
    repeats.forget("never said")
    assert repeats.admit("a", 1.0) == 0


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    repeats = Repeats(window=1e9)
    for number in range(REMEMBERED + 1):
        repeats.admit(number, float(number))
    assert repeats.admit(1, 2000.0) is None
    assert repeats.admit(0, 2000.0) == 0


@pytest.mark.parametrize(("lines", "passed"), [(5, 5), (10, 10), (25, 10)])
def test_a_burst_passes_and_no_more(lines: int, passed: int) -> None:
    flow = Flow(rate=1.0, burst=10.0)
    assert [flow.admit(100.0) for _ in range(lines)].count(0) == passed


def test_after_a_flood_the_count_of_what_was_left_out_comes_with_the_next_line() -> None:
    flow = Flow(rate=10.0, burst=10.0)
    for _ in range(30):
        flow.admit(0.0 + 100.0)
    assert flow.admit(100.05) is None, "half a line's worth of time is not enough"
    assert flow.admit(100.3) == 21
    assert flow.admit(100.3) == 0


def test_long_lines_count_as_several() -> None:
    flow = Flow(rate=1.0, burst=10.0)
    assert [flow.admit(100.0, 4 * LINE) for _ in range(4)] == [0, 0, None, None]
    assert flow.admit(101.0) == 2

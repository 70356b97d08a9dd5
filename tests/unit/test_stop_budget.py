"""How the seconds of a stop are shared out."""

from __future__ import annotations

from dataclasses import astuple
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.config.core.stop_budget import IN_PASSING, LEAST, MOST, NEVER, PATIENCE, StopBudget, soon


@pytest.mark.parametrize(
    ("seconds", "finish", "whole"),
    [
        (8.0, 6.0, 8.0),
        (4.0, 3.0, 4.0),
        (2.0, 1.0, 2.0),
        (1.0, 0.0, 1.0),
        (0.0, 0.0, 1.0),
        (20.0, 15.0, 20.0),
        (60.0, 55.0, 60.0),
        (3600.0, 3595.0, 3600.0),
    ],
)
def test_invocations_have_three_quarters_and_the_rest_has_between_one_and_five_seconds(
    seconds: float, finish: float, whole: float
) -> None:
    budget = StopBudget.of_daemon(seconds)
    assert budget.finish == pytest.approx(finish)
    assert budget.whole == pytest.approx(whole)


@given(st.floats(0, 3600), st.floats(0, 1e6))
def test_the_phases_follow_one_another_and_end_with_the_stop(seconds: float, now: float) -> None:
    ends = astuple(StopBudget.of_daemon(seconds).begin(now))
    assert [now, *ends] == sorted([now, *ends])
    assert ends[-1] == pytest.approx(now + max(seconds, LEAST))


@given(st.floats(0, 3600))
def test_every_phase_after_the_first_has_a_share_that_something_can_be_done_in(seconds: float) -> None:
    budget = StopBudget.of_daemon(seconds)
    rest = [budget.write, budget.settle, budget.close, budget.send, budget.leave]
    assert all(0.1 <= share <= MOST / 2 for share in rest)


@given(st.floats(0, 3600))
def test_whoever_is_left_behind_had_all_phases_and_there_is_time_to_leave(seconds: float) -> None:
    budget = StopBudget.of_daemon(seconds)
    assert budget.begin(0.0).send < budget.last_resort <= budget.whole - 0.15


@given(st.floats(0, 3600))
def test_a_client_that_is_closed_in_passing_when_the_stop_begins_is_closed_before_functions_are(seconds: float) -> None:
    times = StopBudget.of_daemon(seconds).begin(0.0)
    assert times.settle >= IN_PASSING


def test_a_mapping_that_stops_alone_has_its_time_and_a_while_for_its_source() -> None:
    times = StopBudget.of_mapping(30.0).begin(100.0)
    assert (times.finish, times.write, times.settle, times.close) == (130.0, 131.0, 135.0, 136.0)


@pytest.mark.parametrize(
    ("end", "due"), [(inf, 10.0 + PATIENCE), (NEVER.settle, 10.0 + PATIENCE), (12.0, 12.0), (9.0, 9.0), (100.0, 15.0)]
)
def test_what_is_done_at_an_end_has_no_more_than_its_phase_nor_than_anybody_would_wait(end: float, due: float) -> None:
    assert soon(end, 10.0) == due

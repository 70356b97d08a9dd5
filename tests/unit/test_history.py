"""The last hour of a mapping."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.service.telemetry.core.history import SERIES, STEP, STEPS, History, width


def sampled(history: History, totals: list[int], began: float = 0.0) -> None:
    """One sample a step, of so many records in all."""
    for number, total in enumerate(totals, 1):
        history.sample([total] * 5, None, float(number), began + number * STEP)


@pytest.mark.semantics("STEER-30")
def test_a_step_has_the_rate_between_two_samples_and_the_lag_at_its_end() -> None:
    history = History(100.0)
    history.sample([20, 10, 5, 0, 0], 7, 1.5, 110.0)
    history.sample([20, 20, 5, 1, 0], None, None, 130.0)
    assert history.series() == {
        "fetched": [2.0, None, 0.0],
        "filtered": [1.0, None, 0.5],
        "delivered": [0.5, None, 0.0],
        "failed": [0.0, None, 0.05],
        "discarded": [0.0, None, 0.0],
        "lag_records": [7.0, None, None],
        "lag_seconds": [1.5, None, None],
    }


def test_a_sample_that_comes_too_early_is_none() -> None:
    history = History(0.0)
    history.sample([1] * 5, None, None, 4.9)
    assert history.series()["fetched"] == []
    history.sample([1] * 5, None, None, 10.0)
    assert history.series()["fetched"] == [0.1]


@pytest.mark.semantics("STEER-30")
def test_an_hour_is_remembered_and_a_machine_that_slept_for_a_day_costs_no_more() -> None:
    history = History(0.0)
    sampled(history, list(range(STEPS + 50)))
    series = history.series()
    assert {len(values) for values in series.values()} == {STEPS}
    assert series["lag_seconds"][-1] == STEPS + 50
    history.sample([0] * 5, None, 3.0, 1_000_000.0)
    assert history.series()["lag_seconds"] == [None] * (STEPS - 1) + [3.0]


@given(st.integers(0, 800), st.integers(1, STEPS))
def test_points_join_steps_and_never_more_than_are_wanted(steps: int, points: int) -> None:
    history = History(0.0)
    sampled(history, list(range(steps)))
    wide = width(points)
    for name in SERIES:
        values = history.series(points)[name]
        assert len(values) <= points
        assert len(values) >= min(steps, STEPS - wide) // wide
    lags = history.series(points)["lag_seconds"]
    assert lags[-1:] == ([float(steps)] if steps else [])
    assert all(lag is not None and lag % wide == 0 for lag in lags[:-1])  # a step stays in its point

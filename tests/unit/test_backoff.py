"""The delay after a failure."""

from __future__ import annotations

import pytest

from headrace.dispatch.core.backoff import Backoff


@pytest.mark.semantics("RETRY-10")
@pytest.mark.parametrize(
    ("failures", "delay"),
    [(0, 0.0), (-1, 0.0), (1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 30.0), (8, 30.0), (10**9, 30.0)],
)
def test_doubles_from_half_a_second_to_the_cap(failures: int, delay: float) -> None:
    assert Backoff().delay(failures, 0.0) == delay


@pytest.mark.semantics("RETRY-10")
def test_jitter_takes_off_up_to_half() -> None:
    assert Backoff().delay(3, 0.5) == 1.5
    assert 1.0 < Backoff().delay(3, 0.999999) < 1.001


def test_eight_calls_in_the_first_minute_as_observed() -> None:
    waits = [Backoff().delay(failures, 0.0) for failures in range(1, 8)]
    assert sum(waits[:6]) < 60 < sum(waits) + 30


@pytest.mark.parametrize("backoff", [Backoff(base=0), Backoff(cap=0), Backoff(base=0, factor=1e308)])
def test_without_a_base_or_a_cap_there_is_no_delay(backoff: Backoff) -> None:
    assert backoff.delay(5, 0.0) == 0.0


def test_a_constant_factor_gives_a_constant_delay() -> None:
    assert {Backoff(1.0, 1.0, 5.0).delay(n, 0.0) for n in range(1, 50)} == {1.0}

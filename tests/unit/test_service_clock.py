"""What time it is for a service whose clock is not ours."""

from __future__ import annotations

import pytest

from headrace.config.clock import ServiceClock


class Clock:
    """Ours, which the test sets."""

    def __init__(self) -> None:
        self.time = 1000.0

    def wall(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time - 900.0


@pytest.mark.semantics("STREAM-63")
@pytest.mark.parametrize(
    ("told", "later"),
    [
        (4600.0, 4610.0),
        (900.0, 910.0),
        (994.9, 1004.9),
        (995.0, 1010.0),
        (1000.0, 1010.0),
        (1005.0, 1010.0),
        (1005.1, 1015.1),
    ],
)
def test_the_services_clock_goes_on_from_what_was_told(told: float, later: float) -> None:
    ours = Clock()
    clock = ServiceClock(ours)
    assert clock.wall() == 1000.0
    clock.told(told)
    ours.time += 10.0
    assert clock.wall() == pytest.approx(later)
    assert clock.monotonic() == 110.0


def test_a_clock_that_was_set_right_is_ours_again() -> None:
    clock = ServiceClock(Clock())
    clock.told(4600.0)
    clock.told(999.0)
    assert clock.wall() == 1000.0

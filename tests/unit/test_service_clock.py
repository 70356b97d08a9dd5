"""What time it is for a service whose clock is not ours."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from headrace.config.clock import ServiceClock, SteadyTime, seconds_awake_and_asleep
from headrace.config.core.clocks import OtherClock
from headrace.dispatch.core.model import Now


class Clock:
    """Ours, which the test sets."""

    def __init__(self) -> None:
        self.time = 1000.0

    def wall(self) -> float:
        return self.time

    def steady(self) -> float:
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


# --- steps ------------------------------------------------------------------------------------------------------------


@dataclass
class Machine:
    """Its wall clock, and a clock that nobody sets."""

    wall: float = 1_000_000.0
    ticks: float = 50.0

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.ticks += seconds

    def steady(self) -> SteadyTime:
        return SteadyTime(lambda: self.wall, lambda: self.ticks)


@pytest.mark.parametrize("step", [7200.0, -7200.0, 600.0])
def test_steady_time_goes_on_over_a_step(step: float) -> None:
    machine = Machine()
    steady = machine.steady()
    machine.passes(100.0)
    assert steady() == 1_000_100.0
    machine.wall += step
    assert steady() == 1_000_100.0
    machine.passes(1000.0)
    assert steady() == pytest.approx(1_001_100.0, abs=1000.0 * SteadyTime.SLEW)


@pytest.mark.parametrize("step", [7200.0, -7200.0])
def test_steady_time_approaches_the_wall_clock_and_stays_there(step: float) -> None:
    machine = Machine()
    steady = machine.steady()
    machine.wall += step
    before = steady()
    for _ in range(800):
        machine.passes(1000.0)
        now = steady()
        assert 990.0 <= now - before <= 1010.0
        before = now
    assert steady() == machine.wall


def test_steady_time_never_runs_back() -> None:
    machine = Machine()
    steady = machine.steady()
    machine.ticks -= 10.0
    machine.wall -= 10.0
    assert steady() == 1_000_000.0


def test_steady_time_counts_a_sleep_where_the_system_has_a_clock_for_it() -> None:
    asleep = getattr(time, "CLOCK_BOOTTIME", None)
    before = time.monotonic() if asleep is None else time.clock_gettime(asleep)
    after = time.monotonic() if asleep is None else time.clock_gettime(asleep)
    assert before <= seconds_awake_and_asleep()
    assert after <= seconds_awake_and_asleep()


class Stepping(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.stepped = 0.0

    def wall(self) -> float:
        return self.time + self.stepped


@pytest.mark.semantics("STREAM-74")
def test_a_clock_that_the_service_left_counts_on() -> None:
    ours = Stepping()
    clock = ServiceClock(ours)
    clock.told(1000.0)
    ours.time = 1100.0
    clock.told(8300.0)
    ours.time = 1110.0
    assert clock.wall() == 8310.0
    assert clock.others() == (OtherClock(1110.0, 10.0),)
    clock.told(8311.0)
    assert clock.others() == (OtherClock(1110.0, 10.0),)


@pytest.mark.semantics("STREAM-74")
def test_what_the_service_says_first_is_no_step_of_it() -> None:
    clock = ServiceClock(Stepping())
    clock.told(8200.0)
    assert (clock.wall(), clock.others()) == (8200.0, ())


@pytest.mark.semantics("STREAM-74", "KAFKA-32")
@pytest.mark.parametrize("step", [7200.0, -7200.0])
def test_the_machines_clock_is_plausible_until_the_service_tells_its_own(step: float) -> None:
    ours = Stepping()
    clock = ServiceClock(ours)
    clock.told(1000.0)
    ours.stepped = step
    assert clock.wall() == 1000.0
    assert clock.others() == (OtherClock(1000.0 + step),)
    clock.told(1000.0)
    assert clock.others() == ()


def test_the_last_steps_are_remembered() -> None:
    clock = ServiceClock(Stepping())
    for number in range(20):
        clock.told(1000.0 + 100.0 * number)
    assert len(clock.others()) == ServiceClock.REMEMBERED


@pytest.mark.parametrize(("within", "earliest"), [(60.0, 100.0), (59.9, 200.0), (10.0, 200.0), (9.9, 500.0)])
def test_a_clock_that_ended_before_a_record_could_come_says_nothing_of_its_age(within: float, earliest: float) -> None:
    now = Now(0.0, 500.0, (OtherClock(100.0, 60.0), OtherClock(200.0, 10.0), OtherClock(900.0)))
    assert now.earliest(within) == earliest
    assert now.earliest() == 100.0

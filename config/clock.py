"""Time and randomness as objects, so that a test can own both. A leaf.

The machine's wall clock may step: an operator or NTP sets it, or the machine slept. So each use of time is one of
three:

- `monotonic`: back-off, deadlines, pauses. The time that the event loop counts by: asyncio's own reads the same clock,
  and `LoopClock` asks the loop, which may be a virtual one.
- `steady`: ages. The wall clock without its steps.
- `wall`: moments that people, functions and services read. The machine's own, steps included.

`ServiceClock` is the clock of a service whose records are judged by their age.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import anyio

from .core.clocks import TOLERANCE, OtherClock


def seconds_awake_and_asleep() -> float:
    """Seconds of a clock that never steps. Where the system has one, it counts a sleep of the machine too."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class SteadyTime:
    """The wall clock without its steps: anchored once, then moved by a clock that never steps. It approaches the wall
    clock so slowly that an age changes by no more than SLEW of itself."""

    SLEW = 0.01

    def __init__(
        self, wall: Callable[[], float] | None = None, ticks: Callable[[], float] = seconds_awake_and_asleep
    ) -> None:
        """`wall`: seconds since the epoch; None: the machine's. `ticks`: seconds; only differences count."""
        self._wall = wall or (lambda: time.time())
        self._ticks = ticks
        self._anchor = (ticks(), self._wall())

    def __call__(self) -> float:
        """Seconds since the epoch. Never less than before."""
        ticks = self._ticks()
        before, steady = self._anchor
        passed = max(0.0, ticks - before)
        most = passed * self.SLEW
        steady += passed + max(-most, min(most, self._wall() - steady - passed))
        self._anchor = (ticks, steady)
        return steady


steady_time = SteadyTime()
"""The steady time of this process."""


class Clock(Protocol):
    """Back-off and deadlines use `monotonic`, ages `steady`, and moments for readers `wall`."""

    def wall(self) -> float:
        """Seconds since the epoch by the machine's clock, which may step."""
        ...

    def steady(self) -> float:
        """Seconds since the epoch without the steps; for ages."""
        ...

    def monotonic(self) -> float:
        """Seconds of the event loop's clock; only differences mean anything."""
        ...


class SystemClock:
    """The machine's wall clock beside the event loop's clock, which in asyncio is `time.monotonic`. Every invocation
    asks for the time some ten times, so these are the functions themselves."""

    wall = staticmethod(time.time)
    steady = staticmethod(steady_time)
    monotonic = staticmethod(time.monotonic)


class LoopClock:
    """A wall clock that moves with the event loop: `epoch` is the wall time at loop time zero. For virtual time."""

    def __init__(self, epoch: float) -> None:
        self._epoch = epoch

    def wall(self) -> float:
        return self._epoch + anyio.current_time()

    def steady(self) -> float:
        return self._epoch + anyio.current_time()

    def monotonic(self) -> float:
        return anyio.current_time()


class ServiceClock:
    """The clock of the service whose records are judged by their times: the clock of a virtual machine that slept may
    be hours off ours. It is our steady clock plus the lead that the service's answers show.

    A record keeps the time that the service's clock gave it, and that clock may step. So the clock before a step
    continues as an `OtherClock`: by it a record from before the step has its true age. Where the service does not tell
    its time, or has not told it since the machine's clock stepped, the machine's clock is an `OtherClock` too, because
    the service may run here.
    """

    REMEMBERED = 8
    """The number of steps; the latest ones are remembered."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = 0.0
        self._told = False
        self._machine_ahead = 0.0  # the machine's clock of the steady one, when the service last told its time
        self._left: deque[tuple[float, float]] = deque(maxlen=self.REMEMBERED)  # how far ahead, and when it ended

    def told(self, wall: float) -> None:
        """The service has just told its time: seconds since the epoch."""
        steady = self._clock.steady()
        ahead = wall - steady
        if abs(ahead) <= TOLERANCE:
            ahead = 0.0
        if self._told and abs(ahead - self._ahead) > TOLERANCE:
            self._left.append((self._ahead, steady))
        self._ahead, self._told, self._machine_ahead = ahead, True, self._clock.wall() - steady

    def wall(self) -> float:
        """Seconds since the epoch by the service's clock, or by ours when the service never told its time."""
        return self._clock.steady() + self._ahead

    def steady(self) -> float:
        return self._clock.steady()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def others(self) -> tuple[OtherClock, ...]:
        """The earlier clocks of the service, and the machine's clock when it stepped and the service has not told its
        time since."""
        steady = self._clock.steady()
        stepped = self._clock.wall() - steady - self._machine_ahead
        if not self._left and abs(stepped) <= TOLERANCE:
            return ()
        others = [OtherClock(steady + ahead, steady - ended) for ahead, ended in self._left]
        if abs(stepped) > TOLERANCE:
            others.append(OtherClock(steady + self._ahead + stepped))
        return tuple(others)


class Jitter(Protocol):
    """Where randomness comes from: a number in [0, 1)."""

    def __call__(self) -> float: ...


def system_jitter() -> Jitter:
    """Jitter that differs from run to run, so that several daemons do not retry in step."""
    return random.Random().random  # noqa: S311 - spreading retries is not cryptography

"""Wall-clock time and randomness as objects, so that a test can own both. A leaf.

Monotonic time is always the event loop's own (`anyio.current_time`): on a virtual loop it is virtual.
"""

from __future__ import annotations

import random
import time
from typing import Protocol

import anyio


class Clock(Protocol):
    """Both clocks. Back-off and deadlines use `monotonic`; the age of records uses `wall`."""

    def wall(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds of the event loop's clock; only differences mean anything."""
        ...


class SystemClock:
    """The machine's wall clock beside the running event loop's clock."""

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return anyio.current_time()


class LoopClock:
    """A wall clock that moves with the event loop: `epoch` is the wall time at loop time zero. For virtual time."""

    def __init__(self, epoch: float) -> None:
        self._epoch = epoch

    def wall(self) -> float:
        return self._epoch + anyio.current_time()

    def monotonic(self) -> float:
        return anyio.current_time()


class ServiceClock:
    """The wall clock of the service whose records are judged by their times: that of a virtual machine that slept may
    be hours off ours, which this one is until it is told otherwise."""

    TOLERANCE = 5.0
    """Seconds that are no difference: services tell whole seconds, and an answer takes its time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = 0.0

    def told(self, wall: float) -> None:
        """The service has just said that it is so late."""
        ahead = wall - self._clock.wall()
        self._ahead = ahead if abs(ahead) > self.TOLERANCE else 0.0

    def wall(self) -> float:
        return self._clock.wall() + self._ahead

    def monotonic(self) -> float:
        return self._clock.monotonic()


class Jitter(Protocol):
    """Where randomness comes from: a number in [0, 1)."""

    def __call__(self) -> float: ...


def system_jitter() -> Jitter:
    """Jitter that differs from run to run, so that several daemons do not retry in step."""
    return random.Random().random  # noqa: S311 - spreading retries is not cryptography

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


class Jitter(Protocol):
    """Where randomness comes from: a number in [0, 1)."""

    def __call__(self) -> float: ...


def system_jitter() -> Jitter:
    """Jitter that differs from run to run, so that several daemons do not retry in step."""
    return random.Random().random  # noqa: S311 - spreading retries is not cryptography

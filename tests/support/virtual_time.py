"""An event loop whose time is virtual: it jumps to the next timer as soon as nothing else can happen.

An hour of back-off takes milliseconds, and every timestamp is exact. The loop does not jump while a call in a thread
(`run_in_executor`) is out. When nothing at all is left to wait for, it raises instead of hanging.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH = 1_700_000_000.0
"""Wall-clock time at loop time zero in scenarios."""


class Deadlock(AssertionError):
    """Every task waits for something that nobody will do."""


class _JumpingSelector(selectors.DefaultSelector):
    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.loop.threads:
            return super().select(0.01)
        if timeout is None:
            raise Deadlock(f"nothing left to wait for at virtual time {self.loop.time():.3f}")
        self.loop.jump(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Use as the `loop_factory` of a run."""

    def __init__(self) -> None:
        self._virtual = 0.0
        self.threads = 0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)
        self._clock_resolution = 1e-6  # by half a year, a float cannot tell a timer that is due from one that is not

    def time(self) -> float:
        return self._virtual

    def jump(self, seconds: float) -> None:
        self._virtual += seconds

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, future: asyncio.Future[T]) -> None:
        self.threads -= 1

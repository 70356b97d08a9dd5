"""The stub's wall clock, which a test can set ahead, and the bell that wakes whoever waits for it or for records."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import anyio


class StubClock:
    """`wall` is what it shows until it is advanced."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._ahead = 0.0
        self._bell = asyncio.Event()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._wall() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds
        self.ring()

    def ring(self) -> None:
        """Something changed: everybody looks again."""
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()

    async def wait(self, until: float) -> None:
        """Until this clock shows `until`, or the bell rings."""
        with anyio.move_on_after(max(0.0, until - self.now())):
            await self._bell.wait()

"""Stores the positions of one feed at its source: owns when, and what becomes of marks that could not be stored.

    marks moved ── soon ──► wait for the moment ──► commit ──► wait …        until nothing moved since
                                                      └── not stored: put back, stored with the next one

The moments are those of all feeds (`core/pace.py`); a feed that ends, or loses a lane, waits for none. How far a lane
is done is the business of `core/marks.py`. `feed.py` is the only user.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine

import anyio

from ..config.core.stop_budget import NEVER, StopTimes
from ..config.errors import SourceUnavailable
from ..dispatch.core.observer import CommitFailed
from .core.marks import Marks
from .feed_settings import FeedSettings
from .source import LaneLost, Reader


class Committer:
    """One commit at a time, so that no position goes back."""

    def __init__(self, settings: FeedSettings, reader: Reader, marks: Marks, stored: Callable[[], None]) -> None:
        """`stored` is called when marks are durable, or when it is known that they will not be: `lost` says that."""
        self._settings = settings
        self._reader = reader
        self._marks = marks
        self._stored = stored
        self._lost: LaneLost | None = None
        self._times = NEVER
        self._running = False
        self._one = anyio.Lock()
        self._pause = anyio.CancelScope()
        self._hurried = False
        self._storing = anyio.CancelScope()

    @property
    def lost(self) -> LaneLost | None:
        """Why nothing is stored any more: the lane has another owner."""
        return self._lost

    def soon(self, start: Callable[[Callable[[], Coroutine[object, object, None]]], None]) -> None:
        """Store the marks that moved: now, or with the next commit that is due. `start` begins the task for it."""
        if self._marks.unstored and not self._running:
            self._running = True
            start(self._store)

    def hurry(self) -> None:
        """Pause no more between two commits: the feed ends."""
        self._hurried = True
        self._pause.cancel()

    def stop(self, times: StopTimes) -> None:
        """A commit ends with the phase SETTLE, whether the source answered or not."""
        self._times = times
        self._storing.deadline = times.settle

    async def commit(self) -> bool:
        """Store the marks that moved. Returns whether anything was stored. Marks that could not be stored are stored
        with the next commit; a crash before that only repeats more records."""
        async with self._one:
            if self._lost or not (marks := self._marks.take()):
                return False
            try:
                with anyio.CancelScope(shield=True, deadline=self._times.settle) as self._storing:
                    await self._reader.commit(marks)
            except LaneLost as error:
                self._lost = error
                self._stored()
                return False
            except SourceUnavailable as error:
                self._marks.put_back(marks)
                dispatcher = self._settings.dispatcher
                dispatcher.observer.observe(CommitFailed(dispatcher.mapping, error.reason))
                return False
        self._stored()
        return True

    async def last(self) -> None:
        """Store what is left when nothing is under way any more, however often the source must be asked."""
        failures = 0
        await self.commit()
        while self._marks.unstored and not self._lost:
            failures += 1
            await anyio.sleep(self._settings.backoff.delay(failures, self._settings.dispatcher.jitter()))
            await self.commit()

    async def _store(self) -> None:
        try:
            while self._marks.unstored:
                await self._moment()
                if not await self.commit():
                    return
        finally:
            self._running = False

    async def _moment(self) -> None:
        """Wait until all feeds store what moved."""
        settings = self._settings
        now = settings.dispatcher.clock.monotonic()
        wait = settings.pace.moment(now) - now
        if wait > 0 and not self._hurried:
            with anyio.CancelScope() as self._pause:
                await anyio.sleep(wait)

"""Fetches for one feed, within the room that it has, and sorts what came by the mapping's filters.

    room ──► fetch ──► arrived ──► fresh ──► filters ──► written ──► kept | refused
                          └────────── taking ──────────────────────────┘

Owns when a fetch must be over, its report, and the entry of what is new into the marks. What becomes of the
records then is the business of `feed.py`, its only user.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf

import anyio
import anyio.lowlevel

from ..config.reasons import Reason
from ..dispatch.core.observer import Fetched, FetchFailed
from ..dispatch.core.pages import Page, Records
from ..dispatch.core.slots import Slots
from .core.marks import Marks
from .feed_settings import FeedSettings
from .source import FetchResult, Reader

LOOK_AGAIN = 1.0
"""Longest wait of a fetch, in seconds, while records wait for their batch: the shortest possible window."""

AT_ONCE = 500
"""Records that are filtered and measured before other tasks get their turn: a page of 10,000 would delay every
mapping."""


class Intake:
    """One fetch at a time. `taking` from the step in which records arrive until `taken`: whoever takes a lane away
    waits for that."""

    def __init__(
        self,
        settings: FeedSettings,
        reader: Reader,
        slots: Slots,
        marks: Marks,
        polled: Callable[[FetchResult], None],
    ) -> None:
        """`polled` is called after each fetch."""
        self._settings = settings
        self._observer = settings.dispatcher.observer
        self._clock = settings.dispatcher.clock
        self._mapping = settings.dispatcher.mapping
        self._reader = reader
        self._slots = slots
        self._marks = marks
        self._polled = polled
        self._trouble: Reason | None = None
        self._asked_at = inf
        self._taking = False
        self._fetching = anyio.CancelScope()

    @property
    def trouble(self) -> Reason | None:
        """Why the last fetch failed; None when it did not."""
        return self._trouble

    @property
    def unanswered(self) -> float:
        """Seconds for which the fetch under way has had no answer; below zero where none is under way."""
        return self._clock.monotonic() - self._asked_at

    @property
    def taking(self) -> bool:
        """Whether records have arrived that no slot has yet."""
        return self._taking

    def cut(self) -> None:
        """End the fetch under way."""
        self._fetching.cancel()

    def taken(self) -> None:
        """The slots have the records; after a fault of ours they are dropped."""
        self._taking = False

    def failed(self, cause: Reason, delay: float) -> None:
        """A fetch failed; the next one is tried after so many seconds."""
        self._trouble = cause
        self._observer.observe(FetchFailed(self._mapping, cause, delay))

    async def fetch(self) -> FetchResult:
        started = self._asked_at = self._clock.monotonic()
        fetched = FetchResult()
        try:
            with anyio.CancelScope() as self._fetching:
                fetched = await self._fetch_within_limits()
        finally:
            self._asked_at = inf
        self._observer.observe(Fetched(self._mapping, fetched.records, self._clock.monotonic() - started))
        self._polled(fetched)
        self._tell_trouble(fetched)
        return fetched

    async def sorted(self, fetched: FetchResult) -> tuple[Records, Records]:
        """Return the records for the function, and the records that the filters refused. Records that are here already
        are in neither."""
        kept: list[Page] = []
        refused: list[Page] = []
        for start in range(0, len(fetched.records), AT_ONCE):
            if start:
                await anyio.lowlevel.checkpoint()
            for page in fetched.records[start : start + AT_ONCE].pages:
                self._sort(page, kept, refused)
        return Records(kept), Records(refused)

    async def _fetch_within_limits(self) -> FetchResult:
        batch = self._slots.room()
        if self._settings.lent:
            return self._arrived(await self._reader.fetch(batch, self._slots.deadline()))
        room = self._marks.begin_fetch(self._settings.fetch_limit, batch, self._slots.waiting().bytes)
        try:
            fetched = self._arrived(await self._reader.fetch(room.records, self._look_again(), room.skip))
            return replace(fetched, passed_over=True) if room.skip else fetched
        finally:
            self._marks.end_fetch()

    def _arrived(self, fetched: FetchResult) -> FetchResult:
        """Called in the step in which the reader answers. From here on whoever takes a lane away waits until the
        records are taken in; before, the reader itself leaves out a lane that went."""
        self._taking = True
        return fetched

    def _look_again(self) -> float | None:
        """When a fetch must be over, whatever it brought. The window of what waits behind a batch begins when that is
        completed, which may be at any moment."""
        deadline = self._slots.deadline()
        if deadline is None and self._slots.waiting().records:
            return self._clock.monotonic() + LOOK_AGAIN
        return deadline

    def _tell_trouble(self, fetched: FetchResult) -> None:
        """Report the trouble of one part of the source; the other parts go on."""
        if fetched.trouble and (fetched.trouble != self._trouble or not fetched.records):
            self._observer.observe(FetchFailed(self._mapping, fetched.trouble, 0.0))
        self._trouble = fetched.trouble

    def _sort(self, page: Page, kept: list[Page], refused: list[Page]) -> None:
        """Only what is kept is serialised."""
        fresh = self._marks.fresh(page)
        wanted, unwanted = self._settings.keeps(fresh)
        wanted.write()
        self._marks.add(fresh)
        kept.append(wanted)
        if unwanted:
            refused.append(unwanted)

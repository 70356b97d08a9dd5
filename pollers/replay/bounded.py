"""A source that is read again: a wrapper that knows where it ends, how fast it may be, and how far it is.

    inner source ──► reader ──► pace ──► what the plan wants ──► feed ──► marks ──► progress
                                             └─ nothing more: the shard has ended

The loop does not know about it. The inner source commits to nothing that lasts: its positions are in memory, or it has
joined no group.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import anyio

from ...config.clock import Clock
from ...dispatch.core.model import FateKind, Lane, Record, Settlement
from ...dispatch.core.pages import Page, Records
from ...dispatch.core.token_bucket import TokenBucket
from ..core.mark import Mark
from ..source import FetchResult, Reader, Source
from ..wrapped import WrappedReader, WrappedSource
from .core.plan import ReplayPlan, ReplayProgress

TIPS = 2
"""Fetches in a row without a record that tell the end of a shard."""


class ReplaySource(WrappedSource):
    """The source, as far as the plan wants it."""

    def __init__(
        self, inner: Source, plan: ReplayPlan, progress: ReplayProgress, clock: Clock, rate: float | None = None
    ) -> None:
        """`rate`: records a second at most; None for no limit."""
        super().__init__(inner)
        self.plan = plan
        self.progress = progress
        self.clock = clock
        self._rate = rate or 0.0
        self._bucket = TokenBucket(rate, max(1.0, rate)) if rate else None
        self.given = 0
        """Records that readers gave their feeds."""
        self.changed = False
        """Whether the progress moved since somebody stored it."""

    async def reader(self, feed: str) -> ReplayReader:
        return ReplayReader(await self._inner.reader(feed), self)

    async def pace(self, limit: int) -> int:
        """Wait until a record may be given; how many may be."""
        if self._bucket is None:
            return limit
        level = self._bucket.level(self.clock.monotonic())
        if level < 1.0:
            await anyio.sleep((1.0 - level) / self._rate)
        return max(1, min(limit, int(level)))

    def gave(self, number: int) -> None:
        self.given += number
        if self._bucket is not None:
            self._bucket.level(self.clock.monotonic())  # what a slow fetch would have gained beyond the burst is lost
            self._bucket.take(number)

    def settled(self, settlements: Sequence[Settlement]) -> None:
        for settlement in settlements:
            if settlement.fate.kind not in (FateKind.ABANDONED, FateKind.RETURNED):  # these may come again
                self.progress.count(settlement.fate.kind.value, len(settlement.records))
        self.changed = True

    def committed(self, marks: Mapping[Lane, Mark]) -> None:
        for lane, mark in marks.items():
            self.progress.moved(lane.shard, mark.position, ended=mark.ended)
        self.changed = True


class ReplayReader(WrappedReader):
    """Gives of its inner reader what the plan wants."""

    def __init__(self, inner: Reader, source: ReplaySource) -> None:
        super().__init__(inner)
        self._source = source
        self._tips = 0

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        limit = await self._source.pace(limit)
        fetched = await self._inner.fetch(limit, until, skip)
        ended = self._ended(fetched)
        wanted = Records([page for each in fetched.records.pages if (page := self._wanted(each))])
        self._source.gave(len(wanted))
        return replace(fetched, records=wanted, ended=tuple({*fetched.ended, *ended}))

    def _wanted(self, page: Page) -> Page | None:
        plan, sheet, shard = self._source.plan, page.sheet, page.lane.shard
        places = [each for each in page.places if _wants(plan, shard, page, each)]
        if len(places) == len(page):
            return page
        return Page(sheet, tuple(places)) if places else None

    def _ended(self, fetched: FetchResult) -> list[Lane]:
        """The shard, where nothing of the plan comes behind what was fetched. A reader of many lanes ends with the
        source."""
        if self.lane is None:
            return []
        self._tips = 0 if fetched.records or fetched.full or fetched.trouble else self._tips + 1
        plan = self._source.plan
        if self._tips >= TIPS and plan.is_passed(self._source.clock.wall()):
            return [self.lane]
        over = any(_is_over(plan, page.lane.shard, page) for page in fetched.records.pages)
        return [self.lane] if over else []

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        refused = await self._inner.settle(settlements)
        self._source.settled(settlements)
        return refused

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        await self._inner.commit(marks)
        self._source.committed(marks)


def _wants(plan: ReplayPlan, shard: str, page: Page, place: int) -> bool:
    position = page.sheet.position(place)
    return position is None or plan.wants(shard, position.number, page.sheet.arrived(place))


def _is_over(plan: ReplayPlan, shard: str, page: Page) -> bool:
    last = page.places[-1]
    position = page.sheet.position(last)
    return position is not None and plan.is_over(shard, position.number, page.sheet.arrived(last))

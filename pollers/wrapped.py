"""A source and a reader around others: every call goes to the inner one, and a subclass changes some.

Used where a source is read in another way: again (`replay/bounded.py`), decoded (`schemas/decoding.py`), or without a
change at the source (the dry run). Does not own: what differs there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from ..dispatch.core.model import Lane, OpenWindow, Record, Settlement
from .core.mark import Mark
from .source import FetchResult, Owner, Reader, Roster, Source


class WrappedSource:
    """A `Source`."""

    def __init__(self, inner: Source) -> None:
        self._inner = inner

    @property
    def patience(self) -> float:
        return self._inner.patience

    @property
    def lent(self) -> bool:
        return self._inner.lent

    async def open(self) -> Roster:
        return await self._inner.open()

    async def watch(self, changed: Callable[[], None]) -> None:
        await self._inner.watch(changed)

    async def reader(self, feed: str) -> Reader:
        return await self._inner.reader(feed)

    async def empty(self) -> bool:
        return await self._inner.empty()

    async def aclose(self) -> None:
        await self._inner.aclose()


class WrappedReader:
    """A `Reader`."""

    def __init__(self, inner: Reader) -> None:
        self._inner = inner

    @property
    def lane(self) -> Lane | None:
        return self._inner.lane

    @property
    def window(self) -> OpenWindow | None:
        return self._inner.window

    def attach(self, owner: Owner) -> None:
        self._inner.attach(owner)

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        return await self._inner.fetch(limit, until, skip)

    async def hold(self, records: Sequence[Record], until: float) -> float:
        return await self._inner.hold(records, until)

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        return await self._inner.settle(settlements)

    async def release(self, records: Sequence[Record]) -> None:
        await self._inner.release(records)

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        await self._inner.commit(marks)

    async def aclose(self) -> None:
        await self._inner.aclose()

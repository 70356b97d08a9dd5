"""`run --dry-run`: the whole path, with a source that changes nothing and without an invocation.

A wrapper around each source, and an invoker. The loop does not know about it. Fetched messages of a queue are held
until the end, so that each is received only once, because a queue counts receives; then they are released. A stream is
only read, and its positions are in memory (the daemon arranges that), so it continues from record to record and from
shard to shard. A topic is read from the mapping's starting position, without a consumer group.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import anyio

from ...config.clock import Clock
from ...dispatch.core.model import Attempt, Fate, FateKind, ItemId, Lane, Record, Returned, Settlement
from ...dispatch.invokers.base import Invocation, Ready
from ...pollers.core.mark import Mark
from ...pollers.source import FetchResult, Reader, Source
from ...pollers.wrapped import WrappedReader, WrappedSource

POLL = 1.5
"""Seconds of a fetch. Short, because a server may continue an abandoned poll and receive messages that we just
released."""
HOLD = 60.0
"""Visibility timeout in seconds of a shown record. Short, so that a killed dry run does not hide it for
longer."""
REFRESH = 30.0
"""Seconds before the end of that timeout at which it is extended."""
RELEASE_DEADLINE = 5.0
TAKEN = b'{"state":{}}'
"""The answer of a function that processes everything, also in a tumbling window."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The fate that one record would have."""

    mapping: str
    id: str
    fate: Fate
    function: str

    @property
    def text(self) -> str:
        match self.fate.kind:
            case FateKind.DELIVERED:
                return f"WOULD DELIVER to {self.function}"
            case FateKind.DISCARDED:
                return f"WOULD DISCARD ({self.fate.reason.value})" if self.fate.reason else "WOULD DISCARD"
            case kind:
                return kind.name


Show = Callable[[Verdict], None]


class DryInvoker:
    """Accepts every batch without looking at it."""

    concurrency = None
    timeout: float | None = 1.0
    ends_on_cancel = True

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def probe(self) -> Ready:
        return Ready()

    async def invoke(self, invocation: Invocation) -> Returned:
        now = self._clock.wall()
        return Returned(Attempt(invocation.request_id or str(uuid.uuid4()), now, now, 200), TAKEN)

    async def aclose(self) -> None:
        """Nothing to close."""


def dry(source: Source, mapping: str, function: str, show: Show) -> Source:
    """The source for a dry run."""
    return DryQueue(source, mapping, function, show) if source.lent else DryStream(source, mapping, function, show)


class DryQueue(WrappedSource):
    """A queue: every record is shown once with its fate, and given back at the end."""

    def __init__(self, inner: Source, mapping: str, function: str, show: Show) -> None:
        super().__init__(inner)
        self._mapping = mapping
        self._function = function
        self._show = show
        self._lent: dict[ItemId, Record] = {}

    async def reader(self, feed: str) -> DryReceiver:
        return DryReceiver(await self._inner.reader(feed), self)

    async def empty(self) -> bool:
        """The source counts our held messages, so it is never empty. Its answer is enough: nothing was fetched for a
        while."""
        await self._inner.empty()
        return True

    async def aclose(self) -> None:
        if self._lent:
            await anyio.sleep(POLL)
            reader = await self._inner.reader("release")
            with anyio.move_on_after(RELEASE_DEADLINE):
                await reader.release(tuple(self._lent.values()))
            await reader.aclose()
        await self._inner.aclose()

    def is_new(self, record: Record) -> bool:
        return record.id not in self._lent

    def decided(self, record: Record, fate: Fate) -> None:
        if fate.kind in (FateKind.RETURNED, FateKind.ABANDONED):
            return
        if self.is_new(record):
            self._show(Verdict(self._mapping, record.name, fate, self._function))
        self.keep(record)

    def keep(self, record: Record) -> None:
        """Remember the receipt of a held message, not the message itself."""
        kept = Record(record.lane, record.id, {}, record.arrived, token=record.token, held_until=record.held_until)
        self._lent[record.id] = kept

    async def refresh(self, reader: Reader) -> None:
        """Extend the messages whose timeout ends soon."""
        now = anyio.current_time()
        ending = [record for record in self._lent.values() if record.held_until < now + REFRESH]
        if ending:
            reached = await reader.hold(ending, now + HOLD)
            for record in ending:
                record.held_until = max(record.held_until, reached)


class DryReceiver(WrappedReader):
    """A reader that settles nothing at its source."""

    def __init__(self, inner: Reader, source: DryQueue) -> None:
        super().__init__(inner)
        self._source = source

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        await self._source.refresh(self._inner)
        short = anyio.current_time() + POLL
        fetched = await self._inner.fetch(limit, short if until is None else min(short, until), skip)
        fresh, again = fetched.records.by_record(self._source.is_new)
        for record in again:  # its visibility timeout ended: keep the new receipt, and do not show it twice
            self._source.keep(record)
        return replace(fetched, records=fresh)

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        for settlement in settlements:
            for record in settlement.records:
                self._source.decided(record, settlement.fate)
        await self._source.refresh(self._inner)
        return ()

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        """No position moves."""


class DryStream(WrappedSource):
    """A source with positions, which are not stored: the fates of its records are shown as soon as they are decided."""

    def __init__(self, inner: Source, mapping: str, function: str, show: Show) -> None:
        super().__init__(inner)
        self._mapping = mapping
        self._function = function
        self._show = show

    async def reader(self, feed: str) -> DryShard:
        return DryShard(await self._inner.reader(feed), self)

    def decided(self, record: Record, fate: Fate) -> None:
        if fate.kind is not FateKind.ABANDONED:
            self._show(Verdict(self._mapping, record.name, fate, self._function))


class DryShard(WrappedReader):
    """A reader that shows the fates of its records."""

    def __init__(self, inner: Reader, source: DryStream) -> None:
        super().__init__(inner)
        self._source = source

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        for settlement in settlements:
            for record in settlement.records:
                self._source.decided(record, settlement.fate)
        return ()

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
from ...dispatch.core.model import Attempt, Fate, FateKind, ItemId, Lane, OpenWindow, Record, Returned, Settlement
from ...dispatch.invokers.base import Invocation, Ready
from ...pollers.core.mark import Mark
from ...pollers.source import FetchResult, Owner, Reader, Roster, Source

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


class DryQueue:
    """A queue: every record is shown once with its fate, and given back at the end."""

    def __init__(self, inner: Source, mapping: str, function: str, show: Show) -> None:
        self._inner = inner
        self._mapping = mapping
        self._function = function
        self._show = show
        self._lent: dict[ItemId, Record] = {}

    @property
    def patience(self) -> float:
        return self._inner.patience

    @property
    def lent(self) -> bool:
        return self._inner.lent

    async def open(self) -> Roster:
        return await self._inner.open()

    async def reader(self, feed: str) -> DryReceiver:
        return DryReceiver(await self._inner.reader(feed), self)

    async def watch(self, changed: Callable[[], None]) -> None:
        await self._inner.watch(changed)

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


@dataclass(frozen=True, slots=True)
class DryReceiver:
    """A reader that settles nothing at its source."""

    inner: Reader
    source: DryQueue

    @property
    def lane(self) -> Lane | None:
        return self.inner.lane

    @property
    def window(self) -> OpenWindow | None:
        return self.inner.window

    def attach(self, owner: Owner) -> None:
        self.inner.attach(owner)

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        await self.source.refresh(self.inner)
        short = anyio.current_time() + POLL
        fetched = await self.inner.fetch(limit, short if until is None else min(short, until), skip)
        fresh = tuple(record for record in fetched.records if self.source.is_new(record))
        if len(fresh) < len(fetched.records):
            # A message came again after its visibility timeout: keep the new receipt, and do not show it twice.
            for record in fetched.records:
                if record not in fresh:
                    self.source.keep(record)
        return replace(fetched, records=fresh)

    async def hold(self, records: Sequence[Record], until: float) -> float:
        return await self.inner.hold(records, until)

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        for settlement in settlements:
            for record in settlement.records:
                self.source.decided(record, settlement.fate)
        await self.source.refresh(self.inner)
        return ()

    async def release(self, records: Sequence[Record]) -> None:
        await self.inner.release(records)

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        """No position moves."""

    async def aclose(self) -> None:
        await self.inner.aclose()


@dataclass(frozen=True, slots=True)
class DryStream:
    """A source with positions, which are not stored: the fates of its records are shown as soon as they are decided."""

    inner: Source
    mapping: str
    function: str
    show: Show
    lent: bool = False

    @property
    def patience(self) -> float:
        return self.inner.patience

    async def open(self) -> Roster:
        return await self.inner.open()

    async def watch(self, changed: Callable[[], None]) -> None:
        await self.inner.watch(changed)

    async def reader(self, feed: str) -> DryShard:
        return DryShard(await self.inner.reader(feed), self)

    async def empty(self) -> bool:
        return await self.inner.empty()

    async def aclose(self) -> None:
        await self.inner.aclose()

    def decided(self, record: Record, fate: Fate) -> None:
        if fate.kind is not FateKind.ABANDONED:
            self.show(Verdict(self.mapping, record.name, fate, self.function))


@dataclass(frozen=True, slots=True)
class DryShard:
    """A reader that shows the fates of its records."""

    inner: Reader
    source: DryStream

    @property
    def lane(self) -> Lane | None:
        return self.inner.lane

    @property
    def window(self) -> OpenWindow | None:
        return self.inner.window

    def attach(self, owner: Owner) -> None:
        self.inner.attach(owner)

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        return await self.inner.fetch(limit, until, skip)

    async def hold(self, records: Sequence[Record], until: float) -> float:
        return await self.inner.hold(records, until)

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        for settlement in settlements:
            for record in settlement.records:
                self.source.decided(record, settlement.fate)
        return ()

    async def release(self, records: Sequence[Record]) -> None:
        await self.inner.release(records)

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        await self.inner.commit(marks)

    async def aclose(self) -> None:
        await self.inner.aclose()

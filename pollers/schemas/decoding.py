"""A source whose records are decoded with a schema registry before any filter sees them.

A wrapper around a source, like the dry run's: the loop, the filters and the source do not know about it.

    fetch ─► waiting, by lane ─► worker of the lane ─► ready ─► the loop: filters, batches
                   ▲                    │ the registry does not answer
                   └── as they were ◄───┘   (told as a fetch that failed: backed off, visible)

Each lane keeps its order, and records that wait for their schema delay their own lane alone: nothing more is fetched
for it. So at most a fetch's limit waits, plus `BESIDE` records of each lane.
Workers run beside the feeds, so that a slow registry neither delays the window of an open batch nor starts again with
each fetch. Waiting records have no fate and moved no position: the next reader of the lane gets them again.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, field, replace

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from ...config.clock import Clock
from ...config.errors import SourceError, SourceUnavailable
from ...config.reasons import Reason
from ...dispatch.core.model import Lane, Record
from ...dispatch.core.pages import Records
from ..source import FetchResult, Owner, Reader, Source
from ..wrapped import WrappedReader, WrappedSource

PATIENCE = 1.0
"""Seconds for which a fetch waits for schemas when no window is open: other lanes want to be read meanwhile."""
BESIDE = 1000
"""Records that may be fetched of the other lanes, however much waits for its schema: within the fetch's limit."""
AT_ONCE = 50
"""Records that one lane decodes before others get their turn."""

Decode = Callable[[Record], Awaitable[Record]]
"""The decoded record, or the record with the flaw for which it is discarded. Raises SourceError while neither is
known."""


class DecodingSource(WrappedSource):
    """A mapping's source, with decoded records. `close` ends what decoding needs."""

    lent = False
    patience = math.inf

    def __init__(self, inner: Source, decode: Decode, close: Callable[[], Awaitable[None]], clock: Clock) -> None:
        super().__init__(inner)
        self._decode = decode
        self._close = close
        self._clock = clock
        self._readers: set[DecodingReader] = set()
        self._workers: TaskGroup | None = None

    async def watch(self, changed: Callable[[], None]) -> None:
        failure: SourceError | None = None
        async with anyio.create_task_group() as self._workers:
            try:
                await self._inner.watch(changed)
                await anyio.sleep_forever()  # the workers are wanted for as long as the feeds are
            except SourceError as error:
                failure = error
            finally:
                self._workers.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def reader(self, feed: str) -> DecodingReader:
        reader = DecodingReader(await self._inner.reader(feed), self._start, self._clock, self._readers.discard)
        self._readers.add(reader)
        return reader

    async def empty(self) -> bool:
        """Whether nothing is left. A record that waits for its schema is left, even though it was read."""
        return not any(reader.waits for reader in self._readers) and await self._inner.empty()

    async def aclose(self) -> None:
        await self._inner.aclose()
        await self._close()

    def _start(self, queue: _DecodingQueue, reader: DecodingReader) -> bool:
        """Returns False when no worker would decode it, because the source is being closed."""
        if self._workers is None or self._workers.cancel_scope.cancel_called:
            return False
        self._workers.start_soon(reader.work_off, queue, self._decode)
        return True


@dataclass(slots=True, eq=False)
class _DecodingQueue:
    """The waiting records of one lane, in order. A lane that went and came back has a new object."""

    lane: Lane
    records: deque[Record] = field(default_factory=deque)
    working: bool = False
    trouble: Reason | None = None
    """Why its first record waits, once that is known."""


class DecodingReader(WrappedReader):
    """One feed's view of the source, with decoded records."""

    def __init__(
        self,
        inner: Reader,
        start: Callable[[_DecodingQueue, DecodingReader], bool],
        clock: Clock,
        closed: Callable[[DecodingReader], None],
    ) -> None:
        super().__init__(inner)
        self._start = start
        self._clock = clock
        self._closed = closed
        self._owner: Owner | None = None
        self._queues: dict[Lane, _DecodingQueue] = {}
        self._ready: deque[Record] = deque()
        self._news: Reason | None = None
        """Trouble that was not reported yet."""
        self._worked = anyio.Event()

    @property
    def waits(self) -> bool:
        """Whether anything that was fetched is not handed on yet."""
        return bool(self._queues or self._ready)

    def attach(self, owner: Owner) -> None:
        self._owner = owner
        self._inner.attach(self)

    async def revoke(self, lanes: Collection[Lane], until: float) -> None:
        """Works as `source.Owner.revoke`. Records that were not handed on are forgotten: the lane's next reader gets
        it."""
        for queue in [self._queues.pop(lane) for lane in lanes if lane in self._queues]:
            queue.records.clear()
        self._ready = deque(record for record in self._ready if record.lane not in lanes)
        if self._owner is not None:
            await self._owner.revoke(lanes, until)

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        """Works as `source.Reader.fetch`. A registry that does not answer is a fetch that failed, unless other lanes
        brought something: then the next one is."""
        if self._news:
            raise self._unavailable(self._news)
        fetched = await self._fetch(limit, until, skip)
        await self._wait(until)
        records = Records.of(self._handed_on(limit))
        if not records and not fetched.gaps and (trouble := self._trouble()):
            raise self._unavailable(trouble)
        return replace(fetched, records=records)

    async def _fetch(self, limit: int, until: float | None, skip: Collection[Lane]) -> FetchResult:
        """Nothing of the lanes that wait: each fetch that brings more to wait has another lane waiting."""
        room = limit - len(self._ready)
        if room <= 0:
            return self._admitted(FetchResult(full=True))
        waiting = sum(len(queue.records) for queue in self._queues.values())
        most = min(room, max(BESIDE, room - waiting))
        return self._admitted(await self._inner.fetch(most, until, {*skip, *self._queues}))

    def _admitted(self, fetched: FetchResult) -> FetchResult:
        """Called in the step in which the reader answers, so that a revocation of a lane finds all its waiting
        records."""
        for record in fetched.records:
            queue = self._queues.get(record.lane)
            if queue is None:
                queue = self._queues[record.lane] = _DecodingQueue(record.lane)
            queue.records.append(record)
        for queue in self._queues.values():
            queue.working = queue.working or self._start(queue, self)
        return fetched

    async def _wait(self, until: float | None) -> None:
        """Until there is something to hand on and nobody works, or the time is over."""
        patience = PATIENCE if until is None else min(PATIENCE, max(0.0, until - self._clock.monotonic()))
        with anyio.move_on_after(patience):
            while any(queue.working for queue in self._queues.values()):
                await self._worked.wait()

    def _handed_on(self, limit: int) -> Iterator[Record]:
        while self._ready and limit:
            limit -= 1
            yield self._ready.popleft()

    def _trouble(self) -> Reason | None:
        return self._news or next((queue.trouble for queue in self._queues.values() if queue.trouble), None)

    def _unavailable(self, trouble: Reason) -> SourceUnavailable:
        self._news = None
        return SourceUnavailable.because(trouble)

    # --- workers ----------------------------------------------------------------------------------------------------

    async def work_off(self, queue: _DecodingQueue, decode: Decode) -> None:
        """Decode what waits of a lane, in order, until the registry says nothing."""
        try:
            while queue.records:
                await self._work_on(queue, decode)
        except SourceError as error:
            queue.trouble = self._news = error.reason
        finally:
            queue.working = False
            if not queue.records and self._queues.get(queue.lane) is queue:
                del self._queues[queue.lane]
            worked, self._worked = self._worked, anyio.Event()
            worked.set()

    async def _work_on(self, queue: _DecodingQueue, decode: Decode) -> None:
        for _ in range(AT_ONCE):
            if not queue.records:
                return
            record = queue.records[0]
            decoded = await decode(record)
            if not queue.records:  # the lane went meanwhile
                return
            queue.records.popleft()
            queue.trouble = None
            self._ready.append(decoded)
        await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        self._closed(self)
        for queue in self._queues.values():
            queue.records.clear()
        self._queues.clear()
        await self._inner.aclose()

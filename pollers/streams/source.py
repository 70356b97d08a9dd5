"""The engine of the stream sources: which shards are read at this moment, and one reader for each. Kinesis and DynamoDB
Streams hold it with a service of their own (`service.py`).

    watch: list ──► lineage.plan ──► roster ──► one feed per ready shard ──► ShardReader ──► Pages
             ▲                                                                   │
             └──────────── look again: a shard ended, or cannot be read ◄────────┴──► commit ──► store

A shard's feed never fails for good: what is wrong with one shard is tried again there, and makes the source look at the
listing. Only the listing says that the stream itself is gone or another one; then the source is opened again, and
`opening.py` finds out what the positions are worth.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf

import anyio

from ...config.clock import Jitter, ServiceClock
from ...config.errors import SourceMissing, SourceUnavailable
from ...dispatch.core.backoff import Backoff
from ...dispatch.core.model import Lane, OpenWindow, Position, Record, Settlement
from ...dispatch.core.observer import Gap, Observer
from ..checkpoints.store import (
    BEGINNING,
    Checkpoint,
    CheckpointStore,
    CommitAnswer,
    Finished,
    HeldLane,
    Key,
    Opened,
    Place,
    Start,
)
from ..core.mark import Mark
from ..source import FetchResult, LaneLost, Owner
from .core import lineage
from .core.absence import Absences
from .core.lineage import ShardPlan
from .opening import FoundStream, Opening, StreamSettings
from .service import Listing, Pages, ShardPage, StreamService

LOOK_BACKOFF = Backoff(base=1.0, cap=10.0)
"""Between looks at the shards while the service does not answer, or a shard cannot be read."""
LOOK_PAUSE = 1.0
"""Seconds from one look to the next, however many shards want one: a service allows few listings a second."""
ANSWER = 9.0
"""Seconds for which the service's silence is none; the pauses are included that follow large answers."""
END = "the end of the shard"
NOT_LISTED = "the stream does not list the shard any more"


class StreamRoster:
    """The shards that are read at this moment."""

    def __init__(self) -> None:
        self._wanted: list[str] = []

    def wanted(self) -> list[str]:
        return self._wanted

    def read(self, shards: Iterable[str]) -> None:
        """These, and no others. Asked for with every fetch, so put in order here."""
        self._wanted = sorted(shards)

    def done(self, shard: str) -> None:
        self._wanted = [each for each in self._wanted if each != shard]

    def polled(self, feed: str, fetched: FetchResult, now: float) -> None:
        """The number of shards does not depend on their records."""

    def took(self, feed: str, *, held: bool) -> None:
        """It does not depend on batches either."""


class StreamSource:
    """One mapping's stream."""

    lent = False

    @property
    def patience(self) -> float:
        return inf if self._service.pushes else ANSWER

    def __init__(
        self,
        settings: StreamSettings,
        service: StreamService,
        store: CheckpointStore,
        jitter: Jitter,
        observer: Observer,
        clock: ServiceClock | None = None,
    ) -> None:
        """`clock` is told what the service says of the time."""
        self._settings = settings
        self._service = service
        self._store = store
        self._jitter = jitter
        self._observer = observer
        self._clock = clock
        self._opening = Opening(settings, service, store, observer)
        self._roster = StreamRoster()
        self._readers: dict[str, ShardReader] = {}
        self._lanes: dict[str, Checkpoint] = {}
        self._seen: Mapping[str, Checkpoint] = {}
        """The positions at the last look."""
        self._listing = Listing(service.name, None, (), 0.0)
        self._trimmed: frozenset[str] = frozenset()
        self._look = anyio.Event()
        self._looked = -inf
        """Monotonic time of the last look."""
        self._looking = anyio.Lock()
        self._absences = Absences()

    async def open(self) -> StreamRoster:
        found: FoundStream = await self._opening.open()
        self._looked = anyio.current_time()
        self._listing, self._lanes, self._trimmed = found.listing, dict(found.lanes), found.trimmed
        self._seen = found.lanes
        self._absences = Absences()
        self.heard(self._listing.told)
        await self._plan()
        return self._roster

    async def watch(self, changed: Callable[[], None]) -> None:
        failures = 0
        while True:
            await self._until_next_look(failures)
            try:
                await self._refresh()
            except SourceUnavailable:  # the feeds say for themselves what they cannot reach
                failures += 1
                continue
            failures = 0
            changed()

    async def reader(self, feed: str) -> ShardReader:
        held = await self._store.acquire(self._key(feed))
        self._lanes[feed] = held.checkpoint
        trimmed = feed in self._trimmed
        self._trimmed -= {feed}
        reader = self._readers[feed] = ShardReader(self, feed, held, trimmed=trimmed)
        return reader

    async def empty(self) -> bool:
        """Whether every shard was read to where it stands now, and no other waits for it."""
        plan = await self._refresh()
        reads = [self._readers.get(shard) for shard in plan.ready]
        return not plan.waiting and not plan.gone and all(each is not None and each.caught_up for each in reads)

    async def aclose(self) -> None:
        """Nothing of its own to close: client and store are shared."""

    # --- which shards -----------------------------------------------------------------------------------------------

    async def _until_next_look(self, failures: int) -> None:
        with anyio.move_on_after(self._settings.discovery):
            await self._look.wait()
            pause = LOOK_BACKOFF.delay(failures, self._jitter()) if failures else LOOK_PAUSE
            await anyio.sleep(max(0.0, self._looked + pause - anyio.current_time()))
        self._look = anyio.Event()

    async def _refresh(self) -> ShardPlan:
        """Look at the stream again. Raises SourceMissing when it is not the one that we read any more."""
        async with self._looking:
            self._looked = anyio.current_time()
            listing = await self._service.list(self._listing.arn)
            worth = await self._opening.worth(listing, Opened(self._listing.created, self._as_seen()))
            if worth.recreated:
                raise SourceMissing(f"stream {listing.arn} was deleted and created again")
            if listing.created != self._listing.created:
                await self._store.confirm(self._settings.uuid, listing.arn, listing.created)
            self._listing, self._seen = listing, dict(self._lanes)
            self.heard(self._listing.told)
            plan = await self._plan()
            if not plan.ready and not plan.waiting and not plan.gone and not self._readers:
                await self._leave()
            return plan

    def _as_seen(self) -> Mapping[str, Checkpoint]:
        """The positions at the last look, where there were some: what was read since may be newer than a restart of the
        service, and would look like the record of a stream that was made anew."""
        before = {shard: seen for shard, seen in self._seen.items() if not isinstance(seen.place, Start)}
        return {shard: before.get(shard, checkpoint) for shard, checkpoint in self._lanes.items()}

    def heard(self, told: float | None) -> None:
        """An answer came, with the service's time or without (None). Called before any record of the answer is judged
        by its age."""
        if self._clock is not None and told is not None:
            self._clock.told(told)

    async def _leave(self) -> None:
        """The stream is read to its end. A table may have another one by now."""
        newest = await self._service.list()
        if newest.arn != self._listing.arn:
            raise SourceMissing(f"stream {self._listing.arn} has ended, its table has the stream {newest.arn} now")

    async def _plan(self) -> ShardPlan:
        """By the listing of a look."""
        self._absences.look(self._listing.shards, self._lanes)
        if new := self._decide().new:  # stored before anything is read of them, or of what comes after them
            await self._store.add(self._settings.uuid, self._listing.arn, new)
            self._lanes = {**{shard: Checkpoint(start) for shard, start in new.items()}, **self._lanes}
        plan = self._put_to_work()
        if plan.surplus:
            await self._store.compact(self._settings.uuid, self._listing.arn, plan.surplus)
            self._lanes = {shard: place for shard, place in self._lanes.items() if shard not in plan.surplus}
        return plan

    def _put_to_work(self) -> ShardPlan:
        """Plan by the positions of this moment, and want the shards of the plan in the same step: a shard that is done
        later (`_committed`) is taken out, and no older plan brings it back."""
        plan = self._decide()
        for shard, reader in self._readers.items():
            # Its feed settles what was fetched, ends an open window, and tells of the gap.
            reader.vanished = self._absences.vanished(shard)
        self._roster.read([*plan.ready, *plan.gone])
        if plan.sought:
            self.look()
        return plan

    def _decide(self) -> ShardPlan:
        late = self._absences.late(self._readers)
        return lineage.plan(self._listing.shards, self._lanes, late=late, known=self._absences.known)

    # --- what readers use -------------------------------------------------------------------------------------------

    def _key(self, shard: str) -> Key:
        return Key(self._settings.uuid, self.lane(shard))

    def lane(self, shard: str) -> Lane:
        return Lane(self._listing.arn, shard)

    def gap(self, shard: str, start: str, end: str, reason: str) -> Gap:
        return Gap(self._settings.mapping, self.lane(shard), start, end, reason)

    def pages(self, shard: str, place: Place) -> Pages:
        return NoPages() if isinstance(place, Finished) else self._service.pages(self._listing.arn, shard, place)

    def look(self) -> None:
        """Look at the listing soon."""
        self._look.set()

    async def commit(self, shard: str, held: HeldLane, checkpoint: Checkpoint) -> None:
        """Raises LaneLost, StoreUnavailable."""
        answer = await self._store.commit(self._key(shard), held.token, checkpoint)
        if answer is CommitAnswer.STALE:
            raise LaneLost(f"shard {shard} of {self._listing.arn}: it has another reader, or its position was removed")
        if answer is CommitAnswer.BELOW:
            what = f"has a position behind the stored one: was the stream created again? ({spell(checkpoint.place)})"
            raise LaneLost(f"shard {shard} of {self._listing.arn} {what}")
        self._committed(shard, checkpoint)

    def _committed(self, shard: str, checkpoint: Checkpoint) -> None:
        """Remember the position. A shard that is done to its end is not wanted any more, in the same step."""
        self._lanes[shard] = checkpoint
        if isinstance(checkpoint.place, Finished):
            self._roster.done(shard)
            self.look()

    def closed(self, reader: ShardReader) -> None:
        if self._readers.get(reader.lane.shard) is reader:
            del self._readers[reader.lane.shard]
            self.look()


class ShardReader:
    """The reader of one shard's feed. It holds the shard from `StreamSource.reader` on."""

    def __init__(self, source: StreamSource, shard: str, held: HeldLane, *, trimmed: bool) -> None:
        self._source = source
        self._shard = shard
        self._held = held
        self._place = held.checkpoint.place
        self._last = self._place
        self._pages = source.pages(shard, BEGINNING if trimmed else self._place)
        self._lost = [source.gap(shard, spell(self._place), "trim horizon", "trimmed")] if trimmed else []
        self.lane = source.lane(shard)
        self.vanished = False
        """The stream does not list the shard any more."""
        self.caught_up = False
        """At the last look there was nothing more in it."""

    @property
    def window(self) -> OpenWindow | None:
        return self._held.checkpoint.window

    def attach(self, owner: Owner) -> None:
        """Nobody takes its lane away."""

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        try:
            page = await self._pages.next(limit, until)
        except SourceUnavailable:
            self._source.look()  # what is wrong may show there
            if not self.vanished:
                raise
            lost = self._source.gap(self._shard, spell(self._last), END, NOT_LISTED)
            return FetchResult(gaps=(lost,), ended=(self.lane,))
        self._source.heard(page.told)
        gaps = [*self._lost, *(self._source.gap(self._shard, lost.start, lost.end, lost.reason) for lost in page.lost)]
        self._lost = []
        self.caught_up = page.caught_up and not page.records
        self._last = page.records.last or self._last
        ended = page.ended or (self.vanished and self.caught_up)
        return FetchResult(page.records, tuple(gaps), (self.lane,) if ended else (), full=not page.caught_up)

    async def hold(self, records: Sequence[Record], until: float) -> float:
        return until

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        return ()  # a stream is told nothing of single records: the position says it

    async def release(self, records: Sequence[Record]) -> None:
        """Nothing was lent."""

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        mark = marks[self.lane]
        place = self._place if mark.position is None else mark.position
        checkpoint = Checkpoint(_finished(place)) if mark.ended else Checkpoint(place, mark.window)
        await self._source.commit(self._shard, self._held, checkpoint)
        self._place = place

    async def aclose(self) -> None:
        await self._pages.aclose()
        self._source.closed(self)


class NoPages:
    """The `Pages` of a shard that is done: the reader before this one stored it, and nobody heard of that. So its feed
    hears it now."""

    async def next(self, limit: int, until: float | None) -> ShardPage:
        return ShardPage(ended=True)

    async def aclose(self) -> None:
        """Nothing to close."""


def _finished(place: Place) -> Finished:
    """The end of a shard that was done up to this place."""
    match place:
        case Finished():
            return place
        case Position():
            return Finished(place)
        case Start():
            return Finished()


def spell(place: Place) -> str:
    """A place in words."""
    match place:
        case Position():
            return place.text or str(place.number)
        case Start(kind=kind):
            return kind.value
        case Finished():
            return END

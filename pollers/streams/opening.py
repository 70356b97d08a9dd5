"""How a mapping finds its stream again: which one it is, and what the positions that are stored of it are worth.

    list ──► never opened ─────────────────► store where each shard starts (before anything is fetched)
         ├─► another stream of the table ──► begin it at its beginning, forget the old one
         ├─► made anew ────────────────────► start over, or stop, as the mapping says
         └─► the same ─────────────────────► go on

`lineage.examine` decides about each position; here it gets what it needs (a listing, a look at one record) and the
store is told. Used by `source.py` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import anyio

from ...config.errors import SourceMissing, SourceRefused, SourceUnavailable
from ...dispatch.core.model import Position
from ...dispatch.core.observer import Observer, StreamRecreated
from ..checkpoints.store import BEGINNING, Checkpoint, CheckpointStore, Finished, Opened, Place, Start, StartKind
from .core import lineage
from .core.lineage import Finding, Probe
from .service import Listing, StreamService

DOUBT = 30.0
"""Seconds for which listings must contradict the positions of a stream whose creation time is the stored one."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """A mapping's settings for its stream."""

    mapping: str
    uuid: str
    """Positions are kept under it."""
    start: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]
    start_at: float | None = None
    """Wall-clock seconds, for AT_TIMESTAMP."""
    start_over: bool = True
    """Whether a recreated stream is read from its beginning; if false, the mapping stops with that reason."""
    discovery: float = 10.0
    """Seconds between two looks at the shards when nothing happens."""


@dataclass(frozen=True, slots=True)
class Worth:
    """Whether the stored positions are still valid."""

    recreated: bool = False
    """The stream is another one under the same name: the positions are void."""
    trimmed: frozenset[str] = frozenset()
    """Shards whose position is below what the stream still has."""


@dataclass(frozen=True, slots=True)
class FoundStream:
    """The current stream, and our positions in it."""

    listing: Listing
    lanes: Mapping[str, Checkpoint]
    trimmed: frozenset[str] = frozenset()


class Opening:
    """Opens one mapping's stream, as often as it is asked."""

    def __init__(
        self, settings: StreamSettings, service: StreamService, store: CheckpointStore, observer: Observer
    ) -> None:
        self._settings = settings
        self._service = service
        self._store = store
        self._observer = observer
        self._doubted = inf
        """Monotonic time since which listings and positions do not go together."""

    async def open(self) -> FoundStream:
        """Raises SourceMissing, SourceUnavailable, and SourceRefused (also for a recreated stream, when the mapping is
        set to stop then)."""
        listing, earlier = await self._stream()
        opened = await self._store.opened(self._settings.uuid, listing.arn)
        if opened is None:
            found = await self._begin(listing, earlier)
        else:
            found = await self._resume(listing, opened)
        for stream in earlier:  # only now: a crash before it finds the old positions, and does this again
            await self._store.remove(self._settings.uuid, stream)
        return found

    async def _resume(self, listing: Listing, opened: Opened) -> FoundStream:
        worth = await self.worth(listing, opened)
        if worth.recreated:
            return await self._restart(listing)
        if listing.created != opened.created:
            await self._store.confirm(self._settings.uuid, listing.arn, listing.created)
        return FoundStream(listing, opened.lanes, worth.trimmed)

    async def worth(self, listing: Listing, opened: Opened) -> Worth:
        """Decide what positions are worth by this listing. Where the listing does not suffice, look at the record at
        the position. Raises SourceUnavailable while it may only have come late: one that lacks a shard, of a stream
        whose creation time says that it is the same."""
        worth = await self._judge(listing, opened)
        now = anyio.current_time()
        if not worth.recreated or opened.created is None or opened.created != listing.created:
            self._doubted = inf
            return worth
        self._doubted = min(self._doubted, now)
        if now < self._doubted + DOUBT:
            raise SourceUnavailable(f"the listing of {listing.arn} contradicts the stored positions")
        return worth

    async def _judge(self, listing: Listing, opened: Opened) -> Worth:
        shards = {shard.id: shard for shard in listing.shards}
        unchanged = opened.created is None or listing.created is None or opened.created == listing.created
        findings = {
            shard: lineage.examine(shard, checkpoint.place, shards, unchanged=unchanged)
            for shard, checkpoint in opened.lanes.items()
        }
        for shard, finding in findings.items():
            if Finding.RECREATED in findings.values():
                return Worth(recreated=True)
            if finding is Finding.PROBE:
                place = opened.lanes[shard].place
                probe = await self._probe(listing, shard, place)
                findings[shard] = lineage.examine(shard, place, shards, unchanged=unchanged, probe=probe)
        recreated = Finding.RECREATED in findings.values()
        return Worth(recreated, frozenset(each for each, finding in findings.items() if finding is Finding.TRIMMED))

    async def _probe(self, listing: Listing, shard: str, place: Place) -> Probe:
        position = place.last if isinstance(place, Finished) else place
        assert isinstance(position, Position)  # nothing else asks for a probe
        probed = await self._service.probe(listing.arn, shard, position)
        return lineage.compare(position, probed.number, probed.arrived, listing.created)

    # --- which stream -----------------------------------------------------------------------------------------------

    async def _stream(self) -> tuple[Listing, Sequence[str]]:
        """The stream to read, and the earlier ones of the same table whose place it takes. A table's stream that was
        replaced is read to its end first, as long as it is there."""
        newest = await self._service.list()
        earlier = await self._earlier(newest.arn)
        for stream in earlier:
            if (listing := await self._unfinished(stream)) is not None:
                return listing, ()
        return newest, earlier

    async def _earlier(self, newest: str) -> list[str]:
        """Other streams of the same table of which positions are stored, oldest first: their labels are times."""
        kept = await self._store.kept()
        others = {each.source for each in kept if each.mapping == self._settings.uuid} - {newest}
        return sorted(stream for stream in others if self._service.may_follow(stream, newest))

    async def _unfinished(self, stream: str) -> Listing | None:
        """The listing of an earlier stream that is still there and not done."""
        try:
            listing = await self._service.list(stream)
        except SourceMissing:
            return None
        opened = await self._store.opened(self._settings.uuid, stream)
        plan = lineage.plan(listing.shards, opened.lanes if opened else {})
        return listing if plan.ready or plan.waiting else None

    # --- beginning --------------------------------------------------------------------------------------------------

    async def _begin(self, listing: Listing, earlier: Sequence[str]) -> FoundStream:
        """The first opening of this stream. One that takes the place of another is read from its beginning: what was
        written since then is new, whatever the starting position says."""
        if earlier:
            self._refuse(f"the stream {earlier[-1]} is gone, its table has the stream {listing.arn} now")
        starts = lineage.initial(listing.shards, BEGINNING if earlier else self._start(listing))
        await self._store.begin(self._settings.uuid, listing.arn, listing.created, starts)
        if earlier:
            self._observer.observe(StreamRecreated(self._settings.mapping, listing.arn, earlier[-1]))
        return await self._opened(listing)

    async def _restart(self, listing: Listing) -> FoundStream:
        self._refuse(f"the stream {listing.arn} was deleted and created again, the stored positions are of the old one")
        starts = lineage.initial(listing.shards, BEGINNING)
        await self._store.restart(self._settings.uuid, listing.arn, listing.created, starts)
        self._observer.observe(StreamRecreated(self._settings.mapping, listing.arn, listing.arn))
        return await self._opened(listing)

    def _refuse(self, what: str) -> None:
        if not self._settings.start_over:
            ours = f"headrace positions remove {self._settings.mapping}"
            hint = f"to read it from its beginning set 'recreated_stream: start_over', or run '{ours}'"
            raise SourceRefused(f"{what} ({hint})")

    async def _opened(self, listing: Listing) -> FoundStream:
        opened = await self._store.opened(self._settings.uuid, listing.arn)
        assert opened is not None  # begun just now
        return FoundStream(listing, opened.lanes)

    def _start(self, listing: Listing) -> Start:
        match self._settings.start:
            case "TRIM_HORIZON":
                return BEGINNING
            case "AT_TIMESTAMP":
                return Start(StartKind.AT_TIMESTAMP, self._settings.start_at)
            case "LATEST":
                return Start(self._service.latest, listing.at)

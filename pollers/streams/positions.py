"""The stored positions of one mapping in its stream, or in the streams that its table had, moved by hand.

What may be stored is what the next opening believes: a position that a shard cannot hold would make it take the stream
for another one, and begin that at its beginning. So each position is looked at first (`core/lineage.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...config.errors import SourceMissing
from ...dispatch.core.model import Lane, Position
from ..checkpoints.store import BEGINNING, Checkpoint, CheckpointStore, Finished, Key, Place, Start, StartKind
from ..core.wish import Wish, WishKind
from ..positions import PositionRefused, as_plain
from .core.lineage import Shard, initial
from .service import Listing, StreamService


class StreamPositions:
    """A `LanePositions`."""

    def __init__(self, uuid: str, service: StreamService, store: CheckpointStore) -> None:
        self._uuid = uuid
        self._service = service
        self._store = store

    async def shown(self) -> list[dict[str, Any]]:
        found = [(source, await self._store.opened(self._uuid, source)) for source in await self._sources()]
        return [
            {"source": source, "shard": shard, **as_plain(stored)}
            for source, opened in found
            if opened
            for shard, stored in opened.lanes.items()
        ]

    async def put(self, lane: str, wish: Wish) -> None:
        if lane:
            await self._put_one(lane, wish)
        elif wish.kind is WishKind.POSITION:
            raise PositionRefused("a position is one of a shard: name the shard, too")
        else:
            await self._put_all(wish)

    async def remove(self) -> None:
        await self._store.remove(self._uuid)

    async def _sources(self) -> list[str]:
        return [each.source for each in await self._store.kept() if each.mapping == self._uuid]

    # --- all shards -------------------------------------------------------------------------------------------------

    async def _put_all(self, wish: Wish) -> None:
        """Each stream that is there; one that is gone has nothing to go on with."""
        newest = await self._service.list()
        for source in await self._sources():
            if source != newest.arn:
                await self._begin_over(source, wish)
        await self._store.restart(self._uuid, newest.arn, newest.created, self._starts(newest, wish))

    async def _begin_over(self, source: str, wish: Wish) -> None:
        try:
            listing = await self._service.list(source)
        except SourceMissing:
            await self._store.remove(self._uuid, source)
            return
        await self._store.restart(self._uuid, source, listing.created, self._starts(listing, wish))

    def _starts(self, listing: Listing, wish: Wish) -> Mapping[str, Start | Finished]:
        if wish.kind is WishKind.LATEST:
            return initial(listing.shards, self._start(listing, wish))
        return dict.fromkeys((shard.id for shard in listing.shards), self._start(listing, wish))

    def _start(self, listing: Listing, wish: Wish) -> Start:
        match wish.kind:
            case WishKind.LATEST:
                return Start(self._service.latest, listing.at)
            case WishKind.AT_TIMESTAMP:
                by_age = self._service.latest is StartKind.NEWER_THAN
                return Start(StartKind.NEWER_THAN if by_age else StartKind.AT_TIMESTAMP, wish.at)
            case _:
                return BEGINNING

    # --- one shard --------------------------------------------------------------------------------------------------

    async def _put_one(self, lane: str, wish: Wish) -> None:
        listing, shard = await self._listed(lane)
        key = Key(self._uuid, Lane(listing.arn, lane))
        place = self._place(listing, shard, wish)
        if isinstance(place, Position):
            await self._expect(listing, shard, place)
        if not await self._store.put(key, Checkpoint(place)):
            raise PositionRefused("the mapping has no positions yet: name no shard, or let it begin first")

    async def _expect(self, listing: Listing, shard: Shard, position: Position) -> None:
        probed = await self._service.probe(listing.arn, shard.id, position)
        if probed.number != position.number:
            raise PositionRefused(f"{shard.id} has no record with the sequence number {position.text}")

    async def _listed(self, lane: str) -> tuple[Listing, Shard]:
        """The shard, in the newest of the streams that has it."""
        newest = await self._service.list()
        listings = [newest]
        for source in reversed(await self._sources()):
            if source != newest.arn:
                try:
                    listings.append(await self._service.list(source))
                except SourceMissing:
                    continue
        found = [(listing, shard) for listing in listings for shard in listing.shards if shard.id == lane]
        if not found:
            known = ", ".join(shard.id for shard in newest.shards)
            raise PositionRefused(f"{self._service.name} has no shard {lane[:200]!r}; it has {known}")
        return found[0]

    def _place(self, listing: Listing, shard: Shard, wish: Wish) -> Place:
        if wish.kind is not WishKind.POSITION:
            return self._starts(Listing(listing.arn, listing.created, (shard,), listing.at), wish)[shard.id]
        position = Position(int(wish.number), wish.sub, wish.number)
        below = shard.first is not None and position.number < shard.first
        if below or (shard.last is not None and position.number > shard.last):
            span = f"from {shard.first} to {shard.last or 'its end'}"
            raise PositionRefused(f"{wish.number} is not a sequence number of {shard.id}, which has those {span}")
        return position

"""Records out of the events that documents hold: a source that needs nobody but them.

Each lane is read by one feed, in the order of its positions. A record that the function did not take, and that its kind
gives back (a message of a queue), is given again as often as it is said; then it counts as given back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf

import anyio
import anyio.lowlevel

from ...dispatch.core.model import FateKind, Lane, OpenWindow, Record, Settlement
from ...dispatch.core.pages import Records
from ..core.mark import Mark
from ..source import FetchResult, Owner

PAUSE = 0.05
"""Seconds between two looks whether something was given back."""


class PaperRoster:
    """The lanes that are not done."""

    def __init__(self, lanes: Iterable[str]) -> None:
        self._wanted = sorted(lanes)

    def wanted(self) -> list[str]:
        return self._wanted

    def done(self, lane: str) -> None:
        self._wanted = [each for each in self._wanted if each != lane]

    def polled(self, feed: str, fetched: FetchResult, now: float) -> None:
        """The lanes do not depend on it."""

    def took(self, feed: str, *, held: bool) -> None:
        """Nor on batches."""


class PaperSource:
    """A `Source` of these records."""

    lent = False
    patience = inf

    def __init__(self, records: Iterable[Record], again: int, given_up: Callable[[Record], None]) -> None:
        """`again`: how often a record is given again that was given back; then `given_up` is called."""
        self._lanes: dict[Lane, list[Record]] = {}
        for record in records:
            self._lanes.setdefault(record.lane, []).append(record)
        self._again = again
        self.given_up = given_up
        self.roster = PaperRoster(lane.shard for lane in self._lanes)

    async def open(self) -> PaperRoster:
        return self.roster

    async def watch(self, changed: Callable[[], None]) -> None:
        """Nothing comes to it; when it is empty, nobody needs to open it again."""
        await anyio.sleep_forever()

    async def reader(self, feed: str) -> PaperReader:
        lane = next(each for each in self._lanes if each.shard == feed)
        return PaperReader(self, lane, _in_order(self._lanes[lane]), self._again)

    async def empty(self) -> bool:
        return not self.roster.wanted()

    async def aclose(self) -> None:
        """Nothing to close."""


class PaperReader:
    """Gives the records of one lane, and ends when each has its fate."""

    window: OpenWindow | None = None

    def __init__(self, source: PaperSource, lane: Lane, records: Sequence[Record], again: int) -> None:
        self._source = source
        self.lane = lane
        self._left = list(records)
        self._undecided = 0
        self._again = again
        self._tries: dict[object, int] = {}

    def attach(self, owner: Owner) -> None:
        """Nobody takes its lane away."""

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        if not self._left and self._undecided:
            await anyio.sleep(PAUSE)
        given, self._left = self._left[:limit], self._left[limit:]
        self._undecided += len(given)
        await anyio.lowlevel.checkpoint()
        if given or self._undecided:
            return FetchResult(Records.of(given), full=bool(self._left))
        self._source.roster.done(self.lane.shard)
        return FetchResult(ended=(self.lane,))

    async def hold(self, records: Sequence[Record], until: float) -> float:
        return until

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        for settlement in settlements:
            self._undecided -= len(settlement.records)
            if settlement.fate.kind is FateKind.RETURNED:
                self._left += [each for record in settlement.records if (each := self._once_more(record)) is not None]
        return ()

    def _once_more(self, record: Record) -> Record | None:
        tries = self._tries[record.id] = self._tries.get(record.id, 0) + 1
        if tries > self._again:
            self._source.given_up(record)
            return None
        return Record(record.lane, record.id, record.item, record.arrived, key=record.key, element=record.body)

    async def release(self, records: Sequence[Record]) -> None:
        """Nothing was lent."""

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        """Documents are done as a whole, or are done again as a whole."""

    async def aclose(self) -> None:
        """Nothing to close."""


def _in_order(records: Sequence[Record]) -> list[Record]:
    """By position, each once; without positions as they stand."""
    if any(record.position is None for record in records):
        return list({record.id: record for record in records}.values())
    found = {(record.position.number, record.position.sub): record for record in records if record.position}
    return [found[each] for each in sorted(found)]

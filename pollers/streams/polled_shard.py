"""One shard's records by GetShardIterator and GetRecords, for Kinesis and DynamoDB Streams alike.

    place ──GetShardIterator──► iterator ──GetRecords──► records, next iterator ─┐
      ▲                            ▲                                            │
      │ expired, unknown, null     └────────────────────────────────────────────┘
      └── the place is always behind the last record that was read, so a new iterator loses and repeats nothing

Owns the iterator, the pace of the calls, and the shard's end. What differs between the services is `ShardCalls`; what
is wrong with the stream as a whole is for the engine, `source.py`, which looks at the listing after each failure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Any, Protocol

import anyio

from ...config.clock import Clock
from ...config.errors import SourceUnavailable
from ...dispatch.core.model import Position, Record
from ..checkpoints.store import BEGINNING, Start
from .core.lineage import Shard
from .service import Lost, Page

LISTING_FRESH_FOR = 1.0
"""Seconds for which a listing says whether a shard without a next iterator is closed."""
PACKED = 1_000
"""Records that one of the service's is taken for at first where each may hold many: asking for a page of them could
bring millions."""
FAILURES_TRUSTED = 3
"""Failures in a row after which the iterator itself is suspected: some servers do not report that they lost it."""


class Astray(SourceUnavailable):
    """The iterator leads nowhere (any more): derive another one."""


class Trimmed(Astray):
    """The stream does not have the records at this place any more."""


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often a shard may be asked, and for how much."""

    idle: float
    """Seconds from one call to the next while there is nothing new."""
    calls_per_second: int | None
    """In any second, whenever it begins; None for no limit."""
    bytes_per_second: float | None
    page: int
    """Records per call at most: the service's own limit."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of GetRecords."""

    records: Sequence[Mapping[str, Any]]
    iterator: str | None
    """The next one; None at the end of a closed shard, if the service is right."""
    behind: int | None = None
    """Milliseconds behind the newest record; None where the service does not tell."""
    size: int = 0
    """Bytes of data."""
    told: float | None = None
    """The service's clock when it answered; None where it does not tell."""


class ShardCalls(Protocol):
    """The calls about one shard. Every failure is a SourceUnavailable."""

    async def iterator(self, place: Start | Position) -> str:
        """An iterator for what comes after `place`; it may also give what is at it. Raises Trimmed."""
        ...

    async def get(self, iterator: str, limit: int) -> Reply:
        """Raises Astray, Trimmed."""
        ...

    def make(self, raw: Mapping[str, Any]) -> Sequence[Record]:
        """The records, each with its position, that one of the service's stands for."""
        ...

    async def look(self, fresh: float) -> Shard | None:
        """The shard as it is listed, by a listing that is at most `fresh` seconds old or says that it is closed; None
        when it is not listed."""
        ...


class PolledShard:
    """A `Pages`."""

    def __init__(
        self,
        calls: ShardCalls,
        place: Start | Position,
        cadence: Cadence,
        clock: Clock,
        *,
        rounding: int = 1,
        packed: bool = False,
    ) -> None:
        """`rounding`: seconds to which the service may round down the times of arrival. `packed`: `calls.make` may give
        many records for one."""
        self._calls = calls
        self._rounding = rounding
        self._packed = PACKED if packed else 1  # records that are in one of the service's, as far as we know
        self._page = cadence.page
        self._pace = ReadPace(cadence, clock)
        self._place = place  # where a new iterator begins
        self._read_to = place if isinstance(place, Position) else None
        self._since = place.at if isinstance(place, Start) else None  # until a record is surely newer
        self._iterator: str | None = None
        self._failures = 0  # since the last answer
        self._held: deque[Record] = deque()  # read, but more than was asked for
        self._lost: list[Lost] = []
        self._closed = False  # known before the call that is made next
        self._ended = False
        self._caught_up = False
        self._told: float | None = None  # the service's clock at the last answer, until a page has told it

    async def next(self, limit: int, until: float | None) -> Page:
        while not self._held and not self._ended:
            self._caught_up = False  # until the service says so again
            if not await self._pace.turn(until) or await self._read(limit):
                break
        return self._handed_out(limit)

    async def aclose(self) -> None:
        """Nothing to close: the client is shared."""

    def _handed_out(self, limit: int) -> Page:
        records = tuple(self._held.popleft() for _ in range(min(limit, len(self._held))))
        lost, self._lost = tuple(self._lost), []
        told, self._told = self._told, None
        left = bool(self._held)
        return Page(records, lost, self._ended and not left, self._caught_up and not left, told)

    # --- one call ---------------------------------------------------------------------------------------------------

    async def _read(self, limit: int) -> bool:
        """Ask once. False when it led nowhere and a new iterator may be tried at once."""
        asked = max(1, min(limit, self._page) // self._packed)
        try:
            reply = await self._ask(asked)
            records = [record for raw in reply.records for record in self._calls.make(raw)]
        except SourceUnavailable as error:
            if self._worth_another(error):
                return False
            raise
        self._failures = 0
        self._iterator, self._told = reply.iterator, reply.told
        if reply.records:
            self._packed = max(ceil(len(records) / len(reply.records)), self._packed // 2)
        moved = self._keep(records)
        self._pace.received(reply.size)
        up_to_date = not reply.records if reply.behind is None else reply.behind == 0
        self._caught_up = up_to_date and len(reply.records) < asked
        if not moved and (reply.iterator is None or not reply.records):
            await self._nothing_new(reply)
        return True

    def _worth_another(self, error: SourceUnavailable) -> bool:
        """After a failure, whether to ask again at once; else the feed rests first."""
        self._failures += 1
        if isinstance(error, Trimmed):
            self._go_to_horizon()
        if isinstance(error, Astray) or self._failures % FAILURES_TRUSTED == 0:
            self._iterator = None
        return isinstance(error, Astray) and self._failures == 1

    async def _ask(self, limit: int) -> Reply:
        if self._iterator is None:
            self._iterator = await self._calls.iterator(self._place)
        with self._pace:
            return await self._calls.get(self._iterator, limit)

    def _keep(self, records: Sequence[Record]) -> bool:
        """Hold what is new of an answer; whether that moved the place. A server may answer with the record at a
        position instead of those after it, or with records that are older than the moment it was asked for."""
        new = [record for record in records if self._read_to is None or _position(record) > self._read_to]
        if new:
            self._place = self._read_to = _position(new[-1])
        for record in new:
            if self._wanted(record):
                self._held.append(record)
        return bool(new)

    def _wanted(self, record: Record) -> bool:
        """Whether it is not older than where the shard starts. What comes after a newer one is newer, whatever it says
        of itself."""
        if self._since is None:
            return True
        if record.arrived >= self._since:
            self._since = None
            return True
        return not _older(record.arrived, self._since, self._rounding)

    def _go_to_horizon(self) -> None:
        place = self._place
        if place == BEGINNING and self._lost:
            return  # told already
        start = place.text or str(place.number) if isinstance(place, Position) else place.kind.value
        self._lost.append(Lost(start, "trim horizon", "trimmed by retention"))
        self._place = BEGINNING

    # --- the shard's end --------------------------------------------------------------------------------------------

    async def _nothing_new(self, reply: Reply) -> None:
        """Either the shard is idle or it has ended. It has only when it was known to be closed before this call was
        made: what came between the call and a later look would be lost. That it is closed is not enough either: some
        servers go on writing to a closed shard, whose iterators then never end."""
        if reply.iterator is None and self._closed:
            self._ended = True
            return
        if not reply.behind:
            self._pace.rest()
        if reply.iterator is None:
            await self._look()

    async def _look(self) -> None:
        shard = await self._calls.look(LISTING_FRESH_FOR)
        if shard is None:
            self._ended = True  # nobody can be asked any more
        elif shard.closed:
            self._closed = True
            self._pace.go_on()


def _position(record: Record) -> Position:
    assert record.position is not None
    return record.position


def _older(arrived: float, moment: float, rounding: int) -> bool:
    """Whether a record is surely older than a moment, although its arrival may be rounded down."""
    return arrived < (moment if arrived % rounding else moment - moment % rounding)


class ReadPace:
    """When the next call may be made. A call counts from its end, so that the service sees no second with more."""

    def __init__(self, cadence: Cadence, clock: Clock) -> None:
        self._cadence = cadence
        self._clock = clock
        self._ends: deque[float] = deque(maxlen=cadence.calls_per_second)
        self._began = -inf
        self._resting_to = -inf
        self._paid_at = -inf  # when the bytes so far have used up their time

    async def turn(self, until: float | None) -> bool:
        """Wait for it. False when `until` (monotonic) comes first; then it has come."""
        now = self._clock.monotonic()
        due = max(self._resting_to, self._paid_at, self._window_opens())
        if due <= now:
            return True
        waits = until is not None and until < due
        await anyio.sleep(max(0.0, (until if until is not None and waits else due) - now))
        return not waits

    def __enter__(self) -> None:
        self._began = self._clock.monotonic()

    def __exit__(self, *failure: object) -> None:
        if self._cadence.calls_per_second is not None:
            self._ends.append(self._clock.monotonic())

    def received(self, size: int) -> None:
        if self._cadence.bytes_per_second is not None:
            self._paid_at = self._began + size / self._cadence.bytes_per_second

    def rest(self) -> None:
        """There was nothing new."""
        self._resting_to = self._began + self._cadence.idle

    def go_on(self) -> None:
        """There is a reason not to rest."""
        self._resting_to = -inf

    def _window_opens(self) -> float:
        return self._ends[0] + 1.0 if len(self._ends) == self._ends.maxlen else -inf

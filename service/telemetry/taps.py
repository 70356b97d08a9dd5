"""The observer through which somebody looks at records as they get their fate. Costs nothing while nobody looks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio
import orjson

from ...dispatch.core.model import FateKind, Record, Settlement, encode
from ...dispatch.core.observer import Event, Filtered, Settled
from .core.tap import TapLines
from .core.tap_where import TextWhere, Unjudged, Where

EVERYWHERE = TextWhere()


@dataclass(frozen=True, slots=True)
class TapWish:
    """What somebody wants to see; empty for all."""

    mapping: str = ""
    fate: str = ""
    where: Where = EVERYWHERE
    payload: bool = False
    """Whether to show the record, too."""


class LineReading:
    """What one reader is to get, and when there is something."""

    def __init__(self) -> None:
        self._lines = TapLines()
        self._news = anyio.Event()

    @property
    def full(self) -> bool:
        return self._lines.full

    def put(self, line: bytes) -> None:
        self._lines.put(line)
        self._news.set()

    def miss(self, number: int) -> None:
        self._lines.miss(number)
        self._news.set()

    def pass_over(self, why: str) -> None:
        self._lines.pass_over(why)
        self._news.set()

    def take(self) -> bytes:
        """All that waits, with lines that say how much nobody could judge, and how much was missed."""
        self._news = anyio.Event()
        unjudged = self._lines.take_unjudged()
        lines, missed = self._lines.take()
        lines += [encode({"unjudged": number, "why": why}) + b"\n" for why, number in unjudged.items()]
        if missed:
            lines.append(encode({"missed": missed}) + b"\n")
        return b"".join(lines)

    async def read(self) -> AsyncIterator[bytes]:
        """Lines of JSON, as they come, for ever."""
        while True:
            await self._news.wait()
            yield self.take()


@dataclass(frozen=True, slots=True, eq=False)
class Tap:
    """One who looks."""

    wish: TapWish
    reading: LineReading = field(default_factory=LineReading)

    def see(self, mapping: str, settlement: Settlement, at: float) -> None:
        fate, wish = settlement.fate, self.wish
        if (wish.mapping and wish.mapping != mapping) or (wish.fate and wish.fate != fate.kind.value):
            return
        if self.reading.full:  # before a single record comes to life
            self.reading.miss(len(settlement.records))
        else:
            self._put(mapping, settlement, {"at": at})

    def _put(self, mapping: str, settlement: Settlement, about: dict[str, object]) -> None:
        fate, judge = settlement.fate, self.wish.where.judge_of(mapping)
        about["mapping"] = mapping
        about |= {"fate": fate.kind.value, "reason": fate.reason.value if fate.reason else ""}
        for index, record in enumerate(settlement.records):
            if self.reading.full:
                self.reading.miss(len(settlement.records) - index)
                break
            verdict = judge(record.body)
            if isinstance(verdict, Unjudged):
                self.reading.pass_over(verdict.why)
            elif verdict:
                self.reading.put(self._line(record, dict(about)))

    def _line(self, record: Record, about: dict[str, object]) -> bytes:
        about |= {"id": record.name, "lane": record.lane.shard or record.lane.source}
        if self.wish.payload:
            about["record"] = orjson.Fragment(record.body or b"{}")  # as it is: it may hold what orjson cannot read
        return encode(about) + b"\n"


REFUSED = FateKind.FILTERED.value


class Taps:
    """The observer. `now`: seconds since the epoch."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._open: list[Tap] = []

    @contextmanager
    def open(self, wish: TapWish) -> Iterator[Tap]:
        tap = Tap(wish)
        self._open.append(tap)
        try:
            yield tap
        finally:
            self._open.remove(tap)

    def observe(self, event: Event) -> None:
        if not self._open:
            return
        if isinstance(event, Filtered):
            self._write(event)
        if not isinstance(event, Settled):
            return
        at = self._now()
        for tap in self._open:
            for settlement in event.settlements:
                tap.see(event.mapping, settlement, at)

    def _write(self, event: Filtered) -> None:
        """What a filter refused is written nowhere, and its sheet lets go of it before it has its fate."""
        wishes = (tap.wish for tap in self._open)
        if any(wish.mapping in ("", event.mapping) and wish.fate in ("", REFUSED) for wish in wishes):
            for page in event.records.pages:
                page.write()

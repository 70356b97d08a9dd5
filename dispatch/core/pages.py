"""Records as they travel from a fetch to their fates: in pages, and not one by one. Pure.

    sheet    what one fetch gave of one lane, in order; its records have places 0, 1, 2, …
    page     some places of a sheet: what is filtered, queued, cut and settled as one
    records  pages in order: a batch, or what shares a fate

A single record comes to life (`Sheet.record`) when somebody asks for it: a function names it, a batch is cut at it, a
document tells of it. Where single records are all there is, `RecordSheet` holds them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from math import inf
from operator import attrgetter, lt
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from .model import Flaw, Lane, Position, Record

Places = Sequence[int]
"""A `range` where no filter took any out, else a tuple; always ascending."""


class Sheet(ABC):
    """The records that one fetch returned from one lane, in order. Each kind of source has its own, with its
    columns."""

    def __init__(self, lane: Lane, length: int) -> None:
        self.lane = lane
        self.bodies = [b""] * length
        """The records' elements of the event as JSON, made once and kept for retries and halves; empty before that."""
        self.flaws: Mapping[int, Flaw] = {}
        """The `Record.flaw` of each flawed place."""
        self._made: dict[int, Record] = {}

    def __len__(self) -> int:
        return len(self.bodies)

    @property
    @abstractmethod
    def ordered(self) -> bool:
        """Whether each position is beyond the one before it."""
        ...

    @abstractmethod
    def position(self, place: int) -> Position | None:
        """None where the source has no positions (SQS)."""
        ...

    @abstractmethod
    def arrived(self, place: int) -> float:
        """The `Record.arrived` of the record at a place."""
        ...

    @abstractmethod
    def key(self, place: int) -> str | None:
        """The `Record.key` of the record at a place."""
        ...

    @abstractmethod
    def item(self, place: int) -> Mapping[str, object]:
        """The record as it stands in the event. Not asked for after `seal`."""
        ...

    @abstractmethod
    def view(self, place: int) -> bytes | None:
        """The data as filters see them; None: as they stand in the item. Not asked for after `seal`."""
        ...

    @abstractmethod
    def seal(self) -> None:
        """The elements are written: drop the raw data."""
        ...

    @abstractmethod
    def _make(self, place: int) -> Record:
        """The record itself."""
        ...

    @abstractmethod
    def _write(self, places: Places) -> list[bytes]:
        """The elements of these places."""
        ...

    def held_until(self, places: Places) -> float:
        """The first moment at which the source takes one of these back; infinite where it never does."""
        return inf

    def record(self, place: int) -> Record:
        """The record itself; always the same object."""
        made = self._made.get(place)
        if made is None:
            made = self._made[place] = self._make(place)
        return made

    def living(self, places: Places) -> Iterable[Record]:
        """Those records of these places that exist as objects."""
        return filter(None, map(self._made.get, places)) if self._made else ()

    def name(self, place: int) -> str:
        """The `Record.name` of the record at a place."""
        return self.record(place).name

    def names(self, places: Places) -> Sequence[str]:
        """The `Record.name` of each record."""
        return [self.name(place) for place in places]

    def write(self, places: Places) -> None:
        """Make the elements of these places, unless they are there: all of a page are, or none."""
        if not places or self.bodies[places[0]]:
            return
        written = self._write(places)
        if isinstance(places, range):
            self.bodies[places.start : places.stop] = written
        else:
            for place, body in zip(places, written, strict=True):
                self.bodies[place] = body

    def let_go(self, places: Places) -> None:
        """These have their fate: of what they said nothing is kept."""
        if isinstance(places, range):
            self.bodies[places.start : places.stop] = [b""] * len(places)
        else:
            for place in places:
                self.bodies[place] = b""
        for record in self.living(places):
            record.let_go()


class RecordSheet(Sheet):
    """Records that came to life one by one: each is lent by itself, was decoded, or was taken out of an aggregate."""

    def __init__(self, records: Sequence[Record]) -> None:
        """At least one, all of one lane."""
        super().__init__(records[0].lane, len(records))
        self._records = records
        self.flaws = {place: each.flaw for place, each in enumerate(records) if each.flaw}

    @cached_property
    def ordered(self) -> bool:
        positions = [each.position for each in self._records]
        return all(map(lt, positions, positions[1:]))  # type: ignore[arg-type]

    def position(self, place: int) -> Position | None:
        return self._records[place].position

    def arrived(self, place: int) -> float:
        return self._records[place].arrived

    def key(self, place: int) -> str | None:
        return self._records[place].key

    def item(self, place: int) -> Mapping[str, object]:
        return self._records[place].item

    def view(self, place: int) -> bytes | None:
        return self._records[place].view

    def seal(self) -> None:
        for record in self._records:
            record.view = None

    def held_until(self, places: Places) -> float:
        return min((self._records[place].held_until for place in places), default=inf)

    def living(self, places: Places) -> Iterable[Record]:
        return (self._records[place] for place in places)

    def record(self, place: int) -> Record:
        return self._records[place]

    _make = record

    def _write(self, places: Places) -> list[bytes]:
        return [self._records[place].body for place in places]


class Page:
    """Some records of a sheet, in order."""

    __slots__ = ("places", "sheet")

    def __init__(self, sheet: Sheet, places: Places | None = None) -> None:
        """None: all of it."""
        self.sheet = sheet
        self.places = range(len(sheet)) if places is None else places

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Record]:
        return map(self.sheet.record, self.places)

    def part(self, start: int, stop: int | None = None) -> Page:
        """Records from one to another, as a slice is."""
        return Page(self.sheet, self.places[start:stop])

    @property
    def lane(self) -> Lane:
        return self.sheet.lane

    def write(self) -> None:
        """Make the records' elements of the event, unless they are there."""
        self.sheet.write(self.places)

    @property
    def bodies(self) -> Sequence[bytes]:
        """The records' elements of the event."""
        self.write()
        return self._written

    @property
    def size(self) -> int:
        """Bytes of those elements that are written."""
        return sum(map(len, self._written))

    @property
    def _written(self) -> Sequence[bytes]:
        places, bodies = self.places, self.sheet.bodies
        return bodies[places.start : places.stop] if isinstance(places, range) else [bodies[each] for each in places]

    def split(self, chosen: Callable[[Sheet, int], bool]) -> tuple[Page, Page]:
        """Those that are chosen, by their place, and those that are not."""
        yes = tuple(place for place in self.places if chosen(self.sheet, place))
        if len(yes) in (0, len(self.places)):
            rest = Page(self.sheet, ())
            return (self, rest) if yes else (rest, self)
        taken = set(yes)
        return Page(self.sheet, yes), Page(self.sheet, tuple(place for place in self.places if place not in taken))

    def runs(self, group: Callable[[int], int]) -> Iterator[tuple[int, Page]]:
        """Neighbours that have the same group, with it; `group` is asked for each place, in order."""
        start = 0
        for number, members in groupby(self.places, group):
            count = sum(1 for _ in members)
            yield number, self.part(start, start + count)
            start += count


class Records(Sequence["Record"]):
    """Records in order, as the pages that they lie in."""

    __slots__ = ("_length", "pages")

    def __init__(self, pages: Iterable[Page] = ()) -> None:
        self.pages = tuple(page for page in pages if page.places)
        self._length = sum(map(len, self.pages))

    @classmethod
    def of(cls, records: Iterable[Record]) -> Records:
        """The records as pages of their lanes, in their order."""
        runs = groupby(records, attrgetter("lane"))
        return cls(Page(RecordSheet(tuple(members))) for _, members in runs)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Record]:
        for page in self.pages:
            yield from page

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Records: ...
    def __getitem__(self, index: int | slice) -> Record | Records:
        if isinstance(index, slice):
            start, stop, _ = index.indices(self._length)
            return self._between(start, stop)
        left = index if index >= 0 else index + self._length
        for page in self.pages:
            if 0 <= left < len(page):
                return page.sheet.record(page.places[left])
            left -= len(page)
        raise IndexError(index)

    def _between(self, start: int, stop: int) -> Records:
        parts: list[Page] = []
        for page in self.pages:
            if stop > 0 and start < len(page):
                parts.append(page if start <= 0 and stop >= len(page) else page.part(max(0, start), stop))
            start, stop = start - len(page), stop - len(page)
        return Records(parts)

    def __add__(self, other: Records) -> Records:
        return Records(self.pages + other.pages)

    def __eq__(self, other: object) -> bool:
        """The same records: a record is the same as no other one."""
        if not isinstance(other, Records):
            return NotImplemented
        return self._length == other._length and all(map(lambda one, two: one is two, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Records({', '.join(record.name for record in self)})"

    # --- without making a record ------------------------------------------------------------------------------------

    @property
    def bodies(self) -> list[bytes]:
        """Their elements of the event."""
        return [body for page in self.pages for body in page.bodies]

    @property
    def names(self) -> list[str]:
        """The `Record.name` of each record."""
        return [name for page in self.pages for name in page.sheet.names(page.places)]

    @property
    def ends(self) -> tuple[str, str, int]:
        """The names of the first and the last, and how many there are: tells a batch from others of its mapping."""
        if not self.pages:
            return "", "", 0
        first, last = self.pages[0], self.pages[-1]
        return first.sheet.name(first.places[0]), last.sheet.name(last.places[-1]), self._length

    @property
    def living(self) -> Iterator[Record]:
        """Those of them that exist as objects."""
        return (record for page in self.pages for record in page.sheet.living(page.places))

    @property
    def lanes(self) -> frozenset[Lane]:
        return frozenset(page.lane for page in self.pages)

    @property
    def held_until(self) -> float:
        """The earliest `Sheet.held_until` of all pages."""
        return min((page.sheet.held_until(page.places) for page in self.pages), default=inf)

    @property
    def arrivals(self) -> Iterator[float]:
        """When each arrived."""
        return (page.sheet.arrived(place) for page in self.pages for place in page.places)

    @property
    def last(self) -> Position | None:
        """Where the last of them is; None where there is none, or no positions."""
        return self.pages[-1].sheet.position(self.pages[-1].places[-1]) if self.pages else None

    @property
    def last_arrived(self) -> float:
        """When the last of them arrived; there must be one."""
        return self.pages[-1].sheet.arrived(self.pages[-1].places[-1])

    def after(self, position: Position) -> Records:
        """Those that are beyond a position. Of a source that has positions."""
        return Records(_after(page, position) for page in self.pages)

    def by_lane(self, chosen: Callable[[Lane], bool]) -> tuple[Records, Records]:
        """Those whose lane is chosen, and those whose lane is not."""
        if not any(chosen(page.lane) for page in self.pages):
            return NONE, self
        yes = Records(page for page in self.pages if chosen(page.lane))
        return yes, Records(page for page in self.pages if not chosen(page.lane))

    def by_place(self, chosen: Callable[[Sheet, int], bool]) -> tuple[Records, Records]:
        """Those that are chosen, by sheet and place, and those that are not."""
        halves = [page.split(chosen) for page in self.pages]
        return Records(yes for yes, _ in halves), Records(no for _, no in halves)

    def by_record(self, chosen: Callable[[Record], bool]) -> tuple[Records, Records]:
        """Those that are chosen, and those that are not. Brings each of them to life."""
        return self.by_place(lambda sheet, place: chosen(sheet.record(place)))


def _after(page: Page, position: Position) -> Page:
    sheet = page.sheet
    if sheet.ordered and sheet.position(page.places[0]) > position:  # type: ignore[operator]
        return page
    return page.split(lambda sheet, place: sheet.position(place) > position)[0]  # type: ignore[operator]


NONE = Records()

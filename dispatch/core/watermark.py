"""How far a lane is done when its records finish out of order: one Watermark per lane. Pure.

    places as added      0  1  2  3  4  5  6     of one sheet, or of several one after the other
    done                 x  x  .  x  .  x  .     mark = position of 1, blocker = 2, records = 5 (2…6), pending = 3

The mark is what may be committed: everything up to it is done. What is behind it is tracked, and its amount is capped:
the feed stops fetching while the watermark is `full`, so one stuck record bounds both memory and what is read again
after a crash. Records are counted by pages: a place of a sheet is one byte here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from .model import Position
from .pages import Page, Places, Sheet

UNKNOWN = b"\x00"
"""The place is not one of these, or was not added yet."""
OPEN = b"\x01"
"""Added and not done."""
DONE = b"\x02"


@dataclass(frozen=True, slots=True)
class Blocker:
    """The lowest position that is not done."""

    position: Position
    key: str | None


@dataclass(slots=True, eq=False)
class _Tracked:
    """A sheet of which something is not passed by the mark."""

    sheet: Sheet
    places: bytearray = field(init=False)
    front: int = 0
    """The mark is past all places before this one."""

    def __post_init__(self) -> None:
        self.places = bytearray(len(self.sheet))

    def set(self, places: Places, state: bytes) -> None:
        """Set the state of a page's places."""
        if isinstance(places, range):
            self.places[places.start : places.stop] = state * len(places)
        else:
            for place in places:
                self.places[place] = state[0]

    def open(self, places: Places) -> Places:
        """Those that were added and are not done: nearly always all."""
        if isinstance(places, range) and self.places.count(OPEN, places.start, places.stop) == len(places):
            return places
        return tuple(place for place in places if self.places[place] == OPEN[0])

    def pass_done(self) -> int | None:
        """Move to the first place that is open; the last that was passed by that, None for none."""
        blocker = self.places.find(OPEN, self.front)
        end = len(self.places) if blocker < 0 else blocker
        passed = self.places.rfind(DONE, self.front, end)
        if passed < 0:
            return None
        self.front = passed + 1
        return passed

    @property
    def left(self) -> int:
        """Places that the mark is not past."""
        return len(self.places) - self.front - self.places.count(UNKNOWN, self.front)


class Watermark:
    """The highest position up to which a lane is done, without a hole.

    `cap_records` bounds the records from the blocker on, done or not; `cap_bytes` bounds the bytes of those not done.
    """

    def __init__(self, cap_records: int, cap_bytes: int) -> None:
        self._cap_records = cap_records
        self._cap_bytes = cap_bytes
        self._tracked: deque[_Tracked] = deque()
        self._by_sheet: dict[Sheet, _Tracked] = {}
        self._pending = 0
        self._records = 0
        self._bytes = 0
        self._last: Position | None = None
        self._mark: Position | None = None

    def fresh(self, page: Page) -> Page:
        """Return the part of a page that is beyond all records that were added before. The rest is known already (a
        fetch was repeated); the caller drops it."""
        last = self._last
        if not page or (page.sheet.ordered and (last is None or _position(page.sheet, page.places[0]) > last)):
            return page
        places: list[int] = []
        for place in page.places:
            position = _position(page.sheet, place)
            if last is None or position > last:
                last = position
                places.append(place)
        return Page(page.sheet, tuple(places))

    def add(self, page: Page) -> None:
        """Records were fetched, and are all `fresh`. What is written of them is what they occupy here."""
        if not page:
            return
        self._last = _position(page.sheet, page.places[-1])
        tracked = self._tracked[-1] if self._tracked else None
        if tracked is None or tracked.sheet is not page.sheet:
            tracked = self._by_sheet[page.sheet] = _Tracked(page.sheet)
            self._tracked.append(tracked)
        tracked.set(page.places, OPEN)
        self._pending += len(page)
        self._records += len(page)
        self._bytes += page.size

    def done(self, page: Page) -> bool:
        """The records have their fate, and nobody wants to know more than that of them. True when the mark moved.
        Unknown and repeated ones change nothing."""
        tracked = self._by_sheet.get(page.sheet)
        if tracked is None:
            return False
        known = Page(page.sheet, tracked.open(page.places))
        tracked.set(known.places, DONE)
        self._pending -= len(known)
        self._bytes -= known.size
        page.sheet.let_go(known.places)
        before = self._mark
        self._pass_done()
        return self._mark is not before

    def _pass_done(self) -> None:
        while self._tracked:
            first = self._tracked[0]
            left = first.left
            passed = first.pass_done()
            if passed is not None:
                self._mark = _position(first.sheet, passed)
            self._records -= left - first.left
            if first.left:
                return
            self._tracked.popleft()
            del self._by_sheet[first.sheet]

    @property
    def mark(self) -> Position | None:
        """The highest position up to which all is done; None before the first."""
        return self._mark

    @property
    def full(self) -> bool:
        return self.records >= self._cap_records or self._bytes >= self._cap_bytes

    @property
    def blocker(self) -> Blocker | None:
        """The position that holds the mark; None when all are done."""
        if not self._tracked:
            return None
        first = self._tracked[0]
        place = first.places.find(OPEN, first.front)
        return Blocker(_position(first.sheet, place), first.sheet.key(place))

    @property
    def records(self) -> int:
        """Records from the blocker on."""
        return self._records

    @property
    def pending(self) -> int:
        """Records that are not done."""
        return self._pending

    @property
    def bytes(self) -> int:
        """Bytes of the records that are not done."""
        return self._bytes


def _position(sheet: Sheet, place: int) -> Position:
    position = sheet.position(place)
    assert position is not None
    return position

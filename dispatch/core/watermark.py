"""How far a lane is done when its records finish out of order: one Watermark per lane. Pure.

    positions as added   1  2  3  4  5  6  7
    done                 x  x  .  x  .  x  .        mark = 2, blocker = 3, records = 5 (3…7), pending = 3

The mark is what may be committed: everything up to it is done. What is behind it is tracked, and its amount is capped:
the feed stops fetching while the watermark is `full`, so one stuck record bounds both memory and what is read again
after a crash.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .model import Position


@dataclass(frozen=True, slots=True)
class Blocker:
    """The lowest position that is not done."""

    position: Position
    key: str | None


@dataclass(slots=True, eq=False)
class _Tracked:
    position: Position
    size: int
    key: str | None
    done: bool = False


class Watermark:
    """The highest position up to which a lane is done, without a hole.

    `cap_records` bounds the positions from the blocker on, done or not; `cap_bytes` bounds the bytes of those not done.
    """

    def __init__(self, cap_records: int, cap_bytes: int) -> None:
        self._cap_records = cap_records
        self._cap_bytes = cap_bytes
        self._tracked: deque[_Tracked] = deque()
        self._open: dict[Position, _Tracked] = {}
        self._bytes = 0
        self._last: Position | None = None
        self._mark: Position | None = None

    def add(self, position: Position, size: int, key: str | None = None) -> bool:
        """A record was fetched. False when its position is not beyond all added before: it is known already (a fetch
        was repeated), and its second copy is to be dropped."""
        if self._last is not None and position <= self._last:
            return False
        added = _Tracked(position, size, key)
        self._last = position
        self._tracked.append(added)
        self._open[position] = added
        self._bytes += size
        return True

    def done(self, position: Position) -> bool:
        """The record has its fate. True when the mark moved. Unknown and repeated positions change nothing."""
        found = self._open.pop(position, None)
        if found is None:
            return False
        found.done = True
        self._bytes -= found.size
        before = self._mark
        while self._tracked and self._tracked[0].done:
            self._mark = self._tracked.popleft().position
        return self._mark is not before

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
        return Blocker(self._tracked[0].position, self._tracked[0].key) if self._tracked else None

    @property
    def records(self) -> int:
        """Positions from the blocker on."""
        return len(self._tracked)

    @property
    def pending(self) -> int:
        """Positions that are not done."""
        return len(self._open)

    @property
    def bytes(self) -> int:
        """Bytes of the records that are not done."""
        return self._bytes

"""The memory of all feeds of a mapping together, limited however many shards there are: pure.

    begin_fetch ──► promise ──► (fetch) ──► keep │ take, for each record … give, when it is done

Used by `marks.py` for its feed.
"""

from __future__ import annotations

AROUND_A_RECORD = 1024
"""Bytes that a record occupies in addition to its text."""
UNKNOWN = 64 * 1024
"""The assumed bytes of a record before the first one came."""
SAMPLE = 64
"""The number of latest records whose size predicts the size of the next."""


class Pool:
    """The memory of all feeds of a mapping together, however many they are. When it is full, a feed that holds records
    waits, and a feed that holds none fetches at most one batch. In a feed of many lanes each lane does this by itself
    (`marks.py`). `cap`: bytes of memory, roughly."""

    def __init__(self, cap: int = 256 * 1024 * 1024) -> None:
        self._cap = cap
        self._feeds = 0
        self._bytes = 0
        self._promised = 0.0
        self._typical = float(UNKNOWN)

    def join(self) -> None:
        self._feeds += 1

    def leave(self) -> None:
        self._feeds -= 1

    def take(self, size: int, records: int) -> None:
        """So many records were fetched, at least one, which occupy so much together."""
        self._bytes += size
        self._typical += (size / records - self._typical) * (1 - (1 - 1 / SAMPLE) ** records)

    def give(self, size: int) -> None:
        self._bytes -= size

    @property
    def full(self) -> bool:
        return self.filled(1.0)

    def filled(self, part: float) -> bool:
        """Whether such a part of it is taken."""
        return self._bytes >= part * self._cap

    def promise(self, most: int, batch: int) -> tuple[int, float]:
        """How many records a feed may fetch, of `most` that it would: such a part of what is left that every feed may
        do so at the same time, but at least a batch. And the bytes that are set aside for them, until they came."""
        share = (self._cap - self._bytes - self._promised) / (self._typical * max(1, self._feeds))
        records = min(most, max(batch, int(share), 1))
        self._promised += records * self._typical
        return records, records * self._typical

    def keep(self, promised: float) -> None:
        """The promised records came, or will not come."""
        self._promised -= promised


def weight(records: int, text: int) -> int:
    """Bytes of memory: each record is there as it came, and as the function gets it."""
    return records * AROUND_A_RECORD + 2 * text

"""Lines for somebody who looks at records as they pass, and reads as fast as they like: pure.

    settled ──► TapLines ──take──► the reader

A reader that is slow loses lines, and is told how many; the pipe never waits.
"""

from __future__ import annotations

from collections import deque

MOST_LINES = 2000
MOST_BYTES = 4 * 1024 * 1024


class TapLines:
    """What waits for one reader."""

    def __init__(self, most_lines: int = MOST_LINES, most_bytes: int = MOST_BYTES) -> None:
        self._most = (most_lines, most_bytes)
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._missed = 0
        self._unjudged: dict[str, int] = {}

    def put(self, line: bytes) -> None:
        """A line that is too much is missed, and so is all behind it until the reader took what waits."""
        lines, size = self._most
        if self._missed or len(self._lines) >= lines or self._bytes + len(line) > size:
            self._missed += 1
            return
        self._lines.append(line)
        self._bytes += len(line)

    @property
    def full(self) -> bool:
        """Whether the next line would be missed whatever it is: nobody needs to make it."""
        return bool(self._missed) or len(self._lines) >= self._most[0]

    def miss(self, number: int) -> None:
        """So many lines were not even made."""
        self._missed += number

    def pass_over(self, why: str) -> None:
        """Nobody can say whether this record is wanted."""
        self._unjudged[why] = self._unjudged.get(why, 0) + 1

    def take_unjudged(self) -> dict[str, int]:
        """Why nobody could judge some records, and how many."""
        taken, self._unjudged = self._unjudged, {}
        return taken

    def take(self) -> tuple[list[bytes], int]:
        """All that waits, and how many lines were missed behind it."""
        taken, missed = list(self._lines), self._missed
        self._lines.clear()
        self._bytes = self._missed = 0
        return taken, missed

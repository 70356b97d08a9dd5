"""What functions and peers write when they have taken records, so that the end of a run is known to the microsecond.

`benchmarks/functions/journal.py` has the function. A line is the machine's monotonic clock and a number of records.
"""

from __future__ import annotations

import time
from pathlib import Path


class Journal:
    """A file that is read while others append to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.lines = 0
        """Invocations."""
        self.first = 0.0
        """When the first record was taken, and when the last so far."""
        self.last = 0.0
        path.touch()
        self._file = path.open()
        self._rest = ""

    def begin(self) -> None:
        """Count anew."""
        self.read()
        self.count, self.lines, self.first, self.last = 0, 0, 0.0, 0.0

    def read(self) -> int:
        """The records since `begin`."""
        text = self._rest + self._file.read()
        *lines, self._rest = text.split("\n")
        for line in lines:
            moment, count = line.split()
            self.count += int(count)
            self.lines += 1
            self.last = max(self.last, float(moment))
            self.first = self.first or self.last
        return self.count

    def wait(self, count: int, what: str, seconds: float = 180.0) -> float:
        """When that many records had been taken. Raises TimeoutError, when none came for a quarter of `seconds` too."""
        end, seen, moved = time.monotonic() + seconds, 0, time.monotonic()
        while self.read() < count:
            now = time.monotonic()
            if self.count > seen:
                seen, moved = self.count, now
            if now > end or now - moved > seconds / 4:
                raise TimeoutError(f"{what}: {self.count} of {count} records came")
            time.sleep(0.01)
        return self.last

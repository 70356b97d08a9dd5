"""Whether the first records of a mapping were all refused by its filters. Pure."""

from __future__ import annotations

ENOUGH = 100
"""The number of refused records after which a line is logged."""


class FirstRecords:
    """Counts until the first record was kept, or enough were refused."""

    def __init__(self) -> None:
        self._fetched = self._refused = 0
        self.decided = False

    def fetched(self, number: int) -> None:
        self._fetched += number

    def refused(self, number: int) -> bool:
        """Whether enough records were fetched and all were refused. Returns True at most once."""
        self._refused += number
        if self.decided or self._refused < ENOUGH or self._refused < self._fetched:
            return False
        self.decided = True
        return True

    def kept(self) -> None:
        self.decided = True

"""The number of members of a mapping's consumer group: pure. `supervisor.py` starts or retires feeds accordingly."""

from __future__ import annotations

from ...source import FetchResult

GROW = 15.0
SHRINK = 60.0
"""Seconds that pollers must be behind for one more, or not for one less: each change assigns all partitions again."""


class Pollers:
    """The members of the group that this daemon wants: one more while they are behind, one less while they are not."""

    def __init__(self, bounds: tuple[int, int], now: float) -> None:
        """`bounds`: the fewest and the most. `now`: monotonic."""
        self._least, self._most = bounds
        self._count = self._least
        self._changed = self._behind = now
        self.partitions = 1

    def wanted(self) -> list[str]:
        return [f"poller-{number}" for number in range(1, max(1, min(self._count, self.partitions)) + 1)]

    def took(self, feed: str, *, held: bool) -> None:
        """Batches do not matter here: members have partitions."""

    def polled(self, feed: str, fetched: FetchResult, now: float) -> None:
        if fetched.full or fetched.passed_over:
            self._behind = now
        if fetched.full:
            if self._count < min(self._most, self.partitions) and now >= self._changed + GROW:
                self._count, self._changed = self._count + 1, now
        elif self._count > self._least and now >= max(self._changed, self._behind) + SHRINK:
            self._count, self._changed = self._count - 1, now

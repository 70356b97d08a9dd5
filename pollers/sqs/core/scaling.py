"""The number of a mapping's SQS receivers: pure. `supervisor.py` starts or retires feeds accordingly.

Each receiver has at most one batch in flight, so the most receivers there may be are the most batches in flight too:
the mapping's MaximumConcurrency, else the function's concurrency, else 5 (AWS's starting number).
"""

from __future__ import annotations

from collections import deque

from ...source import FetchResult, Roster

EMPTY_POLLS_TO_RETIRE = 3


def receivers(limit: int, least: int, *, windowed: bool) -> Roster:
    """The roster of a queue: at most `limit` receivers, and `least` while nothing comes."""
    return TurnReceivers(limit, least) if windowed else ElasticReceivers(limit, least)


class ElasticReceivers:
    """Without a batching window: the fewest receivers while idle, one more after each full receive, one less after
    three empty polls in a row."""

    def __init__(self, limit: int, least: int = 1) -> None:
        self._limit = max(1, limit)
        self._least = max(1, min(least, self._limit))
        self._count = self._least
        self._empty = 0

    def wanted(self) -> list[str]:
        return [f"receiver-{number}" for number in range(1, self._count + 1)]

    def polled(self, feed: str, fetched: FetchResult, now: float) -> None:
        if fetched.records:
            self._empty = 0
        if fetched.full:
            self._count = min(self._limit, self._count + 1)
        elif not fetched.records:
            self._empty += 1
            if self._empty >= EMPTY_POLLS_TO_RETIRE:
                self._empty = 0
                self._count = max(self._least, self._count - 1)

    def took(self, feed: str, *, held: bool) -> None:
        """A receive is a batch here."""


class TurnReceivers:
    """With a batching window: `least` receivers gather a batch, the others have one in flight. A receiver with a
    complete batch stops receiving, and the next one begins. So a backlog gives full batches, as many at a time as
    allowed, and a trickle gives one batch a window. If several gathered, they would share the messages, and each would
    end its window with a part of a batch.
    """

    def __init__(self, limit: int, least: int = 1) -> None:
        names = [f"receiver-{number}" for number in range(1, max(1, limit) + 1)]
        self._least = max(1, min(least, len(names)))
        self._gathering = names[: self._least]
        self._free = deque(names[self._least :])
        """Those whose turn was longest ago first: their batch is the likeliest to be done."""

    def wanted(self) -> list[str]:
        return list(self._gathering)

    def polled(self, feed: str, fetched: FetchResult, now: float) -> None:
        """The number of gathering receivers does not depend on the messages."""

    def took(self, feed: str, *, held: bool) -> None:
        if feed not in self._gathering:
            return  # it was retired, and delivers what it had
        if not held:
            self._gathering.remove(feed)
            self._free.append(feed)
        if self._free and (held or len(self._gathering) < self._least):
            self._gathering.append(self._free.popleft())

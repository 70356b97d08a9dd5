"""How many SQS receivers a mapping has: pure. `supervisor.py` asks and starts or retires feeds accordingly."""

from __future__ import annotations

from ...source import FetchResult

EMPTY_POLLS_TO_RETIRE = 3


class ElasticReceivers:
    """The fewest receivers while idle, one more after each full receive, one less after three empty polls in a row.

    `limit` is the mapping's MaximumConcurrency, else the function's concurrency, else 5 (AWS's starting number): each
    receiver has at most one batch in flight, so the limit caps the mapping's concurrency as well.
    """

    def __init__(self, limit: int, least: int = 1) -> None:
        """`least` are there while nothing comes."""
        self._limit = max(1, limit)
        self._least = max(1, min(least, self._limit))
        self._count = self._least
        self._empty = 0

    def wanted(self) -> list[str]:
        return [f"receiver-{number}" for number in range(1, self._count + 1)]

    def polled(self, feed: str, fetched: FetchResult) -> None:
        if fetched.records:
            self._empty = 0
        if fetched.full:
            self._count = min(self._limit, self._count + 1)
        elif not fetched.records:
            self._empty += 1
            if self._empty >= EMPTY_POLLS_TO_RETIRE:
                self._empty = 0
                self._count = max(self._least, self._count - 1)

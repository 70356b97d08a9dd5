"""Spans that wait to be exported: bounded, the oldest dropped first, each counted. Pure; not for several threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

S = TypeVar("S")

LIMIT = 2048
"""Spans that wait, as in OpenTelemetry's own processor."""
BATCH = 512
"""Spans of one request."""


class SpanBacklog(Generic[S]):
    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._waiting: deque[S] = deque()
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, span: S) -> None:
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(span)

    def take(self, most: int = BATCH) -> Sequence[S]:
        """The oldest ones, for one request."""
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def give_up(self) -> None:
        """Nobody will export what waits."""
        self._dropped += len(self._waiting)
        self._waiting.clear()

    def dropped(self) -> int:
        """How many were dropped since this was asked for last."""
        dropped, self._dropped = self._dropped, 0
        return dropped

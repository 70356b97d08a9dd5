"""Lines of functions that wait for CloudWatch Logs: limited in bytes, in batches that PutLogEvents accepts. Pure.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import NamedTuple

EVENT_BYTES = 26
"""Bytes that each event counts in addition to its text."""
BATCH_BYTES = 1_048_576
BATCH_EVENTS = 10_000
BATCH_SPAN = 24 * 3600 * 1000
"""Milliseconds between the first and the last event of a batch."""
TEXT_BYTES = 256 * 1024
"""Maximum bytes of one event's text; longer text is cut."""


class LogPlace(NamedTuple):
    group: str
    stream: str


@dataclass(frozen=True, slots=True)
class LogLine:
    number: int
    """In the order of arrival, over all places."""
    at: int
    """Milliseconds since the epoch."""
    text: str
    size: int
    """Bytes, as a batch counts them."""


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Lines of one place, in order."""

    place: LogPlace
    lines: tuple[LogLine, ...]

    @property
    def size(self) -> int:
        return sum(line.size for line in self.lines)


class Backlog:
    """`limit` in bytes, including batches in flight."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: dict[LogPlace, deque[LogLine]] = {}
        self._heads: list[tuple[int, LogPlace]] = []
        """A heap of the first line of each place, with some outdated entries: adding a line must not cost time for each
        place."""
        self._number = 0
        self.size = 0
        """Bytes of all waiting lines and lines in flight."""
        self._dropped: Counter[str] = Counter()

    def __bool__(self) -> bool:
        """Whether a line waits."""
        return bool(self._waiting)

    def add(self, place: LogPlace, at: int, text: str) -> None:
        """Add a line; older lines are dropped at the limit."""
        encoded = f"{text}\n".encode("utf-8", "replace")[:TEXT_BYTES]
        self._number += 1
        line = LogLine(self._number, at, encoded.decode("utf-8", "ignore"), len(encoded) + EVENT_BYTES)
        waiting = self._waiting.setdefault(place, deque())
        if waiting and waiting[-1].at > at:
            line = replace(line, at=waiting[-1].at)  # the clock went back, but lines keep their order
        waiting.append(line)
        if len(waiting) == 1:
            heapq.heappush(self._heads, (line.number, place))
        self.size += line.size
        self._make_room()

    def take(self) -> LogBatch | None:
        """A batch of the place whose oldest line waits for longest, as large as one call allows. It is in flight until
        it is `done` or `put_back`."""
        if not self._waiting:
            return None
        place = self._oldest()
        waiting, lines, size = self._waiting[place], list[LogLine](), 0
        while waiting and len(lines) < BATCH_EVENTS:
            line = waiting[0]
            if lines and (size + line.size > BATCH_BYTES or line.at - lines[0].at >= BATCH_SPAN):
                break
            lines.append(waiting.popleft())
            size += line.size
        self._tidy(place)
        return LogBatch(place, tuple(lines))

    def done(self, batch: LogBatch) -> None:
        """The batch was sent, or dropped for good."""
        self.size -= batch.size

    def put_back(self, batch: LogBatch) -> None:
        self._waiting.setdefault(batch.place, deque()).extendleft(reversed(batch.lines))
        heapq.heappush(self._heads, (batch.lines[0].number, batch.place))
        if len(self._heads) > 2 * len(self._waiting):  # outdated entries, while nothing can be sent
            self._heads = [(waiting[0].number, place) for place, waiting in self._waiting.items()]
            heapq.heapify(self._heads)
        self._make_room()

    def give_up(self) -> None:
        """Drop all waiting lines."""
        for place, waiting in self._waiting.items():
            self._dropped[place.group] += len(waiting)
            self.size -= sum(line.size for line in waiting)
        self._waiting.clear()
        self._heads.clear()

    def dropped(self) -> dict[str, int]:
        """Lines dropped since the last call, by group."""
        dropped, self._dropped = dict(self._dropped), Counter()
        return dropped

    def _make_room(self) -> None:
        while self.size > self._limit and self._waiting:
            place = self._oldest()
            line = self._waiting[place].popleft()
            self.size -= line.size
            self._dropped[place.group] += 1
            self._tidy(place)

    def _oldest(self) -> LogPlace:
        while True:
            number, place = self._heads[0]
            if place in self._waiting and self._waiting[place][0].number == number:
                return place
            heapq.heappop(self._heads)

    def _tidy(self, place: LogPlace) -> None:
        """After lines of it went."""
        if not self._waiting[place]:
            del self._waiting[place]
        else:
            heapq.heappush(self._heads, (self._waiting[place][0].number, place))

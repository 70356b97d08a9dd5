"""Lines that wait to be written, bounded in bytes: pure.

Where there is no room, the oldest line of a function goes; a line of the daemon's own goes only where no function's is
left. What went is counted, and said before the lines that follow.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

AROUND_A_LINE = 160
"""Bytes of memory that a line takes beside its text."""


@dataclass(frozen=True, slots=True)
class LineCounts:
    """How many lines, by who said them."""

    functions: int = 0
    own: int = 0

    def __add__(self, other: LineCounts) -> LineCounts:
        return LineCounts(self.functions + other.functions, self.own + other.own)

    def __bool__(self) -> bool:
        return self.functions > 0 or self.own > 0


@dataclass(frozen=True, slots=True)
class LineChunk:
    """What is written at once."""

    text: bytes
    lines: LineCounts


class LineBacklog:
    """`limit` in bytes of memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._functions: deque[tuple[int, bytes]] = deque()
        self._own: deque[tuple[int, bytes]] = deque()
        self._number = 0
        self._dropped = LineCounts()
        self.size = 0
        """Bytes of memory."""

    def __bool__(self) -> bool:
        """Whether a line waits."""
        return bool(self._functions or self._own)

    def add(self, line: bytes, *, of_function: bool) -> None:
        """A line with its end; others, or this one, are dropped where there is no room for all."""
        self._number += 1
        (self._functions if of_function else self._own).append((self._number, line))
        self.size += len(line) + AROUND_A_LINE
        while self.size > self._limit:
            self._drop_one()

    def take(self, most: int) -> LineChunk:
        """The next lines in the order in which they came: so many bytes, or one line that is longer."""
        texts: list[bytes] = []
        size = functions = 0
        while (queue := self._next()) is not None and (not texts or size + len(queue[0][1]) <= most):
            text = self._pop(queue)
            texts.append(text)
            size += len(text)
            functions += queue is self._functions
        return LineChunk(b"".join(texts), LineCounts(functions, len(texts) - functions))

    def lost(self, lines: LineCounts) -> None:
        """These were taken and could not be written."""
        self._dropped += lines

    def dropped(self) -> LineCounts:
        """What was dropped since this was asked last."""
        dropped, self._dropped = self._dropped, LineCounts()
        return dropped

    def _next(self) -> deque[tuple[int, bytes]] | None:
        waiting = [queue for queue in (self._functions, self._own) if queue]
        return min(waiting, key=lambda queue: queue[0][0], default=None)

    def _drop_one(self) -> None:
        queue = self._functions or self._own
        self._pop(queue)
        functions = int(queue is self._functions)
        self._dropped += LineCounts(functions, 1 - functions)

    def _pop(self, queue: deque[tuple[int, bytes]]) -> bytes:
        _, line = queue.popleft()
        self.size -= len(line) + AROUND_A_LINE
        return line

"""Lines that wait to be written, limited in bytes: pure.

At the limit, the oldest line of a function is dropped; a line of the daemon's own only when no function's line is
left. Dropped lines are counted, and a line reports the number before the following lines.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

AROUND_A_LINE = 160
"""Bytes of memory of a line in addition to its text."""


@dataclass(frozen=True, slots=True)
class LineCounts:
    """Numbers of lines, by origin."""

    functions: int = 0
    own: int = 0

    def __add__(self, other: LineCounts) -> LineCounts:
        return LineCounts(self.functions + other.functions, self.own + other.own)

    def __bool__(self) -> bool:
        return self.functions > 0 or self.own > 0


@dataclass(frozen=True, slots=True)
class LineChunk:
    """Lines that are written together."""

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
        """Add a line with its newline; at the limit, other lines or this one are dropped."""
        self._number += 1
        (self._functions if of_function else self._own).append((self._number, line))
        self.size += len(line) + AROUND_A_LINE
        while self.size > self._limit:
            self._drop_one()

    def take(self, most: int) -> LineChunk:
        """The next lines in their order: at most this many bytes, or one longer line."""
        texts: list[bytes] = []
        size = functions = 0
        while (queue := self._next()) is not None and (not texts or size + len(queue[0][1]) <= most):
            text = self._pop(queue)
            texts.append(text)
            size += len(text)
            functions += queue is self._functions
        return LineChunk(b"".join(texts), LineCounts(functions, len(texts) - functions))

    def lost(self, lines: LineCounts) -> None:
        """Count these lines as dropped: they could not be written."""
        self._dropped += lines

    def dropped(self) -> LineCounts:
        """The lines dropped since the last call."""
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

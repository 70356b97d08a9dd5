"""A function's output as lines, within a budget. Pure.

A line that is longer than an event of CloudWatch Logs allows is cut; lines beyond the budget are dropped and counted.
"""

from __future__ import annotations

from .....config.fields.spoken import counted
from ....core.token_bucket import TokenBucket

LINE_LIMIT = 256 * 1024
"""Bytes of one line, as in CloudWatch Logs; the rest of a longer one is cut."""


class LineBudget:
    """Maximum lines and bytes per second, with a reserve of one second for bursts. Pure."""

    def __init__(self, lines_per_second: float = 2_000, bytes_per_second: float = 1_000_000) -> None:
        self._lines = TokenBucket(lines_per_second, lines_per_second)
        self._bytes = TokenBucket(bytes_per_second, bytes_per_second)

    def allows(self, lines: int, size: int, now: float) -> bool:
        """Whether so much may pass now; it is taken from the reserve if so."""
        if lines > self._lines.level(now) or size > self._bytes.level(now):
            return False
        self._lines.take(lines)
        self._bytes.take(size)
        return True


class OutputLines:
    """Bytes into lines. Pure: `feed` returns the lines that are complete."""

    def __init__(self, budget: LineBudget) -> None:
        self._budget = budget
        self._rest = bytearray()
        self._cut = False
        self._dropped = 0

    def feed(self, data: bytes, now: float) -> list[str]:
        count = data.count(b"\n")
        if not self._budget.allows(count, len(data), now):
            self._drop(data, count)
            return []
        said = self._say_dropped()
        *whole, rest = (bytes(self._rest) + data).split(b"\n")
        if self._cut and whole:  # the end of a line whose beginning was passed on or dropped
            whole, self._cut = whole[1:], False
        self._rest = bytearray(rest)
        lines = [*said, *(self._text(line) for line in whole)]
        if len(self._rest) > LINE_LIMIT and not self._cut:
            lines.append(self._text(bytes(self._rest)))
            self._cut = True
        if self._cut:
            self._rest.clear()
        return lines

    def finish(self) -> list[str]:
        """Return the rest when the writer is gone."""
        rest = [self._text(bytes(self._rest))] if self._rest and not self._cut else []
        self._rest.clear()
        return [*self._say_dropped(), *rest]

    def _drop(self, data: bytes, count: int) -> None:
        self._dropped += count
        self._cut = not data.endswith(b"\n")
        self._rest.clear()

    def _say_dropped(self) -> list[str]:
        dropped, self._dropped = self._dropped, 0
        return (
            [f"[Headrace dropped {counted(dropped, 'line')}: the function writes faster than can be logged]"]
            if dropped
            else []
        )

    @staticmethod
    def _text(line: bytes) -> str:
        return line[:LINE_LIMIT].decode("utf-8", "replace")

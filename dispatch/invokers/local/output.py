"""What a function writes, as lines. Reads a pipe in small slices and keeps to a budget, so that a function which prints
without end costs the others nothing; what is over the budget is counted and said.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass

SLICE = 64 * 1024
"""Bytes read per turn of the event loop."""
LINE_LIMIT = 256 * 1024
"""Bytes of one line, as in CloudWatch Logs; the rest of a longer one is cut."""
DRAIN_LIMIT = 1024 * 1024
"""Bytes that are read at once when an invocation ends, so that its lines stand before its END."""


@dataclass(slots=True)
class Budget:
    """Lines and bytes per second that are passed on, with a reserve for bursts. Pure."""

    lines_per_second: float = 2_000
    bytes_per_second: float = 1_000_000
    burst_seconds: float = 5.0
    _lines: float = 0.0
    _bytes: float = 0.0
    _at: float | None = None

    def allows(self, lines: int, size: int, now: float) -> bool:
        """Whether so much may pass now; it is taken from the reserve if so."""
        passed = self.burst_seconds if self._at is None else now - self._at
        self._at = now
        self._lines = min(self._lines + passed * self.lines_per_second, self.burst_seconds * self.lines_per_second)
        self._bytes = min(self._bytes + passed * self.bytes_per_second, self.burst_seconds * self.bytes_per_second)
        if lines > self._lines or size > self._bytes:
            return False
        self._lines -= lines
        self._bytes -= size
        return True


class Lines:
    """Bytes into lines. Pure: `feed` returns the lines that are complete."""

    def __init__(self, budget: Budget) -> None:
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
        """What is left when the writer is gone."""
        rest = [self._text(bytes(self._rest))] if self._rest and not self._cut else []
        self._rest.clear()
        return [*self._say_dropped(), *rest]

    def _drop(self, data: bytes, count: int) -> None:
        self._dropped += count
        self._cut = self._cut or bool(self._rest) or not data.endswith(b"\n")
        if data.endswith(b"\n"):
            self._cut = False
        self._rest.clear()

    def _say_dropped(self) -> list[str]:
        dropped, self._dropped = self._dropped, 0
        return [f"[Penstock dropped {dropped} lines: the function writes faster than can be logged]"] if dropped else []

    @staticmethod
    def _text(line: bytes) -> str:
        return line[:LINE_LIMIT].decode("utf-8", "replace")


class Output:
    """One pipe of one environment."""

    def __init__(self, write: Callable[[str], None], budget: Budget) -> None:
        self._write = write
        self._lines = Lines(budget)
        self._loop = asyncio.get_running_loop()
        self._fd, self.end = os.pipe()
        """`end` is what the writer gets; close it once the writer has it."""
        os.set_blocking(self._fd, False)
        self._loop.add_reader(self._fd, self._readable)
        self._open = True

    def drain(self) -> None:
        """Pass on what is in the pipe at this moment."""
        left = DRAIN_LIMIT
        while self._open and left > 0 and (taken := self._read()):
            left -= taken

    def close(self) -> None:
        """Read what is left, and let go."""
        self.drain()
        self._finish()

    def _readable(self) -> None:
        self._read()

    def _read(self) -> int:
        try:
            data = os.read(self._fd, SLICE)
        except BlockingIOError:
            return 0
        if not data:
            self._finish()
            return 0
        self._pass(self._lines.feed(data, self._loop.time()))
        return len(data)

    def _finish(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._pass(self._lines.finish())

    def _pass(self, lines: list[str]) -> None:
        for line in lines:
            self._write(line)

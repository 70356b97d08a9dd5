"""Reads a function's output from its pipes, so that a function that prints without end does not slow others.

Three limits: a few records per turn of the event loop; a budget of records and bytes per second (`core/lines.py`),
beyond which they are dropped, counted and said; and a rate of reading, beyond which the function waits for us.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Protocol

from anyio.lowlevel import checkpoint

SLICE = 64 * 1024
"""Bytes read at once."""
PIECE = 4 * 1024
"""Bytes that the budget is asked for at once."""
LINES_PER_TURN = 100
"""Lines after which the others get a turn of the event loop."""
DRAIN_LIMIT = 1024 * 1024
"""Bytes that are read at once when an invocation ends, so that its lines stand before its END."""
READ_WINDOW = 0.1
READ_PER_WINDOW = 6_400_000
"""Seconds, and bytes that are read in them: 64 MB/s."""


class Separator(Protocol):
    """Makes records of the bytes of one pipe: `OutputLines` for plain text, `Frames` for framed records."""

    def feed(self, data: bytes, now: float) -> list[str]: ...

    def finish(self) -> list[str]: ...


class FunctionOutput:
    """One pipe of one environment."""

    def __init__(self, write: Callable[[str], None], separator: Separator) -> None:
        self._write = write
        self._separator = separator
        self._loop = asyncio.get_running_loop()
        self._fd, self.end = os.pipe()
        """`end` is what the writer gets; close it once the writer has it."""
        self.start = self._fd
        os.set_blocking(self._fd, False)
        self._open = True
        self._data = b""
        self._at = 0
        """How far `_data` was passed on."""
        self._timer: asyncio.Handle | None = None
        """Set while the pipe is left alone: for a turn of the others, or for the rest of a window."""
        self._window_ends = 0.0
        self._window_read = 0
        self._loop.add_reader(self._fd, self._readable)

    @property
    def behind(self) -> bool:
        """Whether something was read that is not passed on yet."""
        return self._at < len(self._data)

    async def drain(self) -> None:
        """Pass on what is in the pipe at this moment."""
        left = DRAIN_LIMIT
        while left > 0:
            while self._some():
                await checkpoint()
            if not self._open:
                return
            self._data, self._at = self._read() or b"", 0
            if not self._data:
                return
            left -= len(self._data)

    async def close(self) -> None:
        """Read what is left, and let go."""
        await self.drain()
        self._finish()

    def _readable(self) -> None:
        data = self._read()
        if data:
            self._data, self._at = data, 0
            self._turn()

    def _turn(self) -> None:
        """Some lines now; the rest, and the pipe, after the others had theirs."""
        self._resume()
        if self._some():
            self._pause(self._loop.call_soon(self._turn))
        elif self._open and self._window_read > READ_PER_WINDOW:
            self._pause(self._loop.call_at(self._window_ends, self._resume))

    def _some(self) -> bool:
        """Pass on some lines of what was read; whether there are more."""
        passed = 0
        while self._at < len(self._data) and passed < LINES_PER_TURN:
            piece = self._data[self._at : self._at + PIECE]
            self._at += PIECE
            passed += self._pass(self._separator.feed(piece, self._loop.time()))
        return self.behind

    def _pause(self, timer: asyncio.Handle) -> None:
        self._timer = timer
        self._loop.remove_reader(self._fd)

    def _resume(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            if self._open:
                self._loop.add_reader(self._fd, self._readable)

    def _read(self) -> bytes | None:
        """Return the bytes that are there; None for nothing at the moment."""
        try:
            data = os.read(self._fd, SLICE)
        except BlockingIOError:
            return None
        now = self._loop.time()
        if now >= self._window_ends:
            self._window_ends, self._window_read = now + READ_WINDOW, 0
        self._window_read += len(data)
        if not data:
            self._finish()
        return data

    def _finish(self) -> None:
        if self._open:
            self._open = False
            if self._timer is not None:
                self._timer.cancel()
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._pass(self._separator.finish())

    def _pass(self, lines: list[str]) -> int:
        for line in lines:
            self._write(line)
        return len(lines)

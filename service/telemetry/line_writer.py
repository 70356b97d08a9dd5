"""Standard output and standard error, which nobody may be reading: a thread of their own waits for the reader, and the
event loop never does.

    put ──► backlog, bounded in bytes ──► the thread ──► the descriptor          full: dropped, counted, said later

Used by everything that writes a line while an event loop runs. What is left at the end is written within the time that
whoever ends it has.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TextIO

from .core.line_backlog import LineBacklog, LineChunk, LineCounts

LIMIT = 16 * 1024 * 1024
"""Bytes of memory that lines may wait in."""
CHUNK = 64 * 1024
"""Bytes that are written at once."""
LOOK_AGAIN = 1.0
"""Seconds after which a descriptor that takes nothing is tried again. It may be shared with a program that made it
non-blocking."""


STUCK = 1.0
"""Seconds after which a reader who took nothing is not waited for at the end."""


class Lines(Protocol):
    """Where lines go."""

    def put(self, line: str, *, of_function: bool = False) -> None: ...

    def flush(self, within: float | None) -> bool:
        """Wait for so many seconds (None: for as long as it takes) until all is written; whether it is."""
        ...


class StreamLines:
    """A stream of the program around us: each line is written at once. A reader that went away must not end anybody, so
    what cannot be written is dropped."""

    def __init__(self, stream: TextIO | None) -> None:
        """None: the descriptor was closed before we began."""
        self._stream = stream

    def put(self, line: str, *, of_function: bool = False) -> None:
        if self._stream is not None:
            with suppress(OSError, ValueError):
                self._stream.write(line + "\n")
                self._stream.flush()

    def flush(self, within: float | None) -> bool:
        return True


class LineWriter:
    """Lines of one stream. May be called from any thread."""

    def __init__(
        self, stream: TextIO, *, limit: int = LIMIT, remark: Callable[[LineCounts], str | None] | None = None
    ) -> None:
        """`remark` says how many lines were dropped, before the next ones are written: in a line of this stream, or
        elsewhere (None). It is called in the thread."""
        stream.flush()
        self._descriptor = stream.fileno()
        self._encoding = stream.encoding or "utf-8"
        self.is_terminal = stream.isatty()
        self.remark = remark
        self._backlog = LineBacklog(limit)
        self._changed = threading.Condition()
        self._writing = False
        self._written = 0
        """Chunks."""
        self._thread: threading.Thread | None = None

    def put(self, line: str, *, of_function: bool = False) -> None:
        """Write this line when the reader has room for it. Never waits."""
        text = f"{line}\n".encode(self._encoding, "backslashreplace")
        with self._changed:
            self._backlog.add(text, of_function=of_function)
            self._start()
            if not self._writing:
                self._changed.notify_all()

    def flush(self, within: float | None) -> bool:
        """Where the time is limited it ends earlier for a reader who takes nothing at all."""
        with self._changed:
            if within is None:
                return self._changed.wait_for(self._is_done)
            end, written = time.monotonic() + within, -1
            while not self._is_done() and written != self._written:
                written = self._written
                self._changed.wait_for(self._is_done, max(0.0, min(STUCK, end - time.monotonic())))
            return self._is_done()

    def _is_done(self) -> bool:
        return not self._backlog and not self._writing

    def _start(self) -> None:
        """Where there is nothing to write there is no thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
            self._thread.start()

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            chunk, dropped = self._taken()
            said = self.remark(dropped) if dropped and self.remark is not None else None
            text = f"{said}\n".encode(self._encoding, "backslashreplace") if said else b""
            written = self._write(text + chunk.text)
            with self._changed:
                self._writing = False
                self._written += 1
                if not written:
                    self._backlog.lost(chunk.lines + dropped if said else chunk.lines)
                self._changed.notify_all()

    def _taken(self) -> tuple[LineChunk, LineCounts]:
        with self._changed:
            self._changed.wait_for(lambda: self._backlog)
            self._writing = True
            return self._backlog.take(CHUNK), self._backlog.dropped()

    def _write(self, text: bytes) -> bool:
        """False where it cannot be: the reader went away, or the disk is full."""
        rest = memoryview(text)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                self._wait_writable()
            except OSError:
                return False
        return True

    def _wait_writable(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        poll.poll(LOOK_AGAIN * 1000)


def lines_of(stream: TextIO | None, remark: Callable[[LineCounts], str | None]) -> Lines:
    """The lines of standard output or standard error; None: it was closed before we began."""
    try:
        descriptor = stream.fileno() if stream is not None else None
    except (OSError, ValueError):  # a program around us put something of its own there
        descriptor = None
    if stream is None or descriptor is None:
        return StreamLines(stream)
    return LineWriter(stream, limit=LIMIT, remark=remark)

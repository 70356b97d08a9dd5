"""Writes standard output and standard error, whose reader may be slow: a thread waits for the reader, and the
event loop never does.

    put ──► backlog, limited in bytes ──► the thread ──► the descriptor          full: dropped, counted, reported later
                   ▲                          │
                   └───────── GATHER ─────────┘   the first line is written at once, those soon after it together

Used by all code that writes a line while an event loop runs. At the end the remaining lines are written within the time
that the caller gives.
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
"""Maximum bytes of memory for waiting lines."""
CHUNK = 64 * 1024
"""Bytes of one write."""
GATHER = 0.02
"""Seconds after a write in which lines are only gathered: to wake a thread costs more than to write a line."""
LOOK_AGAIN = 1.0
"""Seconds after which a full descriptor is tried again. The descriptor may be shared with a program that made it
non-blocking."""


STUCK = 1.0
"""At the end: seconds without progress of the reader after which the writer stops waiting."""


class Lines(Protocol):
    """A destination of lines."""

    def put(self, line: str, *, of_function: bool = False) -> None: ...

    def flush(self, within: float | None) -> bool:
        """Wait at most this many seconds (None: without limit) until all is written; returns whether it is."""
        ...


class StreamLines:
    """A stream of the embedding program: each line is written at once. A closed reader must not end the daemon, so
    lines that cannot be written are dropped."""

    def __init__(self, stream: TextIO | None) -> None:
        """None: the descriptor was closed before our start."""
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
        """`remark` reports how many lines were dropped, before the next lines are written: in a line of this stream, or
        elsewhere (None). It is called in the thread."""
        stream.flush()
        self._descriptor = stream.fileno()
        self._encoding = stream.encoding or "utf-8"
        self.is_terminal = stream.isatty()
        self.remark = remark
        self._backlog = LineBacklog(limit)
        self._changed = threading.Condition()
        self._writing = False
        self._gathering = False
        self._flushing = 0
        """Callers that wait until all is written."""
        self._written = 0
        """Chunks."""
        self._thread: threading.Thread | None = None

    def put(self, line: str, *, of_function: bool = False) -> None:
        """Write this line when the descriptor accepts it. Never waits."""
        text = f"{line}\n".encode(self._encoding, "backslashreplace")
        with self._changed:
            self._backlog.add(text, of_function=of_function)
            self._start()
            if not self._writing and not self._gathering:
                self._changed.notify_all()

    def flush(self, within: float | None) -> bool:
        """With a time limit, it ends earlier when the reader reads nothing."""
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            try:
                return self._flushed(within)
            finally:
                self._flushing -= 1

    def _flushed(self, within: float | None) -> bool:
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
        """Start the thread at the first line."""
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
                self._gather()

    def _gather(self) -> None:
        """Let lines come, unless somebody waits for them."""
        self._gathering = True
        self._changed.wait_for(lambda: self._flushing, GATHER)
        self._gathering = False

    def _taken(self) -> tuple[LineChunk, LineCounts]:
        with self._changed:
            self._changed.wait_for(lambda: self._backlog)
            self._writing = True
            return self._backlog.take(CHUNK), self._backlog.dropped()

    def _write(self, text: bytes) -> bool:
        """Write; False when it is impossible: the reader closed, or the disk is full."""
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
    """The lines of standard output or standard error; None: it was closed before our start."""
    try:
        descriptor = stream.fileno() if stream is not None else None
    except (OSError, ValueError):  # an embedding program replaced the stream
        descriptor = None
    if stream is None or descriptor is None:
        return StreamLines(stream)
    return LineWriter(stream, limit=LIMIT, remark=remark)

"""The end of an invocation's log, for Invoke with the log type Tail."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from ...dispatch.core.observer import Event, FunctionLog

TAIL = 4096
"""Bytes."""


class Tail:
    """The last lines of one log, in bounded memory."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._size = 0

    def add(self, line: str) -> None:
        """Add a line, with or without a newline at its end."""
        written = line.removesuffix("\n").encode("utf-8", "replace")[-TAIL:] + b"\n"
        self._lines.append(written)
        self._size += len(written)
        while self._size - len(self._lines[0]) >= TAIL:
            self._size -= len(self._lines.popleft())

    @property
    def text(self) -> bytes:
        return b"".join(self._lines)[-TAIL:]


class Tails:
    """The observer. Invocations without a tail cost nothing."""

    def __init__(self) -> None:
        self._wanted: dict[str, Tail] = {}

    def observe(self, event: Event) -> None:
        if isinstance(event, FunctionLog) and (tail := self._wanted.get(event.request_id)) is not None:
            tail.add(event.line)

    @contextmanager
    def of(self, request_id: str) -> Iterator[Tail]:
        """The tail of the lines with this request id while the body runs."""
        tail = self._wanted[request_id] = Tail()
        try:
            yield tail
        finally:
            del self._wanted[request_id]

"""The observer that remembers the last lines of each function, and hands on what comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...dispatch.core.model import encode
from ...dispatch.core.observer import Event, FunctionLog
from .taps import LineReading

LAST = 200
"""Lines of each function that are remembered …"""
LONGEST = 2000
"""… with so many characters each …"""
FUNCTIONS = 500
"""… of so many functions: those that printed last."""
PLATFORM = "platform"


class LinesOfFunctions:
    """`now`: seconds since the epoch."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last: dict[str, deque[bytes]] = {}
        self._last_platform: dict[str, deque[bytes]] = {}
        self._followers: list[tuple[str, bool, LineReading]] = []

    def observe(self, event: Event) -> None:
        if not isinstance(event, FunctionLog):
            return
        line = self._line(event)
        ring = self._last_platform if event.stream == PLATFORM else self._last
        lines = ring.pop(event.function, None) or deque(maxlen=LAST)
        ring[event.function] = lines
        if len(ring) > FUNCTIONS:
            del ring[next(iter(ring))]
        lines.append(line)
        for function, platform, reading in self._followers:
            if (not function or function == event.function) and (platform or event.stream != PLATFORM):
                reading.put(line)

    def _line(self, event: FunctionLog) -> bytes:
        told = {"at": self._now(), "function": event.function, "request_id": event.request_id, "stream": event.stream}
        return encode({**told, "line": event.line.rstrip("\n")[:LONGEST]}) + b"\n"

    @contextmanager
    def open(self, function: str, *, platform: bool) -> Iterator[LineReading]:
        """The last lines of a function, or of all for an empty name, and those that come while this is open.
        `platform`: START, END and REPORT too."""
        reading = LineReading()
        rings = [self._last, *([self._last_platform] if platform else [])]
        known = [line for ring in rings for name, lines in ring.items() if function in ("", name) for line in lines]
        for line in sorted(known):  # each begins with its time
            reading.put(line)
        follower = (function, platform, reading)
        self._followers.append(follower)
        try:
            yield reading
        finally:
            self._followers.remove(follower)

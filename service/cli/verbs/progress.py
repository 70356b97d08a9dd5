"""A line that says how far something is: rewritten on a terminal, else a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

EVERY = 10.0
"""Seconds between plain lines."""
OFTEN = 0.2
"""Seconds between two looks of a line on a terminal."""
WIDTH = 24
"""Characters of a bar."""


class ProgressLine:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._terminal = sys.stderr.isatty()
        self._said = now()
        self._shown = 0

    def tell(self, text: str, done: int | None = None, whole: int | None = None) -> None:
        """`done` of `whole` make a bar, where both are known."""
        now = self._now()
        if now - self._said < (OFTEN if self._terminal else EVERY):
            return
        self._said = now
        if not self._terminal:
            print(text, file=sys.stderr, flush=True)
            return
        line = f"{bar(done, whole)}{text}"
        print("\r" + line.ljust(self._shown), end="", file=sys.stderr, flush=True)
        self._shown = len(line)

    def end(self) -> None:
        """Clear the line, for what comes behind it."""
        if self._shown:
            print("\r" + " " * self._shown + "\r", end="", file=sys.stderr, flush=True)
            self._shown = 0


def bar(done: int | None, whole: int | None) -> str:
    if done is None or not whole:
        return ""
    filled = min(WIDTH, WIDTH * done // whole)
    return f"[{'#' * filled}{'.' * (WIDTH - filled)}] "

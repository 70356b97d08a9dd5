"""How the process ends that a daemon runs in, when it does not end by itself.

No clean-up of ours is needed for that: functions' processes end with the daemon, however it ends.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

LAST_LINES = 0.1
"""Seconds in which the last lines may still be written."""


class Leaving:
    """`flush` writes what is left of the log within so many seconds; `leave` ends the process."""

    def __init__(self, flush: Callable[[float], object], leave: Callable[[int], object] = os._exit) -> None:
        self._flush = flush
        self._leave = leave
        self._timer: threading.Timer | None = None

    def at_once(self, number: int) -> None:
        """For a second signal: the exit code is that of one who was killed by it."""
        self._flush(LAST_LINES)
        self._leave(128 + number)

    def after(self, seconds: float, code: Callable[[], int], say: Callable[[], object]) -> None:
        """When so many seconds are over, whoever still runs is left behind: a thread that waits for a disk or a name
        server cannot be ended. `code` and `say` are called in a thread. Only the first call counts."""

        def leave() -> None:
            say()
            self._flush(LAST_LINES)
            self._leave(code())

        if self._timer is None:
            self._timer = threading.Timer(seconds, leave)
            self._timer.daemon = True
            self._timer.start()

    def forget(self) -> None:
        """Everything has ended by itself."""
        if self._timer is not None:
            self._timer.cancel()

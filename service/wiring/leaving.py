"""Ends the daemon's process when it does not end by itself.

No clean-up of ours is needed for that: functions' processes end with the daemon, however it ends.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

LAST_LINES = 0.1
"""Maximum seconds to write the last lines."""


class Leaving:
    """`flush` writes the rest of the log within the given seconds; `leave` ends the process."""

    def __init__(self, flush: Callable[[float], object], leave: Callable[[int], object] = os._exit) -> None:
        self._flush = flush
        self._leave = leave
        self._timer: threading.Timer | None = None

    def at_once(self, number: int) -> None:
        """For a second signal: the exit code is that of a process killed by it."""
        self._flush(LAST_LINES)
        self._leave(128 + number)

    def after(self, seconds: float, code: Callable[[], int], say: Callable[[], object]) -> None:
        """After this many seconds, end the process even if threads still run: a thread that waits for a disk or a name
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

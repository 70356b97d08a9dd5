"""Handles SIGTERM, SIGINT and SIGHUP from the first moment on: the first stops in phases, a second ends at once.

    installed, while libraries are imported ──► watched, as soon as the event loop runs ──► installed
      ends, with a line and 0: nothing has begun    tells the daemon

SIGHUP comes when a terminal closes, and then twice, or beside SIGTERM: it begins a stop, but never ends one. Where it
is ignored (nohup) it stays so. Imports nothing heavy: until this is installed, a signal kills.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ERRORS = 2
"""The descriptor of standard error."""
ENDING = frozenset({signal.SIGTERM, signal.SIGINT})
"""Signals that end the process at once when they are not the first."""


def install(leave: Callable[[int], object] = os._exit) -> None:
    """From now on a signal ends the process with a line and 0: as long as no event loop runs there is
    nothing to stop. An exception could interrupt libraries during their import, and some do not handle that."""

    def stop(number: int, frame: FrameType | None) -> None:
        _say(f"headrace: {signal.Signals(number).name}: stopped, nothing was running\n")
        leave(0)

    for each in _heard():
        signal.signal(each, stop)


@contextmanager
def watched(stop: Callable[[signal.Signals], None], end: Callable[[int], None]) -> Iterator[None]:
    """While the body runs, in an event loop of the main thread: call `stop` for the first signal, `end` for another."""
    import asyncio

    loop = asyncio.get_running_loop()
    before = {each: signal.getsignal(each) for each in _heard()}
    first = True

    def received(number: signal.Signals) -> None:
        nonlocal first
        if first:
            first = False
            stop(number)
        elif number in ENDING:
            end(number.value)

    for each in before:
        loop.add_signal_handler(each, received, each)
    try:
        yield
    finally:
        for each, handler in before.items():
            loop.remove_signal_handler(each)
            if handler is not None:  # restore the handler of the embedding Python program
                signal.signal(each, handler)


def _say(line: str) -> None:
    """Writes to standard error, if it is open and read."""
    with suppress(OSError, ValueError):
        if select.select((), (ERRORS,), (), 0)[1]:
            os.write(ERRORS, line.encode())


def _heard() -> list[signal.Signals]:
    return [each for each in STOPPING if each is not signal.SIGHUP or signal.getsignal(each) is not signal.SIG_IGN]

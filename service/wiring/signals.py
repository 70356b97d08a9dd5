"""Handles SIGTERM, SIGINT and SIGHUP from the first moment on: the first two stop in phases, a second one ends at once;
SIGHUP reads the configuration again, or stops.

    installed, while libraries are imported ──► watched, as soon as the event loop runs ──► installed
      ends, with a line and 0: nothing has begun    tells the daemon

SIGHUP comes from who wants a reload, or from a terminal that closes. The kernel takes a terminal away from its
processes before it tells them that it closed. So a process that had a terminal when it began, and has none now, stops.
A terminal that closes may send it twice, or beside SIGTERM: it never ends the daemon at once. Where SIGHUP is ignored
(nohup) it stays so. Imports nothing heavy: until this is installed, a signal kills.
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
LOOK_AGAIN = 1.0
"""Seconds after which a reload looks whether the terminal closes: a shell that ends tells its jobs before that."""


class Terminal:
    """The terminal that controls this process."""

    def __init__(self, is_there: Callable[[], bool]) -> None:
        self._is_there = is_there
        self._was_there = is_there()

    @property
    def closed(self) -> bool:
        """Whether there was one at the beginning, and is none any more."""
        return self._was_there and not self._is_there()


def has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


class _Hangups:
    """What is remembered of SIGHUP between the first moment and the event loop."""

    terminal: Terminal | None = None
    early = False
    """A reload was wanted before there was anything to reload."""


def install(leave: Callable[[int], object] = os._exit, is_there: Callable[[], bool] = has_terminal) -> None:
    """From now on a signal ends the process with a line and 0: as long as no event loop runs there is
    nothing to stop. An exception could interrupt libraries during their import, and some do not handle that. A reload
    is remembered."""
    terminal = _Hangups.terminal = Terminal(is_there)
    _Hangups.early = False

    def stop(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP and not terminal.closed:
            _Hangups.early = True
            return
        _say(f"headrace: {signal.Signals(number).name}: stopped, nothing was running\n")
        leave(0)

    for each in _heard():
        signal.signal(each, stop)


@contextmanager
def watched(
    stop: Callable[[signal.Signals], None], end: Callable[[int], None], reload: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """While the body runs, in an event loop of the main thread: call `stop` for the first signal, `end` for another.
    `reload` for SIGHUP, unless the terminal has closed."""
    import asyncio

    loop = asyncio.get_running_loop()
    terminal = _Hangups.terminal or Terminal(has_terminal)  # inside of another program nothing was installed
    before = {each: signal.getsignal(each) for each in _heard()}
    first = True

    def received(number: signal.Signals) -> None:
        nonlocal first
        if number is signal.SIGHUP and not terminal.closed:
            reload()
            loop.call_later(LOOK_AGAIN, closing)
        elif first:
            first = False
            stop(number)
        elif number in ENDING:
            end(number.value)

    def closing() -> None:
        nonlocal first
        if first and terminal.closed:
            first = False
            stop(signal.SIGHUP)

    for each in before:
        loop.add_signal_handler(each, received, each)
    if _Hangups.early:
        _Hangups.early = False
        reload()
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

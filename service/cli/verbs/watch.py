"""`headrace status --watch`: the live view in a terminal.

The screen and the keys are decided in `cli/core/live_view.py`; here they are drawn and read, with the terminal library
of Python's own, and the daemon is asked once a second.
"""

from __future__ import annotations

import argparse
import curses
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ....config.errors import HeadraceError
from ...wiring.exits import Exit, UsageError
from ..core.live_view import LeverWish, LiveView, Quit, Style, pressed, screen
from .asking import ask, base_of, part, pull

EVERY = 1.0
"""Seconds between two looks at the daemon."""
TURN = 100
"""Milliseconds for which a key is waited for, before the screen is drawn again."""
NAMES: Mapping[int, str] = {
    curses.KEY_UP: "up",
    curses.KEY_DOWN: "down",
    curses.KEY_LEFT: "left",
    curses.KEY_ENTER: "enter",
    10: "enter",
    13: "enter",
    27: "esc",
}
SAID = {"pause": "is paused", "resume": "goes on", "retry": "tries again now"}


def run(arguments: argparse.Namespace) -> int:
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise UsageError("--watch needs a terminal; without one, `headrace status` shows the same once")
    os.environ.setdefault("ESCDELAY", "25")  # milliseconds: a lone escape is a key at once
    look = DaemonLook(base_of(arguments.url))
    look.refresh()
    if look.trouble:
        raise HeadraceError(look.trouble)
    view = LiveView(selected=arguments.mapping or "", page=bool(arguments.mapping))
    with suppress(KeyboardInterrupt):
        try:
            curses.wrapper(LiveScreen(look, view).run)
        except curses.error as error:
            raise HeadraceError(f"this terminal cannot show it ({error}); is TERM right?") from error
    return Exit.OK


class DaemonLook:
    """What the daemon says, asked in a thread: one that hangs holds up no key."""

    def __init__(self, base: str) -> None:
        self._base = base
        self.mappings: list[dict[str, Any]] = []
        self.trouble = ""
        self.said = ""
        self._wake = threading.Event()
        self._over = False

    def refresh(self) -> None:
        try:
            self.mappings, self.trouble = ask(self._base, "/v1/mappings")["mappings"], ""
        except HeadraceError as error:
            self.trouble = str(error)

    def watch(self) -> None:
        while not self._over:
            self.refresh()
            self._wake.wait(EVERY)
            self._wake.clear()

    def pull(self, wish: LeverWish) -> None:
        """In a thread of its own; what became of it is in `said`."""

        def pulled() -> None:
            try:
                pull(self._base, f"/v1/mappings/{part(wish.mapping)}/{wish.lever}")
                self.said = f"{wish.mapping} {SAID[wish.lever]}"
            except HeadraceError as error:
                self.said = str(error)
            self._wake.set()

        threading.Thread(target=pulled, daemon=True).start()

    def end(self) -> None:
        self._over = True
        self._wake.set()


class LiveScreen:
    def __init__(self, look: DaemonLook, view: LiveView) -> None:
        self._look = look
        self._view = view
        self._styles: dict[Style, int] = {}

    def run(self, window: curses.window) -> None:
        self._prepare(window)
        threading.Thread(target=self._look.watch, daemon=True).start()
        try:
            while True:
                self._draw(window)
                if self._take(window.getch()) is Quit.QUIT:
                    return
        finally:
            self._look.end()

    def _prepare(self, window: curses.window) -> None:
        window.timeout(TURN)
        window.keypad(True)
        red = 0
        with suppress(curses.error):
            curses.curs_set(0)
        with suppress(curses.error):
            curses.use_default_colors()
            curses.init_pair(1, curses.COLOR_RED, -1)
            red = curses.color_pair(1)
        self._styles = {
            Style.PLAIN: curses.A_NORMAL,
            Style.HEAD: curses.A_BOLD,
            Style.SELECTED: curses.A_REVERSE,
            Style.BAD: red | curses.A_BOLD,
            Style.FAINT: curses.A_DIM,
        }

    def _draw(self, window: curses.window) -> None:
        height, width = window.getmaxyx()
        window.erase()
        for row, line in enumerate(screen(self._view, self._look.mappings, self._look.trouble, height, width)):
            with suppress(curses.error):  # the last cell of a screen cannot be written
                window.addstr(row, 0, line.text, self._styles[line.style])
        window.refresh()

    def _take(self, code: int) -> Quit | None:
        if self._look.said:
            said, self._look.said = self._look.said, ""
            self._view = replace(self._view, said=said)
        if code < 0 or code == curses.KEY_RESIZE:
            return None
        key = NAMES.get(code) or (chr(code) if code < 0x110000 else "")
        self._view, wish = pressed(self._view, key, self._look.mappings)
        if isinstance(wish, LeverWish):
            self._look.pull(wish)
            return None
        return wish

"""Whether the state directory can store data. The stores themselves refuse what they cannot store. This watch also
detects the problem while no store writes, shows it in readiness, and logs its beginning and its end, once each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import anyio

from ...config.reasons import Reason
from ..telemetry.log import Action, Log

EVERY = 2.0
"""Seconds between checks."""


class Stored(Protocol):
    """A store in the state directory."""

    @property
    def what(self) -> str:
        """Its content, as messages name it: `stored positions`."""
        ...

    @property
    def trouble(self) -> Reason | None:
        """Why it cannot store data at present; None when it can."""
        ...

    async def check(self) -> None:
        """Check again; `trouble` has the result."""
        ...


class StateWatch:
    """`changed` is called when `reasons` may have changed."""

    def __init__(self, log: Log, changed: Callable[[], None]) -> None:
        self._log = log
        self._changed = changed
        self._stored: list[Stored] = []
        self._reported: dict[Stored, Reason] = {}

    def add(self, stored: Stored) -> None:
        """Watch this store too, from now on."""
        self._stored.append(stored)

    def reasons(self) -> tuple[Reason, ...]:
        """Why stores cannot store data at present, by the last checks."""
        return tuple(stored.trouble for stored in self._stored if stored.trouble)

    async def run(self) -> None:
        """Check repeatedly, until cancelled."""
        while True:
            for stored in tuple(self._stored):
                await stored.check()
                self._tell(stored)
            await anyio.sleep(EVERY)

    def _tell(self, stored: Stored) -> None:
        before, now = self._reported.get(stored), stored.trouble
        if now == before:
            return
        if now is None:
            del self._reported[stored]
            self._log.info(Action.STORES_AGAIN, f"{stored.what}: can be stored again")
        else:
            self._reported[stored] = now
            self._log.error(Action.STORE_FAILED, now.text, code=now.code.value)
        self._changed()

"""Whether the state directory keeps what it is given. What it cannot keep is refused by those who store; here it is
found out, also while nobody stores anything, shown in readiness and told, once when it begins and once when it is over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import anyio

from ...config.reasons import Reason
from ..telemetry.log import Action, Log

EVERY = 2.0
"""Seconds between looks."""


class Stored(Protocol):
    """Something that is kept in the state directory."""

    @property
    def what(self) -> str:
        """What it is: `stored positions`."""
        ...

    @property
    def trouble(self) -> Reason | None:
        """Why it cannot be kept just now; None when it can."""
        ...

    async def check(self) -> None:
        """Find that out anew."""
        ...


class StateWatch:
    """`changed` is called when `reasons` may be others."""

    def __init__(self, log: Log, changed: Callable[[], None]) -> None:
        self._log = log
        self._changed = changed
        self._stored: list[Stored] = []
        self._told: dict[Stored, Reason] = {}

    def add(self, stored: Stored) -> None:
        """Look at this one too, from now on."""
        self._stored.append(stored)

    def reasons(self) -> tuple[Reason, ...]:
        """Why something cannot be kept just now, as far as that was found out."""
        return tuple(stored.trouble for stored in self._stored if stored.trouble)

    async def run(self) -> None:
        """Look again and again, until it is cancelled."""
        while True:
            for stored in tuple(self._stored):
                await stored.check()
                self._tell(stored)
            await anyio.sleep(EVERY)

    def _tell(self, stored: Stored) -> None:
        before, now = self._told.get(stored), stored.trouble
        if now == before:
            return
        if now is None:
            del self._told[stored]
            self._log.info(Action.STORES_AGAIN, f"{stored.what}: can be stored again")
        else:
            self._told[stored] = now
            self._log.error(Action.STORE_FAILED, now.text, code=now.code.value)
        self._changed()

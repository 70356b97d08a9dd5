"""A failure destination of a plug-in, kept apart: whatever its code does, the daemon sees a destination that fails.

So attempts, back-off, limits and messages are those of any other destination (`destinations/persistence.py`). Used by
the wiring alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from ...config.errors import SourceError, SourceRefused, SourceUnavailable
from ...config.reasons import Reason
from ..core.documents import Report
from ..core.pages import Records
from ..destinations.base import Destination
from ..invokers.core.answers import one_line
from .own_loop import Late, OwnLoop, Raised

LIMIT = 60.0
"""Seconds for one call: also with `block`, where all attempts together have no limit."""


class GuardedDestination:
    """Writes through the destination that `make` returns."""

    def __init__(
        self, make: Callable[[], Destination] | Reason, *, title: str, address: str, limit: float = LIMIT
    ) -> None:
        """`make`: a reason where the plug-in cannot be used at all. `title`: the plug-in's, `address`: what the
        destination is called, both for messages. `limit`: seconds for one call."""
        self._make = make
        self._title = title
        self._address = address
        self._limit = limit
        self._loop = OwnLoop(f"headrace {title}")
        self._destination: Any = None

    @property
    def arn(self) -> str:
        return self._address

    async def probe(self) -> None:
        await self._call("probe", lambda made: made.probe())

    async def write(self, report: Report) -> None:
        event = report.event  # made here: records belong to the daemon's own thread

        def render(records: Records) -> bytes:
            return event if records is report.discard.records else report.render(records)

        await self._call("write", lambda made: made.write(replace(report, render=render)))

    async def aclose(self) -> None:
        destination, self._destination = self._destination, None
        if destination is not None:
            await self._loop.call(destination.aclose, self._limit)
        self._loop.close()

    async def _call(self, what: str, work: Callable[[Any], Awaitable[None]]) -> None:
        """Raises SourceError, whatever the plug-in does."""
        made = await self._made()
        self._judge(what, await self._loop.call(lambda: work(made), self._limit))

    async def _made(self) -> Any:
        if isinstance(self._make, Reason):
            raise SourceRefused(f"failure destination {self._address}: {self._make.text}", self._make.code)
        if self._destination is None:
            make = self._make

            async def begin() -> Any:
                return make()

            made = await self._loop.call(begin, self._limit)
            self._judge("making of the destination", made)
            if not all(callable(getattr(made, name, None)) for name in ("probe", "write", "aclose")):
                raise SourceUnavailable(self._told("making", f"gave {type(made).__name__!r}, which is no destination"))
            self._destination = made
        return self._destination

    def _judge(self, what: str, found: object) -> None:
        match found:
            case Raised(error=SourceError() as error):
                raise error
            case Raised(error=error):
                text = self._told(what, one_line(f"raised {type(error).__name__}: {error}"))
                raise SourceUnavailable(text) from error
            case Late():
                raise SourceUnavailable(self._told(what, f"did not end within {self._limit:g} s"))
            case _:
                pass

    def _told(self, what: str, how: str) -> str:
        return f"failure destination {self._address}: {self._title}: the {what} {how}; correct or update the plug-in"

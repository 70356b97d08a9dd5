"""Detects when nothing is left to do, for `--until-idle`.

Idle means: for two seconds nothing was fetched and nothing is in flight, and then every source reports twice that it is
empty, including messages in flight and delayed messages. A message that waits for its redrive is future work, so not
idle.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

import anyio

from ...config.clock import Clock
from ...config.reasons import Reason

READS = 2


@dataclass(frozen=True, slots=True)
class IdlePace:
    """How long a look takes."""

    quiet: float = 2.0
    """Seconds in which nothing may happen."""
    between_reads: float = 0.5
    """Seconds between two questions to the sources."""


USUAL = IdlePace()


class Watched(Protocol):
    """The part of a mapping's supervisor that this module needs."""

    @property
    def mapping(self) -> str: ...

    @property
    def polling(self) -> bool: ...

    @property
    def waits_for(self) -> Reason | None:
        """Why it does not poll; None when it does."""
        ...

    @property
    def busy(self) -> bool: ...

    @property
    def fetched_at(self) -> float: ...

    async def empty(self) -> bool: ...


class IdleWatch:
    """Checks until all is done."""

    def __init__(self, mappings: Callable[[], Collection[Watched]], clock: Clock, pace: IdlePace = USUAL) -> None:
        """`mappings` returns the current mappings, which may change."""
        self._pace = pace
        self._now = mappings
        self._clock = clock
        self._not_empty: tuple[str, ...] = ()

    async def wait(self) -> None:
        """Return once there is nothing left to do."""
        reads = 0
        quiet_since = self._clock.monotonic()
        while reads < READS:
            if not self._quiet():
                quiet_since, reads = self._clock.monotonic(), 0
            until_quiet = max(self._last_fetch(), quiet_since) + self._pace.quiet - self._clock.monotonic()
            if until_quiet > 0:
                reads = 0
                await anyio.sleep(min(until_quiet, self._pace.between_reads))
                continue
            reads = reads + 1 if await self._empty() and self._quiet() else 0
            if reads < READS:
                await anyio.sleep(self._pace.between_reads)

    def reasons(self) -> tuple[str, ...]:
        """The reasons why the daemon is not idle, one line per mapping."""
        lines = (self._line(mapping) for mapping in self._now())
        return tuple(line for line in lines if line) or ("records arrived all the time",)

    def _line(self, mapping: Watched) -> str:
        if not mapping.polling:
            return f"{mapping.mapping} is waiting: {mapping.waits_for}"
        if mapping.busy:
            return f"{mapping.mapping} has records in flight"
        if self._clock.monotonic() - mapping.fetched_at < self._pace.quiet:
            return f"{mapping.mapping} fetched a record just now"
        if mapping.mapping in self._not_empty:
            return f"the source of {mapping.mapping} is not empty (messages in flight and delayed messages count)"
        return ""

    def _quiet(self) -> bool:
        return all(mapping.polling and not mapping.busy for mapping in self._now())

    def _last_fetch(self) -> float:
        return max((mapping.fetched_at for mapping in self._now()), default=-float("inf"))

    async def _empty(self) -> bool:
        """Ask every source, all at once."""
        not_empty: list[str] = []

        async def ask(mapping: Watched) -> None:
            if not await mapping.empty():
                not_empty.append(mapping.mapping)

        async with anyio.create_task_group() as tasks:
            for mapping in self._now():
                tasks.start_soon(ask, mapping)
        self._not_empty = tuple(sorted(not_empty))
        return not not_empty

"""Invokes any function by name and qualifier: those of the API, and those of the configuration file.

Shared by Invoke and asynchronous invocation. They decide which function a call names, and what a reply
means.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import anyio

from ...config.clock import Clock
from ...dispatch.core.model import Attempt, Reply, Unreachable
from ...dispatch.invokers.base import CLOSED, Invocation
from ..control.catalogue import LATEST, Catalogue
from .environments import Environments
from .functions import RunningFunctions


@dataclass(frozen=True, slots=True)
class Invocable:
    """A function that can be invoked."""

    state: str
    """`Active`, or the state in which it cannot be invoked."""
    dead_letter: str = ""
    """ARN; empty for none."""


class Invocations:
    """`configured` are the names of the configuration file's functions, live. They have no versions and no aliases."""

    def __init__(
        self, configured: Collection[str], fleet: RunningFunctions, environments: Environments, clock: Clock
    ) -> None:
        self._configured = configured
        self._fleet = fleet
        self._environments = environments
        self._clock = clock
        self._running = 0
        self._ended = anyio.Event()
        self._stopping = False

    @property
    def catalogue(self) -> Catalogue:
        return self._environments.catalogue

    def find(self, name: str, qualifier: str) -> Invocable | None:
        """None: there is no such function, version or alias."""
        if name in self._configured:
            return Invocable("Active") if qualifier in ("", LATEST) else None
        runnable = self.catalogue.runnable(name, qualifier)
        return None if runnable is None else Invocable(runnable.state, runnable.dead_letter)

    async def invoke(self, name: str, qualifier: str, invocation: Invocation) -> Reply:
        if self._stopping:
            now = self._clock.wall()
            return Unreachable(Attempt(invocation.request_id, now, now), CLOSED)
        self._running += 1
        try:
            if name not in self._configured:
                return await self._environments.invoke(name, qualifier, invocation)
            return await self._fleet.invoke(name, invocation)
        finally:
            self._running -= 1
            self._ended.set()

    async def run(self) -> None:
        """Does nothing until it is stopped: invocations run in their callers' tasks."""

    async def stop(self, until: float) -> None:
        """Accept no more invocations; running ones have until then (monotonic)."""
        self._stopping = True
        with anyio.CancelScope(deadline=until):
            while self._running:
                self._ended = anyio.Event()
                await self._ended.wait()

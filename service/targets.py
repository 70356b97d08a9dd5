"""Makes the members of the fleet out of the configuration's functions: invoker, permits and gate."""

from __future__ import annotations

from collections.abc import Callable

import anyio.to_thread

from ..config.clock import Clock, Jitter
from ..config.function import CommandFunction, ExternalFunction, LocalFunction, describe
from ..config.loader import AnyFunction, Config
from ..dispatch.backoff import Backoff
from ..dispatch.dispatcher import Target
from ..dispatch.invokers.base import Invoker
from ..dispatch.observer import Observer
from ..dispatch.permits import Gate, Permits
from .dry_run import DryInvoker
from .fleet import Member, facts_of
from .functions import Functions
from .plant import Changes
from .registry import Registry, fingerprint

PROBE_BACKOFF = Backoff(base=0.5, cap=10.0)
"""Between probes of a function that cannot start."""
EXTERNAL_BACKOFF = Backoff(base=0.5, cap=1.0)
"""The same for a runtime that somebody is about to start; such a probe is only a look."""


class Targets:
    """`registry` is None where nothing is remembered: in a dry run, which invokes nothing."""

    def __init__(
        self,
        config: Config,
        functions: Functions,
        registry: Registry | None,
        changes: Changes,
        observer: Observer,
        clock: Clock,
        jitter: Jitter,
    ) -> None:
        self._config = config
        self._functions = functions
        self._registry = registry
        self._changes = changes
        self._observer = observer
        self._clock = clock
        self._jitter = jitter

    async def make(self, name: str) -> Member:
        function = self._config.functions[name]
        dry = self._config.settings.dry_run
        invoker: Invoker = DryInvoker(self._clock) if dry else await self._functions.invoker(function)
        gate = await self._gate(function, invoker)
        target = Target(function.name, invoker, Permits(invoker.concurrency), gate)
        return Member(target, describe(function), facts_of(function))

    async def _gate(self, function: AnyFunction, invoker: Invoker) -> Gate:
        remembered, remember = await self._memory(function)
        if remembered:
            self._changes.tried.add(function.name)
        return Gate(
            function.name,
            invoker,
            observer=self._observer,
            jitter=self._jitter,
            backoff=EXTERNAL_BACKOFF if isinstance(function, ExternalFunction) else PROBE_BACKOFF,
            remembered=remembered,
            on_ready=remember,
        )

    async def _memory(self, function: AnyFunction) -> tuple[bool, Callable[[], None]]:
        """Whether the function is known to start, and how to remember it."""
        registry = self._registry
        if registry is None or not isinstance(function, LocalFunction | CommandFunction):
            return False, _nothing
        known = await anyio.to_thread.run_sync(fingerprint, function, [function.code, *function.layers])
        return registry.remembers(function.name, known), lambda: registry.remember(function.name, known)


def _nothing() -> None:
    """Nothing to remember."""

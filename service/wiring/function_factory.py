"""Makes running functions from the configuration's and the API's functions: invoker, permits and gate."""

from __future__ import annotations

from collections.abc import Callable

import anyio.to_thread

from ...config.clock import Clock, Jitter
from ...config.function import AnyFunction, CommandFunction, ExternalFunction, LocalFunction, describe
from ...dispatch.core.backoff import Backoff
from ...dispatch.core.observer import Observer, RuntimeDiffers
from ...dispatch.dispatcher import Target
from ...dispatch.invokers.base import Invoker
from ...dispatch.permits import Gate, Permits
from ...pollers.source import FunctionFacts
from ..running.dry_run import DryInvoker
from ..running.function_references import FunctionReferences, ReferenceInvoker, split
from ..running.functions import RunningFunction, facts_of
from ..running.mappings import Changes
from .invokers import InvokerFactory
from .known_starts import KnownStarts, fingerprint
from .live_config import Configured

PROBE_BACKOFF = Backoff(base=0.5, cap=10.0)
"""Seconds between probes of a function that cannot start."""
EXTERNAL_BACKOFF = Backoff(base=0.5, cap=1.0)
"""The same for a runtime that the user starts; such a probe costs little."""


class FunctionFactory:
    """`registry` is None in a dry run, which invokes nothing. `references` is None when
    there is no API."""

    def __init__(
        self,
        config: Configured,
        functions: InvokerFactory,
        registry: KnownStarts | None,
        changes: Changes,
        observer: Observer,
        clock: Clock,
        jitter: Jitter,
        references: FunctionReferences | None = None,
        borrowed: Callable[[str], AnyFunction | None] = lambda reference: None,
        seen: Callable[[str, Invoker], Invoker] = lambda name, invoker: invoker,
    ) -> None:
        """`borrowed`: a function of an emulator's, by its reference. `seen`: puts an invoker around a function's."""
        self._seen = seen
        self._borrowed = borrowed
        self._config = config
        self._functions = functions
        self._registry = registry
        self._changes = changes
        self._observer = observer
        self._clock = clock
        self._jitter = jitter
        self._references = references

    async def make(self, name: str) -> RunningFunction:
        """The function of this name: from the configuration, else `name` or `name:qualifier` from the API."""
        found = self._config.functions.get(name) or self._borrowed(name)
        if found is None and self._references is not None:
            return await self._referred(name, self._references)
        function = found or self._config.functions[name]
        dry = self._config.settings.dry_run
        invoker: Invoker = DryInvoker(self._clock) if dry else await self._functions.invoker(function)
        invoker = self._seen(name, invoker)
        gate = await self._gate(function, invoker)
        target = Target(function.name, invoker, Permits(invoker.concurrency), gate)
        facts = facts_of(function)
        return RunningFunction(target, await self._what(function), lambda: facts)

    async def _what(self, function: AnyFunction) -> str:
        """The function in one phrase, with what differs from AWS where it runs, which is reported too."""
        if not isinstance(function, LocalFunction | CommandFunction):
            return describe(function)
        found = await self._functions.looked_at(function)
        remark = found if isinstance(found, str) else ""
        if remark:
            runtime = function.runtime if isinstance(function, LocalFunction) else ""
            self._observer.observe(RuntimeDiffers(function.name, runtime, remark))
        return with_remark(describe(function), remark)

    async def _referred(self, reference: str, references: FunctionReferences) -> RunningFunction:
        invoker = references.invoker(reference)
        remembered = self._known(reference, invoker)
        gate = self._made_gate(reference, invoker, PROBE_BACKOFF, remembered, lambda: self._learn(reference, invoker))
        permits = Permits(max(1, invoker.concurrency))
        references.add(invoker, permits, gate)
        runnable = references.environments.catalogue.runnable(*split(reference))
        what = f"{runnable.runtime} by the Lambda API" if runnable else "by the Lambda API"
        what = with_remark(what, await self._functions.runtime_remark(runnable) if runnable else "")
        return RunningFunction(Target(reference, invoker, permits, gate), what, lambda: _facts(invoker, references))

    def _known(self, reference: str, invoker: ReferenceInvoker) -> bool:
        identity = invoker.identity
        remembered = bool(self._registry and identity and self._registry.remembers(reference, identity))
        return remembered and invoker.concurrency > 0

    def _learn(self, reference: str, invoker: ReferenceInvoker) -> None:
        if self._registry is not None:
            self._registry.remember(reference, invoker.tried)

    async def _gate(self, function: AnyFunction, invoker: Invoker) -> Gate:
        remembered, remember = await self._memory(function)
        backoff = EXTERNAL_BACKOFF if isinstance(function, ExternalFunction) else PROBE_BACKOFF
        return self._made_gate(function.name, invoker, backoff, remembered, remember)

    def _made_gate(
        self, name: str, invoker: Invoker, backoff: Backoff, remembered: bool, remember: Callable[[], None]
    ) -> Gate:
        if remembered:
            self._changes.tried.add(name)
        return Gate(
            name,
            invoker,
            observer=self._observer,
            jitter=self._jitter,
            backoff=backoff,
            remembered=remembered,
            on_ready=remember,
        )

    async def _memory(self, function: AnyFunction) -> tuple[bool, Callable[[], None]]:
        """Whether the function is known to start, and a way to store that."""
        registry = self._registry
        if registry is None or not isinstance(function, LocalFunction | CommandFunction):
            return False, _nothing
        known = await anyio.to_thread.run_sync(fingerprint, function, [function.code, *function.layers])
        return registry.remembers(function.name, known), lambda: registry.remember(function.name, known)


def with_remark(what: str, remark: str) -> str:
    """What a function is, and what runs it in place of its runtime."""
    return f"{what}: {remark}" if remark else what


def _nothing() -> None:
    """Stores nothing."""


def _facts(invoker: ReferenceInvoker, references: FunctionReferences) -> FunctionFacts:
    """The current facts about a function of the API."""
    runnable = references.environments.catalogue.runnable(invoker.name, invoker.qualifier)
    return FunctionFacts(invoker.timeout, invoker.concurrency, runnable.role if runnable else None)

"""The functions at work: one member for each, made when it is first asked for; once a mapping needs it, its gate probes
as long as it is here.

Mappings, and whoever else invokes, share a member. How one is made is in `wiring/function_factory.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from ...config.function import AnyFunction, CommandFunction, LocalFunction
from ...config.mapping import EventSourceMapping, split_function
from ...dispatch.dispatcher import Target
from ...dispatch.invokers.base import Invoker
from ...pollers.source import FunctionFacts
from ..control.catalogue import LATEST
from ..telemetry.view import FunctionView
from .environments import Environments


@dataclass(frozen=True, slots=True)
class RunningFunction:
    """One function at work."""

    target: Target
    what: str
    """What it is and where, in one phrase."""
    look: Callable[[], FunctionFacts] = FunctionFacts
    """Finds out what is so of it: a function of the API may become another one."""

    @property
    def facts(self) -> FunctionFacts:
        return self.look()


def reference_of(mapping: EventSourceMapping) -> str:
    """The mapping's function among the running ones: its name, with a version or alias where the mapping gives one."""
    name, qualifier = split_function(mapping.function)
    return name if qualifier in ("", LATEST) else f"{name}:{qualifier}"


def facts_of(function: AnyFunction) -> FunctionFacts:
    at_once = function.processes if isinstance(function, LocalFunction | CommandFunction) else function.concurrency
    return FunctionFacts(function.deadline, at_once, function.role)


class RunningFunctions:
    """`make` makes a member out of a function's name. `run` keeps their gates at work, and the environments of the
    API's functions. `kept` are the functions that others than mappings invoke by their member."""

    def __init__(
        self,
        make: Callable[[str], Awaitable[RunningFunction]],
        members: Iterable[RunningFunction] = (),
        environments: Environments | None = None,
        kept: Collection[str] = (),
    ) -> None:
        self._make = make
        self._environments = environments
        self._kept = frozenset(kept)
        self._members = {member.target.name: member for member in members}
        self._awaited = set(self._members)
        """Those that somebody fetches for: only they are probed."""
        self._making = anyio.Lock()
        self._tasks: TaskGroup | None = None
        self._probing: dict[str, anyio.CancelScope] = {}

    def __iter__(self) -> Iterator[RunningFunction]:
        return iter(tuple(self._members.values()))

    async def member(self, name: str) -> RunningFunction:
        """The function of this name; whoever asks for it, at once or later, gets the same."""
        async with self._making:
            member = await self._made(name)
            self._await(name)
            return member

    async def invoker(self, name: str) -> Invoker:
        """For those who invoke it now and then, and want to hear of what is wrong with it as it comes."""
        async with self._making:
            return (await self._made(name)).target.invoker

    async def _made(self, name: str) -> RunningFunction:
        if name not in self._members:
            self._members[name] = await self._make(name)
        return self._members[name]

    async def release(self, name: str, needed: Callable[[], bool]) -> None:
        """A mapping fetches for it no longer. Unless it is `needed` by another, it is not probed any more; nor
        remembered, unless it is kept."""
        async with self._making:
            member = None if needed() else self._left(name)
        if member is not None:
            await member.target.invoker.aclose()

    def _await(self, name: str) -> None:
        """Somebody fetches for it: it is probed."""
        if name not in self._awaited:
            self._awaited.add(name)
            self._begin(name)

    def _left(self, name: str) -> RunningFunction | None:
        """Nobody fetches for it: it is not probed. The member, where it is nobody's any more."""
        if name not in self._awaited:
            return None
        self._awaited.discard(name)
        if name in self._probing:
            self._probing.pop(name).cancel()
        return None if name in self._kept else self._members.pop(name)

    async def run(self) -> None:
        """Probe whoever cannot start, those who come later too, until this is cancelled."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            if self._environments is not None:
                tasks.start_soon(self._environments.run)
            for name in self._awaited:
                self._begin(name)
            await anyio.sleep_forever()

    async def aclose(self) -> None:
        """End every process and connection, all at once. May be called again."""
        async with anyio.create_task_group() as tasks:
            for member in self:
                tasks.start_soon(member.target.invoker.aclose)
            if self._environments is not None:
                tasks.start_soon(self._environments.aclose)

    def views(self) -> tuple[FunctionView, ...]:
        return tuple(_view(member) for member in self if member.target.name in self._awaited)

    def _begin(self, name: str) -> None:
        if self._tasks is not None:
            self._probing[name] = anyio.CancelScope()
            self._tasks.start_soon(self._probe, self._members[name], self._probing[name])

    async def _probe(self, member: RunningFunction, scope: anyio.CancelScope) -> None:
        with scope:
            await member.target.gate.run()


def _view(member: RunningFunction) -> FunctionView:
    target = member.target
    return FunctionView(
        name=target.name,
        what=member.what,
        up=target.gate.is_open,
        cause=target.gate.cause,
        in_flight=target.permits.taken,
        limit=target.permits.allowed,
    )

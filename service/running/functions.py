"""The running functions: one member for each, made on first use; while a mapping needs it, its gate probes
the function.

Mappings and other callers share a member. `wiring/function_factory.py` makes members.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from ...config.function import AnyFunction, CommandFunction, LocalFunction
from ...config.mapping import EventSourceMapping, split_function
from ...dispatch.core.model import Reply
from ...dispatch.dispatcher import Target
from ...dispatch.invokers.base import Invocation, Invoker
from ...pollers.source import FunctionFacts
from ..control.catalogue import LATEST
from ..telemetry.view import FunctionView
from .environments import Environments


@dataclass(frozen=True, slots=True)
class RunningFunction:
    """One running function."""

    target: Target
    what: str
    """The kind and place of the function, in one phrase."""
    look: Callable[[], FunctionFacts] = FunctionFacts
    """Updates the facts about it: a function of the API may change."""

    @property
    def facts(self) -> FunctionFacts:
        return self.look()


def reference_of(mapping: EventSourceMapping) -> str:
    """The key of the mapping's function here: its name, with a version or alias where the mapping has one."""
    name, qualifier = split_function(mapping.function)
    return name if qualifier in ("", LATEST) else f"{name}:{qualifier}"


def facts_of(function: AnyFunction) -> FunctionFacts:
    at_once = function.processes if isinstance(function, LocalFunction | CommandFunction) else function.concurrency
    return FunctionFacts(function.deadline, at_once, function.role)


class RunningFunctions:
    """`make` makes a member from a function's name. `run` keeps their gates probing, and the environments of the
    API's functions. `kept`, live, are the functions that other callers than mappings invoke through their member."""

    def __init__(
        self,
        make: Callable[[str], Awaitable[RunningFunction]],
        members: Iterable[RunningFunction] = (),
        environments: Environments | None = None,
        kept: Collection[str] = (),
    ) -> None:
        self._make = make
        self._environments = environments
        self._kept = kept
        self._left_over: list[RunningFunction] = []
        """Members that others took the place of, as long as somebody uses them."""
        self._users: Counter[Invoker] = Counter()
        self._members = {member.target.name: member for member in members}
        self._awaited = set(self._members)
        """The functions that mappings need: only these are probed."""
        self._making = anyio.Lock()
        self._tasks: TaskGroup | None = None
        self._probing: dict[str, anyio.CancelScope] = {}

    def __iter__(self) -> Iterator[RunningFunction]:
        return iter(tuple(self._members.values()))

    async def member(self, name: str) -> RunningFunction:
        """The member of this name; all callers get the same one."""
        async with self._making:
            member = await self._made(name)
            self._await(name)
            return member

    async def invoke(self, name: str, invocation: Invocation) -> Reply:
        """For callers other than mappings, which invoke now and then and handle errors themselves."""
        async with self._making:
            invoker = (await self._made(name)).target.invoker
            self._users[invoker] += 1
        try:
            return await invoker.invoke(invocation)
        finally:
            self._users[invoker] -= 1
            if not self._users[invoker]:
                del self._users[invoker]

    async def _made(self, name: str) -> RunningFunction:
        if name not in self._members:
            self._members[name] = await self._make(name)
        return self._members[name]

    async def renew(self, name: str) -> None:
        """The function is another one, or gone: who asks for it from now on gets a new member. Who has the old one
        keeps it until `close_unused`."""
        async with self._making:
            if (member := self._members.pop(name, None)) is None:
                return
            self._left_over.append(member)
            self._awaited.discard(name)
            if name in self._probing:
                self._probing.pop(name).cancel()

    async def close_unused(self, is_used: Callable[[Target], bool]) -> None:
        """End the processes of members that were replaced and that nobody uses any more."""
        unused = [each for each in self._left_over if not is_used(each.target) and not self._users[each.target.invoker]]
        self._left_over = [each for each in self._left_over if each not in unused]
        for member in unused:
            await member.target.invoker.aclose()

    async def release(self, name: str, needed: Callable[[], bool]) -> None:
        """A mapping does not fetch for it any more. Unless another mapping needs it, it is not probed any more; nor
        remembered, unless it is kept."""
        async with self._making:
            member = None if needed() else self._left(name)
        if member is not None:
            await member.target.invoker.aclose()

    def _await(self, name: str) -> None:
        """A mapping fetches for it: start to probe it."""
        if name not in self._awaited:
            self._awaited.add(name)
            self._begin(name)

    def _left(self, name: str) -> RunningFunction | None:
        """No mapping fetches for it: stop to probe it. Returns the member when no caller uses it any more."""
        if name not in self._awaited:
            return None
        self._awaited.discard(name)
        if name in self._probing:
            self._probing.pop(name).cancel()
        return None if name in self._kept else self._members.pop(name)

    async def run(self) -> None:
        """Probe functions that cannot start, including functions added later, until cancelled."""
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
            for member in (*self, *self._left_over):
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

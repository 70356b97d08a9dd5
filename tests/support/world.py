"""A small world on virtual time: a queue in memory, a function as a coroutine, and the real shell between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import orjson
from anyio.abc import TaskGroup

from headrace.config.clock import LoopClock
from headrace.dispatch.core.keeping import keep_all
from headrace.dispatch.core.model import Record, Reply
from headrace.dispatch.core.observer import Discarded, Event, Invoked, Invoking
from headrace.dispatch.core.policy import Policy, Progress
from headrace.dispatch.dispatcher import Target
from headrace.dispatch.invokers.base import Invocation
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.dispatch.permits import Gate
from headrace.pollers.feed_settings import Keeps
from headrace.pollers.memory.queue import MemoryQueue, MemoryQueueSource
from headrace.pollers.supervisor import Supervisor
from support.rigs import MappingRig, one_at_a_time, target_of
from support.virtual_time import EPOCH

ARN = "arn:aws:sqs:us-east-1:000000000000:orders"
Handler = Callable[[list[str]], Awaitable[object]]
E = TypeVar("E")


@dataclass
class Watch:
    """Every event with the virtual time at which it was seen."""

    seen: list[tuple[float, Event]] = field(default_factory=list)
    said: dict[Record, dict[str, Any]] = field(default_factory=dict)
    """The elements of records that were invoked or discarded: they are let go when the record is done."""

    def observe(self, event: Event) -> None:
        self.seen.append((anyio.current_time(), event))
        if isinstance(event, (Invoking, Discarded)):
            self.said.update({record: orjson.loads(record.body) for record in event.records})

    def of(self, kind: type[E]) -> list[E]:
        return [event for _, event in self.seen if isinstance(event, kind)]

    def times(self, kind: type[E]) -> list[float]:
        return [time for time, event in self.seen if isinstance(event, kind)]

    def invoked_bodies(self) -> list[list[str]]:
        """What each invocation that began was given."""
        return [[str(self.said[record]["body"]) for record in event.records] for event in self.of(Invoking)]

    def bodies(self) -> list[str]:
        """All bodies that were handed to a function, in order, repetitions included."""
        return [body for batch in self.invoked_bodies() for body in batch]

    def invocation_times(self) -> list[float]:
        return self.times(Invoking)

    def outcome_times(self) -> list[float]:
        return self.times(Invoked)


class Function:
    """A function of the world: a handler of bodies, an invoker, permits and a gate."""

    def __init__(
        self,
        handler: Handler,
        watch: Watch,
        *,
        name: str = "function",
        timeout: float | None = 3.0,
        concurrency: int = 1,
        remembered: bool = False,
    ) -> None:
        self._handler = handler
        clock = LoopClock(EPOCH)
        self.invoker = CallableInvoker(self._invoke, clock=clock, timeout=timeout, concurrency=concurrency)
        self.target = target_of(self.invoker, watch, name=name, remembered=remembered)

    async def _invoke(self, invocation: Invocation) -> Reply | bytes:
        bodies = [record["body"] for record in orjson.loads(invocation.payload)["Records"]]
        answer = await self._handler(bodies)
        return answer if isinstance(answer, Reply | bytes) else orjson.dumps(answer)


class World:
    """Queues, functions and mappings; `async with world.running()` lets them go."""

    def __init__(self) -> None:
        self.clock = LoopClock(EPOCH)
        self.watch = Watch()
        self._supervisors: dict[str, Supervisor] = {}
        self._gates: dict[str, Gate] = {}
        self._tasks: TaskGroup | None = None

    def queue(self, name: str = "orders", **settings: object) -> MemoryQueue:
        arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
        return MemoryQueue(arn, self.clock, **settings)  # type: ignore[arg-type]

    def function(self, handler: Handler, **settings: object) -> Function:
        return Function(handler, self.watch, **settings)  # type: ignore[arg-type]

    def mapping(
        self,
        queue: MemoryQueue,
        function: Function,
        *,
        name: str = "mapping",
        batch_size: int = 10,
        window: float = 0.0,
        partial: bool = False,
        receivers: int = 1,
        keeps: Keeps = keep_all,
    ) -> Supervisor:
        rig = MappingRig(
            clock=self.clock,
            observer=self.watch,
            target=function.target,
            name=name,
            policy=Policy(Progress.NONE, partial=partial),
            batch_size=batch_size,
            window=window,
            slots=one_at_a_time(grouped=queue.fifo),
            keeps=keeps,
        )
        source = MemoryQueueSource(queue, receivers, windowed=window > 0)
        return self.add(name, rig.supervisor(source), function.target)

    def add(self, name: str, supervisor: Supervisor, target: Target) -> Supervisor:
        """A mapping of this world; one of the same name is replaced."""
        self._supervisors[name] = supervisor
        self._gates[target.name] = target.gate
        return supervisor

    def start(self, supervisor: Supervisor) -> None:
        """Let a mapping go that was made while the world was running (an update is a stop and a new one)."""
        assert self._tasks is not None
        self._tasks.start_soon(supervisor.run)

    async def stop(self, grace: float) -> None:
        """Stop all mappings, as the daemon would."""
        async with anyio.create_task_group() as stopping:
            for supervisor in self._supervisors.values():
                stopping.start_soon(supervisor.stop, grace)

    @asynccontextmanager
    async def running(self, grace: float = 5.0) -> AsyncIterator[None]:
        """Everything runs while the body does; then it is stopped as the daemon would."""
        async with anyio.create_task_group() as gates, anyio.create_task_group() as tasks:
            self._tasks = tasks
            for gate in self._gates.values():
                gates.start_soon(gate.run)
            for supervisor in self._supervisors.values():
                tasks.start_soon(supervisor.run)
            yield
            await self.stop(grace)
            gates.cancel_scope.cancel()

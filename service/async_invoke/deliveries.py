"""Delivers accepted events. Each function with events has a queue, so that no event waits for another function.

    accept ──► store ──► queue ──► due ──► attempt ──► decided ──► put back | reported and deleted

A queue holds a few events at a time, and ends when its function has no more events. After a stop no new attempt begins;
an interrupted event is unchanged in the store, and is attempted again after the next start.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import anyio
from anyio.abc import TaskGroup

from ...config.clock import Clock
from ...config.durable.faults import StoreUnavailable
from ...config.reasons import fault_of_ours
from ...dispatch.core.observer import EventDelayed, EventDropped, EventFinished, EventRetried, Observer
from ...dispatch.invokers.base import Invocation
from ..running.invocations import Invocable, Invocations
from .core import decisions
from .core.model import Again, AsyncEvent, HeldEvent, Over, Step
from .protocols import Tells
from .store import EventStore

LONGEST_SLEEP = 60.0
"""Seconds after which a queue reads the steady clock again, because due times are times of that clock: it counts a
sleep of the machine, which the loop's does not."""
STORE_AGAIN = 1.0
"""Seconds between attempts to repeat a failed write to the store."""
FAULT_DELAY = 60.0
"""Seconds before the next attempt for an event that met a fault of ours."""


@dataclass(slots=True, eq=False)
class _FunctionQueue:
    function: str
    in_hand: set[int] = field(default_factory=set)
    woken: anyio.Event = field(default_factory=anyio.Event)


@dataclass(frozen=True, slots=True)
class RetryPace:
    """How fast events are delivered."""

    at_once: int = 10
    """Events of one function at a time."""
    factor: float = 1.0
    """Factor for the pauses after failed attempts."""


class EventQueue:
    """Accepts events, and notifies the queue of the event's function."""

    def __init__(self, store: EventStore, clock: Clock) -> None:
        self.store = store
        self._clock = clock
        self._arrived: set[str] = set()
        self._arrival = anyio.Event()

    def has_room(self, size: int) -> bool:
        return self.store.has_room(size)

    async def accept(self, function: str, qualifier: str, request_id: str, payload: bytes, hops: int) -> None:
        now = self._clock.steady()
        event = AsyncEvent(0, function, qualifier, request_id, now, now, hops=hops)
        await self.store.add(event, payload, partial(self._arrive, function))

    def _arrive(self, function: str) -> None:
        """Called in the step in which an event is known to be durable. Without a queue it would wait for the next
        start."""
        self._arrived.add(function)
        self._arrival.set()

    async def arrivals(self) -> set[str]:
        """Functions that got events since the last call; waits for at least one."""
        await self._arrival.wait()
        return self._taken()

    def _taken(self) -> set[str]:
        arrived, self._arrived, self._arrival = self._arrived, set(), anyio.Event()
        return arrived


class Deliveries:
    """The driver. After a fault it may `run` again; `stop` it once."""

    def __init__(
        self,
        queue: EventQueue,
        invocations: Invocations,
        endings: Tells,
        observer: Observer,
        clock: Clock,
        pace: RetryPace,
    ) -> None:
        self._queue = queue
        self._store = queue.store
        self._invocations = invocations
        self._endings = endings
        self._observer = observer
        self._clock = clock
        self._pace = pace
        self._function_queues: dict[str, _FunctionQueue] = {}
        self._scope = anyio.CancelScope()
        self._stopping = False

    async def run(self) -> None:
        """Deliver stored and new events, until stopped."""
        if self._stopping:
            return
        self._function_queues.clear()  # left by a run that a fault ended; its events are unchanged in the store
        with anyio.CancelScope() as self._scope:
            async with anyio.create_task_group() as tasks:
                await self._feed(tasks)

    async def stop(self, until: float) -> None:
        """Begin no new attempt; running attempts have until then (monotonic)."""
        self._stopping = True
        for queue in self._function_queues.values():
            queue.woken.set()
        with anyio.CancelScope(deadline=until):
            while any(queue.in_hand for queue in self._function_queues.values()):
                busy = next(queue for queue in self._function_queues.values() if queue.in_hand)
                busy.woken = anyio.Event()
                await busy.woken.wait()
        self._scope.cancel()

    async def _feed(self, tasks: TaskGroup) -> None:
        for function in await self._asked_functions():
            self._wake(function, tasks)
        while True:
            for function in await self._queue.arrivals():
                self._wake(function, tasks)

    async def _asked_functions(self) -> list[str]:
        while True:
            try:
                return await self._store.functions()
            except StoreUnavailable as error:
                await self._store_fails("", error)

    def _wake(self, function: str, tasks: TaskGroup) -> None:
        if self._stopping:
            return
        queue = self._function_queues.get(function)
        if queue is None:
            queue = self._function_queues[function] = _FunctionQueue(function)
            tasks.start_soon(self._run_queue, queue, tasks)
        queue.woken.set()

    # --- one function -----------------------------------------------------------------------------------------------

    async def _run_queue(self, queue: _FunctionQueue, tasks: TaskGroup) -> None:
        while not self._stopping:
            queue.woken = anyio.Event()
            try:
                self._take(queue, await self._due(queue), tasks)
                if self._is_done(queue, due := await self._next_due(queue)):
                    return
                await self._rest(queue, due)
            except StoreUnavailable as error:
                await self._store_fails(queue.function, error)

    async def _due(self, queue: _FunctionQueue) -> list[HeldEvent]:
        room = self._room(queue.function) - len(queue.in_hand)
        if room <= 0:
            return []
        return await self._store.due(queue.function, self._clock.steady(), room, queue.in_hand)

    def _take(self, queue: _FunctionQueue, due: list[HeldEvent], tasks: TaskGroup) -> None:
        """Mark these events as in flight: `stop` waits for them, and the queue does not fetch them again."""
        for held in () if self._stopping else due:
            queue.in_hand.add(held.event.id)
            tasks.start_soon(self._deliver, queue, held)

    def _room(self, function: str) -> int:
        """Limits the events to the known concurrency: the others would only be refused."""
        reserved = self._invocations.catalogue.reserved(function)
        return self._pace.at_once if not reserved else min(reserved, self._pace.at_once)

    async def _next_due(self, queue: _FunctionQueue) -> float | None:
        full = len(queue.in_hand) >= self._room(queue.function)
        return None if full else await self._store.next_due(queue.function, queue.in_hand)

    def _is_done(self, queue: _FunctionQueue, due: float | None) -> bool:
        """Whether no events are left, and none came during the check. Then this step closes the queue, and the next
        event opens another one."""
        done = due is None and not queue.in_hand and not queue.woken.is_set()
        if done:
            del self._function_queues[queue.function]
        return done

    async def _rest(self, queue: _FunctionQueue, due: float | None) -> None:
        """Wait until there is something to do."""
        pause = None if due is None else min(max(0.0, due - self._clock.steady()), LONGEST_SLEEP)
        with anyio.move_on_after(pause):
            await queue.woken.wait()

    # --- one event --------------------------------------------------------------------------------------------------

    async def _deliver(self, queue: _FunctionQueue, held: HeldEvent) -> None:
        try:
            await self._work_on(held)
        except Exception as error:  # a fault of ours must not affect the other events
            self._observer.observe(EventDelayed(held.event.function, fault_of_ours(error)))
            await self._put_back(replace(held.event, due=self._clock.steady() + FAULT_DELAY))
        finally:
            queue.in_hand.discard(held.event.id)
            queue.woken.set()

    async def _work_on(self, held: HeldEvent) -> None:
        event = held.event
        found = self._invocations.find(event.function, event.qualifier)
        if found is None:
            self._observer.observe(EventDropped(event.function, event.request_id))
            await self._forget(event)
            return
        match await self._attempt(held):
            case Again(event=later):
                delay = later.due - self._clock.steady()
                self._observer.observe(EventRetried(event.function, event.request_id, later.attempts, delay))
                await self._put_back(later)
            case Over() as over:
                await self._finish(held, over, found)

    async def _attempt(self, held: HeldEvent) -> Step:
        event, catalogue = held.event, self._invocations.catalogue
        settings = catalogue.asynchronous(event.function, event.qualifier)
        over = decisions.before(event, settings, catalogue.reserved(event.function), self._clock.steady())
        if over is not None:
            return over
        invocation = Invocation(held.payload, event.request_id, hops=event.hops)
        reply = await self._invocations.invoke(event.function, event.qualifier, invocation)
        settings = catalogue.asynchronous(event.function, event.qualifier)  # they may have changed in the meantime
        return decisions.after(event, settings, reply, self._clock.steady(), self._pace.factor)

    async def _finish(self, held: HeldEvent, over: Over, found: Invocable) -> None:
        """Report the event's end, then delete the event: after a crash in between it is attempted again, not lost."""
        event = held.event
        settings = self._invocations.catalogue.asynchronous(event.function, event.qualifier)
        await self._endings.tell(held, over, settings, found.dead_letter)
        await self._forget(event)
        self._observer.observe(EventFinished(event.function, event.request_id, over.condition.value, over.attempts))

    # --- the store --------------------------------------------------------------------------------------------------

    async def _put_back(self, event: AsyncEvent) -> None:
        while True:
            try:
                return await self._store.put_back(event)
            except StoreUnavailable as error:
                await self._store_fails(event.function, error)

    async def _forget(self, event: AsyncEvent) -> None:
        while True:
            try:
                return await self._store.remove(event)
            except StoreUnavailable as error:
                await self._store_fails(event.function, error)

    async def _store_fails(self, function: str, error: StoreUnavailable) -> None:
        self._observer.observe(EventDelayed(function, error.reason))
        await anyio.sleep(STORE_AGAIN)

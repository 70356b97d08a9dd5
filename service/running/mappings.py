"""The mappings of a running daemon, and their states. Mappings are added, changed and deleted while it runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from ...config.core.stop_budget import StopTimes
from ...config.mapping import EventSourceMapping
from ...config.reasons import Reason, ReasonCode
from ...dispatch.core.observer import DestinationChanged, Event, GateClosed, GateOpened, MappingChanged
from ...dispatch.destinations.persistence import FailureDestination
from ...dispatch.dispatcher import Target
from ...pollers.core.lifecycle import PollState, Status
from ...pollers.source import FunctionFacts
from ...pollers.supervisor import Supervisor
from ..telemetry.account import Account
from ..telemetry.core.flow import FlowView
from ..telemetry.sight import Sight
from ..telemetry.view import FAILING, PAUSED, FunctionView, MappingView, Readiness
from .functions import RunningFunctions, reference_of
from .tending import Fault, raised, tended

DISABLED = "disabled"
NOT_ENABLED = Reason(ReasonCode.DISABLED, "it is not enabled")
IS_PAUSED = Reason(ReasonCode.PAUSED, "it is paused; `headrace resume` lets it go on")
IS_HELD = Reason(ReasonCode.PAUSED, "its positions are being moved")
OPENING = Reason(ReasonCode.PENDING, "it is being opened")
STOPPING = Reason(ReasonCode.STOPPING, "the daemon is stopping")


@dataclass(frozen=True, slots=True)
class RunningMapping:
    """A running mapping; also the `idle.Watched` of `--until-idle`."""

    config: EventSourceMapping
    supervisor: Supervisor
    target: Target
    destination: FailureDestination | None = None
    facts: FunctionFacts = field(default_factory=FunctionFacts)
    """The facts of its function with which it was made."""

    @property
    def mapping(self) -> str:
        return self.config.name

    @property
    def standing(self) -> Status:
        """The mapping's state, including its function's; without a reason while nothing is known yet."""
        status = self.supervisor.status
        if status.state not in (PollState.WAITING, PollState.POLLING):
            return status
        if (closed := self.target.closed) is not None:
            return Status(PollState.WAITING, closed, for_function=True)
        if status.for_function:
            return Status(PollState.WAITING)  # the function is ready, and the source is being opened
        return status

    @property
    def polling(self) -> bool:
        return self.standing.state is PollState.POLLING

    @property
    def waits_for(self) -> Reason | None:
        standing = self.standing
        return None if standing.state is PollState.POLLING else standing.reason or OPENING

    @property
    def trouble(self) -> Reason | None:
        """The problem of its failure destination; None without a problem, or without a destination."""
        return self.destination.trouble if self.destination else None

    @property
    def is_known(self) -> bool:
        """Whether the failure destination, if there is one, was checked."""
        return self.destination is None or self.destination.known

    @property
    def busy(self) -> bool:
        return self.supervisor.busy

    @property
    def fetched_at(self) -> float:
        return self.supervisor.fetched_at

    async def empty(self) -> bool:
        return await self.supervisor.empty()

    async def run(self) -> None:
        """Run until stopped."""
        async with anyio.create_task_group() as tasks:
            if self.destination is not None:
                tasks.start_soon(self.destination.watch)
            await self.supervisor.run()
            tasks.cancel_scope.cancel()

    async def aclose(self) -> None:
        if self.destination is not None:
            await self.destination.destination.aclose()


@dataclass(frozen=True, slots=True)
class HeldMapping:
    """An enabled mapping that cannot run: for `idle.Watched` it is never idle."""

    mapping: str
    waits_for: Reason | None
    polling: bool = False
    busy: bool = False
    fetched_at: float = -math.inf

    async def empty(self) -> bool:
        return False


class Changes:
    """The observer that wakes tasks that wait for a change of state, and knows which functions were tried."""

    def __init__(self) -> None:
        self._changed = anyio.Event()
        self.tried: set[str] = set()
        """Functions whose ability to start is known."""

    def observe(self, event: Event) -> None:
        match event:
            case GateClosed(function=function) | GateOpened(function=function):
                self.tried.add(function)
            case MappingChanged() | DestinationChanged():
                pass
            case _:
                return
        self.changed()

    def changed(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    def next(self) -> anyio.Event:
        """An event that is set at the next change. Get it before you read the state, so that no change is missed."""
        return self._changed


class _Running:
    """A mapping's task, which can be ended alone."""

    def __init__(self, work: RunningMapping) -> None:
        self._work = work
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()

    async def run(self, fault: Fault) -> None:
        with self._scope:
            await tended(f"mapping {self._work.mapping}", self._work.run, fault)
        self._ended.set()

    async def end(self) -> None:
        """Cancel the task after its stop: running work has had its time."""
        self._scope.cancel()
        await self._ended.wait()


class Companion(Protocol):
    """A part that runs beside the mappings and has its own stop."""

    async def run(self) -> None:
        """Until it is stopped, or cancelled."""
        ...

    async def stop(self, until: float) -> None:
        """Begin no more work; running work is ended at `until` (monotonic)."""
        ...


class RunningMappings:
    """Everything that runs, and its status. `mappings` are all configured mappings, `works` the
    enabled ones. `parts` are stopped with the mappings, `last` after all functions have ended. `unkept` says what the
    state directory cannot store at present."""

    def __init__(
        self,
        mappings: Iterable[EventSourceMapping],
        works: Iterable[RunningMapping],
        fleet: RunningFunctions,
        account: Account,
        changes: Changes,
        parts: Sequence[Companion] = (),
        last: Sequence[Companion] = (),
        fault: Fault = raised,
        unkept: Callable[[], Collection[Reason]] = tuple,
        sight: Sight | None = None,
        coming: Callable[[], Reason | None] = lambda: None,
        origin: Callable[[str], str] = lambda uuid: "file",
    ) -> None:
        """`fault` gets the fault that stopped a part or a mapping, which then restarts. Without `sight`, nothing is
        known of records, and no mapping is called failing. `coming` says why it is not known yet which mappings there
        are; `origin` where one comes from, by its UUID."""
        self._coming = coming
        self._origin = origin
        self._fault = fault
        self._parts = parts
        self._last = last
        self._unkept = unkept
        self._mappings = {mapping.name: mapping for mapping in mappings}
        self._works = {work.mapping: work for work in works}
        self._obstacles: dict[str, Reason] = {}
        """The reasons of enabled mappings that do not run."""
        self.fleet = fleet
        self._account = account
        self._sight = sight
        self.changes = changes
        self.paused: set[str] = set()
        """Names of those that are not to be at work, although they are enabled."""
        self.held: set[str] = set()
        """UUIDs of those that are not to be at work for a moment, because somebody moves their positions."""
        self.stopping = False
        self._tasks: TaskGroup | None = None
        self._running: dict[str, _Running] = {}

    @property
    def works(self) -> Collection[RunningMapping]:
        """The running mappings; the collection is live."""
        return self._works.values()

    def watched(self) -> list[RunningMapping | HeldMapping]:
        """All enabled mappings, running or not."""
        held = [HeldMapping(name, obstacle) for name, obstacle in self._obstacles.items()]
        if coming := self._coming():
            held.append(HeldMapping("the emulator's mappings", coming))
        return [*self._works.values(), *held]

    @property
    def account(self) -> Account:
        return self._account

    # --- what runs --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run present and later mappings, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tended, "functions", self.fleet.run, self._fault)
            for part in (*self._parts, *self._last):
                tasks.start_soon(tended, type(part).__name__, part.run, self._fault)
            self._tasks = tasks
            for work in self._works.values():
                self._begin(work)
            await anyio.sleep_forever()

    def put(self, mapping: EventSourceMapping, work: RunningMapping | None, obstacle: Reason | None = None) -> None:
        """Add a mapping that is new or was stopped; `work` is None for a mapping that is not enabled, or that cannot
        run for an `obstacle`."""
        self._mappings[mapping.name] = mapping
        self._obstacles.pop(mapping.name, None)
        if obstacle:
            self._obstacles[mapping.name] = obstacle
        if work is not None:
            self._works[mapping.name] = work
            self._begin(work)
        self.changes.changed()

    async def take_down(self, name: str, grace: float) -> None:
        """Stop a mapping as a stop of the daemon does; it stays visible, as not enabled."""
        work = self._works.get(name)
        if work is not None:
            await work.supervisor.stop(grace)
            if name in self._running:
                await self._running.pop(name).end()
            self._ended(name)
            await work.aclose()

    def _ended(self, name: str) -> None:
        """Remove it from the table and notify in one step: an observer that looks finds it gone."""
        del self._works[name]
        self.changes.changed()

    def forget(self, name: str) -> None:
        """Remove a stopped mapping from the status."""
        self._mappings.pop(name, None)
        self._obstacles.pop(name, None)
        self.paused.discard(name)
        self.changes.changed()

    async def stop(self, times: StopTimes) -> None:
        """Stop all mappings at once, and accept no new ones."""
        self.stopping = True
        async with anyio.create_task_group() as tasks:
            for work in self._works.values():
                tasks.start_soon(work.supervisor.stop_by, times)
            for part in self._parts:
                tasks.start_soon(part.stop, times.finish)

    async def stop_last(self, times: StopTimes) -> None:
        """Stop the last parts after the functions, which left data to be sent."""
        async with anyio.create_task_group() as tasks:
            for part in self._last:
                tasks.start_soon(part.stop, times.send)

    async def aclose(self) -> None:
        """Close all destinations at once."""
        async with anyio.create_task_group() as tasks:
            for work in self._works.values():
                tasks.start_soon(work.aclose)

    def _begin(self, work: RunningMapping) -> None:
        if self._tasks is not None and not self.stopping:
            running = self._running[work.mapping] = _Running(work)
            self._tasks.start_soon(running.run, self._fault)

    # --- what there is to see ---------------------------------------------------------------------------------------

    def readiness(self) -> Readiness:
        if self.stopping:
            return Readiness(ready=False, polling=False, reasons=(STOPPING,))
        unkept = self._unkept()
        reasons = [*unkept]
        reasons += [
            reason.of(work.mapping)
            for work in self.works
            for reason in (work.waits_for or self._failing(work), work.trouble)
            if reason
        ]
        reasons += [obstacle.of(name) for name, obstacle in self._obstacles.items()]
        known = all(self._is_known(work) for work in self.works)
        coming = self._coming()
        reasons += [coming] if coming else []
        pending = coming is not None and coming.code is ReasonCode.PENDING
        return Readiness(known and not unkept and not pending, not reasons, tuple(reasons))

    def config(self, name: str) -> EventSourceMapping | None:
        """The mapping of this name, at work or not."""
        return self._mappings.get(name)

    def work(self, name: str) -> RunningMapping | None:
        """The mapping of this name, if it is at work."""
        return self._works.get(name)

    def is_listed(self, name: str) -> bool:
        """Whether the mapping is here, at work or not."""
        return name in self._mappings

    def is_known(self, name: str) -> bool:
        """Whether the mapping polls, or can say what it waits for."""
        work = self._works.get(name)
        return work is None or self._is_known(work)

    def waits_for(self, name: str) -> Reason | None:
        """The reason why an enabled mapping does not poll; None when it polls."""
        work = self._works.get(name)
        return work.waits_for if work is not None else self._obstacles.get(name)

    def mappings(self) -> tuple[MappingView, ...]:
        return tuple(self._mapping(config) for config in self._mappings.values())

    def listed(self) -> tuple[str, ...]:
        return tuple(self._mappings)

    def mapping(self, name: str) -> MappingView | None:
        config = self._mappings.get(name)
        if config is None:
            config = next((each for each in self._mappings.values() if each.uuid == name), None)
        return self._mapping(config) if config is not None else None

    def functions(self) -> tuple[FunctionView, ...]:
        views = self.fleet.views()
        return tuple(replace(view, work=self._sight.work(view.name)) for view in views) if self._sight else views

    def _is_known(self, work: RunningMapping) -> bool:
        return work.is_known and (work.polling or self._known(work))

    def _known(self, work: RunningMapping) -> bool:
        """Whether a mapping that does not poll knows the reason: its function was tried, its source was checked."""
        return work.standing.reason is not None and (work.target.gate.is_open or work.target.name in self.changes.tried)

    def _failing(self, work: RunningMapping) -> Reason | None:
        """Why a mapping polls in vain; None when it does not."""
        text = self._sight.failing(work.mapping) if self._sight and work.polling else ""
        return Reason(ReasonCode.FUNCTION_FAILING, text) if text else None

    def _flow(self, name: str, work: RunningMapping | None) -> FlowView | None:
        if self._sight is None:
            return None
        flow = self._sight.flow(name)
        since = self._sight.down_since(work.target.name) if work and work.target.closed else None
        return flow if since is None else replace(flow, since=max(flow.since, since))

    def _rests(self, config: EventSourceMapping) -> tuple[str, Reason]:
        """Why one is not at work that nothing keeps from it."""
        if config.enabled and config.uuid in self.held:
            return PAUSED, IS_HELD
        return (PAUSED, IS_PAUSED) if config.enabled and config.name in self.paused else (DISABLED, NOT_ENABLED)

    def _mapping(self, config: EventSourceMapping) -> MappingView:
        work = self._works.get(config.name)
        obstacle = self._obstacles.get(config.name)
        standing = work.standing if work else Status(PollState.WAITING, obstacle) if obstacle else None
        failing = self._failing(work) if work else None
        rests, why = self._rests(config)
        return MappingView(
            name=config.name,
            uuid=config.uuid,
            source=config.place,
            kind=str(config.kind),
            function=reference_of(config),
            state=FAILING if failing else standing.state.value if standing else rests,
            reason=failing or (standing.reason if standing else why),
            feeds=work.supervisor.feeds if work else 0,
            counts=self._account.as_json(config.name),
            origin=self._origin(config.uuid),
            destination=work.destination.arn if work and work.destination else "",
            trouble=work.trouble if work else None,
            flow=self._flow(config.name, work),
        )

"""A plant that follows the API's mappings, with the shipped fakes for all that lies outside: on virtual time."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from headrace.config.clock import LoopClock
from headrace.config.durable.faults import StoreUnavailable
from headrace.config.mapping import EventSourceMapping
from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.observer import Observers
from headrace.dispatch.invokers.base import Invocation
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.pollers.checkpoints.memory import MemoryCheckpoints
from headrace.pollers.memory.flavours import Flavour
from headrace.pollers.memory.queue import MemoryQueue, MemoryQueueSource
from headrace.pollers.memory.stream import MemoryStream
from headrace.pollers.memory.stream_service import MemoryStreamService
from headrace.pollers.source import FunctionFacts, Roster, Source
from headrace.service.api.calls.mappings import MappingCalls
from headrace.service.api.wire.call import Call
from headrace.service.control.mappings.decisions import DecisionContext
from headrace.service.control.mappings.from_file import Filed
from headrace.service.control.mappings.model import FoundFunction, SourceLook
from headrace.service.control.store.document_store import FILE, Documents
from headrace.service.control.store.mapping_plane import MappingPlane
from headrace.service.running.functions import RunningFunction, RunningFunctions, reference_of
from headrace.service.running.mappings import Changes, RunningMapping, RunningMappings
from headrace.service.running.pauses import KIND as PAUSE
from headrace.service.running.progress import Progresses
from headrace.service.running.reconciler import Reconciler, ReconcilerParts
from headrace.service.telemetry.account import Account
from headrace.service.telemetry.core.mapping_model import Instant
from headrace.service.telemetry.filter_lines import say_filters
from headrace.service.telemetry.log import Log
from headrace.service.telemetry.mapping_logs import MappingLogs
from headrace.service.telemetry.metrics import Metrics
from headrace.service.telemetry.sight import Sight
from support.function_api import check
from support.mapping_requests import HERE, QUEUE, STREAM
from support.rigs import MappingRig, stream_source, target_of
from support.virtual_time import EPOCH

GRACE = 5.0


@dataclass
class World:
    """What is there outside: it outlives daemons. `timeouts` has the functions, with their seconds."""

    path: Path
    timeouts: dict[str, float] = field(default_factory=lambda: {"f": 3.0})
    adopts: bool = False
    seconds: float = 0.0
    """Of an invocation."""
    sources_seen: SourceLook = field(default_factory=SourceLook)
    opening: float = 0.0
    """Seconds until a queue is open."""
    printed: str = ""
    """What each function says of its init, which fails; empty: it does not."""
    broken: set[str] = field(default_factory=set)
    """Sources of which no mapping can be made, for a fault of ours."""
    positions_fail: int = 0
    """So many times positions cannot be removed."""

    def __post_init__(self) -> None:
        self.clock = LoopClock(EPOCH)
        self.queue = MemoryQueue(QUEUE, self.clock, 30.0)
        self.stream = MemoryStream(STREAM, self.clock, Flavour.KINESIS)
        self.positions = MemoryCheckpoints()
        self.invoked = 0
        """How often a function was."""
        self.ids = 0

    def fresh(self) -> str:
        self.ids += 1
        return str(self.ids)

    def find(self, name: str, qualifier: str) -> FoundFunction | None:
        reference = f"{name}:{qualifier}" if qualifier else name
        return FoundFunction(self.timeouts[reference]) if reference in self.timeouts else None


class SlowQueue(MemoryQueueSource):
    def __init__(self, queue: MemoryQueue, opening: float) -> None:
        super().__init__(queue, 2)
        self._opening = opening

    async def open(self) -> Roster:
        await anyio.sleep(self._opening)
        return await super().open()


class Rig:
    """A daemon's part of it: the calls, and the plant behind them."""

    def __init__(self, world: World, documents: Documents, configured: Filed) -> None:
        self.world = world
        self.lines: list[str] = []
        self.stderr = io.StringIO()
        self.account, self.changes, self.progresses = Account(), Changes(), Progresses()
        self.metrics = Metrics([])
        self.sight = Sight(lambda: Instant(world.clock.monotonic(), world.clock.wall()))
        self.observer = Observers([self.account, self.metrics, self.progresses, self.changes, self.sight])
        self.fleet = RunningFunctions(self._member)
        self.plant = RunningMappings([], [], self.fleet, self.account, self.changes)
        self.progresses.look_at(self.plant.waits_for)
        ground = DecisionContext(HERE, world.find, world.adopts)
        self.plane = MappingPlane(documents, configured, ground, world.clock, say=self.lines.append, fresh=world.fresh)
        log = Log(self.stderr)
        logs = MappingLogs([], log)
        parts = ReconcilerParts(
            self._work,
            lambda mapping: None,
            self._forget_positions,
            self.metrics,
            logs,
            self._forget,
            is_paused=lambda uuid: uuid in documents.all(PAUSE),
        )
        self.following = Reconciler(self.plane, self.plant, parts, log, grace=GRACE)
        self.calls = MappingCalls(self.plane, self._look, self.progresses.of, partial(say_filters, log))
        self.made: list[EventSourceMapping] = []

    async def ask(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        answer = await self.calls.calls()[operation](Call(operation, parameters, "request"))
        check(operation, answer.output)
        return answer.output

    async def create(self, **request: Any) -> str:
        made: str = (await self.ask("CreateEventSourceMapping", **request))["UUID"]
        return made

    async def state(self, uuid: str) -> str:
        state: str = (await self.ask("GetEventSourceMapping", UUID=uuid))["State"]
        return state

    async def settled(self) -> None:
        """Until nothing is under way."""
        while any(each.state.passing for each in self.plane.all.values()):  # noqa: ASYNC110 - virtual time
            await anyio.sleep(0.1)

    # --- what the daemon gives ----------------------------------------------------------------------------------------

    async def _look(self, mapping: EventSourceMapping) -> SourceLook:
        await anyio.sleep(0.2)
        return self.world.sources_seen

    def _forget(self, mapping: str) -> None:
        self.account.forget(mapping)
        self.progresses.forget(mapping)

    async def _forget_positions(self, mapping: EventSourceMapping) -> None:
        if self.world.positions_fail:
            self.world.positions_fail -= 1
            raise StoreUnavailable("the disk is full")
        await self.world.positions.remove(mapping.uuid)

    async def _member(self, name: str) -> RunningFunction:
        async def take(invocation: Invocation) -> bytes:
            self.world.invoked += 1
            await anyio.sleep(self.world.seconds)
            return b"{}"

        invoker = CallableInvoker(take, clock=self.world.clock, timeout=60.0, concurrency=2)
        if self.world.printed:
            invoker.break_down(self.world.printed)
        target = target_of(invoker, self.observer, name=name, backoff=Backoff(cap=4.0))
        return RunningFunction(target, "a fake", lambda: FunctionFacts(self.world.timeouts.get(name)))

    async def _work(self, mapping: EventSourceMapping) -> RunningMapping:
        self.made.append(mapping)
        if mapping.source in self.world.broken:
            raise RuntimeError("broken")
        member = await self.fleet.member(reference_of(mapping))
        rig = MappingRig.configured(
            mapping, clock=self.world.clock, observer=self.observer, target=member.target, backoff=Backoff(cap=4.0)
        )
        return rig.work(mapping, self._source(mapping), member.facts)

    def _source(self, mapping: EventSourceMapping) -> Source:
        if mapping.profile.has_visibility:
            return SlowQueue(self.world.queue, self.world.opening)
        return stream_source(
            MemoryStreamService(self.world.stream),
            self.world.positions,
            self.observer,
            mapping=mapping.name,
            uuid=mapping.uuid,
            start=mapping.starting_position or "LATEST",
        )


@asynccontextmanager
async def running(world: World, configured: Filed | None = None) -> AsyncIterator[Rig]:
    """A daemon, from its start to a crash."""
    documents = await Documents.open(world.path / FILE)
    try:
        rig = Rig(world, documents, configured or {})
        await rig.plane.start()
        await rig.following.begin()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rig.plant.run)
            tasks.start_soon(rig.following.run)
            yield rig
            tasks.cancel_scope.cancel()
    finally:
        await documents.aclose()

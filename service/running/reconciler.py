"""Keeps the running mappings in step with those of the API: each is added, changed and deleted while all others run.

    a change ──► the mapping's follower ──► stopped ──► made again ──► polls, or says what it waits for ──► settled

Each mapping has a follower of its own while there are changes to apply; so a slow mapping delays no other,
and the call that changed it has already been answered. A mapping whose function does not exist waits visibly until the
function exists. A deletion is tried until it succeeds: the store remembers it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from ...config.errors import ConfigError, HeadraceError
from ...config.mapping import EventSourceMapping, split_function
from ...config.reasons import Reason, ReasonCode, fault_of_ours
from ...dispatch.core.backoff import Backoff
from ..control.mappings.model import Mapped, MappingState
from ..control.store.mapping_plane import MappingPlane
from ..telemetry.log import Action, Log
from ..telemetry.mapping_logs import MappingLogs
from ..telemetry.metrics import Labels, Metrics
from .functions import reference_of
from .mappings import RunningMapping, RunningMappings
from .tending import Fault, raised

SETTLE_WITHIN = 5.0
"""Seconds for a mapping to poll or to say what it waits for; after that the change counts as done nevertheless."""
AGAIN = Backoff(base=1.0, cap=30.0)
"""Seconds between attempts to delete a mapping that cannot be deleted yet."""


@dataclass(frozen=True, slots=True)
class ReconcilerParts:
    """The parts that hold data of a mapping."""

    make: Callable[[EventSourceMapping], Awaitable[RunningMapping]]
    """Makes a running mapping. Raises ConfigError for an impossible one."""
    let_go: Callable[[EventSourceMapping], None]
    """Drops the resources of a deleted or changed mapping."""
    forget_positions: Callable[[EventSourceMapping], Awaitable[None]]
    """Deletes a mapping's positions: a mapping that is created again starts from nothing."""
    metrics: Metrics
    logs: MappingLogs
    forget: Callable[[str], None]
    """Deletes the counts of a deleted mapping, by its name."""
    is_paused: Callable[[str], bool] = lambda uuid: False
    """Whether somebody told a mapping to wait, by its UUID; asked where its name may be a new one."""
    fault: Fault = raised
    """Gets a fault of ours in a mapping's follower; the follower tries again."""


class Reconciler:
    """`grace`: minimum seconds for running invocations to finish when their mapping changes."""

    def __init__(
        self, plane: MappingPlane, plant: RunningMappings, parts: ReconcilerParts, log: Log, *, grace: float
    ) -> None:
        self._plane = plane
        self._plant = plant
        self._parts = parts
        self._log = log
        self._grace = grace
        self._labels: dict[str, Labels] = {}
        self._started_for: dict[str, str] = {}
        """By UUID, the function for which a mapping was started."""
        self._leaving: dict[str, EventSourceMapping] = {}
        """By UUID, what mappings of the file were that are gone, or have another name now."""
        self._opened_anew: set[str] = set()
        """UUIDs of mappings of the file that are to be opened anew."""
        self._wanted: set[str] = set()
        """UUIDs of mappings to check again."""
        self._followers: set[str] = set()
        self._tasks: TaskGroup | None = None
        plane.watch(self.follow)

    async def begin(self) -> None:
        """Add the stored mappings before any of them runs. Makes no network calls."""
        for mapped in tuple(self._plane.all.values()):
            if mapped.state is MappingState.DELETING:
                self.follow(mapped.uuid)
            elif not mapped.is_stored:
                self._labels[mapped.config.name] = _labels(mapped.config)
            else:
                await self._put(mapped.config)
                self._started_for[mapped.uuid] = reference_of(mapped.config)

    async def run(self) -> None:
        """Follow changes, until cancelled."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            for uuid in tuple(self._wanted):
                self.follow(uuid)
            await anyio.sleep_forever()

    def follow(self, uuid: str) -> None:
        """This mapping is new, changed, or being deleted."""
        self._wanted.add(uuid)
        if self._tasks is not None and uuid not in self._followers:
            self._followers.add(uuid)
            self._tasks.start_soon(self._follow, uuid)

    def function_changed(self, name: str) -> None:
        """A function was created, changed or deleted."""
        for mapped in self._plane.all.values():
            if mapped.is_stored and mapped.config.function_name == name:
                self.follow(mapped.uuid)

    def file_changed(self, gone: Iterable[EventSourceMapping], changed: Iterable[str]) -> None:
        """The configuration was read again. `gone`: mappings that it has no more, or under another name; `changed`:
        UUIDs of those that are new, or other ones."""
        for config in gone:
            self._leaving.setdefault(config.uuid, config)
            self.follow(config.uuid)
        for uuid in changed:
            self._opened_anew.add(uuid)
            self.follow(uuid)

    async def _follow(self, uuid: str) -> None:
        failures = 0
        try:
            while self._next(uuid):
                if not await self._aligned(uuid):
                    failures += 1
                    await anyio.sleep(AGAIN.ceiling(failures))
                    self._wanted.add(uuid)
        except BaseException:
            self._followers.discard(uuid)
            raise

    def _next(self, uuid: str) -> bool:
        """Whether to check it again. If not, this step removes the follower, and the next change starts
        another one."""
        wanted = uuid in self._wanted
        self._wanted.discard(uuid)
        if not wanted:
            self._followers.discard(uuid)
        return wanted

    async def _aligned(self, uuid: str) -> bool:
        """A fault of ours with one mapping does not affect the others; returns False, and the follower tries again."""
        mapped = self._plane.all.get(uuid)
        try:
            await self._leave(uuid)
            if mapped is not None:
                await self._align(mapped)
        except Exception as error:
            self._parts.fault(f"the follower of {mapped.config.name if mapped else uuid}", error)
            return False
        return True

    async def _align(self, mapped: Mapped) -> None:
        if mapped.state is MappingState.DELETING:
            await self._end(mapped)
            return
        if self._plane.is_of_the_file(mapped.uuid):
            await self._align_filed(self._plane.definition(mapped.uuid))
            return
        if not await self._is_as_wanted(mapped.config):
            await self._take_down(mapped.config)
            await self._put(mapped.config)
            await self._release(mapped)
            await self._sighted(mapped.config.name)
        self._plane.settle(mapped)

    async def _align_filed(self, config: EventSourceMapping) -> None:
        """One that is as its file has it changes by a pause, or with the file."""
        before = self._plant.config(config.name)
        if (
            before is not None
            and config.uuid not in self._opened_anew
            and self._is_at_work(config) is not self._rests(config)
        ):
            return
        self._opened_anew.discard(config.uuid)
        await self._until_free(config)
        await self._take_down(before or config)
        if self._parts.is_paused(config.uuid):
            self._plant.paused.add(config.name)
        await self._put(config)
        if before is not None:
            await self._unneeded(reference_of(before))

    def _rests(self, config: EventSourceMapping) -> bool:
        return not config.enabled or config.name in self._plant.paused or config.uuid in self._plant.held

    def _is_at_work(self, config: EventSourceMapping) -> bool:
        return self._plant.work(config.name) is not None

    async def _until_free(self, config: EventSourceMapping) -> None:
        """Until no other mapping has its name any more: names may be exchanged in a file."""
        while (other := self._plant.config(config.name)) is not None and other.uuid != config.uuid:
            changed = self._plant.changes.next()
            if self._plant.config(config.name) is other:
                await changed.wait()

    async def _leave(self, uuid: str) -> None:
        """End what the file has no more: what is in flight ends first. Its positions stay."""
        if (config := self._leaving.get(uuid)) is None:
            return
        here = self._plant.config(config.name)
        if here is not None and here.uuid == uuid:
            await self._take_down(config)
            self._forget(config.name)
        del self._leaving[uuid]
        await self._unneeded(reference_of(config))

    async def _unneeded(self, reference: str) -> None:
        """A mapping does not fetch for this function any more."""
        await self._plant.fleet.release(reference, lambda: self._is_needed(reference))
        await self.close_unused()

    async def close_unused(self) -> None:
        """End the processes of functions that others took the place of, where no mapping invokes them any more."""
        await self._plant.fleet.close_unused(lambda target: any(work.target is target for work in self._plant.works))

    # --- what is there ------------------------------------------------------------------------------------------------

    async def _is_as_wanted(self, config: EventSourceMapping) -> bool:
        """Whether a running mapping needs no change: neither it nor its function has changed."""
        work = self._plant.work(config.name)
        if work is None or self._rests(config) or self._missing(config):
            return False
        try:
            member = await self._plant.fleet.member(reference_of(config))
        except HeadraceError:
            return False
        same = work.config.model_copy(update={"tags": config.tags}) == config
        return same and work.target is member.target and work.facts == member.facts

    def _missing(self, config: EventSourceMapping) -> Reason | None:
        """Why the mapping waits for its function; None when the function exists."""
        if self._plane.ground.find(*split_function(config.function)) is not None:
            return None
        text = f"function {reference_of(config)} does not exist; waiting for it"
        return Reason(ReasonCode.FUNCTION_MISSING, text)

    async def _release(self, mapped: Mapped) -> None:
        """Release the mapping's function when the mapping has another function now, or is deleted."""
        before, now = self._started_for.pop(mapped.uuid, ""), self._plane.all.get(mapped.uuid)
        if now is not None:
            self._started_for[mapped.uuid] = reference_of(mapped.config)
        if before:
            await self._unneeded(before)

    def _is_needed(self, reference: str) -> bool:
        return any(reference_of(each.config) == reference for each in self._plane.all.values())

    async def _put(self, config: EventSourceMapping) -> None:
        self._count(config)
        self._parts.logs.add(config)
        if self._rests(config):
            self._plant.put(config, None)
        elif missing := self._missing(config):
            self._plant.put(config, None, missing)
        else:
            await self._put_to_work(config)

    async def _put_to_work(self, config: EventSourceMapping) -> None:
        try:
            self._plant.put(config, await self._parts.make(config))
        except ConfigError as error:
            self._plant.put(config, None, error.reason)
        except Exception as error:  # a fault of one mapping must not end the others
            obstacle = fault_of_ours(error)
            self._log.error(Action.FAULT, f"{config.name}: {obstacle}", mapping=config.name)
            self._plant.put(config, None, obstacle)

    def _count(self, config: EventSourceMapping) -> None:
        labels = _labels(config)
        if self._labels.get(config.name) != labels:
            self._parts.metrics.remove(config.name)
            self._parts.metrics.add(labels)
            self._labels[config.name] = labels

    async def _take_down(self, config: EventSourceMapping) -> None:
        """Running invocations get at least the function's timeout to finish: no caller waits for this change, and
        the records of an interrupted invocation would come again."""
        work = self._plant.work(config.name)
        deadline = (work.facts.deadline if work else None) or 0.0
        await self._plant.take_down(config.name, max(self._grace, deadline))
        self._parts.let_go(config)

    async def _sighted(self, name: str) -> None:
        """Wait until the mapping polls or can say why not: a client that waits for Enabled may send records then."""
        with anyio.move_on_after(SETTLE_WITHIN):
            while True:
                changed = self._plant.changes.next()
                if self._plant.is_known(name):
                    return
                await changed.wait()

    # --- the end ------------------------------------------------------------------------------------------------------

    async def _end(self, mapped: Mapped) -> None:
        config = mapped.config
        await self._take_down(config)
        failures = 0
        while not await self._forgotten(mapped, failures):
            failures += 1
            await anyio.sleep(AGAIN.ceiling(failures))
        self._forget(config.name)
        await self._release(mapped)

    def _forget(self, name: str) -> None:
        """Nothing of it is shown or counted any more."""
        self._plant.forget(name)
        self._labels.pop(name, None)
        self._parts.metrics.remove(name)
        self._parts.logs.remove(name)
        self._parts.forget(name)

    async def _forgotten(self, mapped: Mapped, failures: int) -> bool:
        """Positions first: they must not outlive the mapping."""
        try:
            await self._parts.forget_positions(mapped.config)
            await self._plane.end(mapped)
        except HeadraceError as error:
            if not failures:
                text = f"{mapped.config.name}: cannot be deleted yet, and will be tried again: {error}"
                self._log.warning(Action.MAPPING, text, mapping=mapped.config.name)
            return False
        return True


def _labels(config: EventSourceMapping) -> Labels:
    return Labels(config.name, str(config.kind), reference_of(config))

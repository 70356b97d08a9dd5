"""Takes an emulator's event source mappings over, follows them, and gives them back.

    every interval: list ──► for each mapping: what it is there and here ──► decide (pure) ──► one step ──► look again

What decides is `control/mappings/taking_over.py`. Each step is durable, or undone by the next look: a mapping is noted
before it is switched off, and forgotten after it was switched on. An emulator that goes away in the middle is asked
again; until then everything stays as it is, and is remembered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import anyio

from ...config.durable.faults import StoreUnavailable
from ...config.errors import SourceError, SourceMissing, SourceUnavailable
from ...config.reasons import Reason, ReasonCode
from ..control.mappings import taking_over
from ..control.mappings.answers import Shown
from ..control.mappings.model import Mapped
from ..control.mappings.taking_over import Deaf, End, GiveBack, Hold, LeaveThere, Look, Note, Nothing, SwitchOff
from ..control.store.mapping_plane import MappingPlane
from ..telemetry.log import Action, Log
from .mappings import RunningMappings

STEPS = 8
"""Decisions about one mapping in one look; more only for a mapping that changes meanwhile."""
STUBBORN = 5
"""So many times a mapping is switched off without a look that shows it off, and then it is given back."""
SETTLE_WITHIN = 5.0
"""Seconds that a mapping is given to be at work here before the next one has its turn."""
FIRST_LOOK = Reason(ReasonCode.PENDING, "the emulator is being asked for its event source mappings")


class Emulator(Protocol):
    """The mappings of an emulator; see `config.clients.emulator_mappings.EmulatorMappings`."""

    async def all(self) -> Mapping[str, Shown]: ...

    async def get(self, uuid: str) -> Shown | None: ...

    async def switch(self, uuid: str, *, on: bool) -> None: ...


Prepare = Callable[[Shown], Awaitable[Reason | None]]
"""Makes the function of a mapping invocable here; a reason where that cannot be. Raises SourceError."""


class EmulatorFollower:
    """Belongs to the running loop. `plant` comes later, by `look_at`."""

    def __init__(
        self,
        there: Emulator,
        plane: MappingPlane,
        prepare: Prepare,
        log: Log,
        *,
        interval: float,
        deaf: Deaf = lambda config: "",
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`interval`: seconds between looks. `changed` is called when `coming` says something else."""
        self._there = there
        self._plane = plane
        self._prepare = prepare
        self._log = log
        self._interval = interval
        self._changed = changed
        self._deaf = deaf
        self._plant: RunningMappings | None = None
        self._turn = anyio.Lock()
        self._stopping = anyio.Event()
        self._looking = anyio.CancelScope()
        self._coming: Reason | None = FIRST_LOOK
        self._left: dict[str, str] = {}
        """The last line about each mapping that stays the emulator's, by UUID."""
        self._tries: Counter[str] = Counter()
        self._given_up: dict[str, str] = {}
        """By UUID, the fingerprint of a mapping that could not be switched off."""

    def look_at(self, plant: RunningMappings) -> None:
        self._plant = plant

    def coming(self) -> Reason | None:
        """Why it is not known which mappings the emulator has; None when it is."""
        return self._coming

    # --- a companion of the mappings ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look every interval, until it is stopped."""
        while not self._stopping.is_set():
            async with self._turn:
                with anyio.CancelScope() as self._looking:
                    await self.look()
            with anyio.move_on_after(self._interval):
                await self._stopping.wait()

    async def stop(self, until: float) -> None:
        """Take over nothing more. A look ends where it is: the next one, or who gives back, goes on from there."""
        self._stopping.set()
        self._looking.cancel()
        async with self._turn:
            return

    async def look(self) -> None:
        """Once at all of them. An emulator that cannot be asked is told, and asked again later."""
        try:
            shown = await self._there.all()
            for uuid in dict.fromkeys([*shown, *self._plane.taken, *self._plane.noted]):
                await self._looked_at(uuid, shown.get(uuid))
            self._tell(None)
        except SourceError as error:
            self._tell(Reason(error.reason.code, f"the emulator's event source mappings are not known: {error}"))
        except StoreUnavailable as error:
            self._tell(Reason(ReasonCode.STATE_UNAVAILABLE, f"nothing is taken over: {error}"))

    def _tell(self, reason: Reason | None) -> None:
        before, self._coming = self._coming, reason
        if reason != before:
            if reason is not None:
                self._log.warning(Action.NOT_TAKEN_OVER, reason.text)
            self._changed()

    async def _looked_at(self, uuid: str, shown: Shown | None) -> None:
        """Apply the decisions. If the emulator refuses one, the others go on. Raises SourceUnavailable: nothing can be
        asked now."""
        try:
            await self._settled(uuid, shown)
        except SourceUnavailable:
            raise
        except SourceError as error:
            self._say_left(uuid, error.reason)

    # --- one mapping --------------------------------------------------------------------------------------------------

    async def _settled(self, uuid: str, shown: Shown | None) -> None:
        """Step after step, until nothing is left to do for it now."""
        if shown is None:
            shown = await self._there.get(uuid)  # a listing may be short of one that is there
        for _ in range(STEPS):
            action = await self._decided(uuid, shown)
            if not await self._done(uuid, action):
                return
            shown = await self._there.get(uuid)
            if isinstance(action, SwitchOff) and Look(shown).is_on:
                return  # it may take a while

    async def _decided(self, uuid: str, shown: Shown | None) -> taking_over.Action:
        runs, noted = self._plane.taken.get(uuid), self._plane.noted.get(uuid)
        work = self._plant.work(uuid) if self._plant else None
        stubborn = self._tries[uuid] >= STUBBORN
        look = Look(shown, noted, runs, polls=work is not None and work.polling, stubborn=stubborn)
        if not look.is_on:
            self._tries.pop(uuid, None)
        return taking_over.decide(look, await self._wanted(uuid, look))

    async def _wanted(self, uuid: str, look: Look) -> Mapped | Reason | None:
        shown = look.shown
        if shown is None or (look.kept is None and not look.is_on):
            return None
        if self._given_up.get(uuid) == taking_over.fingerprint(shown):
            return taking_over.not_ours("it still was enabled there after it was switched off")
        if (reason := await self._prepare(shown)) is not None:
            return reason
        plane = self._plane
        return taking_over.wanted(shown, look.kept, plane.all, plane.moment(), plane.ground, self._deaf)

    async def _done(self, uuid: str, action: taking_over.Action) -> bool:
        """Whether there may be another step."""
        match action:
            case Nothing():
                return False
            case LeaveThere(reason):
                self._say_left(uuid, reason)
                return False
            case Note(mapped):
                await self._plane.note(mapped)
            case SwitchOff(mapped):
                await self._switched_off(mapped)
            case Hold(mapped, first):
                await self._held(mapped, first=first)
            case End(mapped):
                await self._ended(mapped, "was deleted at the emulator, and is deleted here")
                return False
            case GiveBack(mapped, reason):
                await self._given_back(mapped, reason)
                return False
        return True

    async def _switched_off(self, mapped: Mapped) -> None:
        self._tries[mapped.uuid] += 1
        await self._there.switch(mapped.uuid, on=False)

    async def _held(self, mapped: Mapped, *, first: bool) -> None:
        self._left.pop(mapped.uuid, None)
        await self._plane.hold(taking_over.begun(mapped))
        what = "was taken over from the emulator" if first else "follows the emulator, where it was changed"
        config = mapped.config
        text = f"{mapped.uuid}: {config.place} to {config.function_name} {what}"
        self._log.info(Action.TAKEN_OVER, text, mapping=config.name, mapping_uuid=mapped.uuid)
        with anyio.move_on_after(SETTLE_WITHIN):
            await self._until(lambda plant: plant.is_listed(config.name) and plant.is_known(config.name))

    async def _until(self, so: Callable[[RunningMappings], bool]) -> None:
        while self._plant is not None:
            changed = self._plant.changes.next()
            if so(self._plant):
                return
            await changed.wait()

    async def _ended(self, mapped: Mapped, why: str) -> None:
        self._log.info(Action.TAKEN_OVER, f"{mapped.uuid}: {why}", mapping=mapped.config.name)
        if mapped.uuid in self._plane.noted:
            await self._plane.let_go(mapped.uuid)
        else:
            await self._plane.hold(taking_over.ended(mapped))

    async def _given_back(self, mapped: Mapped, reason: Reason) -> None:
        """Nothing is forgotten before it is on there."""
        if self._tries.pop(mapped.uuid, 0) >= STUBBORN:
            self._given_up[mapped.uuid] = mapped.taken
        if mapped.uuid in self._plane.taken:
            self._plane.rest(taking_over.stopped(mapped))
            await self._until(lambda plant: plant.work(mapped.config.name) is None)
        await switched_on(self._there, mapped.uuid)
        self._say_left(mapped.uuid, reason)
        await self._ended(mapped, "is the emulator's again")

    def _say_left(self, uuid: str, reason: Reason) -> None:
        if self._left.get(uuid) != reason.text:
            self._left[uuid] = reason.text
            self._log.warning(Action.NOT_TAKEN_OVER, f"{uuid}: {reason}", foreign_uuid=uuid)

    # --- the end ------------------------------------------------------------------------------------------------------

    async def give_back(self) -> None:
        """Switch everything on there, and forget it; nothing of it may run here any more. What the emulator does not
        take now stays remembered."""
        async with anyio.create_task_group() as tasks:
            for uuid in [*self._plane.taken, *self._plane.noted]:
                tasks.start_soon(self._give_one_back, uuid)

    async def _give_one_back(self, uuid: str) -> None:
        try:
            await switched_on(self._there, uuid)
            await self._plane.let_go(uuid)
        except (SourceError, StoreUnavailable) as error:
            advice = "the next run with --take-over takes it up, and `headrace release` gives it back"
            text = f"{uuid}: it stays switched off at the emulator: {error}; {advice}"
            self._log.warning(Action.NOT_TAKEN_OVER, text, foreign_uuid=uuid)
        else:
            self._log.info(Action.GIVEN_BACK, f"{uuid}: switched on again at the emulator", mapping_uuid=uuid)


async def switched_on(there: Emulator, uuid: str) -> bool:
    """Switch it on there; False where the emulator has it no more. Raises SourceError."""
    try:
        await there.switch(uuid, on=True)
    except SourceMissing:
        return False
    return True


class GivingBack:
    """The part of the follower that is stopped last, when no function runs any more."""

    def __init__(self, follower: EmulatorFollower) -> None:
        self._follower = follower

    async def run(self) -> None:
        await anyio.sleep_forever()

    async def stop(self, until: float) -> None:
        with anyio.CancelScope(deadline=until):
            await self._follower.give_back()

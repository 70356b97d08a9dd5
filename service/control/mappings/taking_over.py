"""Decides what becomes of a mapping that an emulator has: taken over, followed, given back, or left to the emulator.
Pure.

    shown there, enabled ──► noted (durable) ──► off there, read back ──► runs here ──► follows what is shown
                                                                            │   ▲
                     the user pauses it here: stays off there, fetches nothing ◄──┘   └── on again there: off again
    gone there ──► deleted here           cannot be honoured any more ──► stopped here ──► on there ──► forgotten

What is noted may be off there, so it is ours to switch on again, whenever the daemon dies. A mapping that begins at the
end of its stream (LATEST) runs here before it is switched off there: else nobody would deliver what comes in between.
Each decision is about one mapping, by what is seen of it now; who acts looks and asks again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ....config.mapping import EventSourceMapping, split_function
from ....config.reasons import Reason, ReasonCode
from ..model import Moment
from ..names import with_qualifier
from ..refusals import ApiError
from . import checks, requests
from .answers import Shown
from .decisions import DecisionContext
from .model import Mapped, Mappings, MappingState, steady

OFF = frozenset({"Disabled", "Disabling", "Deleting"})
"""States in which a mapping delivers nothing, or soon does not."""
_SAID_OF_IT = frozenset(
    {
        "UUID",
        "EventSourceMappingArn",
        "FunctionArn",
        "LastModified",
        "LastProcessingResult",
        "State",
        "StateTransitionReason",
        "FilterCriteriaError",
        "ResponseMetadata",
    }
)
"""The members that an emulator shows although nobody gave them."""


# --- what the emulator shows ------------------------------------------------------------------------------------------


def settings_of(shown: Shown) -> dict[str, Any]:
    """The members of a creation that would give what is shown. Emulators show empty values for what was not given."""
    given = {name: _pruned(value) for name, value in shown.items() if name not in _SAID_OF_IT}
    return {name: value for name, value in given.items() if value not in (None, "", [], {}) and not _unset(name, value)}


def _unset(name: str, value: Any) -> bool:
    return name == "MaximumBatchingWindowInSeconds" and value == 0


def _pruned(value: Any) -> Any:
    match value:
        case datetime():
            return value.timestamp()
        case Mapping():
            members = {name: _pruned(each) for name, each in value.items()}
            return {name: each for name, each in members.items() if each not in (None, "", [], {})}
        case list():
            return [_pruned(each) for each in value]
        case _:
            return value


def fingerprint(shown: Shown) -> str:
    """Changes with what the mapping does, and not with its state."""
    text = json.dumps([shown.get("FunctionArn"), settings_of(shown)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def function_of(shown: Shown) -> tuple[str, str]:
    """Name and qualifier of its function; empty where none is shown."""
    return split_function(str(shown.get("FunctionArn") or ""))


# --- can it be run here? ----------------------------------------------------------------------------------------------


Deaf = Callable[[EventSourceMapping], str]
"""The emulator's name, if it goes on delivering for such a mapping that is switched off; otherwise empty."""


def wanted(
    shown: Shown, kept: Mapped | None, mappings: Mappings, moment: Moment, ground: DecisionContext, deaf: Deaf
) -> Mapped | Reason:
    """The mapping as it is to run here, or why the emulator keeps it. What the user changed here of one that is `kept`
    holds until the emulator shows another one; a pause holds longer."""
    seen = fingerprint(shown)
    if kept is not None and kept.taken == seen:
        return kept
    name, qualifier = function_of(shown)
    try:
        function = with_qualifier(ground.here.arn(name), qualifier)
        config = _made(settings_of(shown), str(shown["UUID"]), function)
        checks.refuse_fields(config, moment.now, ground.shortest_age)
        checks.refuse_function(config, ground.find)
        checks.refuse_duplicate(config, mappings)
    except ApiError as error:
        return not_ours(f"it cannot be run here: {error.message}")
    except KeyError as error:
        return not_ours(f"it shows {error}, of which Headrace knows nothing")
    if emulator := deaf(config):
        return not_ours(f"{emulator} goes on delivering from {config.source} when it is switched off")
    if kept is not None:
        config = config.model_copy(update={"enabled": kept.config.enabled})
    return Mapped(config, moment.now, steady(config), taken=seen)


def _made(given: dict[str, Any], uuid: str, function: str) -> EventSourceMapping:
    """MiniStack shows a starting position of queues too, where nobody can have given one. Raises ApiError."""
    config = requests.created(given, uuid, function)
    if config.kind is None or "starting_position" in config.kind.honours:
        return config
    return requests.created({name: each for name, each in given.items() if name != "StartingPosition"}, uuid, function)


def not_ours(why: str) -> Reason:
    return Reason(ReasonCode.NOT_TAKEN_OVER, f"{why}; it stays the emulator's")


# --- what to do -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Note:
    """Remember durably that it is ours from now on."""

    mapped: Mapped


@dataclass(frozen=True, slots=True)
class SwitchOff:
    """Switch it off there, and look again."""

    mapped: Mapped


@dataclass(frozen=True, slots=True)
class Hold:
    """Run it here, or run it as it is now."""

    mapped: Mapped
    first: bool
    """Whether it did not run here before."""


@dataclass(frozen=True, slots=True)
class End:
    """It is gone there: stop it here, and forget it."""

    mapped: Mapped


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Stop it here, switch it on there, then forget it."""

    mapped: Mapped
    reason: Reason


@dataclass(frozen=True, slots=True)
class LeaveThere:
    """The emulator keeps it, and delivers."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Nothing:
    """All is as it should be, or time must pass."""


Action = Note | SwitchOff | Hold | End | GiveBack | LeaveThere | Nothing


@dataclass(frozen=True, slots=True)
class Look:
    """One mapping from all sides."""

    shown: Shown | None
    """The mapping as the emulator shows it; None: it has none of this UUID."""
    noted: Mapped | None = None
    """Remembered, and not run here yet."""
    runs: Mapped | None = None
    """Run here, or paused here."""
    polls: bool = False
    """Whether it fetches here, so that nothing of its source passes unseen."""
    stubborn: bool = False
    """Whether it still is on after it was switched off again and again."""

    @property
    def kept(self) -> Mapped | None:
        return self.runs or self.noted

    @property
    def is_on(self) -> bool:
        """Whether the emulator delivers, as far as it says."""
        return self.shown is not None and self.shown.get("State") not in OFF


def decide(look: Look, want: Mapped | Reason | None) -> Action:
    """The next step of one mapping. `want`: what `wanted` says of what is shown; None where nothing is shown."""
    kept = look.kept
    if kept is not None and kept.state is MappingState.DELETING:
        return Nothing()  # its end is under way
    if want is None or (look.shown or {}).get("State") == "Deleting":
        return End(kept) if kept is not None else Nothing()
    if kept is None:
        return _of_a_stranger(look, want)
    if isinstance(want, Reason):
        return GiveBack(kept, want)
    if look.stubborn:
        return GiveBack(kept, not_ours("it still is enabled there after it was switched off"))
    return _of_ours(look, want)


def _of_a_stranger(look: Look, want: Mapped | Reason) -> Action:
    if not look.is_on:
        return Nothing()
    return LeaveThere(want) if isinstance(want, Reason) else Note(want)


def _of_ours(look: Look, want: Mapped) -> Action:
    if look.runs is None:
        if look.is_on and not begins_at_end(want.config):
            return SwitchOff(want)
        is_off = look.shown is not None and look.shown.get("State") == "Disabled"
        return Hold(want, first=True) if is_off or look.is_on else Nothing()
    if want is not look.runs:
        return Hold(want, first=False)
    if look.is_on and (look.polls or not want.config.enabled or not begins_at_end(want.config)):
        return SwitchOff(want)
    return Nothing()


def begins_at_end(config: EventSourceMapping) -> bool:
    """Whether what comes before it first fetches is never delivered by it."""
    return config.starting_position == "LATEST"


def ended(mapped: Mapped) -> Mapped:
    """The same, to be deleted here."""
    return replace(mapped, state=MappingState.DELETING)


def stopped(mapped: Mapped) -> Mapped:
    """The same, at rest: nothing is fetched for it."""
    config = mapped.config.model_copy(update={"enabled": False})
    return replace(mapped, config=config, state=MappingState.DISABLED)


def begun(mapped: Mapped) -> Mapped:
    """The same, on its way to where it rests."""
    state = MappingState.ENABLING if mapped.config.enabled else MappingState.DISABLED
    return replace(mapped, state=state)

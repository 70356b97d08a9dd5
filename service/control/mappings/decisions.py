"""The effect of each call on the mappings. Pure: `(all mappings, request, …) -> the changed mapping`.

A refusal is an ApiError, and then nothing changed. Creating and updating are checked twice: before the source is
checked, which takes time (`check_…`), and again with the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ....config.mapping import EventSourceMapping, split_function
from ....config.rules import SHORTEST_AGE
from .. import tags as tagging
from ..model import Moment
from ..names import Home, resolve
from ..refusals import ApiError, conflict, in_use, invalid_parameter, no_such_resource
from . import checks, requests, texts
from .model import Find, FoundFunction, Mapped, Mappings, MappingState, SourceLook
from .requests import Request


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """The inputs of decisions that are not part of a request."""

    here: Home
    find: Find
    adopts: bool = False
    """Whether the API may change mappings of the configuration file."""
    shortest_age: int = SHORTEST_AGE
    """Minimum seconds of a maximum record age."""


# --- create -----------------------------------------------------------------------------------------------------------


def check_create(request: Request, moment: Moment, ground: DecisionContext) -> tuple[EventSourceMapping, FoundFunction]:
    """Checks everything except the source and the other mappings. Raises ApiError."""
    checks.refuse_on_success(request)
    function = _function_arn(request["FunctionName"], ground.here)
    tagging.merged({}, request.get("Tags", {}))
    config = requests.created(request, moment.id(), function)
    checks.refuse_region(config, ground.here)
    return config, _checked(config, moment, ground)


def create(mappings: Mappings, request: Request, seen: SourceLook, moment: Moment, ground: DecisionContext) -> Mapped:
    """Raises ApiError."""
    config, function = check_create(request, moment, ground)
    checks.refuse_source(config, seen, function)
    checks.refuse_duplicate(config, mappings)
    return Mapped(config, moment.now, MappingState.CREATING if config.enabled else MappingState.DISABLED)


# --- update -----------------------------------------------------------------------------------------------------------


def check_update(
    mappings: Mappings, request: Request, moment: Moment, ground: DecisionContext
) -> tuple[EventSourceMapping, FoundFunction]:
    """Raises ApiError."""
    before = _changeable(mappings, request["UUID"], "update", ground)
    checks.refuse_on_success(request)
    given = request.get("FunctionName")
    function = _function_arn(given, ground.here) if given else before.config.function
    config = requests.updated(before.config, request, function)
    found = _checked(config, moment, ground)
    requests.refuse_other_group(before.config, config)
    return config, found


def update(mappings: Mappings, request: Request, seen: SourceLook, moment: Moment, ground: DecisionContext) -> Mapped:
    """An update does not check whether the source exists or answers. Raises ApiError."""
    config, function = check_update(mappings, request, moment, ground)
    checks.refuse_visibility(seen, function)
    checks.refuse_duplicate(config, mappings)
    before = mappings[config.uuid]
    state = _on_the_way(before.config.enabled, config.enabled)
    return replace(before, config=config, modified=moment.now, state=state)


def _on_the_way(was: bool, will_be: bool) -> MappingState:
    if was == will_be:
        return MappingState.UPDATING
    return MappingState.ENABLING if will_be else MappingState.DISABLING


# --- delete, get ------------------------------------------------------------------------------------------------------


def delete(mappings: Mappings, uuid: str, ground: DecisionContext) -> Mapped:
    """Raises ApiError."""
    found = _changeable(mappings, uuid, "delete", ground)
    if found.taken:
        raise conflict(texts.TAKEN_OVER.format(uuid=found.uuid))
    return replace(found, state=MappingState.DELETING)


def get(mappings: Mappings, uuid: str) -> Mapped:
    """Raises ApiError."""
    found = mappings.get(uuid.lower())
    if found is None:
        raise no_such_resource(texts.NO_SUCH_MAPPING)
    return found


def _changeable(mappings: Mappings, uuid: str, verb: str, ground: DecisionContext) -> Mapped:
    found = get(mappings, uuid)
    _refuse_of_the_file(found, ground)
    if found.state.passing:
        raise in_use(texts.IN_USE.format(verb=verb))
    return found


def _refuse_of_the_file(mapped: Mapped, ground: DecisionContext) -> None:
    if mapped.file and not ground.adopts:
        raise conflict(texts.OF_THE_FILE.format(name=mapped.config.name, file=mapped.file))


# --- list -------------------------------------------------------------------------------------------------------------

PAGE_MAX = 100


def listed(mappings: Mappings, request: Request) -> Mappings:
    """The mappings of a list call, all pages together. The requested source or function need not exist."""
    source, function = request.get("EventSourceArn"), request.get("FunctionName")
    return {
        uuid: mapped
        for uuid, mapped in mappings.items()
        if (not source or mapped.config.source == source) and (not function or _goes_to(mapped.config, function))
    }


def _goes_to(config: EventSourceMapping, asked: str) -> bool:
    """A name alone finds the mappings of every version and alias; with a qualifier, those that name just this one."""
    name, qualifier = split_function(asked)
    own_name, own_qualifier = split_function(config.function)
    return name == own_name and qualifier in ("", own_qualifier)


# --- tags -------------------------------------------------------------------------------------------------------------


def tags_of(mapped: Mapped) -> Mapping[str, str]:
    return mapped.config.tags or {}


def tag(mappings: Mappings, uuid: str, change: tagging.Change, ground: DecisionContext) -> Mapped:
    """Replaces the tags by the result of `change`, also while another change is in progress. Raises ApiError."""
    found = get(mappings, uuid)
    _refuse_of_the_file(found, ground)
    return replace(found, config=found.config.model_copy(update={"tags": dict(change(tags_of(found)))}))


# --- what both share --------------------------------------------------------------------------------------------------


def _function_arn(text: str, here: Home) -> str:
    """The function's ARN with the given qualifier. Raises ApiError: functions of other regions or accounts do not exist
    here."""
    try:
        return resolve(text, here).qualified
    except ApiError as error:
        raise invalid_parameter(texts.NO_FUNCTION) from error


def _checked(config: EventSourceMapping, moment: Moment, ground: DecisionContext) -> FoundFunction:
    checks.refuse_fields(config, moment.now, ground.shortest_age)
    return checks.refuse_function(config, ground.find)

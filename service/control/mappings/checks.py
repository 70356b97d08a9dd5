"""Checks of a mapping, in AWS's order:

    shapes (before us) ► OnSuccess ► source named ► its region ► start and batches ► filters ► function ► source there
    ► duplicate

Each step raises ApiError with AWS's text where it is known. The rules are those of a configuration file
(`config/rules.py`), with further refusals of the API for the kind of source (`config/kinds/`).
"""

from __future__ import annotations

from ....config import rules
from ....config.fields import mapping_limits
from ....config.fields.arn import is_aws_region
from ....config.mapping import EventSourceMapping, split_function
from ....dispatch.kinds.pattern_check import check_patterns
from ..names import Home
from ..refusals import conflict, invalid_parameter
from . import texts
from .model import Find, FoundFunction, Mappings, SourceLook
from .requests import Request, gives_on_success


def refuse_on_success(request: Request) -> None:
    if gives_on_success(request):
        raise invalid_parameter(texts.ON_SUCCESS)


def refuse_region(mapping: EventSourceMapping, here: Home) -> None:
    """Refuses a source in another region of AWS. A region that an emulator invented does not count."""
    region = mapping.arn.region if mapping.arn else ""
    if is_aws_region(region) and is_aws_region(here.region) and region != here.region:
        raise invalid_parameter(texts.WRONG_REGION.format(region=here.region))


def refuse_fields(mapping: EventSourceMapping, now: float, shortest_age: int) -> None:
    """Checks that need only the mapping. `now` in seconds since the epoch."""
    if mapping.kind is None and mapping.arn is None:
        raise invalid_parameter(texts.NO_SOURCE)
    broken = [*rules.check(mapping, now, shortest_age), *(mapping.kind.api.stricter(mapping) if mapping.kind else ())]
    if broken:
        first = min(broken, key=lambda each: each.field != "starting_position")
        raise invalid_parameter(texts.told(first))
    _refuse_filters(mapping)


def _refuse_filters(mapping: EventSourceMapping) -> None:
    if any(check_patterns(mapping.profile, [pattern]) for pattern in mapping.patterns):
        raise invalid_parameter(texts.BAD_FILTER)
    if len(mapping.patterns) > mapping_limits.FILTERS_QUOTA:
        most = mapping_limits.FILTERS_QUOTA
        raise invalid_parameter(texts.TOO_MANY_FILTERS.format(number=len(mapping.patterns), most=most))


# --- function, source, others -----------------------------------------------------------------------------------------


def refuse_function(mapping: EventSourceMapping, find: Find) -> FoundFunction:
    """The function that the mapping names."""
    found = find(*split_function(mapping.function))
    if found is None:
        raise invalid_parameter(texts.NO_FUNCTION)
    return found


def refuse_source(mapping: EventSourceMapping, seen: SourceLook, function: FoundFunction) -> None:
    """Refuses a source that does not exist, or cannot be read."""
    words = mapping.profile.api
    if seen.missing:
        raise invalid_parameter(words.missing.format(source=mapping.source))
    if seen.code:
        raise invalid_parameter(words.unreadable.format(source=mapping.source, code=seen.code, message=seen.message))
    refuse_visibility(seen, function)


def refuse_visibility(seen: SourceLook, function: FoundFunction) -> None:
    """Refuses a function that may still run when its messages become visible again."""
    if seen.visibility is not None and function.timeout is not None and seen.visibility < function.timeout:
        raise invalid_parameter(texts.VISIBILITY.format(queue=seen.visibility, function=function.timeout))


def refuse_duplicate(mapping: EventSourceMapping, mappings: Mappings) -> None:
    """Refuses a second mapping of the same source and function (as named), or of the same consumer group."""
    for other in mappings.values():
        if other.uuid == mapping.uuid:
            continue
        if (text := _same(mapping, other.config)) is not None:
            raise conflict(text)
        if fault := rules.shared(mapping, other.config):
            raise invalid_parameter(texts.SAME_GROUP.format(fault=fault.what))


def _same(mapping: EventSourceMapping, other: EventSourceMapping) -> str | None:
    """Whether AWS takes two functions for the same: the given qualifier counts, and none differs from `$LATEST`."""
    if split_function(mapping.function)[1] != split_function(other.function)[1]:
        return None
    return rules.conflict(mapping, other)

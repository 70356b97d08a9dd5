"""What AWS does not allow in a mapping, whatever its source, and which two mappings are in each other's way.

The rules of each kind of source are in `kinds/`. Pure. `what` is AWS's own text wherever AWS's text is known, so that
the mapping API can answer with it; the hint is ours. Used by the loader and by the API.
"""

from __future__ import annotations

from collections.abc import Iterator

from .fields.mapping_limits import FILTERS_QUOTA, RECORDED, Support
from .fields.spoken import aws_name
from .kinds import table
from .kinds.destinations import UNSUPPORTED
from .kinds.profile import UNRECOGNIZED, FieldRefusal, RuleContext, SourceKind, Violation, sentence
from .kinds.support import FIELDS, standing
from .mapping import EventSourceMapping, is_given, split_function

UNCOUNTED = "only EventCount goes to CloudWatch; every metric is served at /metrics"
SHORTEST_AGE = 60
"""Seconds of MaximumRecordAgeInSeconds that AWS takes at least."""


def check(mapping: EventSourceMapping, now: float, shortest_age: int = SHORTEST_AGE) -> list[Violation]:
    """Every rule that the mapping breaks, in the order in which AWS looks. `now` in seconds since the epoch."""
    kind = mapping.kind
    if kind is None:
        return [_unknown_source(mapping)]
    return [*_applicable(mapping, kind), *kind.rules(mapping, RuleContext(now, shortest_age))]


def notes(mapping: EventSourceMapping) -> list[Violation]:
    """What is allowed and worth a line: fields kept without effect, and more than AWS allows unasked."""
    found = [Violation(name, "is recorded and has no effect here", RECORDED[name]) for name in mapping.recorded]
    if len(mapping.patterns) > FILTERS_QUOTA:
        what = f"has {len(mapping.patterns)} filters; AWS allows {FILTERS_QUOTA} until the quota is raised"
        found.append(Violation("filter_criteria", what))
    provisioned = mapping.provisioned_poller_config
    if provisioned and provisioned.poller_group_name:
        what = "poller_group_name is recorded and has no effect here"
        found.append(Violation("provisioned_poller_config", what, "mappings share no pollers"))
    asked = mapping.metrics_config.metrics if mapping.metrics_config else []
    found += [
        Violation("metrics_config", f"{group} is recorded and has no effect here", UNCOUNTED)
        for group in asked
        if group != "EventCount"
    ]
    return [*found, *(mapping.kind.notes(mapping) if mapping.kind else ())]


def _unknown_source(mapping: EventSourceMapping) -> Violation:
    unfinished = (kind.unfinished(mapping) for kind in table.KINDS)
    if found := next((violation for violation in unfinished if violation is not None), None):
        return found
    if mapping.arn is None:
        hint = "give an ARN of a queue, stream or cluster"
        return sentence("source", UNRECOGNIZED, hint)
    what = f"{UNRECOGNIZED} Headrace does not know the service {mapping.arn.service!r}"
    return sentence("source", what, f"this version polls {table.polled()}")


def _applicable(mapping: EventSourceMapping, kind: SourceKind) -> Iterator[Violation]:
    """The fields that are given although the kind does not have them."""
    for name in FIELDS:
        given = name in mapping.model_fields_set and is_given(getattr(mapping, name))
        if given and standing(name, kind) is Support.REFUSED:
            yield from _refused(mapping, name, kind)


def _refused(mapping: EventSourceMapping, name: str, kind: SourceKind) -> Iterator[Violation]:
    own = kind.refusals.get(name, FieldRefusal())
    if own.zero_is_none and not getattr(mapping, name):
        return
    yield sentence(name, own.what or _unsupported(name), own.hint or f"remove it: it does not apply to {kind.titles}")


def _unsupported(name: str) -> str:
    if name == "destination_config":
        return UNSUPPORTED
    spoken = aws_name(name)
    return f"Unsupported '{spoken[0].lower()}{spoken[1:]}' parameter for given event source mapping type."


def check_function(mapping: EventSourceMapping) -> list[Violation]:
    """A qualifier names a version, and the functions of a configuration have one version each."""
    qualifier = split_function(mapping.function)[1]
    if qualifier in {"", "$LATEST"}:
        return []
    hint = "remove it; for a version or alias of a remote function set 'invoke.qualifier' there"
    return [Violation("function", f"has the qualifier {qualifier!r}, and configured functions have no versions", hint)]


# --- two mappings -----------------------------------------------------------------------------------------------------


def conflict(mapping: EventSourceMapping, other: EventSourceMapping) -> str | None:
    """AWS's words when both take the same source to the same function, else None."""
    kind = mapping.kind
    if kind is None or mapping.function_name != other.function_name or not kind.identity.same(mapping, other):
        return None
    tail = f"already exists. Please update or delete the existing mapping with UUID {other.uuid}"
    return f"{kind.identity.duplicate(mapping)} {tail}"


def shared(mapping: EventSourceMapping, other: EventSourceMapping) -> Violation | None:
    """What the mapping must not have in common with another one, whatever function that goes to: a consumer group."""
    return mapping.kind.identity.shared(mapping, other) if mapping.kind else None

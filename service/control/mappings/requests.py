"""From the members of a request to a mapping: a creation uses them alone, an update adds them to the existing mapping.

Some values of an update clear a field instead of setting it; only this module decides which. Raises ApiError for values
that fit the shapes of the API but not those of a mapping.

https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from ....config import complaints
from ....config.fields.kafka_mapping import KafkaSourceConfig
from ....config.fields.mapping_fields import ProvisionedPollerConfig
from ....config.mapping import EventSourceMapping
from ..refusals import ApiError, invalid_parameter
from . import texts

Request = Mapping[str, Any]

_OURS = {field.alias: name for name, field in EventSourceMapping.model_fields.items()}
"""Our name of a member of the API."""
_IDENTITY = ("UUID",)


def created(request: Request, uuid: str, function: str) -> EventSourceMapping:
    """`function`: its ARN, with the qualifier as given. Raises ApiError."""
    given = {_OURS[member]: _plain(member, value) for member, value in request.items()}
    return _validated({**given, "name": uuid, "uuid": uuid, "function": function})


def updated(before: EventSourceMapping, request: Request, function: str) -> EventSourceMapping:
    """The changed mapping. Raises ApiError."""
    document = before.model_dump(exclude_unset=True, exclude_none=True)
    for member, value in request.items():
        if member in _IDENTITY:
            continue
        name = _OURS[member]
        after = _MERGED[name](getattr(before, name), value) if name in _MERGED else value
        if after is None:
            document.pop(name, None)
        else:
            document[name] = after
    return _validated({**document, "function": function})


def gives_on_success(request: Request) -> bool:
    """A destination for successes, which no mapping has."""
    given = (request.get("DestinationConfig") or {}).get("OnSuccess") or {}
    return bool(given.get("Destination"))


def _plain(member: str, value: Any) -> Any:
    """A value as a mapping has it."""
    if member == "FilterCriteria":
        return _with_patterns(value)
    return _without_empty_registry(value) if member.endswith("KafkaEventSourceConfig") else value


def _with_patterns(criteria: Request) -> Request:
    """A filter without a pattern has no form in a mapping; it is refused like an invalid pattern."""
    return {"Filters": [{"Pattern": "", **each} for each in criteria.get("Filters", [])]}


def _without_empty_registry(config: Request) -> Request:
    return {name: each for name, each in config.items() if each or name != "SchemaRegistryConfig"}


def _validated(document: Mapping[str, Any]) -> EventSourceMapping:
    try:
        return EventSourceMapping.model_validate(document)
    except ValidationError as fault:
        raise _refused(fault) from fault


def _refused(fault: ValidationError) -> ApiError:
    first = fault.errors(include_url=False)[0]
    place = ".".join(str(key) for key in first["loc"])
    what = texts.in_aws_words(complaints.wording(first, place))
    fields = EventSourceMapping.model_fields
    head, _, rest = place.partition(".")
    named = (fields[head].alias or head) if head in fields else head
    return invalid_parameter(f"{named}{'.' if rest else ''}{rest} {what}")


# --- what clears ------------------------------------------------------------------------------------------------------


def _filters(before: object, given: Request) -> Any:
    """`{}` and no filters at all keep every record."""
    return _with_patterns(given) if given.get("Filters") else None


def _some(before: object, given: Any) -> Any:
    """An empty value removes the setting."""
    return given or None


def _destination(before: object, given: Request) -> Any:
    """An empty destination is none."""
    return given if (given.get("OnFailure") or {}).get("Destination") else None


def _pollers(before: ProvisionedPollerConfig | None, given: Request) -> Any:
    """`{}` ends provisioned mode; absent members stay, and an empty name leaves the group."""
    if not given:
        return None
    merged = {**_dumped(before), **given}
    return {name: value for name, value in merged.items() if value != ""}


def _kafka(before: KafkaSourceConfig | None, given: Request) -> Any:
    """The group cannot change; `{}` removes the schema registry."""
    return _without_empty_registry({**_dumped(before), **given}) or None


def _dumped(model: BaseModel | None) -> dict[str, Any]:
    return {} if model is None else model.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)


_MERGED: Mapping[str, Callable[[Any, Any], Any]] = {
    "filter_criteria": _filters,
    "scaling_config": _some,
    "provisioned_poller_config": _pollers,
    "destination_config": _destination,
    "kms_key_arn": _some,
    "function_response_types": _some,
    "metrics_config": _some,
    "logging_config": _some,
    "self_managed_kafka_event_source_config": _kafka,
    "amazon_managed_kafka_event_source_config": _kafka,
}


def refuse_other_group(before: EventSourceMapping, after: EventSourceMapping) -> None:
    """Refuses changes that a topic's mapping does not allow. Raises ApiError."""
    if before.group != after.group:
        raise invalid_parameter(texts.GROUP_IS_FOR_GOOD)

"""A mapping in the API's answers. Members that do not apply to its source are left out, not null.

https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ....config.fields.spoken import aws_name
from ....config.mapping import EventSourceMapping, is_given
from ..names import Home
from .model import Mapped

Shown = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MappingProgress:
    """The last result of a running mapping."""

    result: str = ""
    """`LastProcessingResult`; empty for none so far."""
    trouble: str = ""
    """The code of the problem that keeps the mapping from working; empty for none."""


NO_PROGRESS = MappingProgress()
NOTHING_YET = "No records processed"


def shown(mapped: Mapped, here: Home, progress: MappingProgress = NO_PROGRESS, *, listed: bool = False) -> Shown:
    """`listed`: in a list, where encrypted filters are not shown."""
    config = mapped.config
    words = config.profile.api
    hidden = listed and bool(config.kms_key_arn)
    answer = {
        "UUID": config.uuid,
        "EventSourceMappingArn": arn_of(config, here),
        "FunctionArn": config.function,
        "LastModified": mapped.modified,
        "State": mapped.state.value,
        "StateTransitionReason": (progress.trouble if words.shows_trouble else "") or words.changed_by_user,
        "BatchSize": config.batch_limit,
        "EventSourceArn": config.source or None,
        "FilterCriteria": None if hidden else _filters(config),
        **{aws_name(name): _shown(name, config, unset) for name, unset in words.shows.items()},
        **_given(config),
    }
    if words.shows_result:
        answer["LastProcessingResult"] = progress.result or NOTHING_YET
    return {name: value for name, value in answer.items() if value is not None}


def arn_of(config: EventSourceMapping, here: Home) -> str:
    return f"arn:aws:lambda:{here.region}:{here.account}:event-source-mapping:{config.uuid}"


def _filters(config: EventSourceMapping) -> Any:
    """Patterns as they were written."""
    criteria = config.filter_criteria
    if criteria is None or not criteria.filters:
        return None
    return {"Filters": [{"Pattern": each.text} for each in criteria.filters]}


def _given(config: EventSourceMapping) -> Shown:
    """Members that are shown only when given, for every source."""
    models = ("metrics_config", "logging_config")
    given = {aws_name(name): _plain(getattr(config, name)) for name in models if is_given(getattr(config, name))}
    return given | ({"KMSKeyArn": config.kms_key_arn} if config.kms_key_arn else {})


# --- by field ---------------------------------------------------------------------------------------------------------


def _shown(name: str, config: EventSourceMapping, unset: object) -> object:
    """A field as the API shows it; `unset` when it is not shown."""
    show = _BY_FIELD.get(name)
    value = show(config) if show else _plain(getattr(config, name))
    return unset if value is None else value


def _destination(config: EventSourceMapping) -> Any:
    given = config.destination_config
    on_failure = given.on_failure if given else None
    return {"OnFailure": {"Destination": on_failure.destination}} if on_failure and on_failure.destination else None


def _pollers(config: EventSourceMapping) -> Any:
    if config.pollers is None:
        return None
    least, most = config.pollers
    given = config.provisioned_poller_config
    named = {"PollerGroupName": given.poller_group_name} if given and given.poller_group_name else {}
    return {"MinimumPollers": least, "MaximumPollers": most, **named}


def _scaling(config: EventSourceMapping) -> Any:
    return _plain(config.scaling_config) if config.maximum_concurrency else None


def _group_of_own(config: EventSourceMapping) -> Any:
    return None if config.source else _group(config)


def _group_of_managed(config: EventSourceMapping) -> Any:
    return _group(config) if config.source else None


def _group(config: EventSourceMapping) -> Any:
    return {**_plain(config.kafka_config), "ConsumerGroupId": config.group}


_BY_FIELD: Mapping[str, Callable[[EventSourceMapping], Any]] = {
    "scaling_config": _scaling,
    "provisioned_poller_config": _pollers,
    "destination_config": _destination,
    "self_managed_kafka_event_source_config": _group_of_own,
    "amazon_managed_kafka_event_source_config": _group_of_managed,
}
"""The fields whose shown form differs from the stored form."""


def _plain(value: Any) -> Any:
    """The value in AWS's form; an empty list counts as absent."""
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, exclude_none=True, exclude_unset=True)
    if isinstance(value, list):
        return [_plain(each) for each in value] or None
    return value

"""A mapping as the API answers with it. What does not apply to its source is left out, not null.

https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ....config.limits import SourceKind
from ....config.mapping import EventSourceMapping, is_given
from ....config.spoken import aws_name
from ..names import Home
from .model import Mapped

Shown = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MappingProgress:
    """What came of a mapping so far, as it is seen while it runs."""

    result: str = ""
    """`LastProcessingResult`; empty for none so far."""
    trouble: str = ""
    """The code of what keeps a Kafka mapping from its work; empty for nothing."""


NO_PROGRESS = MappingProgress()
NOTHING_YET = "No records processed"


def shown(mapped: Mapped, here: Home, progress: MappingProgress = NO_PROGRESS, *, listed: bool = False) -> Shown:
    """`listed`: in a list, where encrypted filters are not told."""
    config = mapped.config
    hidden = listed and bool(config.kms_key_arn)
    answer = {
        "UUID": config.uuid,
        "EventSourceMappingArn": arn_of(config, here),
        "FunctionArn": config.function,
        "LastModified": mapped.modified,
        "State": mapped.state.value,
        "StateTransitionReason": _reason(config, progress),
        "BatchSize": config.batch_limit,
        "EventSourceArn": config.source or None,
        "FilterCriteria": None if hidden else _filters(config),
        **_OF_KIND[config.kind](config),
        **_given(config),
    }
    if config.kind is not None and not config.kind.is_queue:
        answer["LastProcessingResult"] = progress.result or NOTHING_YET
    return {name: value for name, value in answer.items() if value is not None}


def arn_of(config: EventSourceMapping, here: Home) -> str:
    return f"arn:aws:lambda:{here.region}:{here.account}:event-source-mapping:{config.uuid}"


def _reason(config: EventSourceMapping, progress: MappingProgress) -> str:
    if config.kind is not None and config.kind.is_stream:
        return "User action"
    return (progress.trouble if config.kind is SourceKind.KAFKA else "") or "USER_INITIATED"


def _filters(config: EventSourceMapping) -> Any:
    """Patterns as they were written."""
    criteria = config.filter_criteria
    if criteria is None or not criteria.filters:
        return None
    return {"Filters": [{"Pattern": each.text} for each in criteria.filters]}


def _given(config: EventSourceMapping) -> Shown:
    """What is shown only where it was given, whatever the source."""
    models = ("metrics_config", "logging_config")
    given = {aws_name(name): _plain(getattr(config, name)) for name in models if is_given(getattr(config, name))}
    return given | ({"KMSKeyArn": config.kms_key_arn} if config.kms_key_arn else {})


# --- by source --------------------------------------------------------------------------------------------------------


def _queue(config: EventSourceMapping) -> Shown:
    scaling = config.scaling_config
    return {
        "FunctionResponseTypes": list(config.function_response_types),
        "MaximumBatchingWindowInSeconds": config.maximum_batching_window_in_seconds or 0,
        "ScalingConfig": _plain(scaling) if scaling and scaling.maximum_concurrency else None,
        "ProvisionedPollerConfig": _pollers(config),
    }


def _stream(config: EventSourceMapping) -> Shown:
    return {
        "FunctionResponseTypes": list(config.function_response_types),
        "MaximumBatchingWindowInSeconds": config.maximum_batching_window_in_seconds or 0,
        "StartingPosition": config.starting_position,
        "StartingPositionTimestamp": config.starting_position_timestamp,
        "ParallelizationFactor": config.parallelization_factor or 1,
        "TumblingWindowInSeconds": config.tumbling_window_in_seconds or 0,
        "BisectBatchOnFunctionError": bool(config.bisect_batch_on_function_error),
        "DestinationConfig": _destination(config) or {"OnFailure": {}},
        "MaximumRecordAgeInSeconds": _or_never(config.maximum_record_age_in_seconds),
        "MaximumRetryAttempts": _or_never(config.maximum_retry_attempts),
    }


def _topic(config: EventSourceMapping) -> Shown:
    managed = bool(config.source)
    own = config.self_managed_event_source
    group = "AmazonManagedKafkaEventSourceConfig" if managed else "SelfManagedKafkaEventSourceConfig"
    return {
        "FunctionResponseTypes": list(config.function_response_types) or None,
        "MaximumBatchingWindowInSeconds": config.maximum_batching_window_in_seconds,
        "StartingPosition": config.starting_position or "TRIM_HORIZON",
        "StartingPositionTimestamp": config.starting_position_timestamp,
        "Topics": config.topics,
        "SelfManagedEventSource": _plain(own) if own else None,
        "SourceAccessConfigurations": [_plain(each) for each in config.source_access_configurations or ()] or None,
        group: {**_plain(config.kafka_config), "ConsumerGroupId": config.group},
        "ProvisionedPollerConfig": _pollers(config),
        "BisectBatchOnFunctionError": config.bisect_batch_on_function_error,
        "DestinationConfig": _destination(config),
        "MaximumRecordAgeInSeconds": config.maximum_record_age_in_seconds,
        "MaximumRetryAttempts": config.maximum_retry_attempts,
    }


def _nothing(config: EventSourceMapping) -> Shown:
    return {}


_OF_KIND: Mapping[SourceKind | None, Callable[[EventSourceMapping], Shown]] = {
    SourceKind.SQS: _queue,
    SourceKind.SQS_FIFO: _queue,
    SourceKind.KINESIS: _stream,
    SourceKind.DYNAMODB: _stream,
    SourceKind.KAFKA: _topic,
    None: _nothing,
}


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


def _or_never(limit: int | None) -> int:
    return -1 if limit is None else limit


def _plain(model: BaseModel) -> Any:
    """As AWS writes it."""
    return model.model_dump(by_alias=True, exclude_none=True, exclude_unset=True)

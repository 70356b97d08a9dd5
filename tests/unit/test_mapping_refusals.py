"""What the API refuses of a mapping: code and text of every row, and which comes first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from headrace.service.api.wire.refusals import form_of
from headrace.service.control.mappings import decisions
from headrace.service.control.mappings.model import FoundFunction, Mapped, MappingState, SourceLook, settled
from headrace.service.control.refusals import ApiError
from support.mapping_requests import (
    CLUSTER,
    DYNAMODB,
    FIFO,
    FUNCTION,
    GROUND,
    KAFKA,
    KINESIS,
    MSK,
    NOW,
    PROVISIONED,
    QUEUE,
    SQS,
    STREAM,
    TABLE,
    created,
    moment,
    updated,
)

IPV = "InvalidParameterValueException"
ON_SUCCESS = {"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:sqs:us-east-1:000000000000:done"}}}
NO_ON_SUCCESS = "Unsupported DestinationConfig parameter for given event source mapping type."
NO_START = (
    "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
    "Member must not be null."
)
NO_QUEUE = (
    "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: "
    "The specified queue does not exist."
)
KAFKA_TWICE = (
    f'An event source mapping with event source ("kafka:1000"), function ("{FUNCTION}"), topics ("orders") '
    "already exists. "
)
REGISTRY = {
    "SchemaRegistryURI": "http://registry:8081",
    "EventRecordFormat": "JSON",
    "SchemaValidationConfigs": [{"Attribute": "VALUE"}],
}
ASKED: dict[str, dict[str, Any]] = {
    "MaximumRetryAttempts": {"MaximumRetryAttempts": 3},
    "MaximumRecordAgeInSeconds": {"MaximumRecordAgeInSeconds": 60},
    "BisectBatchOnFunctionError": {"BisectBatchOnFunctionError": True},
    "FunctionResponseTypes": {"FunctionResponseTypes": ["ReportBatchItemFailures"]},
    "SchemaRegistryConfig": {"SelfManagedKafkaEventSourceConfig": {"SchemaRegistryConfig": REGISTRY}},
    "DestinationConfig with a Kafka topic": {"DestinationConfig": {"OnFailure": {"Destination": "kafka://dead"}}},
}
"""What Kafka mappings have in provisioned mode only."""
REGISTRY = {"SchemaRegistryURI": "http://registry", "EventRecordFormat": "JSON"}
BATCH = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
DEAD = {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:dead"}}}


def without(request: dict[str, Any], *members: str) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in members}


def refused(request: dict[str, Any], **more: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        created(request, **more)
    return caught.value


def pattern(text: str) -> dict[str, Any]:
    return {"FilterCriteria": {"Filters": [{"Pattern": text}]}}


@pytest.mark.semantics("ESM-10")
@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"FunctionName": "f"}, "Unrecognized event source."),
        (SQS | {"FunctionName": "nobody"}, "Function does not exist"),
        (SQS | {"FunctionName": "f:9"}, "Function does not exist"),
        (SQS | {"FunctionName": "arn:aws:lambda:eu-west-1:000000000000:function:f"}, "Function does not exist"),
        (SQS | {"FunctionName": "111122223333:function:f"}, "Function does not exist"),
        (SQS | ON_SUCCESS, NO_ON_SUCCESS),
        (KINESIS | ON_SUCCESS, NO_ON_SUCCESS),
        (SQS | DEAD, NO_ON_SUCCESS),
        (
            SQS | {"EventSourceArn": FIFO, "ParallelizationFactor": 2},
            "Unsupported 'parallelizationFactor' parameter for given event source mapping type.",
        ),
        (
            KAFKA | {"TumblingWindowInSeconds": 5},
            "Unsupported 'tumblingWindowInSeconds' parameter for given event source mapping type.",
        ),
        (
            KINESIS | {"ScalingConfig": {"MaximumConcurrency": 2}},
            "Unsupported 'scalingConfig' parameter for given event source mapping type.",
        ),
        (without(KINESIS, "StartingPosition"), NO_START),
        (without(DYNAMODB, "StartingPosition"), NO_START),
        (DYNAMODB | {"StartingPosition": "AT_TIMESTAMP"}, f"Unsupported starting position for arn type: {TABLE}"),
        (
            DYNAMODB | {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1.0},
            f"Unsupported starting position for arn type: {TABLE}",
        ),
        (SQS | {"BatchSize": 11}, BATCH),
        (
            SQS | {"EventSourceArn": FIFO, "MaximumBatchingWindowInSeconds": 1},
            "Batching window is not supported for FIFO queues",
        ),
        (
            KINESIS | {"MaximumRecordAgeInSeconds": 59},
            "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 (inclusive)",
        ),
        (without(KAFKA, "SourceAccessConfigurations"), "Required 'sourceAccessConfigurations' parameter is missing."),
        (KAFKA | {"SourceAccessConfigurations": []}, "Required 'sourceAccessConfigurations' parameter is missing."),
        (SQS | pattern("{"), "Invalid filter pattern definition."),
        (
            SQS | {"EventSourceArn": QUEUE.replace("us-east-1", "us-gov-west-1"), "BatchSize": 11},
            "Event source region must match Lambda region us-east-1",
        ),
    ],
)
def test_what_is_refused_in_aws_s_words(request_: dict[str, Any], text: str) -> None:
    refusal = refused(request_)
    assert (refusal.code, refusal.message, form_of(refusal).status, form_of(refusal).type) == (IPV, text, 400, "User")


@pytest.mark.semantics("API-22")
@pytest.mark.parametrize("region", ["elasticmq", "local"])
def test_a_region_that_an_emulator_made_up_is_no_other_region(region: str) -> None:
    arn = QUEUE.replace("us-east-1", region)
    assert created(SQS | {"EventSourceArn": arn}).config.source == arn


@pytest.mark.semantics("ESM-11")
@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (SQS | {"EventSourceArn": FIFO, "BatchSize": 11}, "BatchSize must be at most 10 for a FIFO queue, not 11"),
        (
            KINESIS | {"TumblingWindowInSeconds": 5, "ParallelizationFactor": 2},
            "ParallelizationFactor must be 1 with a tumbling window",
        ),
        (
            KINESIS | {"StartingPosition": "AT_TIMESTAMP"},
            "StartingPositionTimestamp is needed with the starting position AT_TIMESTAMP",
        ),
        (
            KINESIS | {"StartingPositionTimestamp": 1.0},
            "StartingPositionTimestamp is for the starting position AT_TIMESTAMP alone",
        ),
        (
            KINESIS | {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": NOW + 1},
            "StartingPositionTimestamp is in the future",
        ),
        (
            SQS | {"FilterCriteria": {"Filters": [{"Pattern": '{"body":["a"]}'}] * 6}},
            "FilterCriteria has 6 filters; at most 5 are allowed.",
        ),
        (
            KAFKA | {"ProvisionedPollerConfig": {"MinimumPollers": 3, "MaximumPollers": 2}},
            "ProvisionedPollerConfig has MaximumPollers 2, less than MinimumPollers 3",
        ),
        (
            SQS | {"ProvisionedPollerConfig": {"MaximumPollers": 3}, "ScalingConfig": {"MaximumConcurrency": 2}},
            "MaximumConcurrency and ProvisionedPollerConfig exclude each other",
        ),
        (
            SQS | {"ProvisionedPollerConfig": {"MinimumPollers": 1}},
            "ProvisionedPollerConfig has MinimumPollers 1, but a queue needs at least 2",
        ),
        (without(MSK, "Topics"), "Required 'topics' parameter is missing."),
        (
            KAFKA | {"EventSourceArn": CLUSTER},
            "EventSourceArn and SelfManagedEventSource exclude each other",
        ),
        (
            KAFKA | PROVISIONED | {"DestinationConfig": {"OnFailure": {"Destination": "kafka://orders"}}},
            "DestinationConfig OnFailure: kafka://orders is the source: its failure documents would come back forever",
        ),
        (
            MSK | {"SourceAccessConfigurations": [{"Type": "VIRTUAL_HOST", "URI": "/"}]},
            "SourceAccessConfigurations: VIRTUAL_HOST is for RabbitMQ",
        ),
        (
            MSK | {"SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": f"env:{name}"} for name in "ab"]},
            "SourceAccessConfigurations: BASIC_AUTH is given 2 times",
        ),
        (
            SQS | {"EventSourceArn": "arn:aws:mq:us-east-1:000000000000:broker:b", "Queues": ["q"]},
            "Unrecognized event source. Headrace does not know the service 'mq'",
        ),
        (
            SQS | {"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:no good"},
            "EventSourceArn has the queue name 'no good': 1 to 80 letters, digits, '-' or '_', then maybe '.fifo'",
        ),
        *(
            (
                KAFKA | asked,
                f"{member} is for Kafka in provisioned mode only: give ProvisionedPollerConfig, or remove it.",
            )
            for member, asked in ASKED.items()
        ),
    ],
)
def test_what_is_refused_in_our_own_words(request_: dict[str, Any], text: str) -> None:
    refusal = refused(request_)
    assert (refusal.code, refusal.message) == (IPV, text)


@pytest.mark.semantics("API-23")
@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (
            KAFKA | PROVISIONED | {"SelfManagedKafkaEventSourceConfig": {"SchemaRegistryConfig": REGISTRY}},
            (
                "SelfManagedKafkaEventSourceConfig: SchemaRegistryConfig: SchemaValidationConfigs has neither KEY nor "
                "VALUE, so nothing would be decoded"
            ),
        ),
        (
            KINESIS | {"DestinationConfig": {"OnFailure": {"Destination": "kafka://dead"}}},
            "DestinationConfig OnFailure: kafka://dead is a Kafka topic, and only Kafka mappings can have one",
        ),
        (KAFKA | {"SelfManagedEventSource": {}}, "SelfManagedEventSource.Endpoints is missing"),
        (
            SQS | {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 11}},
            "FilterCriteria.Filters must have at most 10 elements",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_names_that_a_caller_wrote(request_: dict[str, Any], text: str) -> None:
    assert refused(request_).message == text


@pytest.mark.semantics("ESM-12")
@pytest.mark.parametrize(
    "text",
    ["{", "null", '"body"', "[]", "7", '{"body":"a"}', '{"body":[]}', '{"body":null}', "", '{"body":[{"nope":1}]}'],
)
def test_what_is_no_filter_pattern(text: str) -> None:
    assert refused(SQS | pattern(text)).message == "Invalid filter pattern definition."


@pytest.mark.semantics("ESM-12")
def test_a_filter_without_a_pattern_is_none_either() -> None:
    assert refused(SQS | {"FilterCriteria": {"Filters": [{}]}}).message == "Invalid filter pattern definition."


@pytest.mark.semantics("ESM-13")
@pytest.mark.parametrize(
    ("request_", "seen", "text"),
    [
        (SQS, SourceLook(missing=True), NO_QUEUE),
        (KINESIS, SourceLook(missing=True), f"Stream not found: {STREAM}"),
        (DYNAMODB, SourceLook(missing=True), f"Stream not found: {TABLE}"),
        (
            SQS,
            SourceLook(code="AccessDenied", message="No."),
            "Error occurred while ReceiveMessage. SQS Error Code: AccessDenied. SQS Error Message: No.",
        ),
        (KINESIS, SourceLook(code="AccessDenied", message="No."), f"Cannot access stream {STREAM}. AccessDenied: No."),
        (
            SQS,
            SourceLook(visibility=2.0),
            "Queue visibility timeout: 2 seconds is less than Function timeout: 3 seconds",
        ),
    ],
)
def test_a_source_that_cannot_be_read(request_: dict[str, Any], seen: SourceLook, text: str) -> None:
    refusal = refused(request_, seen=seen)
    assert (refusal.code, refusal.message) == (IPV, text)


@pytest.mark.semantics("ESM-14")
@pytest.mark.parametrize(
    ("request_", "seen", "text"),
    [
        ({"FunctionName": "nobody"} | ON_SUCCESS, SourceLook(), NO_ON_SUCCESS),
        ({"FunctionName": "nobody"}, SourceLook(), "Unrecognized event source."),
        (SQS | {"FunctionName": "nobody", "BatchSize": 11} | pattern("{"), SourceLook(), BATCH),
        (SQS | {"FunctionName": "nobody"} | pattern("{"), SourceLook(), "Invalid filter pattern definition."),
        (SQS | {"FunctionName": "nobody"}, SourceLook(missing=True), "Function does not exist"),
    ],
)
def test_of_several_faults_the_first_is_told(request_: dict[str, Any], seen: SourceLook, text: str) -> None:
    assert refused(request_, seen=seen).message == text


@pytest.mark.semantics("ESM-14")
def test_the_source_comes_before_a_duplicate() -> None:
    first = created(SQS)
    assert refused(SQS, mappings={first.uuid: first}, seed="b", seen=SourceLook(missing=True)).message == NO_QUEUE


# --- duplicates -------------------------------------------------------------------------------------------------------


def existing(request: dict[str, Any], **more: Any) -> dict[str, Mapped]:
    mapped = created(request, **more)
    return {mapped.uuid: mapped}


@pytest.mark.semantics("ESM-15")
@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (SQS, f'An event source mapping with SQS arn (" {QUEUE} ") and function (" f ") already exists. '),
        (KINESIS, f'The event source arn (" {STREAM} ") and function (" f ") provided mapping already exists. '),
        (DYNAMODB, f'The event source arn (" {TABLE} ") and function (" f ") provided mapping already exists. '),
        (
            KAFKA,
            KAFKA_TWICE,
        ),
    ],
)
def test_a_second_mapping_of_the_same(request_: dict[str, Any], text: str) -> None:
    mappings = existing(request_)
    refusal = refused(request_, mappings=mappings, seed="b")
    tail = f"Please update or delete the existing mapping with UUID {next(iter(mappings))}"
    assert (refusal.code, form_of(refusal).status, refusal.message) == ("ResourceConflictException", 409, text + tail)


@pytest.mark.semantics("ESM-15")
def test_one_common_server_makes_it_the_same_cluster() -> None:
    mappings = existing(KAFKA)
    servers = {"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka:1000", "kafka:2000"]}}}
    message = refused(KAFKA | servers, mappings=mappings, seed="b").message
    assert message is not None
    assert message.startswith('An event source mapping with event source ("kafka:1000,kafka:2000"), function (')


@pytest.mark.semantics("ESM-15")
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (SQS, SQS | {"FunctionName": "g"}),
        (SQS, SQS | {"FunctionName": "f:1"}),
        (SQS, SQS | {"FunctionName": "f:$LATEST"}),
        (SQS, SQS | {"EventSourceArn": FIFO}),
        (KAFKA, KAFKA | {"Topics": ["others"]}),
        (KAFKA, KAFKA | {"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka:2000"]}}}),
    ],
)
def test_what_is_no_duplicate(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert created(second, existing(first), seed="b").uuid


@pytest.mark.semantics("ESM-15")
def test_two_topics_may_not_share_a_consumer_group() -> None:
    group = {"SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "g"}}
    refusal = refused(KAFKA | group | {"Topics": ["others"]}, mappings=existing(KAFKA | group), seed="b")
    assert refusal.code == IPV
    assert "consumer group 'g'" in str(refusal.message)


@pytest.mark.semantics("ESM-15")
def test_an_update_may_not_make_a_duplicate_either() -> None:
    first = created(SQS)
    second = settled(created(SQS | {"FunctionName": "g"}, seed="b"))
    assert second is not None
    mappings = {first.uuid: first, second.uuid: second}
    with pytest.raises(ApiError, match="already exists"):
        decisions.update(mappings, {"UUID": second.uuid, "FunctionName": "f"}, SourceLook(), moment(), GROUND)


# --- what is there, and what is busy ----------------------------------------------------------------------------------


@pytest.mark.semantics("ESM-16")
def test_a_mapping_that_is_not_there() -> None:
    request = {"UUID": "00000000-0000-4000-8000-000000000000"}
    calls: list[Callable[[], object]] = [
        lambda: decisions.get({}, request["UUID"]),
        lambda: decisions.delete({}, request["UUID"], GROUND),
        lambda: decisions.update({}, request, SourceLook(), moment(), GROUND),
    ]
    for call in calls:
        with pytest.raises(ApiError) as caught:
            call()
        refusal = caught.value
        form = form_of(refusal)
        assert (refusal.code, form.status, form.member) == ("ResourceNotFoundException", 404, "Message")
        assert refusal.message == "The resource you requested does not exist."


@pytest.mark.semantics("ESM-16")
@pytest.mark.parametrize("state", [state for state in MappingState if state.passing])
def test_a_mapping_that_is_busy(state: MappingState) -> None:
    mapped = replace(created(SQS), state=state)
    calls: dict[str, Callable[[], object]] = {
        "update": lambda: updated(mapped, BatchSize=1),
        "delete": lambda: decisions.delete({mapped.uuid: mapped}, mapped.uuid, GROUND),
    }
    for verb, call in calls.items():
        with pytest.raises(ApiError) as caught:
            call()
        assert (caught.value.code, form_of(caught.value).status) == ("ResourceInUseException", 400)
        assert caught.value.message == f"Cannot {verb} the event source mapping because it is in use."


# --- updates are held to the same rules -------------------------------------------------------------------------------


@pytest.mark.semantics("ESM-17")
@pytest.mark.parametrize(
    ("request_", "members", "text"),
    [
        (SQS, {"BatchSize": 11}, BATCH),
        (SQS | {"BatchSize": 11, "MaximumBatchingWindowInSeconds": 1}, {"MaximumBatchingWindowInSeconds": 0}, BATCH),
        (SQS, {"FunctionName": "nobody"}, "Function does not exist"),
        (SQS, pattern("{"), "Invalid filter pattern definition."),
        (SQS, ON_SUCCESS, NO_ON_SUCCESS),
        (
            KINESIS,
            {"MaximumRecordAgeInSeconds": 1},
            "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 (inclusive)",
        ),
        (
            KAFKA,
            {"SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "another"}},
            "ConsumerGroupId cannot be changed.",
        ),
        (
            KAFKA | PROVISIONED | {"MaximumRetryAttempts": 3},
            {"ProvisionedPollerConfig": {}},
            "MaximumRetryAttempts is for Kafka in provisioned mode only: give ProvisionedPollerConfig, or remove it.",
        ),
        (KAFKA, {"SourceAccessConfigurations": []}, "Required 'sourceAccessConfigurations' parameter is missing."),
    ],
)
def test_what_an_update_may_not_do(request_: dict[str, Any], members: dict[str, Any], text: str) -> None:
    before = settled(created(request_))
    assert before is not None
    with pytest.raises(ApiError) as caught:
        updated(before, **members)
    assert (caught.value.code, caught.value.message) == (IPV, text)


@pytest.mark.semantics("ESM-17")
def test_an_update_looks_at_the_queue_s_visibility_and_not_whether_it_is_there() -> None:
    before = settled(created(SQS))
    assert before is not None
    assert updated(before, seen=SourceLook(missing=True), BatchSize=1).config.batch_limit == 1
    with pytest.raises(ApiError, match="Queue visibility timeout: 1 seconds is less than Function timeout: 3 seconds"):
        updated(before, seen=SourceLook(visibility=1.0), BatchSize=1)


def test_a_function_without_a_timeout_is_held_against_no_queue() -> None:
    ground = replace(GROUND, find=lambda name, qualifier: FoundFunction(None))
    assert decisions.create({}, SQS, SourceLook(visibility=0.0), moment(), ground).state is MappingState.CREATING

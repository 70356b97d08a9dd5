"""How mappings look in the API's answers, how their states follow each other, and what an update clears."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headrace.config.mapping import EventSourceMapping
from headrace.service.control import paging
from headrace.service.control.mappings import decisions
from headrace.service.control.mappings.answers import MappingProgress, shown
from headrace.service.control.mappings.model import Mapped, MappingState, settled
from headrace.service.control.refusals import ApiError
from support.mapping_requests import (
    CLUSTER,
    DYNAMODB,
    FIFO,
    FUNCTION,
    GROUND,
    HERE,
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
    updated,
)

DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"


def answer(request: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Without what the identity decides."""
    mapped = created(request, **more)
    full = dict(shown(mapped, HERE))
    assert full.pop("UUID") == mapped.uuid
    assert full.pop("EventSourceMappingArn") == (
        f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{mapped.uuid}"
    )
    assert full.pop("LastModified") == NOW
    return full


COMMON = {"FunctionArn": FUNCTION, "State": "Creating"}
OF_STREAMS = {
    "BatchSize": 100,
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
    "BisectBatchOnFunctionError": False,
    "DestinationConfig": {"OnFailure": {}},
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "ParallelizationFactor": 1,
    "TumblingWindowInSeconds": 0,
    "LastProcessingResult": "No records processed",
    "StateTransitionReason": "User action",
}
OF_TOPICS = {
    "BatchSize": 100,
    "StartingPosition": "TRIM_HORIZON",
    "LastProcessingResult": "No records processed",
    "StateTransitionReason": "USER_INITIATED",
    "Topics": ["orders"],
}


@pytest.mark.semantics("ESM-01")
@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            SQS,
            {
                "EventSourceArn": QUEUE,
                "BatchSize": 10,
                "FunctionResponseTypes": [],
                "MaximumBatchingWindowInSeconds": 0,
                "StateTransitionReason": "USER_INITIATED",
            },
        ),
        (KINESIS, {"EventSourceArn": STREAM, "StartingPosition": "LATEST", **OF_STREAMS}),
        (DYNAMODB, {"EventSourceArn": TABLE, "StartingPosition": "TRIM_HORIZON", **OF_STREAMS}),
        (
            KAFKA,
            {
                "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka:1000"]}},
                "SourceAccessConfigurations": [{"Type": "VPC_SUBNET", "URI": "subnet:s"}],
                "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": created(KAFKA).uuid},
                **OF_TOPICS,
            },
        ),
        (
            MSK,
            {
                "EventSourceArn": CLUSTER,
                "AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": created(MSK).uuid},
                **OF_TOPICS,
            },
        ),
    ],
)
def test_what_a_source_has_by_default(request_: dict[str, Any], expected: dict[str, Any]) -> None:
    assert answer(request_) == COMMON | expected


@pytest.mark.semantics("ESM-02")
@pytest.mark.parametrize(
    ("request_", "members"),
    [
        (
            SQS,
            {
                "BatchSize": 100,
                "MaximumBatchingWindowInSeconds": 5,
                "FilterCriteria": {"Filters": [{"Pattern": '{ "body": ["a"] }'}]},
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "ScalingConfig": {"MaximumConcurrency": 2},
                "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k",
                "MetricsConfig": {"Metrics": ["EventCount"]},
            },
        ),
        (SQS, {"ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 200}}),
        (
            KINESIS,
            {
                "StartingPosition": "AT_TIMESTAMP",
                "StartingPositionTimestamp": NOW - 1.5,
                "ParallelizationFactor": 3,
                "BisectBatchOnFunctionError": True,
                "DestinationConfig": {"OnFailure": {"Destination": DEAD}},
                "MaximumRecordAgeInSeconds": 60,
                "MaximumRetryAttempts": 0,
            },
        ),
        (DYNAMODB, {"TumblingWindowInSeconds": 30}),
        (
            KAFKA,
            {
                "ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 3, "PollerGroupName": "g"},
                "MaximumRetryAttempts": 3,
                "MaximumRecordAgeInSeconds": 60,
                "BisectBatchOnFunctionError": True,
                "DestinationConfig": {"OnFailure": {"Destination": "kafka://dead"}},
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "mine", "ConsumptionMode": "Stream"},
                "SourceAccessConfigurations": [
                    {"Type": "OAUTHBEARER_AUTH", "URI": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s"},
                    {"Type": "OAUTHBEARER_SCOPE", "URI": "kafka:read kafka:write"},
                ],
            },
        ),
        (KAFKA, {"SourceAccessConfigurations": [{"Type": "IAM_AUTH"}]}),
        (SQS, {"ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 10_000}}),
    ],
)
def test_what_was_given_comes_back_as_it_was(request_: dict[str, Any], members: dict[str, Any]) -> None:
    found = answer(request_ | members)
    assert {name: found[name] for name in members} == members
    assert not {"Enabled", "FunctionName", "Tags"} & found.keys()


@pytest.mark.semantics("ESM-03")
@pytest.mark.parametrize("criteria", [{}, {"Filters": []}])
def test_no_filters_are_not_shown(criteria: dict[str, Any]) -> None:
    assert "FilterCriteria" not in answer(SQS, FilterCriteria=criteria)


@pytest.mark.semantics("ESM-03")
def test_a_list_does_not_tell_encrypted_filters() -> None:
    criteria = {"Filters": [{"Pattern": '{"body":["a"]}'}]}
    mapped = created(SQS, FilterCriteria=criteria, KMSKeyArn="arn:aws:kms:us-east-1:000000000000:key/k")
    assert shown(mapped, HERE)["FilterCriteria"] == criteria
    assert "FilterCriteria" not in shown(mapped, HERE, listed=True)
    assert "FilterCriteria" in shown(created(SQS, FilterCriteria=criteria), HERE, listed=True)


@pytest.mark.semantics("ESM-04")
@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("f", FUNCTION),
        ("f:$LATEST", f"{FUNCTION}:$LATEST"),
        ("f:1", f"{FUNCTION}:1"),
        ("f:live", f"{FUNCTION}:live"),
        ("000000000000:function:f", FUNCTION),
        ("function:f:1", f"{FUNCTION}:1"),
        (FUNCTION, FUNCTION),
        (f"{FUNCTION}:live", f"{FUNCTION}:live"),
    ],
)
def test_the_function_keeps_the_qualifier_as_given(given: str, stored: str) -> None:
    assert answer(SQS, FunctionName=given)["FunctionArn"] == stored


# --- states -----------------------------------------------------------------------------------------------------------


def at_rest(request: dict[str, Any], **more: Any) -> Mapped:
    mapped = settled(created(request, **more))
    assert mapped is not None
    return mapped


@pytest.mark.semantics("ESM-05")
@pytest.mark.parametrize(
    ("enabled", "members", "first", "then"),
    [
        (True, {"Enabled": False}, "Disabling", "Disabled"),
        (False, {"Enabled": True}, "Enabling", "Enabled"),
        (True, {"BatchSize": 1}, "Updating", "Enabled"),
        (False, {"BatchSize": 1}, "Updating", "Disabled"),
        (True, {"Enabled": True}, "Updating", "Enabled"),
        (True, {}, "Updating", "Enabled"),
    ],
)
def test_the_states_of_an_update(enabled: bool, members: dict[str, Any], first: str, then: str) -> None:
    changed = updated(at_rest(SQS, Enabled=enabled), **members)
    after = settled(changed)
    assert after is not None
    assert (changed.state, after.state) == (first, then)
    assert changed.modified == NOW + 60


@pytest.mark.semantics("ESM-05")
def test_the_states_of_a_creation_and_of_a_deletion() -> None:
    assert created(SQS).state is MappingState.CREATING
    assert at_rest(SQS).state is MappingState.ENABLED
    assert created(SQS, Enabled=False).state is MappingState.DISABLED
    mapped = at_rest(SQS)
    ending = decisions.delete({mapped.uuid: mapped}, mapped.uuid.upper(), GROUND)
    assert ending == replace(mapped, state=MappingState.DELETING)
    assert settled(ending) is None


@pytest.mark.semantics("ESM-06")
@pytest.mark.parametrize(
    ("request_", "before", "clearing", "member"),
    [
        (
            SQS,
            {"FilterCriteria": {"Filters": [{"Pattern": '{"body":["a"]}'}]}},
            {"FilterCriteria": {}},
            "FilterCriteria",
        ),
        (SQS, {"ScalingConfig": {"MaximumConcurrency": 2}}, {"ScalingConfig": {}}, "ScalingConfig"),
        (SQS, {"KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k"}, {"KMSKeyArn": ""}, "KMSKeyArn"),
        (SQS, {"MetricsConfig": {"Metrics": ["EventCount"]}}, {"MetricsConfig": {}}, "MetricsConfig"),
        (KAFKA, PROVISIONED, {"ProvisionedPollerConfig": {}}, "ProvisionedPollerConfig"),
    ],
)
def test_what_an_update_takes_back(
    request_: dict[str, Any], before: dict[str, Any], clearing: dict[str, Any], member: str
) -> None:
    mapped = at_rest(request_ | before)
    assert member in shown(mapped, HERE)
    assert member not in shown(updated(mapped, **clearing), HERE)
    assert shown(updated(mapped, Enabled=True), HERE)[member] == shown(mapped, HERE)[member]


@pytest.mark.semantics("ESM-06")
def test_an_empty_destination_is_none_and_no_types_turn_partial_responses_off() -> None:
    mapped = at_rest(
        KINESIS,
        DestinationConfig={"OnFailure": {"Destination": DEAD}},
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    cleared = updated(mapped, DestinationConfig={"OnFailure": {"Destination": ""}}, FunctionResponseTypes=[])
    assert cleared.config.destination_config is None
    after = shown(cleared, HERE)
    assert (after["DestinationConfig"], after["FunctionResponseTypes"]) == ({"OnFailure": {}}, [])


@pytest.mark.semantics("ESM-06")
def test_a_topic_without_response_types_shows_none() -> None:
    types = ["ReportBatchItemFailures"]
    mapped = at_rest(KAFKA | PROVISIONED, FunctionResponseTypes=types)
    assert shown(mapped, HERE)["FunctionResponseTypes"] == types
    assert "FunctionResponseTypes" not in shown(updated(mapped, FunctionResponseTypes=[]), HERE)


@pytest.mark.semantics("ESM-06")
def test_pollers_that_are_not_given_stay_and_an_empty_name_leaves_the_group() -> None:
    pollers = {"MinimumPollers": 2, "MaximumPollers": 3, "PollerGroupName": "g"}
    mapped = at_rest(KAFKA, ProvisionedPollerConfig=pollers)
    after = updated(mapped, ProvisionedPollerConfig={"MaximumPollers": 9})
    assert shown(after, HERE)["ProvisionedPollerConfig"] == pollers | {"MaximumPollers": 9}
    after = updated(mapped, ProvisionedPollerConfig={"PollerGroupName": ""})
    assert shown(after, HERE)["ProvisionedPollerConfig"] == {"MinimumPollers": 2, "MaximumPollers": 3}


@pytest.mark.semantics("ESM-06")
def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    mapped = at_rest(SQS, BatchSize=3, Tags={"a": "b"}, FunctionResponseTypes=["ReportBatchItemFailures"])
    after = updated(mapped, FunctionName="g", MaximumBatchingWindowInSeconds=1)
    changed = {"function": f"{FUNCTION[:-1]}g", "maximum_batching_window_in_seconds": 1}
    assert after.config == mapped.config.model_copy(update=changed)


@pytest.mark.semantics("ESM-06")
def test_the_same_consumer_group_may_be_said_again() -> None:
    mapped = at_rest(KAFKA)
    after = updated(mapped, SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": mapped.uuid})
    assert after.config.group == mapped.config.group


# --- what came of it --------------------------------------------------------------------------------------------------


@pytest.mark.semantics("ESM-07")
def test_results_are_shown_of_streams_and_topics_only() -> None:
    progress = MappingProgress("PROBLEM: SASL authentication failed", "EVENT_SOURCE_AUTHN_ERROR")
    assert "LastProcessingResult" not in shown(created(SQS), HERE, progress)
    stream = shown(created(KINESIS), HERE, progress)
    assert (stream["LastProcessingResult"], stream["StateTransitionReason"]) == (progress.result, "User action")
    topic = shown(created(KAFKA), HERE, progress)
    assert (topic["LastProcessingResult"], topic["StateTransitionReason"]) == (progress.result, progress.trouble)


# --- lists ------------------------------------------------------------------------------------------------------------


def some() -> dict[str, Mapped]:
    requests = [SQS, SQS | {"FunctionName": "g"}, SQS | {"FunctionName": "f:1", "EventSourceArn": FIFO}, KINESIS]
    made = [created(request, seed=str(number)) for number, request in enumerate(requests)]
    return {mapped.uuid: mapped for mapped in made}


@pytest.mark.semantics("ESM-20")
@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"EventSourceArn": QUEUE}, [0, 1]),
        ({"FunctionName": "f"}, [0, 2, 3]),
        ({"FunctionName": FUNCTION}, [0, 2, 3]),
        ({"FunctionName": f"{FUNCTION}:1"}, [2]),
        ({"FunctionName": "f:$LATEST"}, []),
        ({"FunctionName": "f", "EventSourceArn": QUEUE}, [0]),
        ({"FunctionName": "nobody"}, []),
        ({"EventSourceArn": TABLE}, []),
    ],
)
def test_which_mappings_a_list_has(request_: dict[str, Any], expected: list[int]) -> None:
    mappings = some()
    found = decisions.listed(mappings, request_)
    assert list(found) == [list(mappings)[number] for number in expected]


@pytest.mark.semantics("ESM-21")
def test_a_list_comes_in_pages_of_a_hundred_at_most() -> None:
    made = [created(SQS | {"EventSourceArn": f"{QUEUE}-{number}"}, seed=str(number)) for number in range(205)]
    mappings = {mapped.uuid: mapped for mapped in made}
    sizes, found, request = [], list[str](), {"MaxItems": 10_000}
    while True:
        page = paging.page("EventSourceMappings", mappings, lambda each: shown(each, HERE), request, decisions.PAGE_MAX)
        sizes.append(len(page["EventSourceMappings"]))
        found += [each["UUID"] for each in page["EventSourceMappings"]]
        if "NextMarker" not in page:
            break
        request["Marker"] = page["NextMarker"]
    assert sizes == [100, 100, 5]
    assert sorted(found) == sorted(mappings)


# --- tags -------------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("ESM-22")
@pytest.mark.parametrize("state", list(MappingState))
def test_tags_are_set_whatever_else_is_under_way(state: MappingState) -> None:
    mapped = replace(at_rest(SQS, Tags={"a": "1"}), state=state)
    after = decisions.tag({mapped.uuid: mapped}, mapped.uuid.upper(), lambda before: {**before, "b": "2"}, GROUND)
    assert (decisions.tags_of(after), after.state, after.modified) == (
        {"a": "1", "b": "2"},
        state,
        mapped.modified,
    )
    assert shown(after, HERE) == shown(mapped, HERE)


@pytest.mark.semantics("ESM-22")
def test_a_mapping_has_fifty_tags_at_most() -> None:
    with pytest.raises(ApiError, match="Number of tags exceeds"):
        created(SQS, Tags={str(number): "" for number in range(51)})


def test_what_a_file_alone_can_say_is_not_shown() -> None:
    config = EventSourceMapping.model_validate(
        {
            "name": "m",
            "uuid": "00000000-0000-4000-8000-000000000000",
            "source": STREAM,
            "function": FUNCTION,
            "starting_position": "LATEST",
            "deaggregate": True,
            "recreated_stream": "stop",
            "filter_criteria": {"filters": [{"pattern": {"data": {"type": ["créée"]}}}]},
        }
    )
    found = shown(Mapped(config, NOW, MappingState.ENABLED, "headrace.yaml"), HERE)
    assert found["FilterCriteria"] == {"Filters": [{"Pattern": '{"data":{"type":["créée"]}}'}]}
    assert not {"Deaggregate", "deaggregate", "RecreatedStream", "recreated_stream"} & found.keys()

"""Mappings: both spellings, shapes, the rules of each source, identity."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from headrace.config import rules
from headrace.config.fields import mapping_limits
from headrace.config.fields.mapping_limits import Support
from headrace.config.fields.spoken import aws_name
from headrace.config.kinds import dynamodb, kafka, kinesis, sqs
from headrace.config.kinds.profile import SourceKind
from headrace.config.kinds.support import FIELDS
from headrace.config.kinds.table import KINDS, polled
from headrace.config.mapping import EventSourceMapping, derive_uuid, split_function
from support.configs import FIFO, FUNCTION, QUEUE, loaded, problems, with_mapping, write

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/x"
CLUSTER = "arn:aws:kafka:us-east-1:000000000000:cluster/c/1"
NOW = 1_750_000_000.0


def mapping(**fields: object) -> EventSourceMapping:
    return EventSourceMapping.model_validate({"source": QUEUE, "function": "f", **fields})


@pytest.mark.semantics("CONFIG-01")
def test_a_mapping_in_the_words_of_aws_is_the_same_mapping() -> None:
    aws = EventSourceMapping.model_validate(
        {
            "EventSourceArn": QUEUE,
            "FunctionName": "f",
            "BatchSize": 20,
            "MaximumBatchingWindowInSeconds": 5,
            "FilterCriteria": {"Filters": [{"Pattern": '{"body":{"a":[1]}}'}]},
            "ScalingConfig": {"MaximumConcurrency": 2},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
            "KMSKeyArn": "arn:aws:kms:x",
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a:1"]}},
            "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "arn:x"}],
            "AmazonManagedKafkaEventSourceConfig": {
                "ConsumerGroupId": "g",
                "SchemaRegistryConfig": {"SchemaRegistryURI": "arn:x", "EventRecordFormat": "JSON"},
            },
        }
    )
    ours = EventSourceMapping.model_validate(
        {
            "source": QUEUE,
            "function": "f",
            "batch_size": 20,
            "maximum_batching_window_in_seconds": 5,
            "filter_criteria": {"filters": [{"pattern": '{"body":{"a":[1]}}'}]},
            "scaling_config": {"maximum_concurrency": 2},
            "function_response_types": ["ReportBatchItemFailures"],
            "destination_config": {"on_failure": {"destination": QUEUE}},
            "kms_key_arn": "arn:aws:kms:x",
            "self_managed_event_source": {"endpoints": {"kafka_bootstrap_servers": ["a:1"]}},
            "source_access_configurations": [{"type": "BASIC_AUTH", "uri": "arn:x"}],
            "amazon_managed_kafka_event_source_config": {
                "consumer_group_id": "g",
                "schema_registry_config": {"schema_registry_uri": "arn:x", "event_record_format": "JSON"},
            },
        }
    )
    assert aws == ours


@pytest.mark.semantics("CONFIG-01")
def test_a_field_in_both_spellings_is_a_problem(tmp_path: Path) -> None:
    found = problems(with_mapping(tmp_path, batch_size=1, BatchSize=2))
    assert found == ["headrace.json:1: mappings.m: gives one field twice, as 'batch_size' and as 'BatchSize'"]


def test_every_member_of_the_aws_request_is_a_field() -> None:
    members = [
        "FunctionName",
        "EventSourceArn",
        "Enabled",
        "BatchSize",
        "MaximumBatchingWindowInSeconds",
        "ParallelizationFactor",
        "StartingPosition",
        "StartingPositionTimestamp",
        "DestinationConfig",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "BisectBatchOnFunctionError",
        "TumblingWindowInSeconds",
        "Topics",
        "Queues",
        "SourceAccessConfigurations",
        "FilterCriteria",
        "SelfManagedEventSource",
        "FunctionResponseTypes",
        "AmazonManagedKafkaEventSourceConfig",
        "MetricsConfig",
        "ScalingConfig",
        "SelfManagedKafkaEventSourceConfig",
        "KMSKeyArn",
        "LoggingConfig",
        "ProvisionedPollerConfig",
        "Tags",
        "DocumentDBEventSourceConfig",
    ]
    assert set(members) <= {aws_name(name) for name in EventSourceMapping.model_fields}


def test_each_field_has_a_standing_for_each_source() -> None:
    assert FIELDS.keys() == EventSourceMapping.model_fields.keys() - {"name"}
    assert all(row.keys() == set(KINDS) for row in FIELDS.values())
    recorded = {name for name, row in FIELDS.items() if Support.RECORDED in row.values()}
    assert recorded == mapping_limits.RECORDED.keys()


@pytest.mark.parametrize(
    ("source", "kind", "batch", "window"),
    [
        (QUEUE, sqs.STANDARD, 10, 0),
        (FIFO, sqs.FIFO, 10, 0),
        (STREAM, kinesis.STREAM, 100, 0),
        (TABLE, dynamodb.STREAM, 100, 0),
        (CLUSTER, kafka.TOPIC, 100, 0.5),
    ],
)
@pytest.mark.semantics("CONFIG-10")
def test_defaults_by_source(source: str, kind: SourceKind, batch: int, window: float) -> None:
    made = mapping(source=source)
    assert (made.kind, made.batch_limit, made.window) == (kind, batch, window)
    assert mapping(source=source, maximum_batching_window_in_seconds=0).window == 0


def test_what_is_read_out_of_a_mapping() -> None:
    made = mapping(
        function="arn:aws:lambda:us-east-1:000000000000:function:orders:live",
        filter_criteria={"filters": [{"pattern": {"a": [1]}}, {"pattern": "{}"}]},
        scaling_config={"maximum_concurrency": 7},
        function_response_types=["ReportBatchItemFailures"],
        tags={"a": "b"},
    )
    assert made.function_name == "orders"
    assert made.patterns == ({"a": [1]}, "{}")
    assert made.filter_criteria is not None
    assert [item.text for item in made.filter_criteria.filters] == ['{"a":[1]}', "{}"]
    assert (made.maximum_concurrency, made.partial_responses, made.recorded) == (7, True, ("tags",))
    assert (mapping().maximum_concurrency, mapping().partial_responses, mapping().patterns) == (None, False, ())


@pytest.mark.parametrize(
    ("text", "name", "qualifier"),
    [
        ("orders", "orders", ""),
        ("orders:1", "orders", "1"),
        ("000000000000:function:orders", "orders", ""),
        ("arn:aws:lambda:us-east-1:000000000000:function:orders:$LATEST", "orders", "$LATEST"),
    ],
)
def test_spellings_of_a_function(text: str, name: str, qualifier: str) -> None:
    assert split_function(text) == (name, qualifier)


SHAPES: list[tuple[dict[str, object], str]] = [
    ({"batch_size": 0}, "mappings.m.batch_size: must be at least 1, not 0"),
    ({"batch_size": 10_001}, "mappings.m.batch_size: must be at most 10000, not 10001"),
    ({"BatchSize": "many"}, "mappings.m.BatchSize: must be a whole number, not 'many'"),
    ({"batch_size": True}, "mappings.m.batch_size: must be a whole number, not true"),
    ({"batch_size": 1.5}, "mappings.m.batch_size: must be a whole number, not 1.5"),
    ({"enabled": "perhaps"}, "mappings.m.enabled: must be true or false, not 'perhaps'"),
    ({"maximum_batching_window_in_seconds": 301}, "at most 300, not 301"),
    (
        {"scaling_config": {"maximum_concurrency": 1}},
        "mappings.m.scaling_config.maximum_concurrency: must be at least 2",
    ),
    ({"scaling_config": {"MaximumConcurrency": 1001}}, "mappings.m.scaling_config.MaximumConcurrency: must be at most"),
    ({"scaling_config": 3}, "mappings.m.scaling_config: must be a mapping of names to values, not 3"),
    ({"function_response_types": "x"}, "mappings.m.function_response_types: must be a list, not 'x' (write [x])"),
    ({"function_response_types": ["Report"]}, "[0]: must be 'ReportBatchItemFailures', not 'Report'"),
    ({"filter_criteria": {"filters": [{"pattern": 3}]}}, "filters[0]: must be a pattern"),
    ({"filter_criteria": {"filters": [{"pattern": "{}"}] * 11}}, "filters: must have at most 10 elements"),
    ({"filter_criteria": {"filters": [{}]}}, "mappings.m.filter_criteria.filters[0]: 'pattern' is missing"),
    ({"uuid": "x"}, "mappings.m.uuid: is not a UUID: 'x' (e.g. "),
    ({"receivers": 0}, "mappings.m.receivers: must be at least 1"),
    ({"retry_backoff": {"base": 0}}, "mappings.m.retry_backoff.base: must be at least 0.01, not 0"),
    ({"retry_backoff": {"base": -1}}, "mappings.m.retry_backoff.base: must be at least 0.01, not -1"),
    ({"retry_backoff": {"base": True}}, "mappings.m.retry_backoff.base: must be a number of seconds"),
    ({"retry_backoff": {"base": "nan"}}, "mappings.m.retry_backoff.base: must be a number, not 'nan'"),
    ({"retry_backoff": {"base": "soon"}}, "mappings.m.retry_backoff.base: must be a number, not 'soon'"),
    ({"retry_backoff": {"cap": 3601}}, "mappings.m.retry_backoff.cap: must be at most 3600, not 3601"),
    ({"retry_backoff": {"cap": 0.1}}, "mappings.m.retry_backoff: has the cap 0.1, which is below the base 0.5: give a"),
    ({"retry_backoff": {"base": 31}}, "mappings.m.retry_backoff: has the cap 30, which is below the base 31: give a"),
    ({"retry_backoff": {"factor": 3}}, "mappings.m.retry_backoff.factor: unknown key"),
    ({"retry_backoff": 3}, "mappings.m.retry_backoff: must be a mapping of names to values"),
    (
        {"destination_config": {"on_failure": {"destination": "x"}}},
        "destination: is not a destination: 'x' (give the ARN of a",
    ),
    ({"source": "http://localhost:4566/000000000000/orders"}, "is a URL, and the ARN is needed"),
    ({"source": "orders"}, "mappings.m.source: is not an ARN"),
    ({"batch_size": None}, "mappings.m.batch_size: has no value (give one, or remove the key)"),
    ({"name": "x"}, "mappings.m.name: unknown key"),
    ({"topics": "orders"}, "mappings.m.topics: must be a list, not 'orders' (write [orders])"),
    ({"filter_criteria": {"filters": {"pattern": {}}}}, "filters: must be a list, not a mapping (put a '-' before it)"),
    (
        {"topics": ["a b"]},
        "mappings.m.topics[0]: is not a valid name of a topic: 'a b' (letters, digits, '.', '_' and '-'",
    ),
    ({"kms_key_arn": "x"}, "mappings.m.kms_key_arn: is not the ARN of a key: 'x' (it must begin with arn:)"),
    (
        {"State": "Enabled"},
        "mappings.m.State: unknown key (AWS reports this field, and no caller can set it: remove it)",
    ),
]


@pytest.mark.parametrize(("fields", "text"), SHAPES)
@pytest.mark.semantics("CONFIG-13")
def test_shapes(tmp_path: Path, fields: dict[str, object], text: str) -> None:
    found = problems(with_mapping(tmp_path, **fields))
    assert len(found) == 1
    assert text in found[0]


@pytest.mark.semantics("CONFIG-13")
def test_what_follows_from_a_wrong_part_of_the_source_is_not_told_too(tmp_path: Path) -> None:
    brokers = {"endpoints": {"kafka_bootstrap_servers": "b:9092"}}
    mapping = {"topics": "orders", "self_managed_event_source": brokers, "function": "f"}
    found = problems(write(tmp_path, json.dumps({"functions": {"f": FUNCTION}, "mappings": {"m": mapping}})))
    assert len(found) == 2
    assert found[0].endswith("mappings.m.topics: must be a list, not 'orders' (write [orders])")
    assert found[1].endswith("kafka_bootstrap_servers: must be a list, not 'b:9092' (write [b:9092])")


RULES: list[tuple[str, dict[str, object], str, str]] = [
    (
        QUEUE,
        {"batch_size": 11},
        "batch_size",
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
    ),
    (FIFO, {"batch_size": 11}, "batch_size", "must be at most 10 for a FIFO queue, not 11"),
    (
        FIFO,
        {"maximum_batching_window_in_seconds": 1},
        "maximum_batching_window_in_seconds",
        "Batching window is not supported for FIFO queues",
    ),
    (
        QUEUE,
        {"parallelization_factor": 2},
        "parallelization_factor",
        "Unsupported 'parallelizationFactor' parameter for given event source mapping type.",
    ),
    (
        QUEUE,
        {"starting_position": "LATEST"},
        "starting_position",
        "Unsupported 'startingPosition' parameter for given event source mapping type.",
    ),
    (
        QUEUE,
        {"deaggregate": True},
        "deaggregate",
        "Unsupported 'deaggregate' parameter for given event source mapping type.",
    ),
    (
        FIFO,
        {"recreated_stream": "stop"},
        "recreated_stream",
        "Unsupported 'recreated_stream' parameter for given event source mapping type.",
    ),
    (
        FIFO,
        {"destination_config": {"on_success": {"destination": QUEUE}}},
        "destination_config",
        "Unsupported DestinationConfig parameter for given event source mapping type.",
    ),
    (QUEUE, {"source": "arn:aws:mq:us-east-1:000000000000:b"}, "source", "Unrecognized event source."),
    ("", {}, "source", "Unrecognized event source."),
]


@pytest.mark.parametrize(("source", "fields", "field", "text"), RULES)
@pytest.mark.semantics("CONFIG-11", "CONFIG-12", "CONFIG-14")
def test_rules_of_queues(source: str, fields: dict[str, object], field: str, text: str) -> None:
    found = rules.check(mapping(**{"source": source, **fields}), NOW)
    assert [violation.field for violation in found] == [field]
    assert found[0].what.startswith(text)


ALLOWED: list[dict[str, object]] = [
    {"batch_size": 11, "maximum_batching_window_in_seconds": 1},
    {"batch_size": 10},
    {"source": FIFO, "batch_size": 10, "maximum_batching_window_in_seconds": 0},
    {"source": FIFO, "scaling_config": {"maximum_concurrency": 2}, "receivers": 3},
    {"destination_config": {"on_failure": {}}, "provisioned_poller_config": {}, "kms_key_arn": ""},
    {"filter_criteria": {}, "tags": {}},
]


@pytest.mark.parametrize("fields", ALLOWED)
@pytest.mark.semantics("CONFIG-11", "CONFIG-12")
def test_what_queues_allow(fields: dict[str, object]) -> None:
    assert rules.check(mapping(**fields), NOW) == []


@pytest.mark.semantics("CONFIG-15")
def test_a_source_that_is_not_polled_is_refused_with_that_reason(tmp_path: Path) -> None:
    broker = "arn:aws:mq:us-east-1:000000000000:broker:orders:b-1"
    found = problems(with_mapping(tmp_path, source=broker, queues=["orders"]))
    assert len(found) == 1
    assert "mappings.m.source: Unrecognized event source. Headrace does not know the service 'mq'" in found[0]
    assert f"this version polls {polled()}" in found[0]


def test_the_sources_that_are_polled_are_told_in_the_plural() -> None:
    assert polled().startswith("SQS standard queues, SQS FIFO queues, ")
    assert polled().endswith(f" and {KINDS[-1].titles}")


@pytest.mark.semantics("CONFIG-17")
def test_provisioned_pollers_of_a_queue_exclude_a_maximum_concurrency() -> None:
    found = rules.check(
        mapping(
            provisioned_poller_config={"MinimumPollers": 1, "MaximumPollers": 1},
            scaling_config={"maximum_concurrency": 2},
        ),
        NOW,
    )
    assert [(violation.field, violation.what) for violation in found] == [
        ("provisioned_poller_config", "has MinimumPollers 1, but a queue needs at least 2"),
        ("scaling_config", "MaximumConcurrency and ProvisionedPollerConfig exclude each other"),
    ]
    (found_one,) = rules.check(mapping(provisioned_poller_config={"MaximumPollers": 1}), NOW)
    assert found_one.what == "has MaximumPollers 1, less than MinimumPollers 2"
    assert rules.check(mapping(provisioned_poller_config={"MinimumPollers": 2}), NOW) == []
    assert mapping(provisioned_poller_config={"MaximumPollers": 9}).pollers == (2, 9)


@pytest.mark.semantics("CONFIG-16")
def test_recorded_fields_are_kept_and_named(tmp_path: Path) -> None:
    config = loaded(
        with_mapping(tmp_path, tags={"team": "a"}, MetricsConfig={"Metrics": ["EventCount", "KafkaMetrics"]})
    )
    assert config.mappings["m"].tags == {"team": "a"}
    assert [(note.path, note.what) for note in config.warnings] == [
        ("mappings.m.tags", "is recorded and has no effect here"),
        ("mappings.m.MetricsConfig", "KafkaMetrics is recorded and has no effect here"),
    ]


def test_more_filters_than_the_quota_are_worth_a_line(tmp_path: Path) -> None:
    config = loaded(with_mapping(tmp_path, filter_criteria={"filters": [{"pattern": "{}"}] * 6}))
    assert "6 filters; AWS allows 5" in config.warnings[0].what


@pytest.mark.semantics("CONFIG-25")
def test_a_qualifier_is_refused(tmp_path: Path) -> None:
    assert "has the qualifier 'live'" in problems(with_mapping(tmp_path, function="f:live"))[0]
    assert problems(with_mapping(tmp_path, function="f:$LATEST")) == []


@pytest.mark.semantics("CONFIG-10")
def test_the_identity_follows_from_account_region_and_name(tmp_path: Path) -> None:
    first = loaded(with_mapping(tmp_path)).mappings["m"].uuid
    assert first == derive_uuid("000000000000", "us-east-1", "m") == "fa1787a6-968b-4a9e-80fd-0fe5a5fca683"
    assert uuid.UUID(first).version == 4
    assert uuid.UUID(first).variant == uuid.RFC_4122
    others = {derive_uuid("000000000001", "us-east-1", "m"), derive_uuid("000000000000", "eu-west-1", "m"), first}
    assert len(others | {derive_uuid("000000000000", "us-east-1", "n")}) == 4
    given = "0A000000-0000-4000-8000-00000000000B"
    assert loaded(with_mapping(tmp_path, uuid=given)).mappings["m"].uuid == given.lower()


def test_the_words_of_a_conflict() -> None:
    key = "00000000-0000-4000-8000-000000000000"
    queue, stream = mapping(uuid=key), mapping(source=STREAM, uuid=key)
    assert rules.conflict(mapping(), queue) == (
        f'An event source mapping with SQS arn (" {QUEUE} ") and function (" f ") already exists. '
        f"Please update or delete the existing mapping with UUID {key}"
    )
    assert rules.conflict(mapping(source=STREAM), stream) == (
        f'The event source arn (" {STREAM} ") and function (" f ") provided mapping already exists. '
        f"Please update or delete the existing mapping with UUID {key}"
    )
    assert rules.conflict(mapping(function="g"), queue) is None


def test_one_wrong_key_is_one_line(tmp_path: Path) -> None:
    for key in ("source", "function"):
        fields: dict[str, object] = {"source": QUEUE, "function": "f"}
        fields[f"{key}x"] = fields.pop(key)
        mapping = {"functions": {"f": FUNCTION}, "mappings": {"m": fields}}
        found = problems(write(tmp_path, json.dumps(mapping), "headrace.json"))
        assert found == [f"headrace.json:1: mappings.m.{key}x: unknown key (did you mean '{key}'?)"]
    secrets = [{"type": "BASIC_AUTH", "urii": "env:X"}]
    found = problems(with_mapping(tmp_path, source_access_configurations=secrets))
    where = "headrace.json:1: mappings.m.source_access_configurations[0]"
    assert found == [f"{where}.urii: unknown key (did you mean 'uri'?)"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    topic = {"source": "", "topics": ["orders"]}
    (found,) = problems(with_mapping(tmp_path, **topic))
    assert found.startswith(
        "headrace.json:1: mappings.m.self_managed_event_source: Unrecognized event source. (give the"
    )
    stream = {"source": "arn:aws:kinesis:us-east-1:000000000000:stream/s", "starting_position": "AT_TIMESTAMP"}
    where = "headrace.json:1: mappings.m.starting_position_timestamp"
    assert problems(with_mapping(tmp_path, **stream)) == [
        f"{where}: is needed with the starting position AT_TIMESTAMP (give a time such as 2025-01-31T12:00:00Z)"
    ]

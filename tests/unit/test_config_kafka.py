"""What a mapping of a Kafka topic may say, what is refused of it, and what it means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from headrace.config import rules
from headrace.config.fields.schema_registry import glue_registry, is_url
from headrace.config.mapping import EventSourceMapping
from headrace.config.services import services_of
from support.configs import FUNCTION, QUEUE, loaded, problems, with_mapping, write

CLUSTER = "arn:aws:kafka:us-east-1:000000000000:cluster/c/11111111-1111-1111-1111-111111111111-1"
TOPIC = "arn:aws:sns:us-east-1:000000000000:failures"
BUCKET = "arn:aws:s3:::failures"
NOW = 1_750_000_000.0
OWN: dict[str, object] = {
    "self_managed_event_source": {"endpoints": {"kafka_bootstrap_servers": ["a:9092", "b:9092"]}},
    "topics": ["orders"],
}
MANAGED: dict[str, object] = {"source": CLUSTER, "topics": ["orders"]}
OWN_CONFIG, MANAGED_CONFIG = "self_managed_kafka_event_source_config", "amazon_managed_kafka_event_source_config"
CONFIG = {"own": OWN_CONFIG, "managed": MANAGED_CONFIG}
UUID = "11111111-2222-4333-8444-555555555555"


def mapping(base: Mapping[str, object] = OWN, **fields: Any) -> EventSourceMapping:
    return EventSourceMapping.model_validate({"function": "f", "uuid": UUID, **base, **fields})


def destination(text: str, kind: str = "on_failure") -> dict[str, Any]:
    return {"destination_config": {kind: {"destination": text}}}


ALLOWED: list[dict[str, object]] = [
    {},
    {"batch_size": 10_000, "maximum_batching_window_in_seconds": 300},
    {"maximum_batching_window_in_seconds": 0},
    {"starting_position": "LATEST"},
    {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": 1},
    {"maximum_record_age_in_seconds": -1, "maximum_retry_attempts": -1},
    {"maximum_record_age_in_seconds": 60, "maximum_retry_attempts": 0, "bisect_batch_on_function_error": True},
    {"function_response_types": ["ReportBatchItemFailures"]},
    {"provisioned_poller_config": {"minimum_pollers": 2, "maximum_pollers": 2}},
    {"provisioned_poller_config": {}},
    {"provisioned_poller_config": {"maximum_pollers": 2000}},
    {"tags": {"a": "b"}, "kms_key_arn": "arn:aws:kms:x", "metrics_config": {"metrics": ["KafkaMetrics"]}},
    destination(QUEUE),
    destination(TOPIC),
    destination(BUCKET),
    destination("kafka://failures"),
    destination(""),
    {"logging_config": {"system_log_level": "DEBUG"}},
]


@pytest.mark.parametrize("fields", ALLOWED)
@pytest.mark.parametrize("base", [OWN, MANAGED], ids=["own", "managed"])
@pytest.mark.semantics("KAFKA-01")
def test_what_topics_allow(base: dict[str, object], fields: dict[str, object]) -> None:
    assert rules.check(mapping(base, **fields), NOW) == []


def test_the_mode_of_a_consumer_group_may_be_said() -> None:
    assert rules.check(mapping(OWN, **{OWN_CONFIG: {"consumption_mode": "Stream"}}), NOW) == []


@pytest.mark.parametrize(("base", "field"), [(OWN, OWN_CONFIG), (MANAGED, MANAGED_CONFIG)])
@pytest.mark.semantics("KAFKA-02")
def test_the_consumer_group_is_the_mapping_s_own_or_the_one_given(base: dict[str, object], field: str) -> None:
    assert mapping(base).group == UUID
    given = mapping(base, **{field: {"consumer_group_id": "billing"}})
    assert rules.check(given, NOW) == []
    assert given.group == "billing"


SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:kafka"
GLUE = "arn:aws:glue:us-east-1:000000000000:registry/shop"
BEARER = {"type": "OAUTHBEARER_AUTH", "uri": SECRET}
BASIC, IAM = {"type": "BASIC_AUTH", "uri": SECRET}, {"kafka_security": {"msk_iam": True}}


def schemas(uri: str = "https://r", *access: Mapping[str, object], attributes: tuple[str, ...] = ("VALUE",)) -> Any:
    """The configuration of a cluster of one's own with such a schema registry."""
    registry = {
        "schema_registry_uri": uri,
        "event_record_format": "JSON",
        "access_configs": list(access),
        "schema_validation_configs": [{"attribute": attribute} for attribute in attributes],
    }
    return {OWN_CONFIG: {"schema_registry_config": registry}}


REFUSED: list[tuple[dict[str, object], dict[str, object], str, str]] = [
    (OWN, {"topics": None}, "topics", "Required 'topics' parameter is missing."),
    (MANAGED, {"self_managed_event_source": OWN["self_managed_event_source"]}, "self_managed_event_source", "exclude"),
    (OWN, {MANAGED_CONFIG: {"consumer_group_id": "g"}}, MANAGED_CONFIG, "Unsupported 'amazonManagedKafkaEventSource"),
    (MANAGED, {OWN_CONFIG: {"consumer_group_id": "g"}}, OWN_CONFIG, "Unsupported 'selfManagedKafkaEventSourceConfig'"),
    (OWN, {OWN_CONFIG: {"consumption_mode": "Queue"}}, OWN_CONFIG, "Queue is not supported: it needs a share group"),
    (MANAGED, {MANAGED_CONFIG: {"consumption_mode": "Stream"}}, MANAGED_CONFIG, "is for self-managed brokers"),
    (OWN, {"provisioned_poller_config": {"maximum_pollers": 2001}}, "provisioned_poller_config", "at most 2000"),
    (OWN, schemas("https://r", BASIC, BEARER), OWN_CONFIG, "BASIC_AUTH and OAUTHBEARER_AUTH are two logins"),
    (OWN, schemas("https://ann@r", BEARER), OWN_CONFIG, "the URL has a login, and OAUTHBEARER_AUTH is one"),
    (OWN, {"starting_position": "AT_TIMESTAMP"}, "starting_position_timestamp", "is needed"),
    (OWN, {"starting_position_timestamp": 1}, "starting_position_timestamp", "AT_TIMESTAMP alone"),
    (
        OWN,
        {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": NOW + 1},
        "starting_position_timestamp",
        "in the future",
    ),
    (OWN, {"maximum_record_age_in_seconds": 59}, "maximum_record_age_in_seconds", "between 60 and 604800"),
    (OWN, destination(QUEUE, "on_success"), "destination_config", "Unsupported DestinationConfig parameter for"),
    (OWN, destination("kafka://orders"), "destination_config", "would come back forever"),
    (OWN, destination(f"{QUEUE}.fifo"), "destination_config", "is a FIFO queue"),
    (
        OWN,
        {"provisioned_poller_config": {"maximum_pollers": 1, "minimum_pollers": 2}},
        "provisioned_poller_config",
        "1",
    ),
    (OWN, {"scaling_config": {"maximum_concurrency": 2}}, "scaling_config", "Unsupported 'scalingConfig'"),
    (OWN, {"parallelization_factor": 2}, "parallelization_factor", "Unsupported 'parallelizationFactor'"),
    (OWN, {"tumbling_window_in_seconds": 2}, "tumbling_window_in_seconds", "Unsupported 'tumblingWindowInSeconds'"),
    (OWN, {"queues": ["q"]}, "queues", "Unsupported 'queues'"),
    (OWN, schemas("ftp://x"), OWN_CONFIG, "'ftp://x' is neither the ARN of a Glue registry nor an http://"),
    (OWN, schemas(attributes=()), OWN_CONFIG, "neither KEY nor VALUE"),
    (OWN, schemas(GLUE, BASIC), OWN_CONFIG, "asked with the daemon's own AWS credentials"),
    (OWN, schemas("https://r", BASIC, BASIC), OWN_CONFIG, "BASIC_AUTH is given 2 times"),
    (OWN, schemas("https://r", {**BASIC, "uri": "hunter2"}), OWN_CONFIG, "does not say where the secret is"),
    (OWN, schemas("https://ann:s3cret@r", BASIC), OWN_CONFIG, "the URL has a login, and BASIC_AUTH is one"),
    (OWN, schemas("https://ann@r", BASIC), OWN_CONFIG, "the URL has a login, and BASIC_AUTH is one"),
    (OWN, schemas("https://:s3cret@r", BASIC), OWN_CONFIG, "the URL has a login, and BASIC_AUTH is one"),
    (OWN, schemas("http://r", {**BASIC, "type": "SERVER_ROOT_CA_CERTIFICATE"}), OWN_CONFIG, "is for TLS"),
    (OWN, schemas("http://r", {**BASIC, "type": "CLIENT_CERTIFICATE_TLS_AUTH"}), OWN_CONFIG, "is for TLS"),
    (MANAGED, {MANAGED_CONFIG: schemas("http://")[OWN_CONFIG]}, MANAGED_CONFIG, "is neither"),
]


@pytest.mark.parametrize(("base", "fields", "field", "what"), REFUSED)
@pytest.mark.semantics("KAFKA-01")
def test_what_topics_refuse(base: dict[str, object], fields: dict[str, object], field: str, what: str) -> None:
    (found,) = rules.check(mapping(base, **fields), NOW)
    assert (found.field, what in found.what) == (field, True), found
    assert "s3cret" not in found.what


def test_more_than_one_topic_is_refused(tmp_path: Path) -> None:
    (found,) = problems(with_mapping(tmp_path, source=CLUSTER, topics=["a", "b"]))
    assert "mappings.m.topics" in found


@pytest.mark.semantics("KAFKA-03")
def test_retries_without_end_are_ten_where_there_is_a_destination() -> None:
    assert mapping().retries is None
    assert mapping(**destination("kafka://failures")).retries == 10
    assert mapping(**destination(QUEUE), maximum_retry_attempts=-1).retries == 10
    assert mapping(**destination(QUEUE), maximum_retry_attempts=50).retries == 50


def test_what_is_not_said_has_aws_s_defaults() -> None:
    assert (mapping().batch_limit, mapping().window, mapping().pollers) == (100, 0.5, None)
    assert mapping(provisioned_poller_config={"maximum_pollers": 3}).pollers == (1, 3)
    assert mapping(provisioned_poller_config={"minimum_pollers": 3}).pollers == (3, 200)


def test_a_destination_is_an_arn_or_a_topic() -> None:
    topic, queue = mapping(**destination("kafka://failures")), mapping(**destination(QUEUE))
    assert (topic.failure_topic, topic.failure_destination) == ("failures", None)
    assert (queue.failure_topic, str(queue.failure_destination)) == ("", QUEUE)


@pytest.mark.semantics("SCHEMA-12", "SCHEMA-15")
def test_what_registries_allow() -> None:
    login, authority = BASIC, {**BASIC, "type": "SERVER_ROOT_CA_CERTIFICATE"}
    for uri, access in (
        (GLUE, ()),
        ("http://registry:8081/prefix", (login,)),
        ("https://r", (login, authority)),
        ("https://ann:s3cret@r", (authority,)),
    ):
        assert rules.check(mapping(**schemas(uri, *access, attributes=("KEY", "VALUE"))), NOW) == []


@pytest.mark.parametrize(
    "uri", ["", "arn:aws:sqs:us-east-1:000000000000:q", "arn:aws", "http://", "http://x:y", "http://[x"]
)
def test_what_is_no_registry(uri: str) -> None:
    assert (glue_registry(uri), is_url(uri)) == (None, False)


@pytest.mark.parametrize(
    ("base", "fields", "services"),
    [
        (MANAGED, {}, ("kafka",)),
        (MANAGED, {"bootstrap_servers": ["a:9092"]}, ()),
        (MANAGED, {"bootstrap_servers": ["a:9092"], **IAM}, ("kafka",)),
        (OWN, destination(QUEUE), ("sqs",)),
        (OWN, {"source_access_configurations": [BASIC]}, ("secretsmanager",)),
        (OWN, {"source_access_configurations": [{"type": "BASIC_AUTH", "uri": "env:LOGIN"}]}, ()),
        (OWN, {"kafka_security": {"oauth": {"token": SECRET}}}, ("secretsmanager",)),
        (OWN, {"source_access_configurations": [BEARER]}, ("secretsmanager",)),
        (OWN, {"source_access_configurations": [{"type": "IAM_AUTH"}]}, ("kafka",)),
        (OWN, schemas("https://registry", BEARER), ("secretsmanager",)),
        (OWN, schemas(GLUE), ("glue",)),
        (OWN, schemas("http://registry:8081"), ()),
        (OWN, schemas("https://registry", BASIC), ("secretsmanager",)),
    ],
)
@pytest.mark.semantics("CONFIG-39")
def test_which_services_a_topic_s_mapping_calls(
    base: dict[str, object], fields: dict[str, object], services: tuple[str, ...]
) -> None:
    assert services_of(mapping(base, **fields)) == services


def test_shared_pollers_are_recorded() -> None:
    (note,) = rules.notes(mapping(provisioned_poller_config={"poller_group_name": "g"}))
    assert note.what == "poller_group_name is recorded and has no effect here"


def config(directory: Path, **mappings: dict[str, object]) -> Path:
    given = {name: {"function": "f", **fields} for name, fields in mappings.items()}
    functions = {"f": FUNCTION, "g": FUNCTION}
    return write(directory, json.dumps({"functions": functions, "mappings": given}), "headrace.json")


def brokers(*servers: str) -> dict[str, object]:
    return {"self_managed_event_source": {"endpoints": {"kafka_bootstrap_servers": list(servers)}}, "topics": ["t"]}


@pytest.mark.semantics("KAFKA-04")
def test_one_common_broker_makes_a_duplicate(tmp_path: Path) -> None:
    file = config(tmp_path, one=brokers("k:1000"), two=brokers("k:1000", "k:2000"))
    (found,) = problems(file)
    assert 'An event source mapping with event source ("k:1000,k:2000"), function ("f"), topics ("t") already' in found
    assert "exists. Please update or delete the existing mapping with UUID" in found
    assert "the other is 'one'" in found


@pytest.mark.semantics("KAFKA-04")
@pytest.mark.parametrize(
    "two",
    [
        brokers("k:2000"),
        brokers("k:1000") | {"topics": ["other"]},
        brokers("k:1000") | {"function": "g"},
        {"source": CLUSTER, "topics": ["t"]},
    ],
)
def test_another_cluster_topic_or_function_is_no_duplicate(two: dict[str, object], tmp_path: Path) -> None:
    assert problems(config(tmp_path, one=brokers("k:1000"), two=two)) == []


@pytest.mark.semantics("KAFKA-02")
def test_a_group_is_one_mapping_s(tmp_path: Path) -> None:
    group = {OWN_CONFIG: {"consumer_group_id": "shared"}}
    file = config(tmp_path, one=brokers("k:1") | group, two=brokers("k:1") | group | {"function": "g"})
    (found,) = problems(file)
    assert "mappings.two.self_managed_kafka_event_source_config" in found
    assert "another mapping already uses the consumer group 'shared'" in found


def test_paths_are_relative_to_the_file_of_the_mapping(tmp_path: Path) -> None:
    made = loaded(with_mapping(tmp_path, source=CLUSTER, topics=["orders"]))
    assert made.directory(made.mappings["m"]) == tmp_path
    assert made.mappings["m"].place == f"{CLUSTER}/orders"

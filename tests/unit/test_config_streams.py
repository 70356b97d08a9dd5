"""What a mapping of a stream may say, and what is refused of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config import rules
from headrace.config.mapping import EventSourceMapping
from headrace.config.services import services_of
from support.configs import QUEUE, loaded, problems, with_mapping

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
CONSUMER = f"{STREAM}/consumer/c:1700000000"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/T"
TABLE_STREAM = f"{TABLE}/stream/2025-01-01T00:00:00.000"
TOPIC = "arn:aws:sns:us-east-1:000000000000:failures"
BUCKET = "arn:aws:s3:::failures"
NOW = 1_750_000_000.0
STREAMS = (STREAM, CONSUMER, TABLE, TABLE_STREAM)


def mapping(source: str = STREAM, **fields: object) -> EventSourceMapping:
    return EventSourceMapping.model_validate(
        {"source": source, "function": "f", "starting_position": "TRIM_HORIZON", **fields}
    )


def destination(text: str, kind: str = "on_failure") -> dict[str, object]:
    return {"destination_config": {kind: {"destination": text}}}


ALLOWED: list[dict[str, object]] = [
    {},
    {"batch_size": 10_000},
    {"batch_size": 11, "maximum_batching_window_in_seconds": 0},
    {"maximum_record_age_in_seconds": -1, "maximum_retry_attempts": -1},
    {"maximum_record_age_in_seconds": 60, "maximum_retry_attempts": 0, "bisect_batch_on_function_error": True},
    {"parallelization_factor": 10, "tumbling_window_in_seconds": 0},
    {"parallelization_factor": 1, "tumbling_window_in_seconds": 900},
    {"recreated_stream": "stop", "function_response_types": ["ReportBatchItemFailures"]},
    {"tags": {"a": "b"}, "kms_key_arn": "arn:aws:kms:x", "metrics_config": {"metrics": ["EventCount"]}},
    destination(QUEUE),
    destination(TOPIC),
    destination(BUCKET),
    destination(""),
]


@pytest.mark.parametrize("fields", ALLOWED)
@pytest.mark.parametrize("source", STREAMS)
@pytest.mark.semantics("CONFIG-33", "CONFIG-34", "CONFIG-35", "CONFIG-36")
def test_what_streams_allow(source: str, fields: dict[str, object]) -> None:
    assert rules.check(mapping(source, **fields), NOW) == []


REFUSED: list[tuple[str, dict[str, object], str, str]] = [
    (STREAM, {"maximum_record_age_in_seconds": 0}, "maximum_record_age_in_seconds", "MaximumRecordAgeInSeconds must"),
    (STREAM, {"maximum_record_age_in_seconds": 59}, "maximum_record_age_in_seconds", "between 60 and 604800"),
    (TABLE, {"tumbling_window_in_seconds": 9, "parallelization_factor": 2}, "parallelization_factor", "must be 1"),
    (STREAM, destination(QUEUE, "on_success"), "destination_config", "Unsupported DestinationConfig parameter for"),
    (STREAM, destination(f"{QUEUE}.fifo"), "destination_config", "is a FIFO queue"),
    (STREAM, destination(f"{TOPIC}.fifo"), "destination_config", "is a FIFO topic"),
    (STREAM, destination("kafka://failures"), "destination_config", "is a Kafka topic"),
    (STREAM, destination(f"{BUCKET}/key"), "destination_config", "names more than a bucket"),
    (STREAM, destination("arn:aws:lambda:us-east-1:000000000000:function:f"), "destination_config", "'lambda'"),
    (STREAM, destination("arn:aws:sqs:orders"), "destination_config", "4 of the 6 parts"),
    (STREAM, {"scaling_config": {"maximum_concurrency": 2}}, "scaling_config", "Unsupported 'scalingConfig'"),
    (TABLE, {"receivers": 2}, "receivers", "Unsupported 'receivers'"),
    (TABLE, {"deaggregate": True}, "deaggregate", "Unsupported 'deaggregate'"),
    (TABLE, {"topics": ["orders"]}, "topics", "Unsupported 'topics'"),
]


@pytest.mark.parametrize(("source", "fields", "field", "text"), REFUSED)
@pytest.mark.semantics("CONFIG-14", "CONFIG-33", "CONFIG-34")
def test_what_streams_do_not_allow(source: str, fields: dict[str, object], field: str, text: str) -> None:
    (found,) = rules.check(mapping(source, **fields), NOW)
    assert found.field == field
    assert text in found.what


STARTS: list[tuple[str, dict[str, object], str]] = [
    (STREAM, {"starting_position": None}, "1 validation error detected: Value null at 'startingPosition' failed"),
    (
        TABLE_STREAM,
        {"starting_position": "AT_TIMESTAMP"},
        f"Unsupported starting position for arn type: {TABLE_STREAM}",
    ),
    (STREAM, {"starting_position": "AT_TIMESTAMP"}, "is needed with the starting position AT_TIMESTAMP"),
    (STREAM, {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": NOW + 1}, "is in the future"),
    (STREAM, {"starting_position_timestamp": NOW}, "is for the starting position AT_TIMESTAMP alone"),
    (TABLE, {"starting_position_timestamp": NOW}, "Unsupported 'startingPositionTimestamp' parameter"),
    (STREAM, {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": NOW}, ""),
    (STREAM, {"starting_position": "LATEST"}, ""),
    (TABLE, {"starting_position": "LATEST"}, ""),
]


@pytest.mark.parametrize(("source", "fields", "text"), STARTS)
@pytest.mark.semantics("CONFIG-32")
def test_where_a_stream_may_start(source: str, fields: dict[str, object], text: str) -> None:
    found = [violation.what for violation in rules.check(mapping(source, **fields), NOW)]
    assert len(found) == bool(text)
    assert all(what.startswith(text) for what in found)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (1_700_000_000, 1_700_000_000.0),
        (1_700_000_000.25, 1_700_000_000.25),
        ("1700000000", 1_700_000_000.0),
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T22:13:20", 1_700_000_000.0),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000.0),
        ("2023-11-14", 1_699_920_000.0),
    ],
)
@pytest.mark.semantics("CONFIG-32")
def test_times(given: object, meant: float) -> None:
    made = mapping(starting_position="AT_TIMESTAMP", starting_position_timestamp=given)
    assert made.starting_position_timestamp == meant


@pytest.mark.parametrize("given", ["soon", "", True, -1, "inf", "nan", [1]])
def test_what_is_no_time(tmp_path: Path, given: object) -> None:
    path = with_mapping(tmp_path, source=STREAM, starting_position="AT_TIMESTAMP", starting_position_timestamp=given)
    (found,) = problems(path)
    assert "mappings.m.starting_position_timestamp: must be seconds since the epoch or a time" in found


@pytest.mark.semantics("CONFIG-32")
def test_the_loader_knows_what_the_future_is(tmp_path: Path) -> None:
    fields = {"source": STREAM, "starting_position": "AT_TIMESTAMP"}
    assert problems(with_mapping(tmp_path, **fields, starting_position_timestamp="2020-01-01T00:00:00Z")) == []
    (found,) = problems(with_mapping(tmp_path, **fields, starting_position_timestamp="9000-01-01T00:00:00Z"))
    assert "is in the future (give LATEST to begin now)" in found


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (None, None, True, None)),
        ({"maximum_retry_attempts": -1, "maximum_record_age_in_seconds": -1}, (None, None, True, None)),
        ({"maximum_retry_attempts": 0, "maximum_record_age_in_seconds": 60}, (0, 60, True, None)),
        ({"recreated_stream": "stop", **destination(BUCKET)}, (None, None, False, BUCKET)),
        ({"recreated_stream": "start_over", **destination("")}, (None, None, True, None)),
    ],
)
def test_what_is_read_out_of_a_mapping(fields: dict[str, object], expected: tuple[object, ...]) -> None:
    made = mapping(STREAM, **fields)
    found = str(made.failure_destination) if made.failure_destination else None
    assert (made.retries, made.max_age, made.starts_over, found) == expected


@pytest.mark.semantics("CONFIG-38")
def test_the_shortest_record_age_can_be_lowered_for_tests(tmp_path: Path) -> None:
    flags = {"shortest_record_age": 2}
    fields = {"source": STREAM, "starting_position": "LATEST"}
    assert problems(with_mapping(tmp_path, **fields, maximum_record_age_in_seconds=2), flags=flags) == []
    (found,) = problems(with_mapping(tmp_path, **fields, maximum_record_age_in_seconds=1), flags=flags)
    assert "must be either -1 (forever) or between 60 and 604800" in found


@pytest.mark.parametrize(
    ("source", "fields", "services"),
    [
        (STREAM, {}, ("kinesis",)),
        (CONSUMER, destination(QUEUE), ("kinesis", "sqs")),
        (TABLE_STREAM, destination(BUCKET), ("dynamodbstreams", "s3")),
        (TABLE, {}, ("dynamodbstreams", "dynamodb")),
        (QUEUE, {}, ("sqs",)),
    ],
)
def test_which_services_a_mapping_calls(source: str, fields: dict[str, object], services: tuple[str, ...]) -> None:
    assert services_of(mapping(source, **fields)) == services


def test_recorded_fields_of_streams_are_named(tmp_path: Path) -> None:
    config = loaded(with_mapping(tmp_path, source=STREAM, starting_position="LATEST", tags={"team": "a"}))
    assert [note.what for note in config.warnings] == ["is recorded and has no effect here"]

"""What a failure destination gets, to the letter."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from headrace.dispatch.core.documents import position_text, s3_key, timestamp, with_payload
from headrace.dispatch.core.events import RecordsEnvelope
from headrace.dispatch.core.model import Attempt, DiscardReason, FailedItems, Lane, Position, Record, encode
from headrace.dispatch.core.pages import NONE, Records
from headrace.dispatch.core.planner import DiscardStep
from headrace.dispatch.kinds import dynamodb, kinesis
from headrace.dispatch.kinds.fragments import stream_document
from headrace.dispatch.kinds.kafka import KafkaEnvelope, kafka_item
from headrace.dispatch.kinds.kafka_documents import KafkaSubject, kafka_document, kafka_record_document
from support.paper import failed, kafka_records, partition

WRITTEN = 1657720081.25
LANE = Lane("arn:aws:kinesis:us-east-1:000000000000:stream/s", "shardId-000000000000")
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
FRESH = "11111111-1111-4111-8111-111111111111"
REQUEST = "22222222-2222-4222-8222-222222222222"
RECORDS = Records.of(
    [
        Record(LANE, "0049", {"a": 1}, 1657720080.0, Position.parse("0049")),
        Record(LANE, "0050", {"a": 2}, 1657720080.9996, Position.parse("0050")),
    ]
)


def discard(reason: DiscardReason, records: Records = RECORDS, *, error: str | None = "Unhandled") -> DiscardStep:
    attempt = Attempt(REQUEST, 0.0, 1.0, 200, "$LATEST", error)
    never = reason in (DiscardReason.OVERSIZED, DiscardReason.SCHEMA_NOT_FOUND)
    failure = failed() if error else FailedItems(attempt, frozenset({"0049"}))
    return DiscardStep(records, reason, None if never else attempt, 0 if never else 2, None if never else failure)


@pytest.mark.semantics("EVENT-20")
def test_a_kinesis_document() -> None:
    document = stream_document(
        kinesis.BATCH_INFO, FUNCTION, discard(DiscardReason.RETRIES_EXHAUSTED), LANE, written=WRITTEN, fresh_id=FRESH
    )
    assert encode(document).decode() == (
        '{"requestContext":{"requestId":"22222222-2222-4222-8222-222222222222",'
        '"functionArn":"arn:aws:lambda:us-east-1:000000000000:function:f","condition":"RetryAttemptsExhausted",'
        '"approximateInvokeCount":2},'
        '"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},'
        '"version":"1.0","timestamp":"2022-07-13T13:48:01.250Z",'
        '"KinesisBatchInfo":{"shardId":"shardId-000000000000","startSequenceNumber":"0049","endSequenceNumber":"0050",'
        '"approximateArrivalOfFirstRecord":"2022-07-13T13:48:00.000Z",'
        '"approximateArrivalOfLastRecord":"2022-07-13T13:48:00.999Z","batchSize":2,'
        '"streamArn":"arn:aws:kinesis:us-east-1:000000000000:stream/s"}}'
    )


@pytest.mark.semantics("EVENT-21")
def test_a_dynamodb_document_has_whole_seconds() -> None:
    document = stream_document(
        dynamodb.BATCH_INFO, FUNCTION, discard(DiscardReason.RETRIES_EXHAUSTED), LANE, written=WRITTEN, fresh_id=FRESH
    )
    assert list(document) == ["requestContext", "responseContext", "version", "timestamp", "DDBStreamBatchInfo"]
    info = document["DDBStreamBatchInfo"]
    assert isinstance(info, dict)
    assert info["approximateArrivalOfFirstRecord"] == "2022-07-13T13:48:00Z"
    assert info["approximateArrivalOfLastRecord"] == "2022-07-13T13:48:00Z"
    assert document["timestamp"] == "2022-07-13T13:48:01.250Z"


@pytest.mark.semantics("EVENT-22")
def test_a_partial_failure_has_a_function_error_of_null() -> None:
    exhausted = discard(DiscardReason.RETRIES_EXHAUSTED, error=None)
    document = stream_document(kinesis.BATCH_INFO, FUNCTION, exhausted, LANE, written=WRITTEN, fresh_id=FRESH)
    assert encode(document["responseContext"]) == (
        b'{"statusCode":200,"executedVersion":"$LATEST","functionError":null}'
    )


@pytest.mark.semantics("EVENT-23")
@pytest.mark.parametrize(("invocations", "told"), [(0, 1), (1, 1), (8, 8)])
def test_a_record_that_is_too_old_has_no_response_context(invocations: int, told: int) -> None:
    last = Attempt(REQUEST, 0.0, 1.0) if invocations else None
    old = DiscardStep(RECORDS, DiscardReason.AGE_EXCEEDED, last, invocations, None)
    document = stream_document(kinesis.BATCH_INFO, FUNCTION, old, LANE, written=WRITTEN, fresh_id=FRESH)
    assert list(document) == ["requestContext", "version", "timestamp", "KinesisBatchInfo"]
    assert document["requestContext"] == {
        "requestId": FRESH,
        "functionArn": FUNCTION,
        "condition": "RecordAgeExceeded",
        "approximateInvokeCount": told,
    }


@pytest.mark.semantics("EVENT-24")
def test_a_record_that_is_too_large_has_a_response_context_of_null() -> None:
    large = discard(DiscardReason.OVERSIZED, RECORDS[:1])
    document = stream_document(kinesis.BATCH_INFO, FUNCTION, large, LANE, written=WRITTEN, fresh_id=FRESH)
    assert document["responseContext"] is None
    assert list(document)[:2] == ["requestContext", "responseContext"]
    assert document["requestContext"] == {
        "requestId": FRESH,
        "functionArn": FUNCTION,
        "condition": "MaximumPayloadSizeExceeded",
        "approximateInvokeCount": 1,
    }


@pytest.mark.semantics("EVENT-29")
def test_the_end_of_a_window_without_records_names_its_shard() -> None:
    gave_up = DiscardStep(NONE, DiscardReason.AGE_EXCEEDED, None, 3, None, closes=True)
    document = stream_document(kinesis.BATCH_INFO, FUNCTION, gave_up, LANE, written=WRITTEN, fresh_id=FRESH)
    assert document["KinesisBatchInfo"] == {"shardId": LANE.shard, "batchSize": 0, "streamArn": LANE.source}


# --- S3 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("EVENT-25")
def test_s3_gets_the_event_as_a_string_at_the_end() -> None:
    exhausted = discard(DiscardReason.RETRIES_EXHAUSTED)
    document = stream_document(kinesis.BATCH_INFO, FUNCTION, exhausted, LANE, written=WRITTEN, fresh_id=FRESH)
    event = RecordsEnvelope().render(RECORDS)
    body = with_payload(document, event)
    assert body == encode(document)[:-1] + b',"payload":"{\\"Records\\":[{\\"a\\":1},{\\"a\\":2}]}"}'
    assert json.loads(json.loads(body)["payload"]) == {"Records": [{"a": 1}, {"a": 2}]}


@pytest.mark.semantics("EVENT-26")
def test_the_key_of_an_s3_object() -> None:
    key = s3_key("33333333-3333-4333-8333-333333333333", LANE, WRITTEN, FRESH)
    assert key == (
        "aws/lambda/33333333-3333-4333-8333-333333333333/shardId-000000000000/2022/07/13/2022-07-13T13.48.01-" + FRESH
    )


# --- Kafka ------------------------------------------------------------------------------------------------------------

CLUSTER = KafkaSubject(FUNCTION, "b-1:9092,b-2:9092", "arn:aws:kafka:us-east-1:0:cluster/c/1")
MIXED = kafka_records(partition(0), [7, 9], 1657720080.5) + kafka_records(partition(1), [3], 1657720081.0)


@pytest.mark.semantics("EVENT-27")
def test_a_kafka_document() -> None:
    exhausted = discard(DiscardReason.RETRIES_EXHAUSTED, MIXED)
    document = kafka_document(CLUSTER, exhausted, payload_size=321, written=WRITTEN, fresh_id=FRESH)
    assert encode(document["KafkaBatchInfo"]).decode() == (
        '{"batchSize":3,"eventSourceArn":"arn:aws:kafka:us-east-1:0:cluster/c/1",'
        '"bootstrapServers":"b-1:9092,b-2:9092","payloadSize":321,"recordsInfo":{'
        '"orders-0":{"firstRecordOffset":"7","lastRecordOffset":"9",'
        '"firstRecordTimestamp":"2022-07-13T13:48:00.500Z","lastRecordTimestamp":"2022-07-13T13:48:00.500Z"},'
        '"orders-1":{"firstRecordOffset":"3","lastRecordOffset":"3",'
        '"firstRecordTimestamp":"2022-07-13T13:48:01.000Z","lastRecordTimestamp":"2022-07-13T13:48:01.000Z"}}}'
    )
    assert list(document) == ["requestContext", "responseContext", "version", "timestamp", "KafkaBatchInfo"]


@pytest.mark.semantics("EVENT-27")
def test_a_self_managed_cluster_has_no_arn_and_a_registry_its_own_condition() -> None:
    document = kafka_document(
        KafkaSubject("f", "b:9092"),
        discard(DiscardReason.SCHEMA_NOT_FOUND, MIXED[:1]),
        payload_size=1,
        written=WRITTEN,
        fresh_id=FRESH,
    )
    info, context = document["KafkaBatchInfo"], document["requestContext"]
    assert isinstance(info, dict)
    assert isinstance(context, dict)
    assert "eventSourceArn" not in info
    assert context["condition"] == "SCHEMA_NOT_FOUND"
    assert document["responseContext"] is None


@pytest.mark.semantics("EVENT-28")
def test_a_topic_gets_one_message_per_record_with_its_event_as_an_object() -> None:
    event = KafkaEnvelope("b:9092").render(MIXED[:1])
    exhausted = discard(DiscardReason.RETRIES_EXHAUSTED, MIXED)
    message = kafka_record_document(CLUSTER, exhausted, MIXED[0], event=event, written=WRITTEN, fresh_id=FRESH)
    document = json.loads(message)
    assert document["KafkaBatchInfo"] == {
        "batchSize": 1,
        "eventSourceArn": "arn:aws:kafka:us-east-1:0:cluster/c/1",
        "bootstrapServers": "b-1:9092,b-2:9092",
        "payloadSize": len(event),
        "recordInfo": {"offset": "7", "timestamp": "2022-07-13T13:48:00.500Z"},
    }
    assert list(document)[-1] == "payload"
    assert document["payload"]["records"] == {"orders-0": [{"o": 7}]}


@pytest.mark.semantics("EVENT-28", "EVENT-30")
def test_a_tombstone_stands_in_its_document_as_in_its_event() -> None:
    given: Any = {"topic": "orders", "partition": 0, "offset": 7, "timestamp": 0, "timestamp_type": 0}
    (plain,) = kafka_records(partition(0), [7], 0.0)
    tombstone = replace(plain, item=kafka_item(**given, key=b"k", value=None, headers=[("none", None)]))
    event = KafkaEnvelope("b:9092").render(Records.of((tombstone,)))
    exhausted = discard(DiscardReason.RETRIES_EXHAUSTED, Records.of([tombstone]))
    message = kafka_record_document(CLUSTER, exhausted, tombstone, event=event, written=WRITTEN, fresh_id=FRESH)
    (record,) = json.loads(message)["payload"]["records"]["orders-0"]
    assert (record["headers"], "value" in record) == ([{}], False)


@pytest.mark.semantics("EVENT-27")
@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (1764100000000.0, "9999-12-31T23:59:59.000Z"),
        (9.2e15, "9999-12-31T23:59:59.000Z"),
        (-9.2e15, "0001-01-01T00:00:00.000Z"),
    ],
    ids=["microseconds", "the largest", "the smallest"],
)
def test_a_time_beyond_every_calendar_is_the_nearest_that_can_be_written(moment: float, text: str) -> None:
    assert timestamp(moment) == text
    (record,) = kafka_records(partition(0), [7], moment)
    exhausted = discard(DiscardReason.RETRIES_EXHAUSTED, Records.of([record]))
    document = kafka_document(CLUSTER, exhausted, payload_size=1, written=WRITTEN, fresh_id=FRESH)
    assert text in encode(document).decode()


@pytest.mark.parametrize(
    ("moment", "precision", "text"),
    [(0.0, "seconds", "1970-01-01T00:00:00Z"), (1657720080.9996, "milliseconds", "2022-07-13T13:48:00.999Z")],
)
def test_times_are_cut_not_rounded(moment: float, precision: str, text: str) -> None:
    assert timestamp(moment, precision) == text


def test_a_record_without_a_position_has_no_text_for_it() -> None:
    assert position_text(Record(LANE, "0049", {}, 0.0)) == ""
    assert position_text(RECORDS[0]) == "0049"

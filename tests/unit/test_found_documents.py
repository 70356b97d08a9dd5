"""What failure documents say of their records, read back: each kind's own documents, in each of their envelopes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dispatch.core.documents import with_payload
from headrace.dispatch.core.events import RecordsEnvelope
from headrace.dispatch.core.found_documents import FoundDocument, NoDocument, moment_of, read_document
from headrace.dispatch.core.model import Attempt, DiscardReason, Lane, Position, Record
from headrace.dispatch.core.pages import Records
from headrace.dispatch.core.planner import DiscardStep
from headrace.dispatch.kinds import dynamodb, kafka, kinesis, sqs
from headrace.dispatch.kinds.fragments import stream_document
from headrace.dispatch.kinds.kafka import kafka_item
from headrace.dispatch.kinds.kafka_documents import KafkaSubject, kafka_document, kafka_record_document
from headrace.dispatch.kinds.kinesis import kinesis_item
from headrace.dispatch.kinds.profile import DispatchKind
from support.paper import failed

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
SHARD = "shardId-000000000000"
AT = 1_700_000_000.25


def read(kind: DispatchKind, text: str) -> FoundDocument | NoDocument:
    return read_document("it", text, kind.origins, lambda event: bool(kind.unpack(event)))


def step(records: list[Record]) -> DiscardStep:
    attempt = Attempt("22222222-2222-4222-8222-222222222222", 0.0, 1.0, 200, "$LATEST", "Unhandled")
    return DiscardStep(Records.of(records), DiscardReason.RETRIES_EXHAUSTED, attempt, 2, failed())


def kinesis_record(number: str) -> Record:
    raw = {"SequenceNumber": number, "PartitionKey": "k", "Data": b"x", "ApproximateArrivalTimestamp": AT}
    item = kinesis_item(raw, shard=SHARD, arn=ARN, region="us-east-1", role="r")
    return Record(Lane(ARN, SHARD), number, item, AT, Position.parse(number), "k")


def kinesis_text() -> tuple[dict[str, Any], bytes]:
    records = [kinesis_record("0049"), kinesis_record("0057")]
    document = stream_document(kinesis.BATCH_INFO, FUNCTION, step(records), Lane(ARN, SHARD), written=AT, fresh_id="i")
    return document, RecordsEnvelope().render(Records.of(records))


@pytest.mark.semantics("REPLAY-03")
@pytest.mark.parametrize("kind", [kinesis.STREAM, dynamodb.STREAM])
def test_a_document_of_a_shard_names_its_records(kind: DispatchKind) -> None:
    info = kinesis.BATCH_INFO if kind is kinesis.STREAM else dynamodb.BATCH_INFO
    records = [kinesis_record("0049"), kinesis_record("0057")]
    document = stream_document(info, FUNCTION, step(records), Lane(ARN, SHARD), written=AT, fresh_id="i")
    found = read(kind, json.dumps(document))
    assert isinstance(found, FoundDocument)
    (origin,) = found.origins
    assert (origin.shard, origin.first, origin.last, origin.count, origin.text) == (SHARD, 49, 57, 2, "0049")
    assert origin.since == 1_700_000_000.0
    assert (found.event, found.records) == (None, 2)


@pytest.mark.semantics("REPLAY-03")
def test_a_topic_of_sns_and_a_bucket_hold_the_same_document() -> None:
    document, event = kinesis_text()
    notification = json.dumps({"Type": "Notification", "Message": json.dumps(document)})
    plain = read(kinesis.STREAM, json.dumps(document))
    assert read(kinesis.STREAM, notification) == plain
    found = read(kinesis.STREAM, with_payload(document, event).decode())
    assert isinstance(found, FoundDocument)
    assert isinstance(plain, FoundDocument)
    assert found.origins == plain.origins
    relived = [kinesis.STREAM.relived(item, ARN) for item in kinesis.STREAM.unpack(found.event) or ()]
    assert [(each.lane, each.id, each.position, each.key) for each in relived] == [
        (Lane(ARN, SHARD), number, Position.parse(number), "k") for number in ("0049", "0057")
    ]
    assert relived[0].arrived == pytest.approx(AT)


@pytest.mark.semantics("REPLAY-03")
def test_documents_of_a_kafka_topic_name_partitions_or_hold_the_record() -> None:
    subject = KafkaSubject(FUNCTION, "broker:9092")
    items = {
        offset: kafka_item(
            topic="or-ders",
            partition=2,
            offset=offset,
            timestamp=1_700_000_000_250,
            timestamp_type=0,
            key=b"k",
            value=b"v",
        )
        for offset in (15, 17)
    }
    lane = Lane("broker:9092/or-ders", "or-ders-2")
    records = [Record(lane, ("or-ders-2", n), item, AT, Position(n, 0, str(n)), "6b") for n, item in items.items()]
    document = kafka_document(subject, step(records), payload_size=9, written=AT, fresh_id="i")
    found = read(kafka.TOPIC, json.dumps(document))
    assert isinstance(found, FoundDocument)
    (origin,) = found.origins
    assert (origin.shard, origin.first, origin.last) == ("or-ders-2", 15, 17)
    event = json.dumps({"eventSource": "SelfManagedKafka", "records": {"or-ders-2": [items[15]]}}).encode()
    message = kafka_record_document(subject, step(records), records[0], event=event, written=AT, fresh_id="i")
    alone = read(kafka.TOPIC, message.decode())
    assert isinstance(alone, FoundDocument)
    (relived,) = [kafka.TOPIC.relived(item, lane.source) for item in kafka.TOPIC.unpack(alone.event) or ()]
    assert (relived.lane, relived.id, relived.key, relived.arrived) == (lane, ("or-ders-2", 15), "6b", AT)


@pytest.mark.semantics("REPLAY-03")
def test_messages_of_a_queue_are_in_the_record_of_an_asynchronous_invocation() -> None:
    item = {
        "messageId": "m",
        "body": "b",
        "attributes": {"SentTimestamp": "1700000000250", "MessageGroupId": "g"},
        "eventSource": "aws:sqs",
    }
    event = {"Records": [item]}
    record = {"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event}
    for text in (json.dumps(record), json.dumps(event)):
        found = read(sqs.STANDARD, text)
        assert isinstance(found, FoundDocument)
        (relived,) = [sqs.STANDARD.relived(each, "arn") for each in sqs.STANDARD.unpack(found.event) or ()]
        assert (relived.id, relived.key, relived.arrived, relived.position) == ("m", "g", AT, None)


def test_changes_of_a_table_come_out_of_their_event() -> None:
    change = {"ApproximateCreationDateTime": 1700000000.0, "Keys": {"id": {"S": "a"}}, "SequenceNumber": "0100"}
    item = {"eventID": "e", "eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": change}
    relived = dynamodb.STREAM.relived(item, "arn")
    assert (relived.id, relived.position, relived.key) == ("0100", Position.parse("0100"), '{"id":{"S":"a"}}')


@pytest.mark.semantics("REPLAY-03")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nothing", "it is not JSON"),
        ("[]", "it is no JSON object"),
        ("{}", "names no records"),
        (json.dumps({"KinesisBatchInfo": {"batchSize": 1}}), "does not name its records"),
        (json.dumps({"KinesisBatchInfo": {"batchSize": 0, "shardId": SHARD}}), "names no records"),
        (json.dumps({"Type": "Notification", "Message": "x"}), "it is not JSON"),
    ],
)
def test_a_text_that_names_no_record_says_so(text: str, why: str) -> None:
    found = read(kinesis.STREAM, text)
    assert isinstance(found, NoDocument)
    assert why in found.why


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
names = st.sampled_from(
    [
        "KinesisBatchInfo",
        "KafkaBatchInfo",
        "recordsInfo",
        "batchSize",
        "shardId",
        "payload",
        "Records",
        "startSequenceNumber",
    ]
)
strange = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4))


@given(strange, st.sampled_from([kinesis.STREAM, kafka.TOPIC, dynamodb.STREAM, sqs.STANDARD]))
def test_whatever_stands_in_a_document_is_a_document_or_none(value: object, kind: DispatchKind) -> None:
    assert isinstance(read(kind, json.dumps(value)), FoundDocument | NoDocument)


@pytest.mark.semantics("REPLAY-03")
@pytest.mark.parametrize("since", [None, "yesterday", 5])
def test_a_document_without_a_time_names_its_records_all_the_same(since: object) -> None:
    info = {"batchSize": 1, "shardId": SHARD, "startSequenceNumber": "7", "endSequenceNumber": "7"}
    found = read(kinesis.STREAM, json.dumps({"KinesisBatchInfo": {**info, "approximateArrivalOfFirstRecord": since}}))
    assert isinstance(found, FoundDocument)
    assert found.origins[0].since is None
    assert moment_of("2023-11-14T22:13:20") == 1_700_000_000.0


@pytest.mark.semantics("REPLAY-03")
def test_an_event_counts_whatever_else_stands_in_its_document() -> None:
    _, event = kinesis_text()
    strange = {"KinesisBatchInfo": {"batchSize": "x"}, "payload": "no JSON", "requestPayload": event.decode()}
    found = read(kinesis.STREAM, json.dumps(strange))
    assert isinstance(found, FoundDocument)
    assert (len(kinesis.STREAM.unpack(found.event) or ()), found.origins) == (2, ())


def test_envelopes_without_end_are_no_document() -> None:
    text = "{}"
    for _ in range(5):
        text = json.dumps({"Type": "Notification", "Message": text})
    assert isinstance(read(kinesis.STREAM, text), NoDocument)

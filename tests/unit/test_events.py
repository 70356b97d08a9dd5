"""Records as the function sees them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType

import pytest

from headrace.dispatch.core.events import Envelope, RecordsEnvelope, WindowEnvelope, fields_of, seconds
from headrace.dispatch.core.model import BatchKind, Lane, Record, Window, encode
from headrace.dispatch.core.pages import NONE, Records
from headrace.dispatch.kinds.dynamodb import dynamodb_item, dynamodb_key
from headrace.dispatch.kinds.kafka import KafkaEnvelope, SchemaMetadata, kafka_bytes, kafka_decoded, kafka_item
from headrace.dispatch.kinds.kinesis import kinesis_item
from headrace.dispatch.kinds.sqs import sqs_item
from support.paper import LANE, kafka_records, partition, records

QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
MESSAGE = {
    "MessageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "ReceiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
    "MD5OfBody": "098f6bcd4621d373cade4e832627b4f6",
    "Body": ' {"b":1 ,"a":1.0} ',
    "Attributes": {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1545082649183",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": "1545082649185",
    },
}

# --- SQS --------------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("EVENT-01")
def test_an_sqs_record_to_the_letter() -> None:
    item = sqs_item(MESSAGE, arn=QUEUE, region="us-east-1", windowed=False)
    assert encode(item).decode() == (
        '{"messageId":"059f36b4-87a3-44ab-83d2-661975830a7d","receiptHandle":"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",'
        '"body":" {\\"b\\":1 ,\\"a\\":1.0} ","attributes":{"ApproximateReceiveCount":"1",'
        '"SentTimestamp":"1545082649183","SenderId":"AIDAIENQZJOLO23YVJ4VO",'
        '"ApproximateFirstReceiveTimestamp":"1545082649185"},"messageAttributes":{},'
        '"md5OfBody":"098f6bcd4621d373cade4e832627b4f6","eventSource":"aws:sqs",'
        '"eventSourceARN":"arn:aws:sqs:us-east-1:000000000000:orders","awsRegion":"us-east-1"}'
    )


ATTRIBUTES = {
    "MessageAttributes": {"n": {"StringValue": "7", "DataType": "Number"}},
    "MD5OfMessageAttributes": "d25a6aea97eb8f585bfa92d314504a92",
}


@pytest.mark.semantics("EVENT-02")
@pytest.mark.parametrize("windowed", [False, True])
@pytest.mark.parametrize("with_attributes", [False, True])
def test_the_three_forms_of_the_attributes_md5(windowed: bool, with_attributes: bool) -> None:
    message = MESSAGE | ATTRIBUTES if with_attributes else MESSAGE
    item = sqs_item(message, arn=QUEUE, region="us-east-1", windowed=windowed)
    if with_attributes:
        assert item["md5OfMessageAttributes"] == "d25a6aea97eb8f585bfa92d314504a92"
    elif windowed:
        assert item["md5OfMessageAttributes"] is None
    else:
        assert "md5OfMessageAttributes" not in item
    keys = list(item)
    assert keys[4] == "messageAttributes"
    assert keys[-4:] == ["md5OfBody", "eventSource", "eventSourceARN", "awsRegion"]


@pytest.mark.semantics("EVENT-03")
def test_message_attributes_carry_the_two_empty_lists() -> None:
    message = MESSAGE | {
        "MessageAttributes": {
            "s": {"DataType": "String", "StringValue": "x"},
            "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        }
    }
    item = sqs_item(message, arn=QUEUE, region="us-east-1", windowed=False)
    assert encode(item["messageAttributes"]).decode() == (
        '{"s":{"stringValue":"x","stringListValues":[],"binaryListValues":[],"dataType":"String"},'
        '"b":{"binaryValue":"AP8=","stringListValues":[],"binaryListValues":[],"dataType":"Binary"}}'
    )


def test_sqs_attributes_are_strings_also_from_a_server_that_sends_numbers() -> None:
    message = MESSAGE | {"Attributes": {"ApproximateReceiveCount": 2}}
    item = sqs_item(message, arn=QUEUE, region="us-east-1", windowed=False)
    assert item["attributes"] == {"ApproximateReceiveCount": "2"}


# --- Kinesis ----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("EVENT-04")
@pytest.mark.parametrize(
    "arrived",
    [1545084650.987, datetime(2018, 12, 17, 22, 10, 50, 987000, UTC), datetime(2018, 12, 17, 22, 10, 50, 987000)],
)
def test_a_kinesis_record_to_the_letter(arrived: object) -> None:
    record = {
        "SequenceNumber": "49590338271490256608559692538361571095921575989136588898",
        "ApproximateArrivalTimestamp": arrived,
        "Data": b"Hello, this is a test.",
        "PartitionKey": "1",
        "EncryptionType": "NONE",
    }
    item = kinesis_item(
        record,
        shard="shardId-000000000006",
        arn="arn:aws:kinesis:us-east-2:123456789012:stream/s",
        region="us-east-2",
        role="arn:aws:iam::123456789012:role/r",
    )
    assert encode(item).decode() == (
        '{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"1",'
        '"sequenceNumber":"49590338271490256608559692538361571095921575989136588898",'
        '"data":"SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==","approximateArrivalTimestamp":1545084650.987},'
        '"eventSource":"aws:kinesis","eventVersion":"1.0",'
        '"eventID":"shardId-000000000006:49590338271490256608559692538361571095921575989136588898",'
        '"eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::123456789012:role/r",'
        '"awsRegion":"us-east-2","eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/s"}'
    )


def test_data_that_a_client_left_encoded_stays_as_it_is() -> None:
    record = {"SequenceNumber": "1", "ApproximateArrivalTimestamp": 1.0, "Data": "SGVsbG8=", "PartitionKey": "k"}
    item = kinesis_item(record, shard="s", arn="a", region="r", role="")
    assert item["kinesis"]["data"] == "SGVsbG8="  # type: ignore[index]


# --- DynamoDB streams -------------------------------------------------------------------------------------------------

CHANGE = {
    "eventID": "c4ca4238a0b923820dcc509a6f75849b",
    "eventName": "MODIFY",
    "eventVersion": "1.1",
    "eventSource": "aws:dynamodb",
    "awsRegion": "elsewhere",
    "dynamodb": {
        "StreamViewType": "NEW_AND_OLD_IMAGES",
        "ApproximateCreationDateTime": datetime(2023, 11, 14, 22, 13, 20, 500000, UTC),
        "SequenceNumber": "4421584500000000017450439091",
        "SizeBytes": 46,
        "OldImage": {"id": {"B": b"foobar"}},
        "NewImage": {"id": {"B": b"foobar"}, "m": {"M": {"l": {"L": [{"BS": [b"a", b"b"]}, {"NULL": True}]}}}},
        "Keys": {"id": {"B": b"foobar"}},
    },
}


@pytest.mark.semantics("EVENT-05")
def test_a_dynamodb_record_to_the_letter() -> None:
    item = dynamodb_item(CHANGE, arn="arn:aws:dynamodb:us-east-1:0:table/T/stream/1", region="us-east-1")
    assert encode(item).decode() == (
        '{"eventID":"c4ca4238a0b923820dcc509a6f75849b","eventName":"MODIFY","eventVersion":"1.1",'
        '"eventSource":"aws:dynamodb","awsRegion":"us-east-1",'
        '"dynamodb":{"ApproximateCreationDateTime":1700000000.0,"Keys":{"id":{"B":"Zm9vYmFy"}},'
        '"NewImage":{"id":{"B":"Zm9vYmFy"},"m":{"M":{"l":{"L":[{"BS":["YQ==","Yg=="]},{"NULL":true}]}}}},'
        '"OldImage":{"id":{"B":"Zm9vYmFy"}},"SequenceNumber":"4421584500000000017450439091","SizeBytes":46,'
        '"StreamViewType":"NEW_AND_OLD_IMAGES"},"eventSourceARN":"arn:aws:dynamodb:us-east-1:0:table/T/stream/1"}'
    )


@pytest.mark.semantics("EVENT-06")
def test_images_are_there_as_the_view_and_the_change_have_them() -> None:
    change = {"eventID": "1", "eventName": "REMOVE", "dynamodb": {"Keys": {"id": {"S": "a"}}, "SequenceNumber": "1"}}
    item = dynamodb_item(change, arn="a", region="r")
    assert list(item["dynamodb"]) == ["Keys", "SequenceNumber"]  # type: ignore[call-overload]
    assert item["eventVersion"] == "1.1"


@pytest.mark.semantics("EVENT-06")
def test_a_deletion_by_time_to_live_says_who_did_it() -> None:
    identity = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    item = dynamodb_item(CHANGE | {"userIdentity": identity}, arn="a", region="r")
    assert item["userIdentity"] == {"principalId": "dynamodb.amazonaws.com", "type": "Service"}
    assert list(item)[-2:] == ["userIdentity", "eventSourceARN"]


def test_the_key_of_an_item_is_the_same_in_any_order() -> None:
    one = {"dynamodb": {"Keys": {"pk": {"S": "a"}, "sk": {"N": "1"}}}}
    other = {"dynamodb": {"Keys": {"sk": {"N": "1"}, "pk": {"S": "a"}}}}
    assert dynamodb_key(one) == dynamodb_key(other) == '{"pk":{"S":"a"},"sk":{"N":"1"}}'
    assert dynamodb_key(CHANGE) == '{"id":{"B":"Zm9vYmFy"}}'


# --- Kafka ------------------------------------------------------------------------------------------------------------


def kafka(**more: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "topic": "mytopic",
        "partition": 0,
        "offset": 15,
        "timestamp": 1545084650987,
        "timestamp_type": 0,
        "key": b"k",
        "value": b"Hello",
    }
    return kafka_item(**(fields | more))  # type: ignore[arg-type]


@pytest.mark.semantics("EVENT-07")
def test_a_kafka_record_to_the_letter() -> None:
    assert encode(
        kafka(headers=[("headerKey", b"header"), ("headerKey", b"\xff\x80\x7f"), ("none", None)])
    ).decode() == (
        '{"topic":"mytopic","partition":0,"offset":15,"timestamp":1545084650987,"timestampType":"CREATE_TIME",'
        '"key":"aw==","value":"SGVsbG8=",'
        '"headers":[{"headerKey":[104,101,97,100,101,114]},{"headerKey":[-1,-128,127]},{}]}'
    )


@pytest.mark.semantics("EVENT-30")
def test_a_tombstone_as_aws_sends_it() -> None:
    item = kafka(value=None, headers=[("a", None), ("b", b"")])
    assert encode(item).decode() == (
        '{"topic":"mytopic","partition":0,"offset":15,"timestamp":1545084650987,"timestampType":"CREATE_TIME",'
        '"key":"aw==","headers":[{},{"b":[]}]}'
    )
    assert kafka_bytes(item) == (b"k", None)
    assert kafka_decoded(item, key=b'"k"', value=None, key_schema=SchemaMetadata("JSON", "1")) == item | {
        "key": "Imsi",
        "keySchemaMetadata": {"dataFormat": "JSON", "schemaId": "1"},
    }


@pytest.mark.semantics("EVENT-08", "EVENT-30")
def test_a_record_without_a_key_and_without_a_value() -> None:
    item = kafka(key=None, value=None, timestamp_type=1)
    assert "key" not in item
    assert "value" not in item
    assert item["timestampType"] == "LOG_APPEND_TIME"
    assert kafka(key=b"", value=b"")["key"] == ""


@pytest.mark.semantics("EVENT-09")
def test_what_a_record_was_decoded_with() -> None:
    raw = kafka()
    assert kafka_bytes(raw) == (b"k", b"Hello")
    formats = {"key_schema": SchemaMetadata("JSON", "1"), "value_schema": SchemaMetadata("AVRO", "17")}
    item = kafka_decoded(raw, key=b'"k"', value=b'{"a":1}', **formats)
    assert kafka_bytes(item) == (b'"k"', b'{"a":1}')
    assert list(item)[-2:] == ["keySchemaMetadata", "valueSchemaMetadata"]
    assert item["valueSchemaMetadata"] == {"dataFormat": "AVRO", "schemaId": "17"}
    nothing = kafka_decoded(kafka(key=None, value=None), key=None, value=None)
    assert not {"key", "value"} & nothing.keys()
    assert kafka_bytes(nothing) == (None, None)


# --- envelopes --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("EVENT-10")
def test_the_envelope_of_queues_and_streams() -> None:
    assert (
        RecordsEnvelope().render(Records.of(records([1, 2])))
        == b'{"Records":[{"id":"1","pad":""},{"id":"2","pad":""}]}'
    )


@pytest.mark.semantics("EVENT-11")
def test_the_envelope_of_a_tumbling_window() -> None:
    lane = Lane("arn:aws:kinesis:us-east-1:0:stream/s", "shardId-000000000006")
    envelope = WindowEnvelope()
    window = Window(1607411040, 1607411160)
    assert envelope.render(
        NONE, lane=lane, kind=BatchKind.WINDOW_END, window=window, terminated_early=True, state=b'{"n":1}'
    ) == (
        b'{"Records":[],"window":{"start":"2020-12-08T07:04:00Z","end":"2020-12-08T07:06:00Z"},"state":{"n":1},'
        b'"shardId":"shardId-000000000006","eventSourceARN":"arn:aws:kinesis:us-east-1:0:stream/s",'
        b'"isFinalInvokeForWindow":true,"isWindowTerminatedEarly":true}'
    )
    running = json.loads(envelope.render(Records.of(records([1])), lane=lane, window=window))
    assert (running["state"], running["isFinalInvokeForWindow"], running["isWindowTerminatedEarly"]) == (
        {},
        False,
        False,
    )
    assert len(running["Records"]) == 1


@pytest.mark.semantics("EVENT-12")
def test_the_envelope_of_kafka_groups_by_partition() -> None:
    one, two = kafka_records(partition(1), [5]), kafka_records(partition(0), [7, 8])
    event = KafkaEnvelope("b-1:9092,b-2:9092", "arn:aws:kafka:us-east-1:0:cluster/c/1").render(
        Records.of((two[0], *one, two[1]))
    )
    assert event == (
        b'{"eventSource":"aws:kafka","eventSourceArn":"arn:aws:kafka:us-east-1:0:cluster/c/1",'
        b'"bootstrapServers":"b-1:9092,b-2:9092","records":{"orders-0":[{"o":7},{"o":8}],"orders-1":[{"o":5}]}}'
    )


@pytest.mark.semantics("EVENT-12")
def test_a_self_managed_cluster_has_no_arn() -> None:
    event = json.loads(KafkaEnvelope("b:9092").render(Records.of(kafka_records(partition(0), [1]))))
    assert (event["eventSource"], "eventSourceArn" in event) == ("SelfManagedKafka", False)


@pytest.mark.parametrize("envelope", [RecordsEnvelope(), KafkaEnvelope("b:9092"), KafkaEnvelope("é", "arn")])
def test_an_envelope_knows_its_own_size(envelope: Envelope) -> None:
    assert envelope.overhead == len(envelope.render(NONE))
    one = kafka_records(partition(3), [1])
    assert envelope.overhead + envelope.lane_overhead(one[0].lane) + len(one[0].body) == len(
        envelope.render(Records.of(one))
    )


def test_a_record_that_no_fast_encoder_takes_is_delivered_all_the_same() -> None:
    strange = Record(LANE, "1", {"text": "\ud800", "large": 10**30}, 0.0)
    assert json.loads(RecordsEnvelope().render(Records.of([strange]))) == {
        "Records": [{"text": "\ud800", "large": 10**30}]
    }


# --- times ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        1700000000,
        1700000000.0,
        datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        datetime(2023, 11, 14, 22, 13, 20),
        datetime(2023, 11, 15, 0, 13, 20, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_seconds_of_whatever_a_client_gives(value: object) -> None:
    assert seconds(value) == 1_700_000_000.0


def test_what_is_no_time_is_said_so() -> None:
    with pytest.raises(TypeError, match="must be a datetime or a number, not 'soon'"):
        seconds("soon")


def test_a_member_that_is_no_object_has_no_fields() -> None:
    given = {"a": 1}
    assert [dict(fields_of(each)) for each in (given, MappingProxyType(given), None, "a", [given], 0)] == [
        given,
        given,
        {},
        {},
        {},
        {},
    ]

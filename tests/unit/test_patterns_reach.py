"""Filters that can match nothing, by what the records of a source look like."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.dispatch.kinds.table import FILTERS
from headrace.dispatch.patterns.filters import Pattern
from headrace.dispatch.patterns.reach import Unmet, besides, unmet

pytestmark = pytest.mark.semantics("FILTER-52")


def found(source: str, pattern: Any) -> Unmet | None:
    kind = FILTERS[source]
    return unmet(Pattern.parse(pattern), kind.filters, kind.shape, kind.impossible)


NEW = {"dynamodb": {"NewImage": {"a": {"S": ["x"]}}}}


@pytest.mark.parametrize(
    ("source", "pattern"),
    [
        ("sqs", {"body": ["x"]}),
        ("sqs", {"body": [{"anything-but": [3]}]}),
        ("sqs", {"body": {"n": [3], "deep": {"er": [{"exists": False}]}}}),
        ("sqs", {"body": [3, "3"]}),
        ("sqs", {"nothing": [{"exists": False}]}),
        ("sqs", {"nothing": ["x", {"exists": False}]}),
        ("sqs", {"messageId": {"below": [{"exists": False}]}}),
        ("sqs", {"messageId": {"": [{"exists": False}]}}),
        ("sqs", {"$or": [{"nothing": ["x"]}, {"body": ["x"]}]}),
        ("sqs", {"$or": [{"body": ["x"]}, {"body": {"type": ["x"]}}]}),
        ("sqs", {"eventSource": ["aws:kinesis", {"prefix": "aws:"}]}),
        ("sqs", {"attributes": {"ApproximateReceiveCount": ["1"]}}),
        ("sqs", {"messageAttributes": {"a.b": {"stringValue": [{"exists": True}]}}}),
        ("sqs", {"messageAttributes": {"color": [{"exists": False}]}}),
        ("sqs", {"md5OfMessageAttributes": [None]}),
        ("kinesis", {"data": {"a": [None]}}),
        ("kinesis", {"kinesis": {"partitionKey": [{"anything-but": ["1"]}]}}),
        ("kinesis", {"kinesis": {"approximateArrivalTimestamp": [{"numeric": [">", 2]}]}}),
        ("kafka", {"value": [3]}),  # of JSON the rule does not count
        ("kafka", {"value": [{"exists": False}]}),
        ("kafka", {"value": {"a": ["x"]}, "partition": [0]}),
        ("kafka", {"headers": {"h": [104]}, "key": [{"exists": False}]}),
        ("dynamodb", {"dynamodb": {"NewImage": {"a.b": {"M": {"c": {"L": {"N": ["5"]}}}}}}}),
        ("dynamodb", {"dynamodb": {"Keys": {"id": {"N": [5, "5"]}}}}),
        ("dynamodb", {"dynamodb": {"NewImage": {"a": {"BOOL": [True]}, "b": {"NULL": [True]}, "c": {"SS": ["x"]}}}}),
        ("dynamodb", {"dynamodb": {"OldImage": [{"exists": False}]}}),
        ("dynamodb", {"eventName": ["MODIFY", "INSERT"], "dynamodb": {"OldImage": {"a": {"S": ["x"]}}}}),
        ("dynamodb", {"eventName": ["REMOVE"], "dynamodb": {"NewImage": {"a": {"S": [{"exists": False}]}}}}),
        ("dynamodb", {"eventName": [{"anything-but": "REMOVE"}], **NEW}),
        ("dynamodb", {"userIdentity": {"type": ["Service"]}}),
    ],
    ids=json.dumps,
)
def test_what_can_match(source: str, pattern: Any) -> None:
    assert found(source, pattern) is None


@pytest.mark.parametrize(
    ("source", "pattern", "path", "what"),
    [
        ("sqs", {"data": {"type": ["x"]}}, "data.type", "the records have no 'data'"),
        ("sqs", {"type": ["x"]}, "type", "the records have no 'type'"),
        ("sqs", {"type": [{"exists": True}]}, "type", "the records have no 'type'"),
        ("sqs", {"Body": ["x"]}, "Body", "the records have no 'Body'"),
        ("sqs", {"bodyx": ["x"]}, "bodyx", "the records have no 'bodyx'"),
        ("sqs", {"body": ["x"], "type": ["x"]}, "type", "the records have no 'type'"),
        ("sqs", {"body": [3]}, "body", "'body' is text, but the rule requires something else"),
        ("sqs", {"body": [None, True]}, "body", "'body' is text, but the rule requires something else"),
        ("sqs", {"body": [{"numeric": [">", 1]}]}, "body", "'body' is text, but the rule requires something else"),
        ("sqs", {"body": [{"exists": False}]}, "body", "every record has 'body'"),
        ("sqs", {"body": ["x"], "body.type": ["x"]}, "body", "'body' cannot be a text and an object at once"),
        ("sqs", {"$or": [{"a": ["x"]}, {"b": ["x"]}]}, "a", "the records have no 'a'"),
        ("sqs", {"messageId": [{"exists": False}]}, "messageId", "every record has 'messageId'"),
        ("sqs", {"messageId": {"x": ["y"]}}, "messageId.x", "'messageId' holds text, and no fields"),
        ("sqs", {"attributes": ["x"]}, "attributes", "'attributes' is no value"),
        (
            "sqs",
            {"attributes": {"ApproximateReceiveCount": [1]}},
            "attributes.ApproximateReceiveCount",
            "'attributes.ApproximateReceiveCount' is text, but the rule requires something else",
        ),
        (
            "sqs",
            {"messageAttributes": {"color": ["red"]}},
            "messageAttributes.color",
            "'messageAttributes.color' does not end in stringValue, binaryValue or dataType",
        ),
        ("sqs", {"eventSource": ["aws:kinesis"]}, "eventSource", "'eventSource' is 'aws:sqs', and nothing else"),
        ("kinesis", {"body": {"a": ["x"]}}, "body.a", "the records have no 'body'"),
        ("kinesis", {"partitionKey": ["x"]}, "partitionKey", "the records have no 'partitionKey'"),
        ("kinesis", {"kinesis": {"data": {"a": ["x"]}}}, "kinesis.data.a", "'kinesis.data' holds text, and no fields"),
        ("kinesis", {"kinesis": {"partitionkey": ["x"]}}, "kinesis.partitionkey", "there is no 'kinesis.partitionkey'"),
        (
            "kinesis",
            {"kinesis": [{"exists": True}]},
            "kinesis",
            "'kinesis' is an object, and rules look at values",
        ),
        ("kafka", {"key": {"id": ["x"]}}, "key.id", "'key' holds text, and no fields"),
        ("kafka", {"value": {"a": ["x"]}, "partition": ["0"]}, "partition", None),
        ("kafka", {"timestampType": ["CreateTime"]}, "timestampType", None),
        ("dynamodb", {"NewImage": {"a": {"S": ["x"]}}}, "NewImage.a.S", "the records have no 'NewImage'"),
        (
            "dynamodb",
            {"dynamodb": {"NewImage": {"a": ["x"]}}},
            "dynamodb.NewImage.a",
            "'dynamodb.NewImage.a' names no type",
        ),
        ("dynamodb", {"dynamodb": {"NewImage": {"S": ["x"]}}}, "dynamodb.NewImage.S", None),
        ("dynamodb", {"dynamodb": {"NewImage": {"a": {"s": ["x"]}}}}, "dynamodb.NewImage.a.s", None),
        ("dynamodb", {"dynamodb": {"NewImage": {"a": {"M": {"b": ["x"]}}}}}, "dynamodb.NewImage.a.M.b", None),
        ("dynamodb", {"dynamodb": {"NewImage": {"a": {"N": [{"numeric": [">", 5]}]}}}}, "dynamodb.NewImage.a.N", None),
        ("dynamodb", {"dynamodb": {"NewImage": {"a": {"BOOL": ["true"]}}}}, "dynamodb.NewImage.a.BOOL", None),
        ("dynamodb", {"dynamodb": {"NewImage": {"a": {"NULL": [None]}}}}, "dynamodb.NewImage.a.NULL", None),
        ("dynamodb", {"dynamodb": {"OldImage": [{"exists": True}]}}, "dynamodb.OldImage", None),
        ("dynamodb", {"dynamodb": {"newImage": {"a": {"S": ["x"]}}}}, "dynamodb.newImage.a.S", None),
        ("dynamodb", {"eventName": ["UPDATE"]}, "eventName", None),
        (
            "dynamodb",
            {"eventName": ["REMOVE"], **NEW},
            "dynamodb.NewImage.a.S",
            "the changes of this eventName have no NewImage",
        ),
    ],
    ids=json.dumps,
)
def test_what_can_match_nothing(source: str, pattern: Any, path: str, what: str | None) -> None:
    why = found(source, pattern)
    assert why is not None
    assert why.path == path
    assert what is None or why.what == what


def test_what_is_read_beside_the_data() -> None:
    kind = FILTERS["kinesis"]
    pattern = Pattern.parse(
        {"data": {"a": ["x"]}, "$or": [{"eventID": ["x"]}, {"kinesis": {"partitionKey": ["x"]}}, {"no": ["x"]}]}
    )
    assert besides(pattern, kind.filters, kind.shape) == ["eventID", "kinesis"]

"""The fate of records by source, format of their data, and what the filter expects."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from headrace.dispatch.kinds.table import filter_rules
from headrace.dispatch.patterns.errors import PatternError
from headrace.dispatch.patterns.formats import Data, DataFormat, RecordFilter, read

PLAIN, JSON = "order", '{"type": "order", "n": 1}'
PLAIN_RULE, JSON_RULE = ["order", {"prefix": "x"}], {"type": ["order"]}
OTHER_PLAIN, OTHER_JSON = "invoice", '{"type": "invoice"}'
META, OTHER_META = {"meta": "yes"}, {"meta": "no"}

TABLE: list[tuple[str, str, Any, dict[str, Any], Data, bool]] = [
    # id, source, rule on the data (None: a rule on `meta` alone), metadata, data, kept
    ("FILTER-40", "sqs", PLAIN_RULE, META, PLAIN, True),
    ("FILTER-40", "sqs", PLAIN_RULE, META, OTHER_PLAIN, False),
    ("FILTER-40", "sqs", PLAIN_RULE, META, JSON, False),
    ("FILTER-40", "sqs", [{"exists": False}], META, JSON, False),
    ("FILTER-40", "sqs", [{"anything-but": "x"}], META, '["a", "b"]', False),
    ("FILTER-40", "sqs", [{"anything-but": "x"}], META, "y", True),
    ("FILTER-40", "sqs", JSON_RULE, META, JSON, True),
    ("FILTER-40", "sqs", JSON_RULE, META, OTHER_JSON, False),
    ("FILTER-40", "sqs", JSON_RULE, META, f"[{OTHER_JSON}, {JSON}]", True),
    ("FILTER-40", "sqs", JSON_RULE, META, PLAIN, False),
    ("FILTER-40", "sqs", {"type": [{"exists": False}]}, META, PLAIN, False),
    ("FILTER-40", "sqs", {"type": [{"exists": False}]}, META, "{}", True),
    ("FILTER-40", "sqs", None, META, PLAIN, True),
    ("FILTER-40", "sqs", None, META, JSON, True),
    ("FILTER-40", "sqs", None, OTHER_META, JSON, False),
    ("FILTER-44", "sqs", JSON_RULE, META, f" \n{JSON}", True),
    ("FILTER-44", "sqs", ["1"], META, "1", True),
    ("FILTER-44", "sqs", [1], META, "1", False),
    ("FILTER-44", "sqs", ['"order"'], META, '"order"', True),
    ("FILTER-44", "sqs", ["null"], META, "null", True),
    ("FILTER-44", "sqs", [""], META, "", True),
    ("FILTER-44", "sqs", [{"prefix": "["}], META, "[info] a line", True),
    ("FILTER-44", "sqs", [{"prefix": "{"}], META, '{"a": NaN}', True),
    ("FILTER-44", "sqs", JSON_RULE, META, '{"type": "order", "x": "\\ud800"}', True),
    ("FILTER-44", "sqs", JSON_RULE, META, '{"type": "order", "x": 1e999}', True),
    ("FILTER-44", "sqs", JSON_RULE, META, '{"type": "order", "x": ' + "9" * 5000 + "}", True),
    ("FILTER-44", "sqs", {"n": [10]}, META, '{"n": 10, "x": "\\ud800"}', True),
    ("FILTER-44", "sqs", {"n": [12345678901234567890123]}, META, '{"n": 12345678901234567890123}', True),
    ("FILTER-07", "sqs", JSON_RULE, META, '{"type": "order", "x": ' + "[" * 1000 + "]" * 1000 + "}", True),
    ("FILTER-07", "sqs", JSON_RULE, META, '{"type": "order", "x": ' + "[" * 1100 + "]" * 1100 + "}", False),
    ("FILTER-07", "sqs", JSON_RULE, META, "[" * 200_000, False),
    ("FILTER-41", "kinesis", JSON_RULE, META, JSON.encode(), True),
    ("FILTER-41", "kinesis", JSON_RULE, META, OTHER_JSON.encode(), False),
    ("FILTER-41", "kinesis", JSON_RULE, META, b"order", False),
    ("FILTER-41", "kinesis", JSON_RULE, META, b"\xff\xfe", False),
    ("FILTER-41", "kinesis", {"type": [{"exists": False}]}, META, b"\xff", False),
    ("FILTER-41", "kinesis", None, META, b"\xff", True),
    ("FILTER-41", "kinesis", None, META, JSON.encode(), True),
    ("FILTER-41", "kinesis", None, OTHER_META, JSON.encode(), False),
    ("FILTER-43", "kafka", JSON_RULE, META, JSON.encode(), True),
    ("FILTER-43", "kafka", JSON_RULE, META, OTHER_JSON.encode(), False),
    ("FILTER-43", "kafka", JSON_RULE, META, b"order", True),
    ("FILTER-43", "kafka", JSON_RULE, META, b"\xff", True),
    ("FILTER-43", "kafka", JSON_RULE, META, None, True),
    ("FILTER-43", "kafka", PLAIN_RULE, META, None, True),
    ("FILTER-51", "kafka", [{"exists": False}], META, None, True),
    ("FILTER-51", "kafka", [{"exists": True}], META, None, False),
    ("FILTER-51", "kafka", ["x", {"exists": False}], META, None, True),
    ("FILTER-51", "kafka", ["x", {"exists": True}], META, None, False),
    ("FILTER-51", "kafka", [{"exists": False}], META, b"", False),
    ("FILTER-51", "kafka", [{"exists": True}], META, b"order", True),
    ("FILTER-51", "kafka", [{"exists": True}], {**META, "value": None}, None, False),
    ("FILTER-43", "kafka", PLAIN_RULE, META, b"order", True),
    ("FILTER-43", "kafka", PLAIN_RULE, META, b"invoice", False),
    ("FILTER-43", "kafka", PLAIN_RULE, META, OTHER_JSON.encode(), True),
    ("FILTER-43", "kafka", PLAIN_RULE, META, b"\xff", True),
    ("FILTER-43", "kafka", None, META, b"\xff", True),
    ("FILTER-43", "kafka", None, OTHER_META, b"order", False),
]


@pytest.mark.semantics(*sorted({row[0] for row in TABLE}))
@pytest.mark.parametrize(
    ("kind", "rule", "metadata", "data", "kept"), [pytest.param(*row[1:], id=f"{at}") for at, row in enumerate(TABLE)]
)
def test_fates(kind: str, rule: Any, metadata: dict[str, Any], data: Data, kept: bool) -> None:
    pattern = {"meta": ["yes"]} if rule is None else {filter_rules(kind).key: rule}
    assert RecordFilter.parse(filter_rules(kind), [json.dumps(pattern)]).keeps(metadata, data) is kept


@pytest.mark.semantics("FILTER-43", "FILTER-45")
def test_metadata_decide_where_kafka_ignores_the_value() -> None:
    mixed = RecordFilter.parse(filter_rules("kafka"), [{"value": JSON_RULE, "meta": ["yes"]}])
    assert mixed.keeps(META, b"order")
    assert not mixed.keeps(OTHER_META, b"order")
    assert mixed.keeps(META, JSON.encode())
    assert not mixed.keeps(OTHER_META, JSON.encode())
    assert not mixed.keeps(META, OTHER_JSON.encode())


@pytest.mark.semantics("FILTER-45")
def test_metadata_count_beside_the_data() -> None:
    both = RecordFilter.parse(filter_rules("kinesis"), [{"data": JSON_RULE, "kinesis": {"partitionKey": ["k"]}}])
    assert both.keeps({"kinesis": {"partitionKey": "k"}}, JSON.encode())
    assert not both.keeps({"kinesis": {"partitionKey": "j"}}, JSON.encode())
    assert not both.keeps({"kinesis": {"partitionKey": "k"}}, OTHER_JSON.encode())


def test_formats_are_judged_for_each_filter_and_alternative() -> None:
    two = RecordFilter.parse(filter_rules("sqs"), [{"body": PLAIN_RULE}, {"body": JSON_RULE}])
    one = RecordFilter.parse(filter_rules("sqs"), [{"$or": [{"body": PLAIN_RULE}, {"body": JSON_RULE}]}])
    for filters in (two, one):
        assert filters.keeps({}, PLAIN)
        assert filters.keeps({}, JSON)
        assert not filters.keeps({}, OTHER_PLAIN)
        assert not filters.keeps({}, OTHER_JSON)


def test_a_filter_with_rules_of_both_formats_at_once_takes_nothing_from_sqs() -> None:
    both = RecordFilter.parse(
        filter_rules("sqs"), ['{"body": [{"anything-but": "x"}], "body": {"type": [{"exists": false}]}}']
    )
    assert not any(both.keeps({}, body) for body in (PLAIN, JSON, "{}", "[]", ""))


@pytest.mark.semantics("FILTER-41", "FILTER-42")
@pytest.mark.parametrize(("kind", "key"), [("kinesis", "data"), ("dynamodb", "dynamodb")])
def test_plain_rules_are_refused_where_data_are_never_plain(kind: str, key: str) -> None:
    with pytest.raises(PatternError) as caught:
        RecordFilter.parse(filter_rules(kind), ['{"eventName": ["INSERT"]}', json.dumps({key: ["x"]})])
    (problem,) = caught.value.problems
    assert problem.path == f"[1].{key}"
    assert problem.reason == f'"{key}" must be an object'


ITEM = {
    "eventName": "INSERT",
    "eventSource": "aws:dynamodb",
    "dynamodb": {
        "ApproximateCreationDateTime": 1700000000.0,
        "NewImage": {"k": {"S": "v"}, "n": {"N": "101"}, "o": {"L": [{"S": "x"}, {"M": {"in": {"S": "y"}}}]}},
    },
}
DYNAMODB: list[tuple[dict[str, Any] | str, bool]] = [
    ({"eventName": ["INSERT"]}, True),
    ({"eventName": ["INSERT", "MODIFY"]}, True),
    ({"eventName": ["INSERT"], "eventSource": ["aws:dynamodb"]}, True),
    ({"eventName": ["REMOVE"]}, False),
    ({"dynamodb": {"NewImage": {"k": {"S": ["v"]}}}}, True),
    ({"dynamodb": {"NewImage": {"k": ["v"]}}}, False),
    ({"dynamodb": {"NewImage": {"n": {"N": ["101"]}}}}, True),
    ({"dynamodb": {"NewImage": {"n": {"N": [{"numeric": [">", 100]}]}}}}, False),
    ({"dynamodb": {"ApproximateCreationDateTime": [{"numeric": [">", 0]}]}}, True),
    ({"dynamodb": {"NewImage": {"o": {"L": {"S": [{"exists": True}]}}}}}, True),
    ({"dynamodb": {"NewImage": {"o": {"L": {"M": {"in": {"S": ["y"]}}}}}}}, True),
    ({"dynamodb": {"NewImage": {"k": [{"exists": True}]}}}, False),
    ({"dynamodb": {"NewImage": {"k": [{"exists": False}]}}}, True),
    ({"dynamodb": {"OldImage": {"k": {"S": [{"anything-but": ["v"]}, {"exists": False}]}}}}, True),
    ('{"dynamodb": {"NewImage": {"k": {"S": ["v"]}}}, "dynamodb": {"NewImage": {"n": {"N": ["7"]}}}}', False),
]


@pytest.mark.semantics("FILTER-42", "FILTER-45")
@pytest.mark.parametrize(("pattern", "kept"), DYNAMODB)
def test_dynamodb_records_are_matched_as_they_are(pattern: dict[str, Any] | str, kept: bool) -> None:
    assert RecordFilter.parse(filter_rules("dynamodb"), [pattern]).keeps(ITEM) is kept


@pytest.mark.semantics("FILTER-46")
def test_data_are_decoded_once_and_only_when_read() -> None:
    calls: list[str] = []

    def decoded() -> bytes:
        calls.append("decoded")
        return base64.b64decode(base64.b64encode(JSON.encode()))

    assert RecordFilter.parse(filter_rules("kinesis"), []).keeps(META, decoded)
    assert RecordFilter.parse(filter_rules("kinesis"), [{"meta": ["yes"]}]).keeps(META, decoded)
    assert not calls
    assert RecordFilter.parse(
        filter_rules("kinesis"), [{"data": {"n": [7]}}, {"data": {"n": [8]}}, {"data": JSON_RULE}]
    ).keeps(META, decoded)
    assert calls == ["decoded"]


@pytest.mark.parametrize("kind", ["sqs", "kinesis", "dynamodb", "kafka"])
@pytest.mark.semantics("FILTER-02")
def test_no_filters_keep_everything(kind: str) -> None:
    assert all(RecordFilter.parse(filter_rules(kind), []).keeps({}, data) for data in (None, "x", "{}", b"\xff"))


def test_matching_changes_nothing() -> None:
    metadata = {"meta": "yes", "body": "kept"}
    assert RecordFilter.parse(filter_rules("sqs"), [{"body": JSON_RULE, "meta": ["yes"]}]).keeps(metadata, JSON)
    assert metadata == {"meta": "yes", "body": "kept"}


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (None, DataFormat.ABSENT),
        ("", DataFormat.PLAIN),
        ("{}", DataFormat.JSON),
        (b"[]", DataFormat.JSON),
        (b"\xff", DataFormat.OPAQUE),
        (b'{"a": "\xff"}', DataFormat.OPAQUE),
        ("\ufeff{}", DataFormat.PLAIN),
    ],
)
def test_formats(data: Data, form: DataFormat) -> None:
    assert read(data)[0] is form

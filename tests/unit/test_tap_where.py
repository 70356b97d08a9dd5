"""Which records a tap shows: by a text, or by a filter pattern."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from headrace.dispatch.core.model import encode
from headrace.dispatch.kinds.profile import DispatchKind
from headrace.dispatch.kinds.table import FILTERS
from headrace.dispatch.patterns.errors import PatternError
from headrace.service.telemetry.core.tap_where import GONE, OTHER_MAPPING, UNDECODED, Unjudged, Verdict, where_of

ORDER = '{"type": "order", "n": 3}'
KINESIS = {"kinesis": {"data": b64encode(ORDER.encode()).decode(), "partitionKey": "k"}}
KAFKA = {"topic": "t", "value": b64encode(ORDER.encode()).decode(), "headers": []}
DYNAMODB = {"eventName": "INSERT", "dynamodb": {"NewImage": {"type": {"S": "order"}}}}
ELEMENTS: dict[str, dict[str, Any]] = {
    "sqs": {"body": ORDER, "messageId": "1"},
    "kinesis": KINESIS,
    "kafka": KAFKA,
    "dynamodb": DYNAMODB,
}


def kind_of(mapping: str) -> DispatchKind | None:
    """A mapping is called as its kind here."""
    return FILTERS.get(mapping)


def judged(where: str, mapping: str, element: object, only: str = "") -> Verdict:
    return where_of(where, only, kind_of).judge_of(mapping)(element if isinstance(element, bytes) else encode(element))


@pytest.mark.semantics("SEE-45")
@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("sqs", {"body": {"type": ["%s"]}}),
        ("kinesis", {"data": {"type": ["%s"]}}),
        ("kafka", {"value": {"type": ["%s"]}}),
        ("dynamodb", {"dynamodb": {"NewImage": {"type": {"S": ["%s"]}}}}),
    ],
)
@pytest.mark.parametrize("only", [True, False])
def test_a_pattern_takes_records_by_the_rules_of_their_kind(kind: str, pattern: object, only: bool) -> None:
    where = json.dumps(pattern)
    verdicts = [judged(where % each, kind, ELEMENTS[kind], kind if only else "") for each in ("order", "other")]
    assert verdicts == [True, False]


@pytest.mark.semantics("SEE-45")
@pytest.mark.parametrize(
    ("where", "element", "wanted"),
    [
        ("", {"body": "x"}, True),
        ("", b"", True),
        ("order", {"body": "my order"}, True),
        ("order", {"body": "x"}, False),
        (' {"a"', {"data": {"a": 1}}, False),
        ("order", b"", GONE),
        ("order", b"{}", GONE),
        ('{"body": [{"exists": false}]}', b"{}", GONE),
        ('{"body": ["\\ud800"]}', b'{"body": "\\ud800"}', True),
        ('{"body": ["x"]}', b'{"body": "x", "messageAttributes": {"a": {"stringValue": "\\ud800"}}}', True),
    ],
)
def test_a_text_is_searched_for_and_what_begins_as_an_object_is_a_pattern(
    where: str, element: object, wanted: Verdict
) -> None:
    assert judged(where, "sqs", element) == wanted


@pytest.mark.semantics("SEE-46")
def test_who_cannot_judge_says_why() -> None:
    assert judged('{"value": ["x"]}', "nothing", KAFKA) == OTHER_MAPPING
    assert judged('{"body": ["x"]}', "kinesis", KINESIS, only="sqs") == OTHER_MAPPING
    refused = judged('{"data": ["x"]}', "kinesis", KINESIS)
    assert isinstance(refused, Unjudged)
    assert "wrong for a source of kinesis" in refused.why
    strange = judged('{"value": ["x"]}', "kafka", {**KAFKA, "value": "no base64!"})
    assert isinstance(strange, Unjudged)
    assert "form of records of kafka" in strange.why


@pytest.mark.semantics("SEE-46")
def test_data_that_a_registry_decoded_for_filters_alone_are_not_judged_but_the_rest_is() -> None:
    schema = {"valueSchemaMetadata": {"dataFormat": "AVRO", "schemaId": "1"}}
    avro = {**KAFKA, **schema, "value": b64encode(b"\x0aorder").decode()}
    about_data, about_topic = '{"value": {"type": ["order"]}}', '{"topic": ["t"]}'
    assert judged(about_data, "kafka", avro) == UNDECODED
    assert judged(about_topic, "kafka", avro) is True
    assert judged(about_data, "kafka", {**KAFKA, **schema}) is True


@pytest.mark.semantics("SEE-45")
@pytest.mark.parametrize(
    ("pattern", "only", "is_wrong"),
    [
        ('{"data": ["x"]}', "kinesis", True),
        ('{"data": ["x"]}', "", False),
        ('{"data": ["x"]}', "not there", False),
        ("{", "", True),
    ],
)
def test_a_pattern_is_wrong_that_no_record_can_be_judged_by(pattern: str, only: str, is_wrong: bool) -> None:
    if is_wrong:
        with pytest.raises(PatternError):
            where_of(pattern, only, kind_of)
    else:
        where_of(pattern, only, kind_of)

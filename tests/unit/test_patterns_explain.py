"""Explanations: the first rule that failed, what was there, what was wanted."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from headrace.dispatch.kinds.table import filter_rules
from headrace.dispatch.patterns.explain import explain, explain_record
from headrace.dispatch.patterns.filters import Pattern
from headrace.dispatch.patterns.formats import RecordFilter
from headrace.dispatch.patterns.pattern_limits import MAX_CHOICES
from support.counts import count
from support.pattern_strategies import pair

ROWS: list[tuple[str, Any, str | None, str]] = [
    ('{"a": [1]}', {"a": 1}, None, "every rule is met: a"),
    ('{"a": ["x", {"prefix": "y"}]}', {"a": "z"}, "a",
     'a is "z", and the pattern wants one that is "x" or starts with "y"'),
    ('{"a": {"b": [{"numeric": [">", 1, "<=", 5]}]}}', {"a": {"b": 7}}, "a.b",
     "a.b is 7, and the pattern wants one that is a number > 1 and <= 5"),
    ('{"a": [{"numeric": ["<", 1]}]}', {"a": {"b": 7}}, "a",
     "a is missing or holds no value, and the pattern wants one that is a number < 1"),
    ('{"a": [{"exists": false}]}', {"a": None}, "a", "a is null, and the pattern wants one that does not exist"),
    ('{"b": [1], "a": [true]}', {"a": "x"}, "b",
     "b is missing or holds no value, and the pattern wants one that is the number 1"),
    ('{"a": ["x"]}', {"a": ["b", "c", "d", "e", "f"]}, "a",
     'a is "b", "c", "d" and 2 more, and the pattern wants one that is "x"'),
    ('{"a": ["x"]}', {"a": "é" * 100}, "a", 'a is "' + "é" * 58 + "…, and"),
    ('{"a": {"x": [1], "y": [2]}}', {"a": [{"x": 1}, {"y": 2}]}, None,
     "each rule is met by itself, but by different elements of an array"),
    ('{"$or": [{"a": [1]}, {"b": [2], "c": [3]}]}', {"b": 2, "c": 4}, "c",
     "none of 2 alternatives; the nearest: c is 4, and the pattern wants one that is the number 3"),
    ('{"a": [1]}', [], None, "the record is not an object"),
    ('{"a": [{"anything-but": ["x", "y"]}]}', {"a": "x"}, "a",
     'a is "x", and the pattern wants one that is anything but "x", "y"'),
    ('{"a": [{"anything-but": {"suffix": ["x"]}}, {"cidr": "1.2.3.0/24"}]}', {"a": "x"}, "a",
     'a is "x", and the pattern wants one that is anything but what ends with "x" or is an address in "1.2.3.0/24"'),
]  # fmt: skip


@pytest.mark.semantics("FILTER-50")
@pytest.mark.parametrize(("pattern", "event", "path", "reason"), ROWS)
def test_reasons(pattern: str, event: Any, path: str | None, reason: str) -> None:
    explanation = explain(Pattern.parse(pattern), event)
    assert explanation.reason.startswith(reason)
    assert explanation.path == path


def test_a_record_beyond_the_bound_of_the_search_is_kept_and_said_to_be_so() -> None:
    size = round(MAX_CHOICES**0.5) + 1
    record = {"a": {"b": [*[{"x": 1}] * size, {"z": 2}]}, "a.b": [*[{"y": 1}] * size, {"z": 2}]}
    explanation = explain(Pattern.parse({"a": {"b": {"x": [1], "y": [1], "z": [2]}}}), record)
    assert explanation.matched
    assert explanation.reason.startswith("the record has too many combinations of array elements")


def test_an_explanation_never_contradicts_the_verdict() -> None:
    random = Random(7)
    for index in range(count(500, 5000)):
        case = pair(random)
        pattern = Pattern.parse(case.pattern)
        assert explain(pattern, case.event).matched is pattern.matches(case.event), (index, case)


RECORDS: list[tuple[Any, str, Any, bool, str]] = [
    ("sqs", '{"body": {"a": [1]}}', "text", False,
     "body is plain, and the filter's rules on it expect another format"),
    ("sqs", '{"body": ["a"]}', "{}", False, "body is json, and the filter's rules on it expect another format"),
    ("sqs", '{"body": {"a": [1]}}', '{"a": 1}', True, "every rule is met: body.a"),
    ("kafka", '{"value": {"a": [1]}}', b"\xff", True,
     "value is opaque, so the filter's rules on it do not count, and it has no others"),
    ("kafka", '{"value": {"a": [1]}, "topic": ["t"]}', b"x", False,
     "topic is missing or holds no value"),
]  # fmt: skip


@pytest.mark.semantics("FILTER-50")
@pytest.mark.parametrize(("kind", "pattern", "data", "matched", "reason"), RECORDS)
def test_records_are_explained_with_their_format(
    kind: Any, pattern: str, data: Any, matched: bool, reason: str
) -> None:
    record_filter = RecordFilter.parse(filter_rules(kind), [pattern, json.loads(pattern)])
    explanations = explain_record(record_filter, {}, data)
    assert [explanation.matched for explanation in explanations] == [matched, matched]
    assert explanations[0].reason.startswith(reason)
    assert record_filter.keeps({}, data) is matched


@pytest.mark.semantics("FILTER-50")
def test_dynamodb_records_are_explained_as_they_are() -> None:
    record_filter = RecordFilter.parse(filter_rules("dynamodb"), [{"dynamodb": {"NewImage": {"n": {"N": [101]}}}}])
    (explanation,) = explain_record(record_filter, {"dynamodb": {"NewImage": {"n": {"N": "101"}}}})
    assert explanation.path == "dynamodb.NewImage.n.N"
    assert explanation.reason.endswith('is "101", and the pattern wants one that is the number 101')

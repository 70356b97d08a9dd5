"""The search that refuses a record without parsing it: what it looks for, when it does not look, what it passes."""

from __future__ import annotations

import json

import pytest

from headrace.dispatch.kinds.table import filter_rules
from headrace.dispatch.patterns import formats
from headrace.dispatch.patterns.filters import parse_all
from headrace.dispatch.patterns.formats import RecordFilter
from headrace.dispatch.patterns.searches import LiteralSearch


def searched(*patterns: object) -> set[str] | None:
    """What is searched for, of rules on the data alone."""
    found = LiteralSearch.of(branch for pattern in parse_all(patterns) for branch in pattern.branches)
    return None if found is None else set(found.texts)


@pytest.mark.parametrize(
    ("rule", "texts"),
    [
        (["x"], {'"x"'}),
        (["x", "y"], {'"x"', '"y"'}),
        ([""], {'""'}),
        (["é"], {'"é"'}),
        ([{"prefix": "ab"}], {'"ab'}),
        ([{"suffix": ".png"}], {'.png"'}),
        ([True], {"true"}),
        ([False], {"false"}),
        ([None], {"null"}),
        (["x", True, {"prefix": "p"}], {'"x"', "true", '"p'}),
        ([1], None),
        ([100.0, "x"], None),
        (["10.0.0.1"], None),
        ([{"cidr": "10.0.0.0/24"}], None),
        ([{"equals-ignore-case": "x"}], None),
        ([{"prefix": {"equals-ignore-case": "x"}}], None),
        ([{"wildcard": "a*b"}], None),
        ([{"numeric": [">", 1]}], None),
        ([{"exists": True}], None),
        ([{"exists": False}], None),
        ([{"anything-but": ["x"]}], None),
        (["x", {"exists": False}], None),
        (["\ud800"], None),
        (["a", "b", "c", "d"], {'"a"', '"b"', '"c"', '"d"'}),
        (["a", "b", "c", "d", "e"], None),
    ],
)
def test_what_is_searched_for(rule: list[object], texts: set[str] | None) -> None:
    assert searched({"a": rule}) == texts


def test_of_a_branch_the_rule_with_the_fewest_and_longest_texts_is_searched_for() -> None:
    assert searched({"a": ["x", "y"], "b": ["one"], "c": ["longer"], "d": [7]}) == {'"longer"'}


def test_each_branch_and_each_pattern_has_its_text() -> None:
    assert searched({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"c": ["z"]}) == {'"x"', '"y"', '"z"'}
    assert searched({"a": ["x"]}, {"b": [1]}) is None


def asked(monkeypatch: pytest.MonkeyPatch, data: str | bytes, *patterns: object, source: str = "sqs") -> bool:
    """Whether the data are parsed."""
    seen: list[object] = []

    def reading(given: formats.Data) -> tuple[formats.DataFormat, object]:
        seen.append(given)
        return formats.DataFormat.PLAIN, "nothing"

    monkeypatch.setattr(formats, "read", reading)
    RecordFilter.parse(filter_rules(source), patterns).keeps({}, data)
    return bool(seen)


INVOICE = {"body": {"type": ["invoice"]}}


@pytest.mark.parametrize(
    ("data", "parsed"),
    [
        ('{"type": "order"}', False),
        (b'{"type": "order"}', False),
        ('{"type": "invoice"}', True),
        ('{"type": "invoices"}', False),
        (r'{"type": "\u0069nvoice"}', True),
        (rb'{"type": "\u0069nvoice"}', True),
        (r'{"type": "in\/voice"}', True),
        ("no JSON", False),
        (b"\xff\xfe", False),
    ],
)
def test_data_without_the_text_are_not_parsed(monkeypatch: pytest.MonkeyPatch, data: str | bytes, parsed: bool) -> None:
    assert asked(monkeypatch, data, INVOICE) is parsed


@pytest.mark.parametrize(
    ("source", "pattern"),
    [
        ("sqs", {"body": ["x"]}),
        ("sqs", {"body": {"type": [{"numeric": ["=", 100]}]}}),
        ("sqs", {"$or": [{"body": {"type": ["invoice"]}}, {"messageId": ["m"], "body": {"n": [1]}}]}),
        ("sqs", {"$or": [{"body": {"type": ["invoice"]}}, {"body": ["plain"]}]}),
        ("kafka", {"value": {"type": ["invoice"]}}),
    ],
)
def test_where_a_filter_may_take_other_data_they_are_parsed(
    monkeypatch: pytest.MonkeyPatch, source: str, pattern: object
) -> None:
    assert asked(monkeypatch, '{"type": "order"}', pattern, source=source)


@pytest.mark.semantics("FILTER-40")
@pytest.mark.parametrize(
    ("pattern", "data"),
    [
        (["a/b"], r'{"k": "a\/b"}'),
        (["invoice"], r'{"k": "\u0069nvoice"}'),
        (['"'], r'{"k": "\""}'),
        (["a\\b"], r'{"k": "a\\b"}'),
        (["😀"], r'{"k": "\ud83d\ude00"}'),
        (["invoice"], '{"k": "order", "k": "invoice"}'),
        (["invoice"], '[{"k": ["order", "invoice"]}]'),
        ([{"prefix": "é"}], json.dumps({"k": "éa"})),
        ([100], '{"k": 1e2}'),
        ([None], '{"k":null}'),
    ],
)
def test_what_a_filter_takes_it_takes_however_it_is_written(pattern: list[object], data: str) -> None:
    keeps = RecordFilter.parse(filter_rules("sqs"), [{"body": {"k": pattern}}]).keeps
    assert keeps({}, data)
    assert keeps({}, data.encode())


def test_data_that_are_no_text_are_left_to_the_patterns() -> None:
    found = LiteralSearch.of(branch for pattern in parse_all([{"a": ["x"]}]) for branch in pattern.branches)
    assert found is not None
    assert [found.refuses(data) for data in (None, 7, {"a": "x"})] == [False, False, False]

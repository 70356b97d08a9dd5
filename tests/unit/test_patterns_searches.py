"""The search that refuses a record without parsing it: what it looks for, when it does not look, what it passes."""

from __future__ import annotations

import json

import pytest

from headrace.dispatch.kinds.table import filter_rules
from headrace.dispatch.patterns import formats
from headrace.dispatch.patterns.filters import parse_all
from headrace.dispatch.patterns.formats import RecordFilter
from headrace.dispatch.patterns.scans import FULL, REST, Ranges
from headrace.dispatch.patterns.searches import search

Found = set[str] | None


def searched(*patterns: object) -> Found:
    """What is searched for, of rules on the data alone: texts, and keys with the numbers behind them."""
    found = search(branch for pattern in parse_all(patterns) for branch in pattern.branches)
    return None if found is None else {*found.texts, *(f"{key}:{_told(ranges)}" for key, ranges in found.keys)}


def _told(ranges: Ranges | None) -> str:
    return "*" if ranges is None else "|".join(f"{low:g}..{high:g}" for low, high in ranges)


@pytest.mark.parametrize(
    ("rule", "sought"),
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
        ([1], {"k:1..1"}),
        ([100.0, "x"], {"k:100..100", '"x"'}),
        ([{"numeric": [">=", 1]}], {"k:1..inf"}),
        ([{"numeric": ["<=", 1]}, {"numeric": [">=", 5, "<=", 6]}], {"k:-inf..1|5..6"}),
        (["10.0.0.1"], {"k:*"}),
        ([{"cidr": "10.0.0.0/24"}], {"k:*"}),
        ([{"equals-ignore-case": "x"}], {"k:*"}),
        ([{"prefix": {"equals-ignore-case": "x"}}], {"k:*"}),
        ([{"wildcard": "a*b"}], {"k:*"}),
        ([{"exists": True}], {"k:*"}),
        ([{"anything-but": ["x"]}], {"k:*"}),
        (["x", 1, {"wildcard": "a*b"}], {"k:*"}),
        ([{"exists": False}], None),
        (["x", {"exists": False}], None),
        (["\ud800"], None),
        (list("abcdefgh"), {f'"{letter}"' for letter in "abcdefgh"}),
        (list("abcdefghi"), None),
    ],
)
def test_what_is_searched_for(rule: list[object], sought: Found) -> None:
    assert searched({"k": rule}) == sought


@pytest.mark.parametrize(
    ("pattern", "sought"),
    [
        ({"a": {"b": {"c": [1]}}}, {"a.b.c:1..1", "b.c:1..1", "c:1..1"}),
        ({"a.b": [1]}, {"a.b:1..1", "b:1..1"}),
        ({'a"': [1]}, None),
        ({"a\\": [1]}, None),
        ({"a\n": [1]}, None),
        ({"\ud800": [1]}, None),
        ({"$or": [{"a": {"n": [1]}}, {"b": {"n": [2]}}]}, {"a.n:1..1|2..2", "b.n:1..1|2..2", "n:1..1|2..2"}),
        ({"$or": [{"a": {"n": [1]}}, {"n": [{"exists": True}]}]}, {"a.n:*", "n:*"}),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": [1]}}}}}}}}}, None),
    ],
)
def test_which_keys_are_searched_for(pattern: object, sought: Found) -> None:
    assert searched(pattern) == sought


def test_the_end_of_a_range_that_is_not_in_it_is_not_in_it() -> None:
    found = search(parse_all([{"k": [{"numeric": [">", 1, "<", 2]}]}])[0].branches)
    assert found is not None
    for number, refused in (("1", True), ("1.0000000000000002", False), ("1.9999999999999998", False), ("2", True)):
        assert found.refuses(f'{{"k": {number}}}') is refused, number


@pytest.mark.parametrize(
    ("pattern", "sought"),
    [
        ({"a": ["x", "y"], "b": ["one"], "c": ["longer"], "d": [7]}, {'"longer"'}),
        ({"a": [1, 2], "b": [{"exists": True}]}, {"a:1..1|2..2"}),
        ({"a": [{"exists": False}], "b": [{"exists": True}]}, {"b:*"}),
    ],
)
def test_of_a_branch_the_rule_that_stands_in_the_fewest_records_is_searched_for(pattern: object, sought: Found) -> None:
    assert searched(pattern) == sought


def test_each_branch_and_each_pattern_has_its_text() -> None:
    assert searched({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"c": ["z"]}) == {'"x"', '"y"', '"z"'}
    assert searched({"a": ["x"]}, {"b": [{"exists": False}]}) is None


@pytest.mark.parametrize(
    ("data", "refused"),
    [
        ('{"a": "p", "n": 7}', True),
        ('{"a": "x", "n": 7}', False),
        ('{"a": "y", "n": 7}', False),
        ('{"a": "z", "n": 7}', False),
        ('{"a": "p", "n": 5}', False),
        ('{"a": "p", "n" : \n 50e-1}', False),
        ('{"a": "p", "n": -5}', True),
        ('{"a": "p", "n": [7]}', False),
        ('{"a": "p", "n": {"a": 5}}', True),
        ('{"a": "p", "n": "5"}', True),
        ('{"a": "p", "m": 5}', True),
        ('{"a": "p", "m.n": 5}', False),
        ('{"a": "p", "x.n": 5}', True),
        ('{"n": 7, "m": {"n": 5}}', False),
        ('{"n": 7, "n": 6, "n": 5}', False),
        ('{"n": 7-7}', False),
        ('{"n": 7, "a": "\\u0078"}', False),
    ],
)
def test_many_things_are_searched_for_together(data: str, refused: bool) -> None:
    found = search(parse_all([{"$or": [{"a": ["x", "y", "z"]}, {"m": {"n": [5]}}]}])[0].branches)
    assert found is not None
    assert [found.refuses(data), found.refuses(data.encode())] == [refused, refused]


def test_a_costly_search_that_refuses_nothing_rests_and_looks_again() -> None:
    found = search(parse_all([{"k": ["x", "y", "z"]}])[0].branches)
    assert found is not None
    verdicts = [found.refuses('{"k": "x"}') for _ in range(FULL + 1)]
    assert not any(verdicts)
    rested = [found.refuses('{"k": "a"}') for _ in range(REST + 1)]
    assert not any(rested[:REST])
    assert rested[REST]


def test_a_search_for_one_text_never_rests() -> None:
    found = search(parse_all([{"k": ["x"]}])[0].branches)
    assert found is not None
    assert not any(found.refuses('{"k": "x"}') for _ in range(2 * FULL))
    assert found.refuses('{"k": "a"}')


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
        ("sqs", {"body": {"type": [{"anything-but": "x"}]}}),
        ("sqs", {"body": {"n": [{"exists": False}]}}),
        ("sqs", {"$or": [{"body": {"type": ["invoice"]}}, {"messageId": ["m"], "body": {"n": [{"exists": False}]}}]}),
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
    found = search(parse_all([{"a": ["x"]}])[0].branches)
    assert found is not None
    assert [found.refuses(data) for data in (None, 7, {"a": "x"})] == [False, False, False]

"""Paths, arrays, repeated keys and `$or`."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.dispatch.patterns.arrays import ArrayMatcher
from headrace.dispatch.patterns.filters import FilterSet, Pattern, RuleShape
from headrace.dispatch.patterns.pattern_limits import MAX_CHOICES

PATHS: list[tuple[str, str, Any, bool]] = [
    ("FILTER-08", '{"a": {"b": [1]}}', {"a": {"b": 1}}, True),
    ("FILTER-08", '{"a": {"b": [1]}}', {"a.b": 1}, True),
    ("FILTER-08", '{"a.b": [1]}', {"a": {"b": 1}}, True),
    ("FILTER-08", '{"a.b.c": [1]}', {"a": {"b.c": 1}}, True),
    ("FILTER-08", '{"a.b.c": [1]}', {"a.b": {"c": 1}}, True),
    ("FILTER-08", '{"a": {"b": [1]}}', {"a.b": 2, "a": {"b": 1}}, True),
    ("FILTER-08", '{"state.status": {"status": ["x"]}}', {"state": {"status": "x"}}, False),
    ("FILTER-08", '{"a": {"b": [{"exists": false}]}}', {"a.b": 1}, False),
    ("FILTER-08", '{"": {"": [1]}}', {"": {"": 1}}, True),
    ("FILTER-08", '{"a..b": [1]}', {"a.": {"b": 1}}, True),
    ("FILTER-09", '{"a": {"b": [1]}, "a": {"c": [2]}}', {"a": {"b": 1, "c": 2}}, True),
    ("FILTER-09", '{"a": {"b": [1]}, "a": {"c": [2]}}', {"a": {"c": 2}}, False),
    ("FILTER-09", '{"a": [1], "a": [2]}', {"a": 1}, False),
    ("FILTER-09", '{"a": [1], "a": [2]}', {"a": 2}, True),
    ("FILTER-09", '{"a": {"b": [1]}, "a.b": [2]}', {"a": {"b": 2}}, True),
    ("FILTER-10", '{"a": [1], "b": [2]}', {"a": 1, "b": 2, "c": 3}, True),
    ("FILTER-10", '{"a": [1], "b": [2]}', {"a": 1}, False),
    ("FILTER-10", '{"a": [1, 2]}', {"a": 2}, True),
    ("FILTER-10", '{"b": {"c": [{"exists": false}]}, "b": {"d": [{"exists": false}]}, "b.e": [1]}', {"b": 0}, False),
    ("FILTER-10", '{"b.c": [{"exists": false}], "b": [0]}', {"b": 0}, True),
    ("FILTER-11", '{"A": [1]}', {"a": 1}, False),
    ("FILTER-12", '{"a": ["x"]}', {"a": ["y", "x"]}, True),
    ("FILTER-12", '{"a": {"b": [1]}}', {"a": [{"b": 2}, {"b": 1}]}, True),
    ("FILTER-12", '{"a": {"b": [1]}}', {"a": [[[{"b": [[1]]}]]]}, True),
    ("FILTER-12", '{"a": {"b": [{"exists": true}]}}', {"a": [{"c": 1}, {"b": 1}]}, True),
    ("FILTER-12", '{"a": {"b": [{"exists": false}]}}', {"a": [{"c": 1}, {"b": 1}]}, False),
    ("FILTER-12", '{"a": [{"anything-but": "x"}]}', {"a": ["x", "y"]}, True),
    ("FILTER-12", '{"a": [{"anything-but": "x"}]}', {"a": ["x"]}, False),
    ("FILTER-13", '{"a": {"x": [1], "y": [2]}}', {"a": [{"x": 1, "y": 2}]}, True),
    ("FILTER-13", '{"a": {"x": [1], "y": [2]}}', {"a": [{"x": 1}, {"y": 2}]}, False),
    ("FILTER-13", '{"a": {"x": [1], "y": [2]}}', {"a": [{"x": 1}, {"y": 2}, {"x": [0, 1], "y": [2]}]}, True),
    ("FILTER-13", '{"a": [5], "a.b": [1]}', {"a": [5, {"b": 1}]}, True),
    ("FILTER-13", '{"a": [5], "a.b": [1]}', {"a": [[5], {"b": 1}]}, False),
    ("FILTER-13", '{"a": {"x": [1]}, "b": {"y": [2]}}', {"a": [{}, {"x": 1}], "b": [{"y": 2}]}, True),
    ("FILTER-13", '{"a": {"x": [1], "b": {"y": [2], "z": [3]}}}',
     {"a": [{"x": 1, "b": [{"y": 2}, {"z": 3}]}, {"x": 0, "b": [{"y": 2, "z": 3}]}]}, False),
    ("FILTER-13", '{"a": {"x": [1], "b": {"y": [2], "z": [3]}}}',
     {"a": [{"x": 1, "b": [{"y": 2, "z": 3}]}]}, True),
    ("FILTER-13", '{"a": {"x": [1], "y": [{"exists": false}]}}', {"a": [{"x": 1}, {"y": 1}]}, True),
    ("FILTER-13", '{"a": {"x": [1], "y": [{"exists": false}]}}', {"a": [{"x": 1, "y": 1}]}, False),
    ("FILTER-13", '{"a": {"b": [{"exists": false}], "c": [1]}}', {"a": [{"b": 1}, {"c": 1}]}, False),
    ("FILTER-14", '{"a": {"b": [1]}}', {"a": '{"b": 1}'}, False),
    ("FILTER-33", '{"$or": [{"a": [1]}, {"b": [2]}]}', {"b": 2}, True),
    ("FILTER-33", '{"$or": [{"a": [1]}, {"b": [2]}]}', {"b": 1}, False),
    ("FILTER-33", '{"c": [3], "$or": [{"a": [1]}, {"b": [2]}]}', {"a": 1}, False),
    ("FILTER-33", '{"d": {"$or": [{"a": [1]}, {"b": [2]}]}}', {"d": {"b": 2}}, True),
    ("FILTER-33", '{"$or": [{"a": [1]}, {"$or": [{"b": [2]}, {"c": [3]}]}]}', {"c": 3}, True),
    ("FILTER-33", '{"$or": [{"a": [1]}, {"b": [2]}], "x": {"$or": [{"c": [3]}, {"d": [4]}]}}',
     {"b": 2, "x": {"c": 3}}, True),
    ("FILTER-33", '{"$or": [{"a": [1]}, {"b": [2]}], "a": [3]}', {"a": 3}, True),
    ("FILTER-33", '{"$or": [{"a": [1]}, {"b": [2]}], "a": [3]}', {"a": 1}, False),
    ("FILTER-33", '{"$or": [{"a": [1]}, {"b": [2]}], "$or": [{"c": [1]}, {"d": [2]}]}', {"a": 1, "d": 2}, True),
    ("FILTER-33", '{"$or": [{"a": {"x": [1], "y": [2]}}, {"b": [2]}]}', {"a": [{"x": 1}, {"y": 2}]}, False),
    ("FILTER-33", '{"$or": [{"a": {"x": [1], "y": [2]}}, {"b": [2]}]}', {"a": [{"x": 1, "y": 2}]}, True),
]  # fmt: skip


@pytest.mark.semantics(*sorted({row[0] for row in PATHS}))
@pytest.mark.parametrize(
    ("pattern", "event", "verdict"), [pytest.param(*row[1:], id=f"{at}") for at, row in enumerate(PATHS)]
)
def test_structure(pattern: str, event: Any, verdict: bool) -> None:
    assert Pattern.parse(pattern).matches(event) is verdict


def test_of_an_array_of_records_one_is_enough_and_the_rest_may_be_anything() -> None:
    matcher = ArrayMatcher.of(Pattern.parse({"a": [1]}).branches)
    assert matcher.matches([2, "x", {"a": 1}])
    assert not matcher.matches([2, "x", {"b": 1}])


@pytest.mark.parametrize("view", [None, 1, "x", [], [{"a": 1}]])
def test_what_is_no_object_matches_nothing(view: object) -> None:
    assert not Pattern.parse({"a": [1]}).matches(view)
    assert not Pattern.parse({"a": [{"exists": False}]}).matches(view)


@pytest.mark.semantics("FILTER-02")
def test_filters_are_alternatives_and_none_takes_everything() -> None:
    filters = FilterSet.parse(['{"a": [1]}', {"b": [2]}])
    assert filters.matches({"a": 1})
    assert filters.matches({"b": 2})
    assert not filters.matches({"a": 2, "b": 1})
    assert FilterSet.parse([]).matches({})


@pytest.mark.parametrize(
    ("pattern", "shape"),
    [
        ('{"other": [1]}', RuleShape.NONE),
        ('{"bodyguard": [1]}', RuleShape.NONE),
        ('{"body": ["x"]}', RuleShape.PLAIN),
        ('{"body": {"a": [1]}}', RuleShape.JSON),
        ('{"body.a": [1]}', RuleShape.JSON),
        ('{"$or": [{"body": ["x"]}, {"other": [1]}]}', RuleShape.PLAIN),
        ('{"$or": [{"body": ["x"]}, {"body": {"a": [1]}}]}', RuleShape.BOTH),
        ('{"body": ["x"], "body": {"a": [1]}}', RuleShape.BOTH),
    ],
)
def test_what_a_pattern_expects_of_a_field(pattern: str, shape: RuleShape) -> None:
    assert Pattern.parse(pattern).shape("body") is shape
    assert Pattern.parse(pattern).touches("body") is (shape is not RuleShape.NONE)


@pytest.mark.semantics("FILTER-08")
@pytest.mark.parametrize("names", [2, 15, 16, 17, 18, 1300])
def test_paths_of_any_length(names: int) -> None:
    event: Any = 1
    for _ in range(names):
        event = {"ab": event}
    path = ".".join(["ab"] * names)
    assert Pattern.parse({path: [1]}).matches(event)
    assert Pattern.parse({path: [1]}).matches({path: 1})
    assert not Pattern.parse({path: [2]}).matches(event)
    assert not Pattern.parse({path: [{"exists": False}]}).matches([])


@pytest.mark.semantics("FILTER-07")
def test_a_deep_record_gives_a_verdict() -> None:
    deep: Any = {"b": 1}
    for _ in range(3000):
        deep = [deep]
    assert Pattern.parse({"a": {"b": [1]}}).matches({"a": deep})
    assert not Pattern.parse({"a": {"b": [2]}}).matches({"a": deep})


def test_many_elements_take_time_in_proportion() -> None:
    """Both rules stand in 20,000 elements, and only the last one has both. A quadratic search would pass the bound on
    steps, and then every record would match."""
    pattern = Pattern.parse({"a": {"x": [1], "y": [2]}})
    elements = [{"x": 1, "y": 0} if at % 2 else {"x": 0, "y": 2} for at in range(20_000)]
    assert not pattern.matches({"a": elements})
    assert pattern.matches({"a": [*elements, {"x": 1, "y": 2}]})


def test_a_search_beyond_the_bound_keeps_the_record() -> None:
    """The path `a.b` is spelled in two ways, each with its own array, so that choices multiply."""
    pattern = Pattern.parse({"a": {"b": {"x": [1], "y": [1], "z": [2]}}})

    def record(size: int) -> dict[str, Any]:
        return {"a": {"b": [*[{"x": 1}] * size, {"z": 2}]}, "a.b": [*[{"y": 1}] * size, {"z": 2}]}

    assert not pattern.matches(record(10))
    assert pattern.matches(record(round(MAX_CHOICES**0.5) + 1))

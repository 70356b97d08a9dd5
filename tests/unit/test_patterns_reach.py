"""Filters that can match nothing, by the fields of a source."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.dispatch.patterns.filters import Pattern
from headrace.dispatch.patterns.reach import Below, Fields, besides, unmet

FIELDS: Fields = {
    "body": Below.ANYTHING,
    "id": Below.TEXT,
    "at": Below.NUMBER,
    "about": {"key": Below.TEXT, "Keys": Below.ATTRIBUTES},
}


def why(pattern: Any) -> tuple[str, str] | None:
    found = unmet(Pattern.parse(pattern), FIELDS, "body")
    return (found.path, found.what) if found else None


@pytest.mark.parametrize(
    "pattern",
    [
        {"body": ["x"]},
        {"body": {"anything": {"at": ["all"]}}},
        {"body": {"n": [3]}, "id": ["x"]},
        {"id": ["x", 3]},
        {"at": [3, {"numeric": [">", 2]}]},
        {"at": ["x"]},
        {"nothing": [{"exists": False}]},
        {"id": {"below": [{"exists": False}]}},
        {"$or": [{"nothing": ["x"]}, {"body": ["x"]}]},
        {"about": {"key": ["x"], "Keys": {"id": {"S": ["x"]}}}},
        {"about": {"Keys": {"a.b": {"M": {"c": {"L": {"N": ["5"]}}}}}}},
        {"about": {"Keys": {"id": {"N": [{"prefix": "5"}]}}}},
        {"about": {"Keys": {"id": {"N": [5, "5"]}}}},
    ],
)
def test_what_can_match(pattern: Any) -> None:
    assert why(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "path", "what"),
    [
        ({"data": {"type": ["x"]}}, "data.type", "the records have no 'data'"),
        ({"type": ["x"]}, "type", "the records have no 'type'"),
        ({"bodyx": ["x"]}, "bodyx", "the records have no 'bodyx'"),
        ({"body": ["x"], "type": ["x"]}, "type", "the records have no 'type'"),
        ({"$or": [{"a": ["x"]}, {"b": ["x"]}]}, "a", "the records have no 'a'"),
        ({"id": {"x": ["y"]}}, "id.x", "'id' has nothing in it"),
        ({"id": [3]}, "id", "'id' is text, and the rule wants a number"),
        ({"about": ["x"]}, "about", "there is no 'about'"),
        ({"about": {"kee": ["x"]}}, "about.kee", "there is no 'about.kee'"),
        ({"about": {"Keys": {"id": ["x"]}}}, "about.Keys.id", "'about.Keys.id' names no type"),
        ({"about": {"Keys": {"S": ["x"]}}}, "about.Keys.S", "'about.Keys.S' names no type"),
        ({"about": {"Keys": {"id": {"s": ["x"]}}}}, "about.Keys.id.s", "'about.Keys.id.s' names no type"),
        ({"about": {"Keys": {"id": {"M": {"a": ["x"]}}}}}, "about.Keys.id.M.a", "'about.Keys.id.M.a' names no type"),
        (
            {"about": {"Keys": {"id": {"N": [{"numeric": [">", 5]}]}}}},
            "about.Keys.id.N",
            "'about.Keys.id.N' is text, as all numbers of DynamoDB",
        ),
    ],
)
def test_what_can_match_nothing(pattern: Any, path: str, what: str) -> None:
    assert why(pattern) == (path, what)


def test_what_is_read_beside_the_data() -> None:
    pattern = Pattern.parse({"body": {"a": ["x"]}, "$or": [{"id": ["x"]}, {"about": {"key": ["x"]}}, {"no": ["x"]}]})
    assert besides(pattern, FIELDS, "body") == ["about", "id"]

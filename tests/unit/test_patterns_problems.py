"""What is refused, with EventBridge's reason and the place inside the pattern."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from headrace.dispatch.patterns.errors import PatternError, PatternProblem
from headrace.dispatch.patterns.filters import FilterSet, Pattern
from headrace.dispatch.patterns.pattern_limits import DEFAULT_FILTERS, MAX_DEPTH, MAX_FILTERS, MAX_PATTERN_CHARS


def problems(source: object) -> list[PatternProblem]:
    with pytest.raises(PatternError) as caught:
        Pattern.parse(source)
    assert caught.value.problems
    return list(caught.value.problems)


MALFORMED: list[tuple[str, object, str, str]] = [
    ("FILTER-04", '"x"', "$", "Filter is not an object"),
    ("FILTER-04", "[]", "$", "Filter is not an object"),
    ("FILTER-04", None, "$", "Filter is not an object"),
    ("FILTER-04", "{", "$", "Invalid JSON"),
    ("FILTER-04", '{"a": [NaN]}', "$", "Invalid JSON: NaN"),
    ("FILTER-04", "{}", "$", "Empty objects are not allowed"),
    ("FILTER-04", {"a": {}}, "$.a", "Empty objects are not allowed"),
    ("FILTER-04", {"a": []}, "$.a", "Empty arrays are not allowed"),
    ("FILTER-04", {"eventSource": "aws:sqs"}, "$.eventSource", '"eventSource" must be an object or an array'),
    ("FILTER-04", {"body": "plain-string"}, "$.body", '"body" must be an object or an array'),
    ("FILTER-04", {"a": {"b": 1}}, "$.a.b", '"b" must be an object or an array'),
    ("FILTER-04", {"a": None}, "$.a", '"a" must be an object or an array'),
    ("FILTER-04", {"a b": {"c": True}}, '$["a b"].c', '"c" must be an object or an array'),
    ("FILTER-04", {"a": [["x"]]}, "$.a[0]", "Match value must be String, number, true, false, or null"),
    ("FILTER-04", {"a": ["x", {}]}, "$.a[1]", "Match expression name not found"),
    ("FILTER-04", {"a": [{"prefix": "x", "suffix": "y"}]}, "$.a[0].suffix", "Only one key allowed in match expression"),
    ("FILTER-11", {"a": [{"EXISTS": True}]}, "$.a[0].EXISTS", "Unrecognized match type EXISTS"),
    ("FILTER-04", {"a": [{"exactly": "x"}]}, "$.a[0].exactly", "Unrecognized match type exactly"),
    ("FILTER-04", '{"a": [1e999]}', "$", "Number out of range: 1e999"),
    ("FILTER-04", '{"a": [' + "9" * 400 + "]}", "$", "Number out of range"),
    ("FILTER-04", {"a": [float("inf")]}, "$.a[0]", "Number out of range"),
    ("FILTER-04", {"a": [10**400]}, "$.a[0]", "Number out of range"),
    ("FILTER-04", {"a": [datetime.date(2024, 1, 1)]}, "$.a[0]", "A date is not a JSON value"),
    ("FILTER-04", {"a": [b"x"]}, "$.a[0]", "A bytes is not a JSON value"),
    ("FILTER-04", {1: ["x"]}, "$", "A field name of type int is not a string"),
    ("FILTER-25", {"a": [{"prefix": 1}]}, "$.a[0].prefix", "prefix match pattern must be a string"),
    ("FILTER-25", {"a": [{"prefix": ["x"]}]}, "$.a[0].prefix", "prefix match pattern must be a string"),
    ("FILTER-25", {"a": [{"suffix": None}]}, "$.a[0].suffix", "suffix match pattern must be a string"),
    ("FILTER-25", {"a": [{"prefix": {}}]}, "$.a[0].prefix", "Prefix expression name not found"),
    ("FILTER-25", {"a": [{"prefix": {"suffix": "x"}}]}, "$.a[0].prefix.suffix", "Unsupported prefix pattern: suffix"),
    ("FILTER-25", {"a": [{"suffix": {"equals-ignore-case": 1}}]}, "$.a[0].suffix.equals-ignore-case",
     "equals-ignore-case match pattern must be a string"),
    ("FILTER-25", {"a": [{"prefix": {"equals-ignore-case": "x", "suffix": "y"}}]}, "$.a[0].prefix.suffix",
     "Only one key allowed in match expression"),
    ("FILTER-26", {"a": [{"equals-ignore-case": 1}]}, "$.a[0].equals-ignore-case",
     "equals-ignore-case match pattern must be a string"),
    ("FILTER-26", {"a": [{"equals-ignore-case": ["x"]}]}, "$.a[0].equals-ignore-case",
     "equals-ignore-case match pattern must be a string"),
    ("FILTER-27", {"a": [{"wildcard": 1}]}, "$.a[0].wildcard", "wildcard match pattern must be a string"),
    ("FILTER-27", {"a": [{"wildcard": "a**"}]}, "$.a[0].wildcard", "Consecutive wildcard characters at pos 2"),
    ("FILTER-27", {"a": [{"wildcard": "a\\b"}]}, "$.a[0].wildcard", "Invalid escape character at pos 2"),
    ("FILTER-27", {"a": [{"wildcard": "a\\"}]}, "$.a[0].wildcard", "Invalid escape character at pos 2"),
    ("FILTER-28", {"a": [{"numeric": 1}]}, "$.a[0].numeric", "Value of numeric must be an array."),
    ("FILTER-28", {"a": [{"numeric": []}]}, "$.a[0].numeric[0]", "Invalid member in numeric match"),
    ("FILTER-28", {"a": [{"numeric": ["!", 1]}]}, "$.a[0].numeric[0]", "Unrecognized numeric range operator: !"),
    ("FILTER-28", {"a": [{"numeric": ["<", "1"]}]}, "$.a[0].numeric[1]", "Value of < must be numeric"),
    ("FILTER-28", {"a": [{"numeric": ["<"]}]}, "$.a[0].numeric[1]", "Value of < must be numeric"),
    ("FILTER-28", {"a": [{"numeric": ["=", True]}]}, "$.a[0].numeric[1]", "Value of equals must be numeric"),
    ("FILTER-28", {"a": [{"numeric": [">", 1, ">", 2]}]}, "$.a[0].numeric[2]", "Bad numeric range operator: >"),
    ("FILTER-28", {"a": [{"numeric": ["<", 1, ">", 0]}]}, "$.a[0].numeric[2]", "Too many elements in numeric"),
    ("FILTER-28", {"a": [{"numeric": [">", 2, "<", 1]}]}, "$.a[0].numeric[3]", "Bottom must be less than top"),
    ("FILTER-28", {"a": [{"numeric": [">", 1, "<", 1]}]}, "$.a[0].numeric[3]", "Bottom must be less than top"),
    ("FILTER-28", {"a": [{"numeric": [">", 1, "<", 2, 3]}]}, "$.a[0].numeric[4]", "Too many terms in numeric range"),
    ("FILTER-28", {"a": [{"numeric": [">", 1, 2]}]}, "$.a[0].numeric[2]", "Bad value in numeric range"),
    ("FILTER-29", {"a": [{"exists": "true"}]}, "$.a[0].exists", "exists match pattern must be either true or false."),
    ("FILTER-30", {"a": [{"cidr": 1}]}, "$.a[0].cidr", "prefix match pattern must be a string"),
    ("FILTER-30", {"a": [{"cidr": "10.0.0.1"}]}, "$.a[0].cidr", "Malformed CIDR, one '/' required"),
    ("FILTER-30", {"a": [{"cidr": "10.0.0.1/2/3"}]}, "$.a[0].cidr", "Malformed CIDR, one '/' required"),
    ("FILTER-30", {"a": [{"cidr": "10.0.0.1/x"}]}, "$.a[0].cidr", "Malformed CIDR, mask bits must be an integer"),
    ("FILTER-30", {"a": [{"cidr": "10.0.0.1/²"}]}, "$.a[0].cidr", "Malformed CIDR, mask bits must be an integer"),
    ("FILTER-30", {"a": [{"cidr": "host/8"}]}, "$.a[0].cidr", "Nonstandard IP address: host"),
    ("FILTER-30", {"a": [{"cidr": "10.0.0.999/8"}]}, "$.a[0].cidr", "Nonstandard IP address: 10.0.0.999"),
    ("FILTER-30", {"a": [{"cidr": "10.0.0.1/32"}]}, "$.a[0].cidr", "IPv4 mask bits must be < 32"),
    ("FILTER-30", {"a": [{"cidr": "::1/128"}]}, "$.a[0].cidr", "IPv6 mask bits must be < 128"),
    ("FILTER-32", {"a": [{"anything-but": None}]}, "$.a[0].anything-but", "Value of anything-but must be an array or"),
    ("FILTER-32", {"a": [{"anything-but": True}]}, "$.a[0].anything-but", "Value of anything-but must be an array or"),
    ("FILTER-32", {"a": [{"anything-but": ["x", None]}]}, "$.a[0].anything-but[1]", "Inside anything but list, start|"),
    ("FILTER-32", {"a": [{"anything-but": [1, True]}]}, "$.a[0].anything-but[1]", "Inside anything but list, start|"),
    ("FILTER-32", {"a": [{"anything-but": ["x", 1]}]}, "$.a[0].anything-but", "Inside anything but list, either all"),
    ("FILTER-32", {"a": [{"anything-but": []}]}, "$.a[0].anything-but", "Inside anything but list, either all"),
    ("FILTER-32", {"a": [{"anything-but": {}}]}, "$.a[0].anything-but", "Anything-But expression name not found"),
    ("FILTER-32", {"a": [{"anything-but": {"numeric": [">", 1]}}]}, "$.a[0].anything-but.numeric",
     "Unsupported anything-but pattern: numeric"),
    ("FILTER-32", {"a": [{"anything-but": {"prefix": ""}}]}, "$.a[0].anything-but.prefix",
     "Null prefix/suffix not allowed"),
    ("FILTER-32", {"a": [{"anything-but": {"suffix": ["x", ""]}}]}, "$.a[0].anything-but.suffix[1]",
     "Null prefix/suffix not allowed"),
    ("FILTER-32", {"a": [{"anything-but": {"prefix": {"equals-ignore-case": "x"}}}]}, "$.a[0].anything-but.prefix",
     "prefix/suffix match pattern must be a string"),
    ("FILTER-32", {"a": [{"anything-but": {"equals-ignore-case": [1]}}]}, "$.a[0].anything-but.equals-ignore-case[0]",
     "Inside anything-but/equals-ignore-case list"),
    ("FILTER-32", {"a": [{"anything-but": {"equals-ignore-case": []}}]}, "$.a[0].anything-but.equals-ignore-case",
     "Empty arrays are not allowed"),
    ("FILTER-32", {"a": [{"anything-but": {"prefix": "x", "suffix": "y"}}]}, "$.a[0].anything-but.suffix",
     "Only one key allowed"),
    ("FILTER-32", {"a": [{"anything-but": {"wildcard": "**"}}]}, "$.a[0].anything-but.wildcard", "Consecutive"),
    ("FILTER-33", {"$or": {"a": [1]}}, "$.$or", "It must be an Array followed with $or."),
    ("FILTER-33", {"$or": [{"a": [1]}]}, "$.$or", "There must have at least 2 Objects in $or relationship."),
    ("FILTER-33", {"$or": [{"a": [1]}, 1]}, "$.$or[1]", "Only JSON object is allowed in array of $or relationship."),
    ("FILTER-33", {"$or": [{"a": [1]}, {}]}, "$.$or[1]", "Empty objects are not allowed"),
    ("FILTER-33", {"$or": [{"a": [1]}, {"prefix": ["x"]}]}, "$.$or[1].prefix", "prefix is Ruler reserved fieldName"),
    ("FILTER-33", {"$or": [{"a": [1]}, {"b": {"numeric": ["x"]}}]}, "$.$or[1].b.numeric", "numeric is Ruler reserved"),
]  # fmt: skip


@pytest.mark.semantics(*sorted({row[0] for row in MALFORMED}))
@pytest.mark.parametrize(
    ("source", "path", "reason"), [pytest.param(*row[1:], id=f"{at}") for at, row in enumerate(MALFORMED)]
)
def test_malformed(source: object, path: str, reason: str) -> None:
    (problem,) = problems(source)
    assert problem.path == path
    assert problem.reason.startswith(reason)
    assert problem.hint


def test_all_problems_at_once() -> None:
    found = problems({"a": "x", "b": [{"prefix": 1}, {"zzz": 1}], "c": {}})
    assert [problem.path for problem in found] == ["$.a", "$.b[0].prefix", "$.b[1].zzz", "$.c"]


def test_problems_of_a_list_name_the_filter() -> None:
    with pytest.raises(PatternError) as caught:
        FilterSet.parse(['{"a": [1]}', '{"a": []}', {"b": "x"}])
    assert [problem.path for problem in caught.value.problems] == ["[1].a", "[2].b"]
    assert "Empty arrays are not allowed" in str(caught.value)


WILDCARDS = [
    (["*:*:*:*:*:event-bus/*"], False),
    ([f"*/datasync/*.{suffix}" for suffix in ("bif", "tif")], True),
    ([f"*/datasync/*.{suffix}" for suffix in ("bif", "tif", "tiff", "svs")], False),
    ([f"*.{suffix}" for suffix in ("bif", "tif", "tiff", "svs")], True),
    (["*" + "$" * 12], False),
    (["*a*b*c*d*e*"], True),
    (["a*" * 40], False),
    ([r"\*" * 40], True),
]


@pytest.mark.semantics("FILTER-05")
@pytest.mark.parametrize(("texts", "fine"), WILDCARDS)
@pytest.mark.parametrize("inside", [False, True])
def test_wildcard_complexity(texts: list[str], fine: bool, inside: bool) -> None:
    rule: list[Any] = [{"anything-but": {"wildcard": texts}}] if inside else [{"wildcard": text} for text in texts]
    if fine:
        Pattern.parse({"a": rule})
        return
    (problem,) = problems({"a": rule})
    assert problem.path == "$.a"
    assert problem.reason.startswith("Rule is too complex - try using fewer wildcard characters or fewer repeating")


@pytest.mark.semantics("FILTER-05")
def test_alternatives_are_bounded() -> None:
    def ors(number: int) -> dict[str, Any]:
        return {f"f{at}": {"$or": [{"a": [1]}, {"b": [2]}]} for at in range(number)}

    assert len(Pattern.parse(ors(9)).branches) == 512
    (problem,) = problems(ors(10))
    assert problem.path == "$"
    assert problem.reason.startswith("$or gives more than 1000 alternatives")
    (problem,) = problems(ors(60))
    assert problem.reason.startswith("$or gives more than 1000 alternatives")
    many_rules = {**ors(8), **{f"x{at}": [at] for at in range(100)}}
    (problem,) = problems(many_rules)
    assert "more than 20000 rules" in problem.reason


@pytest.mark.semantics("FILTER-05")
def test_nesting_is_bounded() -> None:
    def nested(levels: int) -> str:
        return '{"a":' * levels + "[1]" + "}" * levels

    deepest: Any = Pattern.parse(nested(MAX_DEPTH - 1))
    assert deepest.branches
    for source in (nested(MAX_DEPTH), nested(600), '{"a": ["' + "{[" * 200 + '"]}'):
        if source.endswith('"]}'):
            Pattern.parse(source)
        else:
            (problem,) = problems(source)
            assert "nested deeper than 100 levels" in problem.reason
    cyclic: dict[str, Any] = {}
    cyclic["a"] = cyclic
    (problem,) = problems(cyclic)
    assert "nested deeper than 100 levels" in problem.reason


@pytest.mark.semantics("FILTER-03")
def test_length_is_bounded() -> None:
    text = json.dumps({"a": ["x" * (MAX_PATTERN_CHARS - len('{"a": [""]}'))]})
    assert len(text) == MAX_PATTERN_CHARS
    Pattern.parse(text)
    assert "longer than 4096" in problems(text + " ")[0].reason
    assert "longer than 4096" in problems({"a": ["x" * MAX_PATTERN_CHARS]})[0].reason
    laughs: Any = ["x"]
    for _ in range(30):
        laughs = [laughs, laughs]
    assert "longer than 4096" in problems({"a": laughs})[0].reason


@pytest.mark.semantics("FILTER-03")
def test_the_number_of_filters_is_bounded() -> None:
    assert DEFAULT_FILTERS == 5
    FilterSet.parse(['{"a": [1]}'] * MAX_FILTERS)
    with pytest.raises(PatternError, match="11 filters are more than 10"):
        FilterSet.parse(['{"a": [1]}'] * (MAX_FILTERS + 1))

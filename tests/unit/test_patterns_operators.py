"""Every operator and its traps, each row a pattern for one field `a` with a record and the verdict."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.dispatch.patterns import casing
from headrace.dispatch.patterns.arrays import ArrayMatcher
from headrace.dispatch.patterns.filters import Pattern

MISSING = object()
ROWS: list[tuple[str, Any, Any, bool]] = [
    # FILTER-20 literal strings
    ("FILTER-20", ["x"], "x", True),
    ("FILTER-20", ["x"], "X", False),
    ("FILTER-20", ["x"], " x", False),
    ("FILTER-20", ["x", "y"], "y", True),
    ("FILTER-20", [""], "", True),
    ("FILTER-20", [""], "x", False),
    ("FILTER-20", ["😀"], "😀", True),
    ("FILTER-20", ["x"], 1, False),
    ("FILTER-20", ["x"], MISSING, False),
    ("FILTER-20", ["x"], {"x": "x"}, False),
    ("FILTER-20", ["\ud800"], "\ud800", True),
    # FILTER-21 addresses as literals
    ("FILTER-21", ["10.0.0.1"], "10.0.0.1", True),
    ("FILTER-21", ["10.0.0.1"], "10.0.0.01", True),
    ("FILTER-21", ["10.0.0.1"], "10.0.0.2", False),
    ("FILTER-21", ["::1"], "0:0:0:0:0:0:0:1", True),
    ("FILTER-21", ["::ffff:a00:1"], "10.0.0.1", True),
    ("FILTER-21", ["10.0.0.999"], "10.0.0.999", True),
    ("FILTER-21", ["10.0.0.1"], 10, False),
    # FILTER-22 numbers
    ("FILTER-22", [300], 300.0, True),
    ("FILTER-22", [300], 3e2, True),
    ("FILTER-22", [300], "300", False),
    ("FILTER-22", ["300"], 300, False),
    ("FILTER-22", [0], -0.0, True),
    ("FILTER-22", [9007199254740993], 9007199254740992, True),
    ("FILTER-22", [0.1], 0.1, True),
    ("FILTER-22", [1], 10**400, False),
    ("FILTER-22", [1e300], 1e300, True),
    # FILTER-23 booleans
    ("FILTER-23", [True], True, True),
    ("FILTER-23", [True], 1, False),
    ("FILTER-23", [1], True, False),
    ("FILTER-23", [0], False, False),
    ("FILTER-23", [False], 0, False),
    ("FILTER-23", [True], "true", False),
    # FILTER-24 null
    ("FILTER-24", [None], None, True),
    ("FILTER-24", [None], "null", False),
    ("FILTER-24", [None], MISSING, False),
    ("FILTER-24", [None], [], False),
    ("FILTER-24", [None], [None], True),
    ("FILTER-24", [None], {}, False),
    ("FILTER-24", [None], 0, False),
    # FILTER-25 prefix and suffix
    ("FILTER-25", [{"prefix": "ab"}], "abc", True),
    ("FILTER-25", [{"prefix": "ab"}], "Abc", False),
    ("FILTER-25", [{"prefix": "1"}], 12, False),
    ("FILTER-25", [{"prefix": ""}], "x", True),
    ("FILTER-25", [{"prefix": ""}], "", True),
    ("FILTER-25", [{"prefix": ""}], 1, False),
    ("FILTER-25", [{"prefix": ""}], None, False),
    ("FILTER-25", [{"prefix": {"equals-ignore-case": "AB"}}], "aBc", True),
    ("FILTER-25", [{"prefix": {"equals-ignore-case": "AB"}}], "a", False),
    ("FILTER-25", [{"suffix": "bc"}], "abc", True),
    ("FILTER-25", [{"suffix": "bc"}], "abC", False),
    ("FILTER-25", [{"suffix": ""}], "", True),
    ("FILTER-25", [{"suffix": {"equals-ignore-case": "BC"}}], "abC", True),
    ("FILTER-25", [{"suffix": {"equals-ignore-case": "É"}}], "café", True),
    ("FILTER-25", [{"suffix": {"equals-ignore-case": "ß"}}], "grüSS", True),
    ("FILTER-25", [{"suffix": {"equals-ignore-case": "ΐx"}}], "aX" + "ΐ".upper() + "X", True),
    ("FILTER-25", [{"suffix": {"equals-ignore-case": "éa"}}], "é", False),
    ("FILTER-25", [{"suffix": {"equals-ignore-case": "abc"}}], "bc", False),
    ("FILTER-25", [{"suffix": {"equals-ignore-case": ""}}], "abc", True),
    # FILTER-26 equals-ignore-case
    ("FILTER-26", [{"equals-ignore-case": "aBc"}], "AbC", True),
    ("FILTER-26", [{"equals-ignore-case": "aBc"}], "AbCd", False),
    ("FILTER-26", [{"equals-ignore-case": ""}], "", True),
    ("FILTER-26", [{"equals-ignore-case": "ß"}], "SS", True),
    ("FILTER-26", [{"equals-ignore-case": "ss"}], "ß", False),
    ("FILTER-26", [{"equals-ignore-case": "k"}], "\u212a", False),
    ("FILTER-26", [{"equals-ignore-case": "a.c"}], "abc", False),
    ("FILTER-26", [{"equals-ignore-case": "é.c"}], "ébc", False),
    ("FILTER-26", [{"equals-ignore-case": "true"}], True, False),
    # FILTER-27 wildcards
    ("FILTER-27", [{"wildcard": "a*c"}], "abbc", True),
    ("FILTER-27", [{"wildcard": "a*c"}], "ac", True),
    ("FILTER-27", [{"wildcard": "a*c"}], "acb", False),
    ("FILTER-27", [{"wildcard": "ab*bc"}], "abc", False),
    ("FILTER-27", [{"wildcard": "*b*"}], "abc", True),
    ("FILTER-27", [{"wildcard": "*b*b"}], "abc", False),
    ("FILTER-27", [{"wildcard": "a*bc*c"}], "abc", False),
    ("FILTER-27", [{"wildcard": "*b*b*"}], "abc", False),
    ("FILTER-27", [{"wildcard": "*b*b*"}], "abcb", True),
    ("FILTER-27", [{"wildcard": "a*"}], "a\nb", True),
    ("FILTER-27", [{"wildcard": r"a\*c"}], "a*c", True),
    ("FILTER-27", [{"wildcard": r"a\*c"}], "abc", False),
    ("FILTER-27", [{"wildcard": r"a\\*"}], "a\\b", True),
    ("FILTER-27", [{"wildcard": ""}], "", True),
    ("FILTER-27", [{"wildcard": ""}], "x", False),
    ("FILTER-27", [{"wildcard": "*"}], 1, False),
    # FILTER-28 numeric
    ("FILTER-28", [{"numeric": [">", 100]}], 101.0, True),
    ("FILTER-28", [{"numeric": [">", 100]}], 100, False),
    ("FILTER-28", [{"numeric": [">=", 100]}], 100, True),
    ("FILTER-28", [{"numeric": ["<", 100]}], 100, False),
    ("FILTER-28", [{"numeric": ["<=", 100]}], 100, True),
    ("FILTER-28", [{"numeric": ["=", 100]}], 100.0, True),
    ("FILTER-28", [{"numeric": ["=", 100]}], 101, False),
    ("FILTER-28", [{"numeric": [">", 0, "<=", 5]}], 5, True),
    ("FILTER-28", [{"numeric": [">", 0, "<=", 5]}], 0, False),
    ("FILTER-28", [{"numeric": [">=", 0, "<", 5]}], 5, False),
    ("FILTER-28", [{"numeric": [">", 100]}], "300", False),
    ("FILTER-28", [{"numeric": [">", 0]}], None, False),
    ("FILTER-28", [{"numeric": [">=", 0]}], True, False),
    ("FILTER-28", [{"numeric": [">", 0]}], 10**400, True),
    ("FILTER-28", [{"numeric": ["<", 0]}], MISSING, False),
    # FILTER-29 exists
    ("FILTER-29", [{"exists": True}], "x", True),
    ("FILTER-29", [{"exists": True}], None, True),
    ("FILTER-29", [{"exists": True}], False, True),
    ("FILTER-29", [{"exists": True}], MISSING, False),
    ("FILTER-29", [{"exists": True}], {"b": 1}, False),
    ("FILTER-29", [{"exists": True}], [], False),
    ("FILTER-29", [{"exists": True}], [{}], False),
    ("FILTER-29", [{"exists": True}], [1], True),
    ("FILTER-29", [{"exists": False}], MISSING, True),
    ("FILTER-29", [{"exists": False}], {"b": 1}, True),
    ("FILTER-29", [{"exists": False}], {}, True),
    ("FILTER-29", [{"exists": False}], [], True),
    ("FILTER-29", [{"exists": False}], None, False),
    ("FILTER-29", [{"exists": False}, "x"], "x", True),
    ("FILTER-29", [{"exists": False}, "x"], "y", False),
    # FILTER-30 cidr
    ("FILTER-30", [{"cidr": "10.0.0.0/24"}], "10.0.0.255", True),
    ("FILTER-30", [{"cidr": "10.0.0.0/24"}], "10.0.1.0", False),
    ("FILTER-30", [{"cidr": "10.0.0.7/24"}], "10.0.0.1", True),
    ("FILTER-30", [{"cidr": "0.0.0.0/0"}], "200.1.2.3", True),
    ("FILTER-30", [{"cidr": "0.0.0.0/0"}], "::1", False),
    ("FILTER-30", [{"cidr": "0.0.0.0/0"}], "host", False),
    ("FILTER-30", [{"cidr": "0.0.0.0/0"}], 7, False),
    ("FILTER-30", [{"cidr": "0.0.0.0/0"}], "1.2.3.4.5", False),
    ("FILTER-30", [{"cidr": "2001:db8::/32"}], "2001:DB8:1::", True),
    ("FILTER-30", [{"cidr": "2001:db8::/32"}], "2001:db9::", False),
    ("FILTER-30", [{"cidr": "::/0"}], "10.0.0.1", False),
    ("FILTER-30", [{"cidr": "::/0"}], "1:2:3:4:5:6:7:8:9", False),
    # FILTER-31 anything-but
    ("FILTER-31", [{"anything-but": "x"}], "y", True),
    ("FILTER-31", [{"anything-but": "x"}], "x", False),
    ("FILTER-31", [{"anything-but": "x"}], MISSING, False),
    ("FILTER-31", [{"anything-but": "x"}], [], False),
    ("FILTER-31", [{"anything-but": "x"}], {"b": "y"}, False),
    ("FILTER-31", [{"anything-but": "x"}], None, True),
    ("FILTER-31", [{"anything-but": "x"}], 1, True),
    ("FILTER-31", [{"anything-but": "1"}], 1, True),
    ("FILTER-31", [{"anything-but": ["x", "y"]}], "y", False),
    ("FILTER-31", [{"anything-but": ["x", "y"]}], ["x", "z"], True),
    ("FILTER-31", [{"anything-but": 1}], 1.0, False),
    ("FILTER-31", [{"anything-but": 1}], "1", True),
    ("FILTER-31", [{"anything-but": 1}], True, True),
    ("FILTER-31", [{"anything-but": 0}], False, True),
    ("FILTER-31", [{"anything-but": [1, 2]}], 3, True),
    ("FILTER-31", [{"anything-but": {"prefix": "init"}}], 12, True),
    ("FILTER-31", [{"anything-but": {"prefix": "init"}}], "initial", False),
    ("FILTER-31", [{"anything-but": {"prefix": ["a", "b"]}}], "bc", False),
    ("FILTER-31", [{"anything-but": {"suffix": "c"}}], "abc", False),
    ("FILTER-31", [{"anything-but": {"suffix": "c"}}], None, True),
    ("FILTER-31", [{"anything-but": {"equals-ignore-case": ["A"]}}], "a", False),
    ("FILTER-31", [{"anything-but": {"equals-ignore-case": "A"}}], "b", True),
    ("FILTER-31", [{"anything-but": {"wildcard": "*.txt"}}], "a.txt", False),
    ("FILTER-31", [{"anything-but": {"wildcard": ""}}], "x", True),
    ("FILTER-31", [{"anything-but": {"wildcard": ""}}], "", False),
    ("FILTER-31", [{"anything-but": {"wildcard": "*"}}], MISSING, False),
    ("FILTER-31", [{"anything-but": ["roses"]}, {"exists": False}], "lilies", True),
    ("FILTER-31", [{"anything-but": ["roses"]}, {"exists": False}], "roses", False),
    ("FILTER-31", [{"anything-but": ["roses"]}, {"exists": False}], MISSING, True),
]


@pytest.mark.parametrize(
    ("rule", "value", "verdict"), [pytest.param(*row[1:], id=f"{at}") for at, row in enumerate(ROWS)]
)
@pytest.mark.semantics(*sorted({row[0] for row in ROWS}))
def test_one_rule_on_one_leaf(rule: Any, value: Any, verdict: bool) -> None:
    event = {} if value is MISSING else {"a": value}
    pattern = Pattern.parse({"a": rule})
    assert pattern.matches(event) is verdict
    assert Pattern.parse(json.dumps({"a": rule})).matches(event) is verdict
    assert ArrayMatcher.of(pattern.branches).matches(event) is verdict


@pytest.mark.parametrize(
    ("rule", "value", "verdict"), [pytest.param(*row[1:], id=f"{at}") for at, row in enumerate(ROWS)]
)
def test_the_same_inside_one_of_two_alternatives(rule: Any, value: Any, verdict: bool) -> None:
    """Patterns with several branches are compiled another way."""
    event = {"other": 1} if value is MISSING else {"a": value, "other": 1}
    assert Pattern.parse({"$or": [{"b": ["no"]}, {"a": rule, "other": [1]}]}).matches(event) is verdict


@pytest.mark.parametrize(
    ("rule", "value", "verdict"), [pytest.param(*row[1:], id=f"{at}") for at, row in enumerate(ROWS)]
)
def test_the_same_in_an_array_of_objects(rule: Any, value: Any, verdict: bool) -> None:
    event = {"list": [{}] if value is MISSING else [{"a": value}]}
    assert Pattern.parse({"list": {"a": rule}}).matches(event) is verdict


def test_no_letter_has_a_longer_other_case_than_assumed() -> None:
    longest = max(len(case) for letter in map(chr, range(0x110000)) for case in (letter.lower(), letter.upper()))
    assert longest == casing._LONGEST

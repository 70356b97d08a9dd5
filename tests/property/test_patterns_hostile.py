"""Patterns written to break out of the generated source, or to exhaust us: refused, or compiled without their text."""

from __future__ import annotations

import ast
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dispatch.patterns.compile import NAMES, compile_branches, compiles_arrays
from headrace.dispatch.patterns.compile_arrays import ArrayWriter
from headrace.dispatch.patterns.conditions import Conditions
from headrace.dispatch.patterns.errors import PatternError, PatternProblem
from headrace.dispatch.patterns.filters import Pattern
from support.counts import count

SEED = 41_000

NASTY = [
    '"', "'", '"""', "'''", "\n", "\r\n", "\u2028", "\x00", "\\", "\\n", "{", "}", "{}", "{0}", "{view}", "%s", "$",
    "__builtins__", "__class__", "__import__('os')", "general", "missing", "view", "c0", "v1", "lambda: 0", "#",
    "return True", "); raise SystemExit  #", '"]); import os; os._exit(1)  #', "\n    raise SystemExit\n",
    "é", "ｖｉｅｗ", "µ", "😀",
    "\ud800", "\udfff\ud800", "\u202e", "a.b", ".", "..", "a" * 300, "." * 1200, "a." * 20,
    "$or", "exists", "prefix", "", " ",
]  # fmt: skip


class Hostile:
    """Draws documents that look like patterns, out of texts chosen to hurt."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def pattern(self) -> object:
        kind = self.random.random()
        if kind < 0.1:
            return self.broken()
        if kind < 0.15:
            return '{"a":' * (deep := self.random.choice([50, 99, 101, 600, 50_000])) + "[1]" + "}" * deep
        if kind < 0.2:
            return {"$or": [self.object(1) for _ in range(self.random.choice([0, 1, 2, 50, 2000]))]}
        if kind < 0.25:
            return {f"x{at}": {"$or": [{"a": [1]}, {"b": [2]}]} for at in range(self.random.choice([3, 9, 15, 60]))}
        document = self.object(self.random.choice([1, 2, 3]))
        return document if self.random.random() < 0.5 else json.dumps(document)

    def broken(self) -> object:
        text = json.dumps(self.object(2))
        cut = self.random.randint(0, len(text))
        return self.random.choice(
            [text[:cut], text[:cut] + self.text() + text[cut:], None, 7, [], float("nan"), self.text(), b"{}", object()]
        )

    def text(self) -> str:
        return "".join(self.random.choice(NASTY) for _ in range(self.random.choice([1, 1, 2, 3])))

    def object(self, depth: int) -> dict[str, Any]:
        return {
            self.text(): self.object(depth - 1) if depth and self.random.random() < 0.4 else self.rule()
            for _ in range(self.random.choice([1, 1, 2, 3]))
        }

    def rule(self) -> list[Any]:
        return [self.element() for _ in range(self.random.choice([1, 1, 2, 4]))]

    def element(self) -> Any:
        text, random = self.text(), self.random
        return random.choice([
            text, text, random.choice([0, -1, 1e308, -0.0, 2**70, 10**300, True, None]),
            random.choice([float("nan"), float("inf"), 10**400, [text]]) if random.random() < 0.2 else 1.5,
            {"prefix": text}, {"suffix": text}, {"equals-ignore-case": text}, {"wildcard": text},
            {"wildcard": "*" + text.replace("\\", "")}, {"prefix": {"equals-ignore-case": text}}, {"exists": True},
            {"exists": False}, {"anything-but": [text, text]}, {"anything-but": {"prefix": text}}, {"cidr": text},
            {"numeric": [">", -1e308]}, {"numeric": [random.choice(["=", text]), 1]}, {text: text},
        ])  # fmt: skip


def parsed(source: object) -> Pattern | tuple[PatternProblem, ...]:
    try:
        return Pattern.parse(source)
    except PatternError as error:
        return error.problems


def assert_holds_only_our_names(source: str) -> None:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.FunctionDef(name=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                assert NAMES.fullmatch(name), name
            case ast.Constant(value=value):
                assert value is True or value is False, value
            case ast.Import() | ast.ImportFrom() | ast.Lambda() | ast.JoinedStr() | ast.Global() | ast.ClassDef():
                raise AssertionError(ast.dump(node))
            case _:
                pass
    assert source.isascii()


EVENTS: list[Any] = [{}, {"a": 1}, {"": {"": ""}}, [], None, "x", {"view": {"view": "view"}}]


@pytest.mark.semantics("FILTER-06")
def test_hostile_patterns_are_refused_or_compiled_without_their_text() -> None:
    hostile = Hostile(SEED)
    number = count(500, 10_000)
    print(f"seed {SEED}, {number} patterns")
    compiled = refused = 0
    for index in range(number):
        source = hostile.pattern()
        pattern = parsed(source)
        if isinstance(pattern, tuple):
            refused += 1
            assert pattern, (index, source)
            assert all(problem.path and problem.reason and problem.hint for problem in pattern), (index, source)
        else:
            compiled += 1
            assert_holds_only_our_names(pattern.compiled.source)
            if compiles_arrays(pattern.branches):
                assert_holds_only_our_names(ArrayWriter(Conditions()).source(pattern.branches)[0])
            assert all(pattern.matches(event) in (True, False) for event in [*EVENTS, _view_of(source)])
    assert min(compiled, refused) > number // 10, (compiled, refused)


def _view_of(source: object) -> Any:
    """The pattern itself as a record: it holds all of the pattern's own field names."""
    try:
        return json.loads(source) if isinstance(source, str) else source
    except (ValueError, RecursionError):
        return source


@pytest.mark.semantics("FILTER-06")
def test_the_source_depends_on_the_shape_alone() -> None:
    """Two patterns of one shape give the same source, whatever they say."""

    def source(name: str, text: str) -> str:
        return Pattern.parse({name: {"x": [text, {"prefix": text}]}, "~": [{"anything-but": text}]}).compiled.source

    assert (
        len({source(name, text) for name in ("a", "__class__", '"\n', "{view}") for text in ("b", "'''", "\ud800")})
        == 1
    )


def test_the_check_can_fail() -> None:
    for source in ("def matches(view):\n    return user\n", 'def matches(view):\n    return "text"\n', "import os\n"):
        with pytest.raises(AssertionError):
            assert_holds_only_our_names(source)


def test_generated_code_has_no_builtins() -> None:
    matcher = compile_branches(Pattern.parse({"a": [1]}).branches).matches
    assert getattr(matcher, "__globals__")["__builtins__"] == {}  # noqa: B009


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.text() | json_values)
def test_any_value_is_a_pattern_or_a_problem(source: Any) -> None:
    pattern = parsed(source)
    assert pattern
    if isinstance(pattern, Pattern):
        assert_holds_only_our_names(pattern.compiled.source)


@given(json_values)
def test_any_value_is_a_record(view: Any) -> None:
    patterns = [
        {"a": [{"exists": False}]},
        {"": [{"numeric": [">", 0]}, "x"]},
        {"$or": [{"0": [None]}, {"": {"": [0]}}]},
    ]
    for pattern in patterns:
        assert Pattern.parse(pattern).matches(view) in (True, False)

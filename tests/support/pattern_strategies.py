"""Random well-formed patterns with events that they often take. For the tests that compare opinions on patterns.

`pair(random)` draws an event first and then a pattern that was made to fit some of its leaves, so that a good part of
the pairs matches; `strategies` at the end wraps the same draw for Hypothesis, which then can shrink a failure.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from headrace.dispatch.patterns.errors import PatternError
from headrace.dispatch.patterns.filters import Pattern

KEYS = ["a", "b", "c", "Type", "a.b", "b.c", "x y", "é"]
PLAIN_KEYS = ["a", "b", "c", "Type"]
TEXTS = [
    "", "a", "A", "ab", "aB", "abc", "ABC", "abcabc", "order", "Order", "order-7", "*", "a*c", "\\", "a\\b", '"',
    "null", "true", "300", "é", "É", "ß", "SS", "k", "\u212a", "😀", "a\nb", "10.0.0.1", "10.0.0.01", "10.0.1.200",
    "192.168.7.9", "::1", "0:0:0:0:0:0:0:1", "2001:db8::7", "::ffff:a00:1", "999.1.1.1",
]  # fmt: skip
NUMBERS: list[int | float] = [0, 1, -1, 7, 300, 300.0, 3e2, 0.1, 0.25, -2.5, 101.0, 123456789012, 4999999999.5, 1e10]
BLOCKS = ["10.0.0.0/24", "10.0.0.7/8", "0.0.0.0/0", "192.168.0.0/16", "2001:db8::/32", "::/0", "::1/127", "1.2.3.4/31"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A pattern's JSON text, an event, and which operators the pattern uses."""

    pattern: str
    event: dict[str, Any]
    operators: frozenset[str]


def pair(random: Random) -> Pair:
    """One random pattern with an event."""
    event = _object(random, 3)
    return _pair_of(random, event, list(_leaves(event, "")))


def near_pair(random: Random, event: dict[str, Any]) -> Pair:
    """One random pattern for an event, of which some paths lack their beginning or their end."""
    leaves = [(_mangled(random, path), value) for path, value in _leaves(event, "")]
    return _pair_of(random, event, leaves)


def a_value(random: Random, depth: int) -> Any:
    """Any JSON value."""
    return _value(random, depth)


def _mangled(random: Random, path: str) -> str:
    names = path.split(".")
    kind = random.random()
    if kind < 0.7 or len(names) == 1:
        return path
    return ".".join(names[1:] if kind < 0.8 else names[:-1] if kind < 0.9 else [*names, "a"])


def _pair_of(random: Random, event: dict[str, Any], leaves: list[tuple[str, Any]]) -> Pair:
    used: Counter[str] = Counter()
    pattern = json.dumps(_pattern(random, leaves, used, 2))
    while _beyond_bounds(pattern):
        used.clear()
        pattern = json.dumps(_pattern(random, leaves, used, 0))
    return Pair(pattern, event, frozenset(used))


def array_pair(random: Random) -> Pair:
    """One random pattern of a few rules on fields of objects in arrays, with an event in which each field is an array
    of objects, and few names hold dots."""
    event = {key: _array(random, 3) for key in random.sample(PLAIN_KEYS, random.choice([1, 2]))}
    leaves = [leaf for key, array in event.items() for leaf in _leaves(array, key)]
    used: Counter[str] = Counter()
    pattern: dict[str, Any] = {}
    for _ in range(random.choice([1, 2, 2, 3, 4])):
        path, value = _target(random, leaves)
        _insert(random, pattern, path, _rule(random, value, used))
    text = json.dumps(pattern)
    return array_pair(random) if _beyond_bounds(text) else Pair(text, event, frozenset(used))


def literal_pair(random: Random) -> Pair:
    """As `array_pair`, with one rule more that asks for a literal at one of the fields."""
    case = array_pair(random)
    literal: list[Any] = [random.choice([*TEXTS, True, False, None])]
    if random.random() < 0.6:
        leaves = [value for _, value in _leaves(case.event, "") if isinstance(value, str)]
        literal = [random.choice(leaves or ["a"])]
    rule = literal if random.random() < 0.6 else [{random.choice(["prefix", "suffix"]): str(literal[0])}]
    paths = [path for path, value in _leaves(case.event, "") if value == literal[0]] or ["a.b"]
    pattern: dict[str, Any] = {}
    _insert(random, pattern, random.choice(paths), rule)
    if random.random() < 0.5:
        pattern = {**json.loads(case.pattern), **pattern}
    text = json.dumps(pattern)
    return literal_pair(random) if _beyond_bounds(text) else Pair(text, case.event, case.operators)


def _array(random: Random, depth: int) -> list[Any]:
    return [_element(random, depth) for _ in range(random.choice([1, 2, 2, 3, 4]))]


def _element(random: Random, depth: int) -> Any:
    if random.random() < 0.1:
        return _value(random, 1)
    keys = random.sample(KEYS if random.random() < 0.1 else PLAIN_KEYS, random.choice([1, 2, 3]))
    return {key: _array(random, depth - 1) if depth and random.random() < 0.3 else _scalar(random) for key in keys}


def _beyond_bounds(pattern: str) -> bool:
    """Whether a pattern is refused for its length or its wildcards. Any other refusal of it is a fault."""
    try:
        Pattern.parse(pattern)
    except PatternError as refused:
        if all("too complex" in one.reason or "longer than" in one.reason for one in refused.problems):
            return True
        raise
    return False


def _object(random: Random, depth: int) -> dict[str, Any]:
    size = random.choice([0, 1, 2, 2, 3, 4]) if depth < 3 else random.randint(1, 4)
    return {key: _value(random, depth - 1) for key in random.sample(KEYS, size)}


def _value(random: Random, depth: int) -> Any:
    kind = random.random()
    if depth > 0 and kind < 0.35:
        return _object(random, depth)
    if depth > 0 and kind < 0.55:
        return [_value(random, depth - 1) for _ in range(random.choice([0, 1, 2, 2, 3]))]
    return _scalar(random)


def _scalar(random: Random) -> Any:
    kind = random.random()
    if kind < 0.65:
        return random.choice(TEXTS)
    if kind < 0.87:
        return random.choice(NUMBERS)
    return random.choice([True, False, None])


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path, value


def _pattern(random: Random, leaves: list[tuple[str, Any]], used: Counter[str], ors: int) -> dict[str, Any]:
    pattern: dict[str, Any] = {}
    for _ in range(random.choice([1, 1, 1, 2, 2, 3])):
        path, value = _target(random, leaves)
        _insert(random, pattern, path, _rule(random, value, used))
    if ors and random.random() < 0.15:
        used["$or"] += 1
        pattern["$or"] = [_pattern(random, leaves, used, ors - 1) for _ in range(random.choice([2, 2, 3]))]
    return pattern


_ABSENT = object()


def _target(random: Random, leaves: list[tuple[str, Any]]) -> tuple[str, Any]:
    if leaves and random.random() < 0.88:
        return random.choice(leaves)
    return ".".join(random.sample(KEYS, random.choice([1, 1, 2]))), _ABSENT


def _insert(random: Random, pattern: dict[str, Any], path: str, rule: list[Any]) -> None:
    """Writes a rule at a path, cut into field names at some of its dots."""
    names = [""]
    for part in path.split("."):
        if names == [""]:
            names = [part]
        elif random.random() < 0.3:
            names[-1] += f".{part}"
        else:
            names.append(part)
    node = pattern
    for name in names[:-1]:
        inner = node.setdefault(name, {})
        if not isinstance(inner, dict):
            inner = node[name] = {}
        node = inner
    node[names[-1]] = rule


def _rule(random: Random, value: Any, used: Counter[str]) -> list[Any]:
    rule = []
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        name = random.choice(list(OPERATORS)) if random.random() < 0.5 or value is _ABSENT else _fitting(random, value)
        used[name] += 1
        aim = value if random.random() < 0.8 else _scalar(random)
        rule.append(OPERATORS[name](random, aim))
    return rule


def _fitting(random: Random, value: Any) -> str:
    """An operator that can take this leaf."""
    if isinstance(value, str):
        address = value[:1].isdigit() or ":" in value
        return random.choice([*_TEXT_OPERATORS, "cidr", "address"] if address else _TEXT_OPERATORS)
    if isinstance(value, bool) or value is None:
        return random.choice(["constant", "exists", "anything-but text", "anything-but number"])
    return random.choice(["number", "numeric", "numeric range", "exists", "anything-but number", "anything-but text"])


def _text(random: Random, value: Any) -> str:
    return value if isinstance(value, str) else random.choice(TEXTS)


def _number(random: Random, value: Any) -> float:
    number = not isinstance(value, bool) and isinstance(value, (int, float))
    return value if number else random.choice(NUMBERS)


def _part(random: Random, value: Any) -> tuple[str, int]:
    text = _text(random, value)
    return text, random.randint(0, len(text))


def _head(random: Random, value: Any) -> str:
    text, cut = _part(random, value)
    return text[:cut]


def _tail(random: Random, value: Any) -> str:
    text, cut = _part(random, value)
    return text[cut:]


def _swapped(random: Random, text: str) -> str:
    return "".join(letter.swapcase() if random.random() < 0.5 else letter for letter in text)


def _wildcard(random: Random, value: Any) -> str:
    text = _text(random, value)
    first, second, third, fourth = sorted(random.randint(0, len(text)) for _ in range(4))
    parts = [text[:first], text[second:third], text[fourth:]]
    if not parts[1]:
        del parts[1]  # two stars in a row are no wildcard
    return "*".join(part.replace("\\", "\\\\").replace("*", "\\*") for part in parts)


def _range(random: Random, value: Any) -> list[Any]:
    low, high = sorted(random.sample([-100.5, -1, 0, 0.1, 1, 7, 299, 300, 301, 5e9, 2e12], 2))
    return [random.choice([">", ">="]), low, random.choice(["<", "<="]), high]


def _one_sided(random: Random, value: Any) -> list[Any]:
    return [random.choice(["=", "<", "<=", ">", ">="]), _number(random, value)]


def _one_or_list(random: Random, first: Any, others: list[Any]) -> Any:
    return first if random.random() < 0.5 else [first, *random.sample(others, random.randint(0, 2))]


def _not_empty(text: str) -> str:
    return text or "zz"


OPERATORS: dict[str, Callable[[Random, Any], Any]] = {
    "text": _text,
    "address": lambda r, v: r.choice(["10.0.0.1", "::1", "10.0.0.01", "::ffff:a00:1", "0:0::1", "2001:DB8::7"]),
    "number": _number,
    "constant": lambda r, v: v if isinstance(v, bool) or v is None else r.choice([True, False, None]),
    "prefix": lambda r, v: {"prefix": _head(r, v)},
    "suffix": lambda r, v: {"suffix": _tail(r, v)},
    "prefix equals-ignore-case": lambda r, v: {"prefix": {"equals-ignore-case": _swapped(r, _head(r, v))}},
    "suffix equals-ignore-case": lambda r, v: {"suffix": {"equals-ignore-case": _swapped(r, _tail(r, v))}},
    "equals-ignore-case": lambda r, v: {"equals-ignore-case": _swapped(r, _text(r, v))},
    "wildcard": lambda r, v: {"wildcard": _wildcard(r, v)},
    "numeric": lambda r, v: {"numeric": _one_sided(r, v)},
    "numeric range": lambda r, v: {"numeric": _range(r, v)},
    "exists": lambda r, v: {"exists": r.random() < 0.5},
    "cidr": lambda r, v: {"cidr": r.choice(BLOCKS)},
    "anything-but text": lambda r, v: {"anything-but": _one_or_list(r, _text(r, v), TEXTS)},
    "anything-but number": lambda r, v: {"anything-but": _one_or_list(r, _number(r, v), NUMBERS)},
    "anything-but prefix": lambda r, v: {
        "anything-but": {"prefix": _one_or_list(r, _not_empty(_head(r, v)), ["b"] * 2)}
    },
    "anything-but suffix": lambda r, v: {
        "anything-but": {"suffix": _one_or_list(r, _not_empty(_tail(r, v)), ["b"] * 2)}
    },
    "anything-but equals-ignore-case": lambda r, v: {
        "anything-but": {"equals-ignore-case": _one_or_list(r, _swapped(r, _text(r, v)), TEXTS)}
    },
    "anything-but wildcard": lambda r, v: {
        "anything-but": {"wildcard": _one_or_list(r, _wildcard(r, v), ["a*", "*c"])}
    },
}
"""Every operator of the language with a draw of its operand that often fits the value."""

_TEXT_OPERATORS = [
    name for name in OPERATORS if name not in ("address", "number", "constant", "numeric", "numeric range", "cidr")
]


def pairs() -> st.SearchStrategy[Pair]:
    """The same draw for Hypothesis."""
    return st.randoms(use_true_random=False).map(pair)

"""A second opinion on EventBridge patterns: slow, short, and written without a look at the product's engine.

The event becomes a list of (path, value, {array: element}); a pattern becomes a list of {path: [rule, …]}; matching
tries every choice. It takes only well-formed patterns.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

Leaf = tuple[str, Any, dict[int, int]]
Alternative = dict[str, list[Any]]


def matches(pattern_text: str, event: Any) -> bool:
    """Whether a well-formed pattern takes an event."""
    if not isinstance(event, dict):
        return False
    leaves = list(_flatten(event, [], {}, [0]))
    pattern = json.loads(pattern_text, object_pairs_hook=_Pairs)
    return any(_choose(sorted(one.items()), leaves, {}) for one in _alternatives(pattern, [], [{}]))


def single(pattern_text: str) -> Iterator[dict[str, Any]]:
    """The patterns with one operator per field whose union is this pattern."""
    pattern = json.loads(pattern_text, object_pairs_hook=_Pairs)
    for one in _alternatives(pattern, [], [{}]):
        for rules in itertools.product(*one.values()):
            yield {path: [_plain(rule)] for path, rule in zip(one, rules, strict=True)}


def _plain(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return {key: _plain(inner) for key, inner in value}
    return value


class _Pairs(list[Any]):
    """A JSON object as its (key, value) pairs."""


def _flatten(value: Any, names: list[str], inside: dict[int, int], arrays: list[int]) -> Iterator[Leaf]:
    if isinstance(value, dict):
        for key in value:
            yield from _flatten(value[key], [*names, key], inside, arrays)
    elif isinstance(value, list):
        arrays[0] += 1
        number = arrays[0]
        for index, element in enumerate(value):
            deeper = {**inside, number: index} if isinstance(element, (dict, list)) else inside
            yield from _flatten(element, names, deeper, arrays)
    else:
        yield ".".join(names), value, inside


def _alternatives(pattern: _Pairs, names: list[str], so_far: list[Alternative]) -> list[Alternative]:
    for key, value in pattern:
        if key == "$or":
            so_far = [
                done for inner in value for start in so_far for done in _alternatives(inner, names, [dict(start)])
            ]
        elif isinstance(value, _Pairs):
            so_far = _alternatives(value, [*names, key], so_far)
        else:
            for one in so_far:
                one[".".join([*names, key])] = value
    return so_far


def _choose(fields: list[tuple[str, list[Any]]], leaves: list[Leaf], chosen: dict[int, int]) -> bool:
    if not fields:
        return True
    (path, rules), *rest = fields
    here = [leaf for leaf in leaves if leaf[0] == path and _fits(leaf[2], chosen)]
    for _, value, inside in here:
        if any(_passes(rule, value) for rule in rules) and _choose(rest, leaves, {**chosen, **inside}):
            return True
    wants_none = any(isinstance(rule, _Pairs) and rule == [("exists", False)] for rule in rules)
    return wants_none and not here and _choose(rest, leaves, chosen)


def _fits(inside: dict[int, int], chosen: dict[int, int]) -> bool:
    return all(chosen.get(array, index) == index for array, index in inside.items())


def _passes(rule: Any, value: Any) -> bool:
    if not isinstance(rule, _Pairs):
        return _same(rule, value)
    ((operator, operand),) = rule
    if operator == "exists":
        return operand is True
    if operator == "numeric":
        return _number(value) and _compares(float(value), operand)
    if operator == "anything-but":
        return not _excluded(operand, value)
    return isinstance(value, str) and _text_passes(operator, operand, value)


def _number(value: Any) -> bool:
    return type(value) in (int, float)


def _same(literal: Any, value: Any) -> bool:
    if _number(literal):
        return _number(value) and float(literal) == float(value)
    if isinstance(literal, str) and isinstance(value, str) and address(literal) is not None:
        return address(literal) == address(value)
    return type(literal) is type(value) and literal == value


def _compares(value: float, operand: list[Any]) -> bool:
    tests = {
        "=": lambda bound: value == bound,
        "<": lambda bound: value < bound,
        "<=": lambda bound: value <= bound,
        ">": lambda bound: value > bound,
        ">=": lambda bound: value >= bound,
    }
    return all(tests[sign](float(bound)) for sign, bound in zip(operand[::2], operand[1::2], strict=True))


def _excluded(operand: Any, value: Any) -> bool:
    if isinstance(operand, _Pairs):
        ((operator, inner),) = operand
        texts = inner if isinstance(inner, list) else [inner]
        return isinstance(value, str) and any(_text_passes(operator, text, value) for text in texts)
    literals = operand if isinstance(operand, list) else [operand]
    if _number(literals[0]):
        return _number(value) and any(float(literal) == float(value) for literal in literals)
    return value in literals


def _text_passes(operator: str, operand: Any, value: str) -> bool:
    if operator == "cidr":
        found, network = address(value), ipaddress.ip_network(operand, strict=False)
        return found is not None and found.version == network.version and found in network
    if operator == "wildcard":
        return re.fullmatch(_wildcard(operand), value, re.DOTALL) is not None
    if isinstance(operand, _Pairs):
        return any(_text_passes(operator, spelling, value) for spelling in _spellings(operand[0][1]))
    if operator == "equals-ignore-case":
        return value in set(_spellings(operand))
    return value.startswith(operand) if operator == "prefix" else value.endswith(operand)


def _wildcard(text: str) -> str:
    tokens = re.findall(r"\\.|.", text, re.DOTALL)
    return "".join(".*" if token == "*" else re.escape(token[-1]) for token in tokens)


def _spellings(text: str) -> Iterator[str]:
    """Every way to write a text when each letter may be in lower or upper case."""
    if not text:
        yield ""
        return
    for first in {text[0].lower(), text[0].upper()}:
        for rest in _spellings(text[1:]):
            yield first + rest


def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a text spells, if it does."""
    if re.fullmatch(r"(\d+\.){3}\d+", text, re.ASCII):
        text = ".".join(str(int(part)) for part in text.split("."))
    elif not re.fullmatch(r"[0-9a-fA-F:]+", text):
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found

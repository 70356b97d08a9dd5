"""Checks values against their shapes, and builds the service's messages. Pure.

    Value 'x' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: …

All errors of a request are reported together, in the order of AWS's recorded answers: parameters outside of the body
and the path, then the path, then the body, each in the model's order; for one member length before pattern. A list or
a map of plain values is reported as a whole, with every constraint of its members; a list of structures by index,
`filters.1.member.pattern`. The keys of a map cannot be null, so no message mentions null keys. The value of a sensitive
member is not shown.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from ....config.fields.arn import with_aws_region
from .model import Shape, ShapeMember
from .printing import lower_first, printed

_PLACES = {"querystring": 0, "header": 1, "uri": 2}
_NOT_NULL = "Member must not be null"
_CATEGORIES = {r"\p{L}": "a-zA-Z", r"\p{Z}": " ", r"\p{N}": "0-9"}
_STAND_IN = {"L": "a", "Z": " ", "N": "0"}


def faults(shape: Shape, values: Mapping[str, Any]) -> list[str]:
    """The errors of an operation's parameters; empty when there are none."""
    return list(_structure(shape, values, ""))


def _structure(shape: Shape, values: Mapping[str, Any], path: str) -> Iterator[str]:
    for member in sorted(shape.members.values(), key=_place):
        where = f"{path}.{lower_first(member.name)}" if path else lower_first(member.name)
        value = values.get(member.name)
        if value is not None:
            yield from _value(member.shape, value, where)
        elif member.name in shape.required:
            yield f"Value null at '{where}' failed to satisfy constraint: {_NOT_NULL}"


def _place(member: ShapeMember) -> int:
    return _PLACES.get(member.place, 3)


def _value(shape: Shape, value: Any, path: str) -> Iterator[str]:
    for constraint in broken(shape, value):
        yield _told(shape, value, path, constraint)
    match shape.kind:
        case "structure":
            yield from _structure(shape, value, path)
        case "list":
            yield from _list(shape, value, path)
        case "map":
            yield from _map(shape, value, path)


def _told(shape: Shape, value: Any, path: str, constraint: str) -> str:
    told = "" if shape.sensitive else f" '{printed(shape, value)}'"
    return f"Value{told} at '{path}' failed to satisfy constraint: {constraint}"


def _list(shape: Shape, value: list[Any], path: str) -> Iterator[str]:
    assert shape.item is not None
    if shape.item.kind != "structure":
        if not all(_fits(shape.item, each) for each in value):
            yield _told(shape, value, path, f"Member must satisfy constraint: [{_all(shape.item)}]")
        return
    for number, each in enumerate(value, start=1):
        where = f"{path}.{number}.member"
        if each is None:
            yield f"Value null at '{where}' failed to satisfy constraint: {_NOT_NULL}"
        else:
            yield from _value(shape.item, each, where)


def _map(shape: Shape, value: dict[str, Any], path: str) -> Iterator[str]:
    assert shape.key is not None
    assert shape.value is not None
    if not all(_fits(shape.key, key) for key in value):
        yield _told(shape, value, path, f"Map keys must satisfy constraint: [{_all(shape.key, null=False)}]")
    if not all(_fits(shape.value, each) for each in value.values()):
        yield _told(shape, value, path, f"Map value must satisfy constraint: [{_all(shape.value)}]")


def _fits(shape: Shape, value: Any) -> bool:
    """Errors of a member of a list or map, including nested values."""
    return value is not None and next(_value(shape, value, ""), None) is None


def _all(shape: Shape, *, null: bool = True) -> str:
    """Every constraint of a member of a list or map, broken or not. `null`: whether it could be null."""
    inner = [f"Member must satisfy constraint: [{_all(shape.item)}]"] if shape.item else []
    last = [_NOT_NULL] if null and shape.says_null else []
    return ", ".join([*_limits(shape), *_forms(shape), *inner, *last])


# --- one shape -------------------------------------------------------------------------------------------------------


def broken(shape: Shape, value: Any) -> Iterator[str]:
    """The shape's own constraints that the value violates."""
    size = _size(shape, value)
    if size is not None:
        if shape.most is not None and size > shape.most:
            yield _most(shape)
        if shape.least is not None and size < shape.least:
            yield _least(shape)
    if shape.pattern is not None and isinstance(value, str) and not matches(shape.pattern, value):
        yield _pattern(shape)
    if shape.values and value not in shape.values:
        yield _enum(shape)


def _size(shape: Shape, value: Any) -> float | None:
    """The subject of a range: the value of a number, the length of all other types."""
    match shape.kind:
        case "integer" | "long" | "double":
            return float(value)
        case "string" | "list" | "map" | "blob":
            return len(value)
        case _:
            return None


def _limits(shape: Shape) -> list[str]:
    most = [_most(shape)] if shape.most is not None else []
    return most + ([_least(shape)] if shape.least is not None else [])


def _forms(shape: Shape) -> list[str]:
    pattern = [_pattern(shape)] if shape.pattern is not None else []
    return pattern + ([_enum(shape)] if shape.values else [])


def _what(shape: Shape) -> str:
    return "value" if shape.kind in ("integer", "long", "double") else "length"


def _most(shape: Shape) -> str:
    return f"Member must have {_what(shape)} less than or equal to {shape.most}"


def _least(shape: Shape) -> str:
    return f"Member must have {_what(shape)} greater than or equal to {shape.least}"


def _pattern(shape: Shape) -> str:
    return f"Member must satisfy regular expression pattern: {shape.pattern}"


def _enum(shape: Shape) -> str:
    return f"Member must satisfy enum value set: [{', '.join(shape.values)}]"


# --- patterns --------------------------------------------------------------------------------------------------------


def matches(pattern: str, value: str) -> bool:
    """Whether a pattern of the model, which is Java's, matches the whole value. A region in an ARN may be any word:
    ARNs of emulators have regions of their own."""
    value = with_aws_region(value)
    if any(category in pattern for category in _CATEGORIES):
        value = "".join(_STAND_IN.get(unicodedata.category(each)[0], each) for each in value)
    return _compiled(pattern).fullmatch(value) is not None


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """In Java, `\\d` and `\\s` are ASCII's."""
    for category, characters in _CATEGORIES.items():
        pattern = pattern.replace(category, characters)
    return re.compile(pattern, re.ASCII)

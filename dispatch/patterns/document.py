"""A pattern's JSON as it was written: objects that still know their repeated keys. Used by `parse.py` alone.

JSON text and already parsed Python objects (from YAML) become the same small tree. Everything here is bounded
before it is walked, so that neither a deep nor a huge nor a cyclic pattern can exhaust the stack or memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import NoReturn

from .errors import PatternError, PatternProblem, element, member
from .pattern_limits import MAX_DEPTH, MAX_PATTERN_CHARS


@dataclass(frozen=True, slots=True)
class Object:
    """A JSON object with its members in order, repeated keys included."""

    members: tuple[tuple[str, Json], ...]


Json = Object | list["Json"] | str | int | float | bool | None

_INT_DIGITS = 300
"""Longer integers are read as doubles, which also finds those beyond a double's range."""


def read(source: object) -> Json:
    """The document of a JSON text or of a parsed object. Raises PatternError."""
    if isinstance(source, str):
        return _from_text(source)
    document = _from_object(source, "$", 0, [MAX_PATTERN_CHARS])
    if len(as_text(document)) > MAX_PATTERN_CHARS:
        raise _too_long()
    return document


def as_text(document: Json) -> str:
    """Compact JSON of a document, repeated keys included."""
    match document:
        case Object(members):
            return "{" + ",".join(f"{_text(key)}:{as_text(value)}" for key, value in members) + "}"
        case list():
            return "[" + ",".join(as_text(value) for value in document) + "]"
        case _:
            return _text(document)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _from_text(text: str) -> Json:
    if len(text) > MAX_PATTERN_CHARS:
        raise _too_long()
    if depth(text) > MAX_DEPTH:
        raise _too_deep("$")
    try:
        return json.loads(  # type: ignore[no-any-return]
            text, object_pairs_hook=_object, parse_int=_int, parse_float=_float, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno}, column {fault.colno}"
        raise _fault("$", f"Invalid JSON: {fault.msg} at {where}", "write the pattern as one JSON object") from None


def depth(text: str) -> int:
    """Levels of nesting of a JSON text, counted without recursion; brackets inside strings do not count."""
    depth = deepest = 0
    in_string = escaped = False
    for letter in text:
        if in_string:
            in_string = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            in_string = True
        elif letter in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "}]":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Json]]) -> Object:
    return Object(tuple(pairs))


def _int(text: str) -> int | float:
    return int(text) if len(text) <= _INT_DIGITS else _float(text)


def _float(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        shown = text if len(text) <= 20 else text[:20] + "…"
        raise _fault("$", f"Number out of range: {shown}", "use a number that a double can hold")
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise _fault("$", f"Invalid JSON: {text} is not a JSON value", "use a finite number")


def _from_object(value: object, path: str, depth: int, left: list[int]) -> Json:
    """`left` is how many more values may come: a small document may hold one list a million times over (YAML)."""
    left[0] -= 1
    if left[0] < 0:
        raise _too_long()
    if depth > MAX_DEPTH:
        raise _too_deep(path)
    match value:
        case str() | bool() | None:
            return value
        case int() | float():
            return _finite(value, path)
        case Mapping():
            return Object(tuple(_members(value, path, depth, left)))
        case Sequence() if not isinstance(value, (bytes, bytearray, memoryview)):
            return [_from_object(item, element(path, at), depth + 1, left) for at, item in enumerate(value)]
        case _:
            kind = type(value).__name__
            raise _fault(path, f"A {kind} is not a JSON value", "write a string, number, true, false or null")


def _members(value: Mapping[object, object], path: str, depth: int, left: list[int]) -> list[tuple[str, Json]]:
    found: list[tuple[str, Json]] = []
    for key, inner in value.items():
        if not isinstance(key, str):
            raise _fault(
                path, f"A field name of type {type(key).__name__} is not a string", "put the field name in quotes"
            )
        found.append((key, _from_object(inner, member(path, key), depth + 1, left)))
    return found


def _finite(value: float, path: str) -> int | float:
    try:
        number = float(value)
    except OverflowError:
        number = inf
    if not isfinite(number):
        raise _fault(path, "Number out of range", "use a number that a double can hold")
    return value


def _too_long() -> PatternError:
    return _fault(
        "$",
        f"The pattern is longer than {MAX_PATTERN_CHARS} characters",
        "shorten it, or split it over several filters of the mapping",
    )


def _too_deep(path: str) -> PatternError:
    return _fault(path, f"The pattern is nested deeper than {MAX_DEPTH} levels", "nest it less")


def _fault(path: str, reason: str, hint: str) -> PatternError:
    return PatternError([PatternProblem(path, reason, hint)])

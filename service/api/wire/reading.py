"""From a request to parameters: labels, query string, headers and body, each value by its shape. Pure.

Invalid JSON, or a value of a wrong type, raises SerializationException; `constraints.py` decides whether a value is
allowed. Keys that the model does not have are collected, so that the caller can refuse them.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs

import orjson

from . import refusals
from .model import Operation, Shape, ShapeMember

_NAMES = {str: "STRING_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE"}
_WANTED = {"string": "String", "integer": "Integer", "long": "Long", "double": "Double", "boolean": "Boolean"}
_BITS = {"integer": 31, "long": 63}
_ALWAYS_THERE = frozenset({"x-id"})
"""Query parameters that SDKs add to name the operation."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    labels: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    """Case-insensitive, or with lower-case names."""
    body: bytes


@dataclass(slots=True)
class Parameters:
    values: dict[str, Any] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    """Paths of fields that the model does not have."""


def read(operation: Operation, request: ApiRequest) -> Parameters:
    """Raises ApiError."""
    found = Parameters()
    shape = operation.input
    for member in shape.members.values():
        value = _outside_body(member, request)
        if value is not None:
            found.values[member.name] = value
    known = {member.wire for member in shape.members.values() if member.place == "querystring"}
    known |= parse_qs(operation.uri.partition("?")[2]).keys()
    found.unknown += [name for name in request.query if name not in known and not _is_added(name)]
    _read_body(shape, request.body, found)
    return found


def _is_added(name: str) -> bool:
    """Whether a signature in the query string, or an SDK, adds this parameter."""
    return name.lower().startswith("x-amz-") or name in _ALWAYS_THERE


# --- labels, query string, headers -----------------------------------------------------------------------------------


def _outside_body(member: ShapeMember, request: ApiRequest) -> Any:
    match member.place:
        case "uri":
            text = request.labels.get(member.wire)
            return None if text is None else _from_text(member, text)
        case "querystring":
            texts = request.query.get(member.wire)
            if not texts:
                return None
            if member.shape.kind == "list":
                return list(texts)
            return _from_text(member, texts[-1])
        case "header":
            header = request.headers.get(member.wire.lower())
            return None if header is None else _from_text(member, header)
        case _:
            return None


def _from_text(member: ShapeMember, text: str) -> Any:
    """A value that came as text."""
    match member.shape.kind:
        case "integer" | "long":
            return _whole(member.shape, text)
        case "boolean" if text in ("true", "false"):
            return text == "true"
        case "boolean":
            raise refusals.serialization(f"'{text}' is not a Boolean ({member.name})")
        case "timestamp":
            return _timestamp(text, member.name)
        case _:
            return text


def _whole(shape: Shape, text: str) -> int:
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 20:
        raise refusals.serialization(f"{text[:40]!r} is not a number")
    return _in_range(shape, int(text))


def _in_range(shape: Shape, number: int) -> int:
    if not -(2 ** _BITS[shape.kind]) <= number < 2 ** _BITS[shape.kind]:
        raise refusals.serialization(f"{number} is out of the range of {_WANTED[shape.kind]}")
    return number


# --- the body --------------------------------------------------------------------------------------------------------


def _read_body(shape: Shape, body: bytes, found: Parameters) -> None:
    if shape.payload is not None:
        payload = shape.members[shape.payload]
        if payload.shape.kind == "blob":
            if body or payload.name in shape.required:
                found.values[payload.name] = body
        elif body:
            found.values[payload.name] = _structure(payload.shape, _json(body), payload.name, found)
        return
    members = {member.wire: member for member in shape.members.values() if member.place == "body"}
    if not body.strip():
        return
    document = _json(body)
    if document is None:
        return
    found.values.update(_members(members, document, "", found))


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        raise refusals.serialization(f"Could not parse request body into json: {fault}") from fault


def _structure(shape: Shape, value: Any, path: str, found: Parameters) -> dict[str, Any]:
    return _members({member.wire: member for member in shape.members.values()}, value, path, found)


def _members(members: Mapping[str, ShapeMember], value: Any, path: str, found: Parameters) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise refusals.serialization(_unexpected(value, "structure"))
    result = {}
    for key, each in value.items():
        where = f"{path}.{key}" if path else key
        if each is None:
            continue
        if key not in members:
            found.unknown.append(where)
            continue
        result[members[key].name] = _value(members[key].shape, each, where, found)
    return result


def _value(shape: Shape, value: Any, path: str, found: Parameters) -> Any:
    match shape.kind:
        case "structure":
            return _structure(shape, value, path, found)
        case "list":
            if not isinstance(value, list):
                raise refusals.serialization(_unexpected(value, "list"))
            assert shape.item is not None
            item = shape.item
            return [None if each is None else _value(item, each, f"{path}[]", found) for each in value]
        case "map":
            if not isinstance(value, dict):
                raise refusals.serialization(_unexpected(value, "map"))
            assert shape.value is not None
            inner = shape.value
            return {key: None if each is None else _value(inner, each, path, found) for key, each in value.items()}
        case "timestamp":
            return _timestamp(value, path)
        case "blob":
            return _blob(value, path)
        case _:
            return _scalar(shape, value)


def _scalar(shape: Shape, value: Any) -> Any:
    match shape.kind, value:
        case ("string", str()) | ("boolean", bool()):
            return value
        case (("integer" | "long"), bool()):
            pass
        case (("integer" | "long"), int()):
            return _in_range(shape, value)
        case (("integer" | "long"), float()) if value.is_integer():
            return _in_range(shape, int(value))
        case "double", (int() | float()) if not isinstance(value, bool):
            return float(value)
    raise refusals.serialization(_unexpected(value, shape.kind))


def _unexpected(value: Any, kind: str) -> str:
    match value:
        case dict():
            return "Start of structure or map found where not expected."
        case list():
            return "Start of list found where not expected"
        case bool():
            name = "TRUE_VALUE" if value else "FALSE_VALUE"
        case _:
            name = _NAMES.get(type(value), "NULL_VALUE")
    if kind in ("structure", "map", "list"):
        return "Unexpected field type"
    return f"{name} can not be converted to {'an' if kind == 'integer' else 'a'} {_WANTED.get(kind, kind.capitalize())}"


def _blob(value: Any, path: str) -> bytes:
    if not isinstance(value, str):
        raise refusals.serialization(_unexpected(value, "blob"))
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as fault:
        raise refusals.serialization(f"{path} is not base64: {fault}") from fault


def _timestamp(value: Any, path: str) -> float:
    """Seconds since the epoch, from a number, ISO 8601 or an HTTP date."""
    match value:
        case bool():
            pass
        case int() | float() if math.isfinite(value) and abs(value) < 2.5e11:
            return float(value)
        case str():
            moment = _moment(value)
            if moment is not None:
                return moment.timestamp()
    raise refusals.serialization(f"{path} is not a timestamp: it must be a number of seconds, or ISO 8601")


def _moment(text: str) -> datetime | None:
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(text.strip())
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None

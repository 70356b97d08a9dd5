"""The support of each call of the Lambda API and of each of its fields: honoured, refused, recorded, forwarded. Pure.

This module refuses a refused field before the field's call sees the request. The tables are in
`field_support_tables.py`; docs/lambda-api.md is generated from them, and a test holds them against every input shape of
the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....config.fields.mapping_limits import Support
from ...control.refusals import ApiError, invalid_parameter
from .field_support_tables import FORWARDED, MEMBERS, SERVED

_SIGNS = {"+": Support.HONOURED, "-": Support.REFUSED, "=": Support.REFUSED, "r": Support.RECORDED}


@dataclass(frozen=True, slots=True)
class ApiField:
    """`path` is dotted, through lists too; with `=VALUE` it is about that value alone."""

    path: str
    standing: Support
    reason: str
    sentence: bool = False
    """Whether the reason is AWS's own sentence, and the whole answer."""


@dataclass(frozen=True, slots=True)
class GivenField:
    """A field of a request that is refused or recorded."""

    field: ApiField
    value: Any


def served(operation: str) -> bool:
    return operation in SERVED


def subject(operation: str) -> str:
    """The subject of a forwarded call; empty for others."""
    return next((about for about, names in FORWARDED.items() if operation in names), "")


def _fields(entries: Mapping[str, str]) -> dict[str, ApiField]:
    return {path: _field(path, entry[0], entry[1:].strip()) for path, entry in entries.items()}


def _field(path: str, sign: str, reason: str) -> ApiField:
    return ApiField(path, _SIGNS[sign], reason, sentence=sign == "=")


FIELDS: Mapping[str, Mapping[str, ApiField]] = {operation: _fields(entries) for operation, entries in SERVED.items()}
"""By served call and path."""


def of(operation: str, path: str) -> ApiField | None:
    """The entry that covers a path: its own, or the nearest parent's. None: the table does not have it."""
    entries = FIELDS[operation]
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        found = entries.get(".".join(parts[:length]))
        if found is not None:
            return found
    return None


def refusal(operation: str, parameters: Mapping[str, Any], unknown: Sequence[str]) -> ApiError | None:
    """Why a request is refused because of one of its fields. `unknown`: sent fields that the model does not have."""
    for given in _given(operation, parameters):
        if given.field.standing is Support.REFUSED:
            return invalid_parameter(_refused(given))
    for path in (*unknown, *_newer(operation, parameters)):
        return invalid_parameter(f"{path} is not a parameter of {operation} that Headrace knows; remove it.")
    return None


def _newer(operation: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Fields that the installed model has and our tables do not, because AWS added them later."""
    for name, value in parameters.items():
        if of(operation, name) is None and _says(value):
            yield name
        yield from _newer_members(name, value)


def _newer_members(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _newer_members(path, each)
    elif isinstance(value, Mapping) and path in MEMBERS:
        for name, each in value.items():
            if name not in MEMBERS[path] and _says(each):
                yield f"{path}.{name}"
            yield from _newer_members(f"{path}.{name}", each)


def recorded(operation: str, parameters: Mapping[str, Any]) -> list[ApiField]:
    """The fields of a request that are recorded without effect."""
    return [given.field for given in _given(operation, parameters) if given.field.standing is Support.RECORDED]


def _refused(given: GivenField) -> str:
    """AWS's own sentence where there is one, else ours."""
    if given.field.sentence:
        return given.field.reason
    name, _, value = given.field.path.partition("=")
    what = f"The value {value} of {name}" if value else name
    return f"{what} is not supported: {given.field.reason}."


def _given(operation: str, parameters: Mapping[str, Any]) -> Iterator[GivenField]:
    """Each entry of the table for which the request has a value, in the order of the table."""
    for field in FIELDS[operation].values():
        path, _, wanted = field.path.partition("=")
        for value in _values(parameters, path.split(".")):
            if (str(value) == wanted) if wanted else _says(value):
                yield GivenField(field, value)
                break


def _values(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _values(each, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _values(value[path[0]], path[1:])


def _says(value: Any) -> bool:
    """Whether a value requests something: empty values are AWS's way to clear a field."""
    return value is not None and value not in ("", b"", [], {})

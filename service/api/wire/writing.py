"""From an answer or a refusal to status, headers and body, by the model. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from ....config.errors import BugError
from ...control.refusals import ApiError
from .call import Answer
from .model import Operation, Shape, ShapeMember
from .refusals import form_of

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class ApiResponse:
    status: int
    headers: Mapping[str, str]
    body: bytes


def written(operation: Operation, answer: Answer, request_id: str) -> ApiResponse:
    """Raises BugError for an output that the model does not have."""
    shape = operation.output
    given = {name: value for name, value in answer.output.items() if value is not None}
    unknown = given.keys() - shape.members.keys()
    if unknown:
        raise BugError(f"{operation.name} has no output {', '.join(sorted(unknown))}")
    status, headers = answer.status or operation.status, {}
    for name, value in given.items():
        member = shape.members[name]
        if member.place == "statusCode":
            status = int(value)
        elif member.place == "header":
            headers[member.wire] = _header(value)
    body = _body(shape, given) if status != 204 else b""
    kind = {"Content-Type": JSON} if body or (shape.payload is None and status != 204) else {}
    headers = {**kind, **headers, **{name: _header(value) for name, value in answer.headers.items()}}
    return ApiResponse(status, {**headers, "x-amzn-RequestId": request_id}, body)


def refused(error: ApiError, request_id: str) -> ApiResponse:
    form = form_of(error)
    body: dict[str, Any] = dict(form.more)
    if form.type is not None:
        body["Type"] = form.type
    body[form.member] = error.message
    headers = {"Content-Type": JSON, "x-amzn-ErrorType": error.code, "x-amzn-RequestId": request_id}
    own = {name: _header(value) for name, value in form.headers.items()}
    return ApiResponse(form.status, {**own, **headers}, orjson.dumps(_encodable(body)))


def _body(shape: Shape, given: Mapping[str, Any]) -> bytes:
    if shape.payload is not None:
        value = given.get(shape.payload)
        inner = shape.members[shape.payload].shape
        if value is None:
            return b""
        return bytes(value) if inner.kind in ("blob", "string") else orjson.dumps(plain(inner, value))
    members = {name: member for name, member in shape.members.items() if member.place == "body"}
    return orjson.dumps(_structure(members, {name: value for name, value in given.items() if name in members}))


def _structure(members: Mapping[str, ShapeMember], value: Mapping[str, Any]) -> dict[str, Any]:
    unknown = value.keys() - members.keys()
    if unknown:
        raise BugError(f"the model has no member {', '.join(sorted(unknown))} here")
    return {members[name].wire: plain(members[name].shape, each) for name, each in value.items() if each is not None}


def plain(shape: Shape, value: Any) -> Any:
    """A value as JSON: timestamps as numbers, blobs in base64."""
    match shape.kind:
        case "structure":
            return _structure(shape.members, value)
        case "list":
            assert shape.item is not None
            item = shape.item
            return [plain(item, each) for each in value]
        case "map":
            assert shape.value is not None
            inner = shape.value
            return {str(key): plain(inner, each) for key, each in value.items()}
        case "timestamp":
            return value.timestamp() if isinstance(value, datetime) else float(value)
        case "blob":
            return base64.b64encode(value).decode()
        case "string":
            return _encodable(str(value))
        case _:
            return value


def _header(value: Any) -> str:
    """A header is one line."""
    return " ".join(str(value).splitlines()) or ""


def _encodable(value: Any) -> Any:
    """The text without lone surrogates, which JSON cannot contain."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {key: _encodable(each) for key, each in value.items()}
        case _:
            return value

"""Requests of the Lambda API as Hypothesis draws them from the model: those that mean something, those that are bent at
one place, and those in which nothing fits."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
from botocore.model import OperationModel, Shape
from hypothesis import strategies as st

from headrace.service.api.core.field_support_tables import SERVED
from support import api_model

NAMES = st.sampled_from(
    [
        "f",
        "f:1",
        "arn:aws:lambda:us-east-1:000000000000:function:f",
        "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
        "arn:aws:iam::000000000000:role/r",
        "arn:aws:sqs:us-east-1:000000000000:q",
        "00000000-0000-4000-8000-000000000000",
        "a/b",
        "",
        "..",
        "$LATEST",
        "1",
        "emlw",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    ]
)
TEXT = NAMES | st.text(st.characters(codec="utf-8"), max_size=20) | st.just("x" * 5000)
WHOLE = st.integers(-2, 12) | st.integers(-(2**63), 2**64 - 1)
NUMBERS = WHOLE | st.floats(allow_nan=False, allow_infinity=False)
JUNK = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20) | st.sampled_from(
    ["Event", "RequestResponse", "DryRun", "Tail", "99", "ü"]
)


@dataclass(frozen=True)
class Asked:
    operation: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


# --- nothing fits -----------------------------------------------------------------------------------------------------


def typed(shape: Shape) -> st.SearchStrategy[Any]:
    """Values that have at least the type of a shape."""
    match shape.type_name:
        case "structure":
            members = {name: anything(member) for name, member in shape.members.items()}
            required = {name: members.pop(name) for name in shape.required_members if name in members}
            return st.fixed_dictionaries(required, optional=members)
        case "list":
            return st.lists(anything(shape.member), max_size=3)
        case "map":
            return st.dictionaries(anything(shape.key).map(str), anything(shape.value), max_size=3)
        case "string":
            return st.sampled_from(shape.enum) if shape.enum else TEXT
        case "boolean":
            return st.booleans()
        case "blob":
            return st.sampled_from(["", "emlw", "not base64"])
        case "timestamp":
            return NUMBERS | st.sampled_from(["2026-01-01T00:00:00Z", "never"])
        case "double":
            return NUMBERS
        case _:
            return WHOLE


def anything(shape: Shape) -> st.SearchStrategy[Any]:
    """Mostly of its type, sometimes not."""
    return st.integers(0, 19).flatmap(lambda dice: JUNK if dice == 0 else typed(shape))


@st.composite
def wild(draw: st.DrawFn) -> Asked:
    """A request for some call, at times crooked at one place."""
    name = draw(st.sampled_from(list(SERVED)) | st.sampled_from(api_model.operations()))
    model = api_model.operation(name)
    members = dict(model.input_shape.members) if model.input_shape else {}
    placed = {each: (member.serialization.get("location", "body"), member) for each, member in members.items()}
    path, _, fixed = model.http["requestUri"].partition("?")
    query, headers, body = [fixed] if fixed else [], {}, {}
    for each, (place, member) in placed.items():
        wire = member.serialization.get("name", each)
        if place == "uri":
            path = path.replace("{" + wire + "}", quote(str(draw(TEXT)), safe=draw(st.sampled_from(["", "/:$"]))))
        elif draw(st.booleans()) or each in model.input_shape.required_members:
            if place == "querystring":
                query.append(f"{quote(wire)}={quote(str(draw(anything(member))), safe='')}")
            elif place == "header":
                headers[wire] = draw(HEADER)
            else:
                body[wire] = draw(anything(member))
    raw = draw(st.just(orjson.dumps(body)) | st.binary(max_size=30) | JUNK.map(orjson.dumps)) if body else b""
    method = draw(st.just(model.http["method"]) | st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE"]))
    return Asked(name, method, path + ("?" + "&".join(query) if query else ""), headers, raw)


# --- something fits ---------------------------------------------------------------------------------------------------

Meant = Mapping[str, Sequence[Any]]
"""By the name of a member: values that mean something to the API that is asked."""


def meaningful(shape: Shape, name: str, meant: Meant) -> st.SearchStrategy[Any]:
    """Values that satisfy a shape, mostly."""
    kind = shape.type_name
    if kind == "string" and shape.enum:
        return st.sampled_from(shape.enum)
    if name in meant:
        return st.sampled_from(meant[name])
    match kind:
        case "structure":
            return _structure(shape, meant)
        case "list":
            return st.lists(meaningful(shape.member, name, meant), min_size=1, max_size=2)
        case "map":
            return st.dictionaries(st.sampled_from(["ab", "cd"]), meaningful(shape.value, name, meant), max_size=2)
        case "boolean":
            return st.booleans()
        case "integer" | "long":
            least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 1000)
            return st.integers(least, most) | st.sampled_from([least, most, least - 1, most + 1])
        case "double":
            return st.sampled_from([0.0, 0.5, 1.0])
        case "timestamp":
            return st.sampled_from([1.0, 1_700_000_000, 4e9])
        case _:
            return st.sampled_from(["x", "a-b", "arn:aws:sqs:us-east-1:000000000000:x"])


@st.composite
def _structure(draw: st.DrawFn, shape: Shape, meant: Meant) -> dict[str, Any]:
    chosen = {}
    for name, member in shape.members.items():
        if name in shape.required_members or draw(st.integers(0, 5)) == 0:
            chosen[name] = draw(meaningful(member, name, meant))
    return chosen


@st.composite
def fitting(draw: st.DrawFn, meant: Meant) -> Asked:
    """A request for a served call that should mean something."""
    name = draw(st.sampled_from(list(SERVED)))
    return written(name, draw(_structure(_input(name), meant)))


@st.composite
def varied(draw: st.DrawFn, good: Sequence[tuple[str, Mapping[str, Any]]], meant: Meant) -> Asked:
    """A request that is known to be good, with up to two members more or other."""
    name, parameters = draw(st.sampled_from(good))
    shape = _input(name)
    changed = draw(st.lists(st.sampled_from(list(shape.members)), max_size=2, unique=True))
    return written(
        name, {**parameters, **{each: draw(meaningful(shape.members[each], each, meant)) for each in changed}}
    )


@st.composite
def bent(draw: st.DrawFn, meant: Meant) -> Asked:
    """Such a request with one member more, less, or other."""
    name = draw(st.sampled_from(list(SERVED)))
    shape = _input(name)
    parameters = draw(_structure(shape, meant))
    which = draw(st.sampled_from([*shape.members, "Nothing"]))
    if draw(st.booleans()) or which not in shape.members:
        parameters[which] = draw(JUNK)
    elif draw(st.booleans()):
        parameters.pop(which, None)
    else:
        parameters[which] = draw(anything(shape.members[which]))
    return written(name, parameters)


def _input(operation: str) -> Shape:
    return api_model.operation(operation).input_shape


def written(operation: str, parameters: Mapping[str, Any]) -> Asked:
    """As it goes over the wire, though it may not fit. Bytes are payloads, or base64 inside JSON."""
    model = api_model.operation(operation)
    shape = model.input_shape
    path, _, fixed = model.http["requestUri"].partition("?")
    query, headers, body = [fixed] if fixed else [], {}, {}
    for name, value in parameters.items():
        member = shape.members.get(name)
        where = member.serialization.get("location", "body") if member is not None else "body"
        wire = member.serialization.get("name", name) if member is not None else name
        if where == "uri":
            path = path.replace("{" + wire + "}", quote(str(value), safe=""))
        elif where == "querystring":
            each = value if isinstance(value, list) else [value]
            query += [f"{quote(wire)}={quote(str(one), safe='')}" for one in each]
        elif where == "header":
            headers[wire] = "".join(c for c in str(value) if c.isprintable())
        else:
            body[wire] = value
    target = path + ("?" + "&".join(query) if query else "")
    return Asked(operation, model.http["method"], target, headers, _body(model, body))


def _body(model: OperationModel, body: Mapping[str, Any]) -> bytes:
    payload = model.input_shape.serialization.get("payload")
    if payload is not None and len(body) == 1 and isinstance(body.get(payload), bytes):
        return bytes(body[payload])
    return orjson.dumps(body, default=lambda value: base64.b64encode(value).decode()) if body else b""

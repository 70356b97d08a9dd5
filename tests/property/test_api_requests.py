"""Whatever is sent to the Lambda API: an answer that a client understands, never a fault of ours, and nothing that was
refused reaches a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from botocore.model import Shape
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from penstock.service.api.standing_tables import SERVED
from penstock.service.api.wire.call import Answer, Call
from support import api_model
from support.api_lab import Lab, Recorder, Reply, lab
from support.counts import count

MANY = settings(max_examples=count(300, 10_000), deadline=None, suppress_health_check=[HealthCheck.too_slow])

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


def good(shape: Shape) -> st.SearchStrategy[Any]:
    """Values that have at least the type of a shape."""
    match shape.type_name:
        case "structure":
            members = {name: given_value(member) for name, member in shape.members.items()}
            required = {name: members.pop(name) for name in shape.required_members if name in members}
            return st.fixed_dictionaries(required, optional=members)
        case "list":
            return st.lists(given_value(shape.member), max_size=3)
        case "map":
            return st.dictionaries(given_value(shape.key).map(str), given_value(shape.value), max_size=3)
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


def given_value(shape: Shape) -> st.SearchStrategy[Any]:
    """Mostly of its type, sometimes anything."""
    return st.integers(0, 19).flatmap(lambda dice: JUNK if dice == 0 else good(shape))


@dataclass(frozen=True)
class Asked:
    operation: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@st.composite
def requests(draw: st.DrawFn) -> Asked:
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
                query.append(f"{quote(wire)}={quote(str(draw(given_value(member))), safe='')}")
            elif place == "header":
                headers[wire] = draw(HEADER)
            else:
                body[wire] = draw(given_value(member))
    raw = draw(st.just(orjson.dumps(body)) | st.binary(max_size=30) | JUNK.map(orjson.dumps)) if body else b""
    method = draw(st.just(model.http["method"]) | st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE"]))
    return Asked(name, method, path + ("?" + "&".join(query) if query else ""), headers, raw)


def answered(call: Call) -> Answer:
    return Answer(api_model.least_output(call.operation))


@pytest.fixture(scope="module")
def api() -> Iterator[tuple[BlockingPortal, Lab]]:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(lab(Recorder(answer=answered))) as running,
    ):
        yield portal, running


@pytest.mark.semantics("API-18")
@MANY
@given(asked=requests())
def test_whatever_is_sent(api: tuple[BlockingPortal, Lab], asked: Asked) -> None:
    portal, running = api
    running.group.seen.clear()
    reply: Reply = portal.call(running.ask, asked.method, asked.target, asked.body, asked.headers)
    seen = running.group.seen
    event(f"answered with {reply.status}")
    assert reply.status < 500, (asked, reply)
    assert b"Traceback" not in reply.body
    if reply.status >= 300:
        assert seen == [], asked
        assert reply.headers["x-amzn-ErrorType"]
        assert set(orjson.loads(reply.body)) <= {"Type", "message", "Message"}
    else:
        (call,) = seen
        api_model.check(call.operation, reply.status, reply.headers, reply.body)
    assert "fault" not in running.lines.getvalue()

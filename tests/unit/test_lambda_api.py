"""The Lambda API over a real socket, with a group of the test's own: the way of a request, and where it ends."""

from __future__ import annotations

import io
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import anyio
import orjson
import pytest

from headrace.config.errors import BugError, HeadraceError
from headrace.config.settings import Address
from headrace.service.api.bodies import BodyRoom
from headrace.service.api.core import recorded
from headrace.service.api.core.access import ApiAccess
from headrace.service.api.forwarding import Forwarding
from headrace.service.api.lambda_api import LambdaApi
from headrace.service.api.wire.call import Answer, Call, Serve
from headrace.service.control import refusals
from headrace.service.telemetry.log import Log
from support import api_model
from support.api_lab import Recorder, Reply, lab

FUNCTIONS = "/2015-03-31/functions"
INVOKE = f"{FUNCTIONS}/f/invocations"
ROLE = "arn:aws:iam::000000000000:role/r"
CREATE = {"FunctionName": "f", "Role": ROLE, "Code": {"ZipFile": "emlw"}}


def told(reply: Reply) -> dict[str, Any]:
    told: dict[str, Any] = orjson.loads(reply.body)
    return told


@pytest.mark.semantics("API-05")
async def test_a_call_and_its_answer() -> None:
    group = Recorder(answer=lambda call: Answer({"FunctionName": call.parameters["FunctionName"]}))
    async with lab(group) as api:
        reply = await api.ask("POST", FUNCTIONS, orjson.dumps(CREATE))
    (call,) = group.seen
    assert call.operation == "CreateFunction"
    assert call.parameters == {**CREATE, "Code": {"ZipFile": b"zip"}}
    assert call.hops == 0
    assert reply.headers["x-amzn-RequestId"] == call.request_id == str(uuid.UUID(call.request_id))
    parsed = api_model.check("CreateFunction", reply.status, reply.headers, reply.body)
    assert parsed["FunctionName"] == "f"


@pytest.mark.semantics("API-01")
@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/"), ("DELETE", FUNCTIONS), ("POST", "/livez"), ("GET", "/%00%0A%FF"), ("OPTIONS", FUNCTIONS)],
)
async def test_what_is_no_call(method: str, target: str) -> None:
    async with lab() as api:
        reply = await api.ask(method, target)
    assert reply.status == 404
    assert reply.headers["x-amzn-ErrorType"] == "UnknownOperationException"
    assert told(reply)["message"] == f"{method} {target} is no call of the Lambda API."


@pytest.mark.semantics("API-04", "API-07")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "SerializationException"),
        (b'{"Timeout": "3"}', "SerializationException"),
        (b"{}", "ValidationException"),
        (
            orjson.dumps({**CREATE, "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}),
            "InvalidParameterValueException",
        ),
        (orjson.dumps({**CREATE, "Nmae": "f"}), "InvalidParameterValueException"),
        (orjson.dumps({**CREATE, "TenancyConfig": {}, "Nmae": "f"}), "ValidationException"),
    ],
)
async def test_what_is_refused_reaches_no_call(body: bytes, code: str) -> None:
    async with lab() as api:
        reply = await api.ask("POST", FUNCTIONS, body)
        assert reply.status == 400
        assert reply.headers["x-amzn-ErrorType"] == code
        assert api.group.seen == []
        api_model.check("CreateFunction", reply.status, reply.headers, reply.body)


async def test_a_refusal_by_the_call_itself() -> None:
    def answer(call: Call) -> Answer:
        raise refusals.no_such_resource("Function not found: f")

    async with lab(Recorder(answer=answer)) as api:
        reply = await api.ask("GET", f"{FUNCTIONS}/f")
    assert reply.status == 404
    assert told(reply) == {"Type": "User", "Message": "Function not found: f"}


@pytest.mark.semantics("API-09")
@pytest.mark.parametrize("answer", [Answer({"Nothing": 1}), None])
async def test_a_fault_of_ours_is_in_the_log_and_not_in_the_answer(answer: Answer | None) -> None:
    def fail(call: Call) -> Answer:
        if answer is None:
            raise KeyError("a detail of the inside")
        return answer

    async with lab(Recorder(answer=fail)) as api:
        reply = await api.ask("GET", f"{FUNCTIONS}/f")
        lines = api.lines.getvalue()
    assert (reply.status, reply.headers["x-amzn-ErrorType"]) == (500, "ServiceException")
    assert told(reply).keys() == {"Type", "Message"}
    assert b"inside" not in reply.body
    assert b"Traceback" not in reply.body
    (line,) = lines.splitlines()
    logged = orjson.loads(line)
    assert logged["action"] == "fault"
    assert logged["request_id"] == reply.headers["x-amzn-RequestId"]
    assert ("inside" in line) == (answer is None)


@pytest.mark.semantics("API-09")
async def test_what_failed_for_a_known_reason_is_not_told_as_a_fault() -> None:
    """Nor does the line hold the query string, where a signature may stand."""

    def fail(call: Call) -> Answer:
        raise HeadraceError("the disk is full")

    async with lab(Recorder(answer=fail)) as api:
        reply = await api.ask("GET", f"{FUNCTIONS}/f?X-Amz-Signature=5ec2e7")
        logged = orjson.loads(api.lines.getvalue())
    assert (reply.status, reply.headers["x-amzn-ErrorType"]) == (500, "ServiceException")
    assert b"disk" not in reply.body
    assert logged["event"] == f"GET {FUNCTIONS}/f failed: the disk is full"


# --- sizes -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("API-14")
@pytest.mark.parametrize(
    ("method", "target", "headers", "limit", "text"),
    [
        (
            "POST",
            INVOKE,
            {},
            6_291_456,
            "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
        ),
        (
            "POST",
            INVOKE,
            {"X-Amz-Invocation-Type": "Event"},
            1_048_576,
            "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
        ),
        (
            "POST",
            f"{FUNCTIONS}/f/versions",
            {},
            1_048_576,
            "Request must be smaller than 1048576 bytes for the PublishVersion operation",
        ),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_has_a_limit(
    method: str, target: str, headers: Mapping[str, str], limit: int, text: str, chunked: bool
) -> None:
    async with lab() as api:
        fits = await api.ask(method, target, b" " * limit, headers)
        assert fits.status in (200, 201)
        body = b" " * (limit + 1)
        data: Any = pieces(body, 1024 * 1024) if chunked else body
        over = await api.ask(method, target, data, headers)
        assert (over.status, over.headers["x-amzn-ErrorType"]) == (413, "RequestEntityTooLargeException")
        assert told(over)["message"] == text
        assert len(api.group.seen) == 1


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.semantics("API-14")
async def test_a_body_that_says_it_is_too_large_is_not_waited_for() -> None:
    async with lab() as api:
        host, port = api.url.removeprefix("http://").split(":")
        async with await anyio.connect_tcp(host, int(port)) as stream:
            head = f"POST {FUNCTIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70167212\r\n\r\n"
            await stream.send(head.encode())
            with anyio.fail_after(30):
                begin = await stream.receive()
            assert b" 413 " in begin.partition(b"\r\n")[0]


@pytest.mark.semantics("API-14")
async def test_fifty_tags_fit_into_a_query_string() -> None:
    keys = [f"{'ä' * 120}{number}" for number in range(50)]
    target = "/2017-03-31/tags/arn:aws:lambda:us-east-1:000000000000:function:f?"
    async with lab() as api:
        reply = await api.ask("DELETE", target + "&".join(f"tagKeys={quote(key)}" for key in keys))
        assert reply.status == 204
        assert [call.parameters["TagKeys"] for call in api.group.seen] == [keys]


@pytest.mark.semantics("API-14")
def test_code_may_be_larger() -> None:
    assert recorded.most_bytes("CreateFunction", {}) == 70_167_211
    assert recorded.too_many_bytes("CreateFunction", {}, 1) == (
        "Request must be smaller than 70167211 bytes for the CreateFunction operation"
    )


@pytest.mark.semantics("API-14")
async def test_all_bodies_together_have_a_limit() -> None:
    async with lab(room=BodyRoom(1000)) as api:
        over = await api.ask("POST", INVOKE, b"x" * 1001)
        assert (over.status, told(over)["Reason"]) == (429, "CallerRateLimitExceeded")
        assert over.headers["Retry-After"] == "1"
        for _ in range(3):
            assert (await api.ask("POST", INVOKE, b"x" * 1000)).status == 200


@pytest.mark.semantics("API-21")
@pytest.mark.parametrize("room", [BodyRoom(silence=0.05), BodyRoom(total=0.05)])
async def test_a_body_that_comes_too_slowly_is_given_up(room: BodyRoom) -> None:
    async with lab(room=room) as api:
        host, port = api.url.removeprefix("http://").split(":")
        async with await anyio.connect_tcp(host, int(port)) as stream:
            await stream.send(f"POST {FUNCTIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{".encode())
            with anyio.fail_after(30):
                assert b" 408 " in (await stream.receive()).partition(b"\r\n")[0]
        assert (api.group.seen, room.held) == ([], 0)


@pytest.mark.semantics("API-18")
@pytest.mark.parametrize(
    ("rest", "close", "status"),
    [
        (b"Content-Length: 100\r\n\r\n{", True, None),
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", True, None),
        (b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", False, 400),
        (b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", False, 400),
        (b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx", False, 400),
        (b"Content-Length: 2\r\nX-Amz-Log-Type: \xff\xfe\r\n\r\n{}", False, 400),
    ],
)
async def test_bodies_and_headers_that_are_none(rest: bytes, close: bool, status: int | None) -> None:
    """What broke off is no fault of ours, and no call."""
    async with lab() as api:
        host, port = api.url.removeprefix("http://").split(":")
        async with await anyio.connect_tcp(host, int(port)) as stream:
            await stream.send(f"POST {FUNCTIONS} HTTP/1.1\r\nHost: localhost\r\n".encode() + rest)
            if close:
                await stream.send_eof()
                with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                    await stream.receive()
            else:
                assert f" {status} ".encode() in (await stream.receive()).partition(b"\r\n")[0]
    assert api.group.seen == []
    assert "fault" not in api.lines.getvalue()


# --- access ----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("API-10", "API-11", "API-13")
@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"Host": "evil.example"}, None),
        ({"Origin": "https://evil.example"}, None),
        ({}, Address("10.0.0.7", 9470)),
    ],
)
async def test_who_may_not_call_is_told_nothing_else(headers: dict[str, str], address: Address | None) -> None:
    async with lab(address=address) as api:
        for target in (INVOKE, "/nothing"):
            reply = await api.ask("POST", target, b"{" * 10, headers)
            assert (reply.status, reply.headers["x-amzn-ErrorType"]) == (403, "AccessDeniedException")
        for path in ("/livez", "/readyz", "/metrics", "/status"):
            assert (await api.ask("GET", path, headers=headers)).status == 200
        assert api.group.seen == []


@pytest.mark.semantics("API-12")
async def test_a_signed_request_from_elsewhere() -> None:
    async with lab(address=Address("10.0.0.7", 9470), secrets={"LOCAL": "secret"}) as api:
        request = api_model.sent("Invoke", {"FunctionName": "f", "Payload": b"{}"})
        path = request.url.partition("9470")[2]
        headers = {name: value if isinstance(value, str) else value.decode() for name, value in request.headers.items()}
        headers["Host"] = "127.0.0.1:9470"
        assert (await api.ask("POST", path, b"{}", headers)).status == 200
        changed = await api.ask("POST", path, b"[]", headers)
        assert (changed.status, changed.headers["x-amzn-ErrorType"]) == (403, "InvalidSignatureException")
        assert len(api.group.seen) == 1


# --- how it is put together ------------------------------------------------------------------------------------------


class _Group:
    def __init__(self, *operations: str) -> None:
        self._operations = operations

    def calls(self) -> Mapping[str, Serve]:
        async def serve(call: Call) -> Answer:
            return Answer()

        return dict.fromkeys(self._operations, serve)


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ((_Group("GetFunction"), _Group("GetFunction")), "two groups serve GetFunction"),
        ((_Group("GetCodeSigningConfig"),), "GetCodeSigningConfig is served, and the table"),
    ],
)
def test_groups_that_contradict(groups: tuple[_Group, ...], told: str) -> None:
    access = ApiAccess("127.0.0.1", (), {})
    with pytest.raises(BugError, match=told):
        LambdaApi(groups, access, Forwarding(None), Log(io.StringIO()), _Clock())


class _Clock:
    def wall(self) -> float:
        return 0.0

    def steady(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return 0.0


@pytest.mark.semantics("API-08")
async def test_what_is_recorded_is_logged_once() -> None:
    async with lab() as api:
        for _ in range(2):
            assert (await api.ask("POST", FUNCTIONS, orjson.dumps(CREATE))).status == 201
        (line,) = api.lines.getvalue().splitlines()
    logged = orjson.loads(line)
    assert logged["action"] == "recorded"
    assert logged["event"] == "CreateFunction: Role is recorded without effect: nothing local assumes it"

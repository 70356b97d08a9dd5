"""The emulator of container images: what it answers, and what that means."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import anyio
import pytest

from headrace.config.clock import SystemClock
from headrace.dispatch.core.model import Failure, FunctionFailed, Reply, Returned, Throttled, Unreachable
from headrace.dispatch.invokers.base import Invocation, NotReady
from headrace.dispatch.invokers.http import HttpInvoker
from support.invoker_kits import closed_port
from support.lambda_stub import Function, LambdaStub, Raw, Result, error_body, serving

ASKED = Invocation(b'{"a": 1}', "11111111-2222-4333-8444-555555555555")


@pytest.fixture
async def stub() -> AsyncIterator[LambdaStub]:
    async with serving(LambdaStub(rie=True)) as stub:
        yield stub


async def invoke(
    stub: LambdaStub, answer: Result | Raw | Function, asked: Invocation = ASKED, **options: float
) -> Reply:
    async def fixed(payload: bytes) -> Result | Raw:
        assert isinstance(answer, Result | Raw)
        return answer

    stub.functions["function"] = answer if callable(answer) else fixed
    subject = HttpInvoker(stub.rie_url, clock=SystemClock(), **options)  # type: ignore[arg-type]
    try:
        return await subject.invoke(asked)
    finally:
        await subject.aclose()


async def test_what_is_asked(stub: LambdaStub) -> None:
    asked = Invocation(b'{"a": 1}', "r", trace="Root=1", client_context='{"a": "ü"}')
    reply = await invoke(stub, Result(b"null"), asked)
    assert isinstance(reply, Returned)
    (seen,) = stub.seen
    assert (seen.method, seen.body, seen.headers["Content-Type"]) == ("POST", asked.payload, "application/json")
    assert seen.headers["X-Amzn-Trace-Id"] == "Root=1"
    assert base64.b64decode(seen.headers["X-Amz-Client-Context"]).decode() == asked.client_context
    assert reply.attempt.request_id == "r"
    assert reply.attempt.executed_version == "$LATEST"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"not json",
        b"\xff",
        b'{"batchItemFailures": []}',
        b'{"errorType": "E", "errorMessage": "m", "id": 7}',
    ],
)
async def test_a_response_is_bytes(stub: LambdaStub, body: bytes) -> None:
    reply = await invoke(stub, Result(body))
    assert isinstance(reply, Returned)
    assert reply.body == body
    assert reply.attempt.function_error is None


@pytest.mark.semantics("INVOKE-14")
@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (Raw(200, error_body("ValueError", "no", requestId="r", stackTrace=[])), Failure.ERROR),
        (Raw(200, b"Task timed out after 3.00 seconds"), Failure.TIMEOUT),
        (Raw(502, error_body("Runtime.ExitError", "exit status 1")), Failure.CRASH),
        (Raw(200, b'{"order": 1}', {"X-Amz-Function-Error": "Unhandled"}), Failure.ERROR),
    ],
)
async def test_the_function_failed(stub: LambdaStub, answer: Raw, failure: Failure) -> None:
    reply = await invoke(stub, answer)
    assert isinstance(reply, FunctionFailed)
    assert reply.failure is failure
    assert reply.body == answer.body
    assert (reply.attempt.status, reply.attempt.function_error) == (200, "Unhandled")


@pytest.mark.semantics("INVOKE-15")
@pytest.mark.parametrize(
    ("answer", "reason", "after"),
    [
        (Raw(400), "busy", None),
        (Raw(429, b"slow", {"Retry-After": "3"}), "TooManyRequests", 3.0),
    ],
)
async def test_no_room(stub: LambdaStub, answer: Raw, reason: str, after: float | None) -> None:
    reply = await invoke(stub, answer)
    assert isinstance(reply, Throttled)
    assert reason in reply.detail
    assert reply.reason == ""
    assert reply.after == after


@pytest.mark.parametrize(
    ("answer", "down", "words"),
    [
        (Raw(400, b"bad\nrequest"), False, "answered 400: bad request"),
        (Raw(404, b"404 page not found"), True, "/2015-03-31/functions/function/invocations"),
        (Raw(405), True, "answered 405"),
        (Raw(302, b"", {"Location": "http://elsewhere"}), True, "answered 302"),
        (Raw(500), False, "may have run"),
        (Raw(502), False, "may have run"),
        (Raw(504), False, "may have run"),
        (Raw(502, error_body("Runtime.ImportModuleError", "No module named 'x'")), True, "No module named 'x'"),
        (Raw(200, error_body("Runtime.HandlerNotFound", "no handler")), True, "cannot start"),
    ],
)
async def test_not_reached(stub: LambdaStub, answer: Raw, down: bool, words: str) -> None:
    reply = await invoke(stub, answer)
    assert isinstance(reply, Unreachable)
    assert reply.down is down
    assert words in str(reply.cause)
    assert "\n" not in str(reply.cause)
    assert len(stub.seen) == 1


async def test_the_connection_is_cut(stub: LambdaStub) -> None:
    reply = await invoke(stub, Raw(0))
    assert isinstance(reply, Unreachable)
    assert not reply.down
    assert "may have run" in str(reply.cause)


async def test_no_answer_in_time(stub: LambdaStub) -> None:
    async def never(payload: bytes) -> Result:
        await anyio.sleep_forever()
        raise AssertionError

    reply = await invoke(stub, never, timeout=0.05, margin=0.05)
    assert isinstance(reply, Unreachable)
    assert not reply.down
    assert "within 0.1 s" in str(reply.cause)


async def test_a_response_without_end(stub: LambdaStub) -> None:
    reply = await invoke(stub, Raw(200, b"x" * 20_000_000))
    assert isinstance(reply, FunctionFailed)
    assert reply.failure is Failure.OVERSIZED


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(closed_port(), id="closed port"),
        pytest.param("http://no-such-host.invalid:9000/x", id="no such host"),
        pytest.param("https://127.0.0.1:1/x", id="closed port with TLS"),
    ],
)
async def test_nobody_there(url: str) -> None:
    subject = HttpInvoker(url, clock=SystemClock())
    reply = await subject.invoke(ASKED)
    assert isinstance(reply, Unreachable)
    assert reply.down
    assert url in str(reply.cause)
    assert isinstance(await subject.probe(), NotReady)
    await subject.aclose()


async def test_one_at_a_time_unless_said_otherwise() -> None:
    assert HttpInvoker("http://x", clock=SystemClock()).concurrency == 1
    assert HttpInvoker("http://x", clock=SystemClock(), concurrency=None).concurrency is None
    assert HttpInvoker("http://x", clock=SystemClock(), timeout=3).timeout == 8

"""Every answer of the Invoke API, and every way of getting none."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import anyio
import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clock import SystemClock
from headrace.dispatch.core.model import Failure, FunctionFailed, Reply, Returned, Throttled, Unreachable
from headrace.dispatch.invokers.base import Invocation, NotReady, Ready
from headrace.dispatch.invokers.remote import RemoteInvoker
from support.invoker_kits import TOO_MANY, closed_port
from support.lambda_stub import Function, LambdaStub, Raw, Result, error_body, refusal, serving

ASKED = Invocation(b'{"a": 1}', "11111111-2222-4333-8444-555555555555")


@dataclass
class Bench:
    """A stub with one function, and a client for it."""

    stub: LambdaStub
    clients: Clients
    options: dict[str, object] = field(default_factory=dict)

    async def invoker(self, name: str = "billing", endpoint: str | None = None, **options: object) -> RemoteInvoker:
        client = await self.clients.get("lambda", endpoint)
        return RemoteInvoker(client, name, clock=SystemClock(), **options)  # type: ignore[arg-type]

    async def invoke(self, function: Function, asked: Invocation = ASKED, **options: object) -> Reply:
        self.stub.functions["billing"] = function
        return await (await self.invoker(**options)).invoke(asked)  # type: ignore[arg-type]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with serving(LambdaStub()) as stub, Clients(AwsSettings(endpoint_url=stub.url)) as clients:
        yield Bench(stub, clients)


def answering(answer: Result | Raw) -> Function:
    async def function(payload: bytes) -> Result | Raw:
        return answer

    return function


async def test_what_is_asked(bench: Bench) -> None:
    reply = await bench.invoke(answering(Result(b"null")))
    assert isinstance(reply, Returned)
    (seen,) = bench.stub.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/2015-03-31/functions/billing/invocations", ASKED.payload)
    assert seen.query == {}
    assert seen.headers.get("X-Amz-Invocation-Type", "RequestResponse") == "RequestResponse"
    assert "X-Amz-Client-Context" not in seen.headers
    assert reply.attempt.request_id != ASKED.request_id  # the service gives its own


@pytest.mark.semantics("INVOKE-10")
async def test_a_qualifier_is_sent_and_the_version_comes_back(bench: Bench) -> None:
    reply = await bench.invoke(answering(Result(b"null")), qualifier="7")
    assert bench.stub.seen[0].query == {"Qualifier": "7"}
    assert reply.attempt.executed_version == "7"


@pytest.mark.semantics("API-INVOKE-02")
@pytest.mark.parametrize(("hops", "said"), [(0, "1"), (3, "4")])
async def test_how_often_an_invocation_was_sent_on_is_a_header(bench: Bench, hops: int, said: str) -> None:
    await bench.invoke(answering(Result(b"null")), Invocation(b"{}", "r", hops=hops))
    assert bench.stub.seen[0].headers["x-headrace-hops"] == said


@pytest.mark.semantics("INVOKE-11")
async def test_client_context_and_trace_are_headers(bench: Bench) -> None:
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    asked = Invocation(b"{}", "r", trace=trace, client_context='{"custom": {"ü": 1}}')
    await bench.invoke(answering(Result(b"null")), asked)
    await bench.invoke(answering(Result(b"null")), Invocation(b"{}", "r"))
    first, second = bench.stub.seen
    assert base64.b64decode(first.headers["X-Amz-Client-Context"]).decode() == asked.client_context
    assert first.headers["X-Amzn-Trace-Id"] == trace
    assert "X-Amzn-Trace-Id" not in second.headers


@pytest.mark.parametrize("body", [b"", b"null", b"not json", b"\xff\xfe", b'{"errorType": "E", "errorMessage": "m"}'])
async def test_a_response_is_bytes(bench: Bench, body: bytes) -> None:
    reply = await bench.invoke(answering(Result(body)))
    assert isinstance(reply, Returned)
    assert reply.body == body


@pytest.mark.parametrize("word", ["Unhandled", "Handled"])
async def test_the_error_header_decides(bench: Bench, word: str) -> None:
    raw = Raw(200, error_body("E", "m"), {"X-Amz-Function-Error": word, "x-amzn-RequestId": "theirs"})
    reply = await bench.invoke(answering(raw))
    assert isinstance(reply, FunctionFailed)
    assert reply.attempt.function_error == word
    assert reply.attempt.request_id == "theirs"
    assert reply.attempt.executed_version is None


async def test_a_response_without_end_is_not_read_to_its_end(bench: Bench) -> None:
    reply = await bench.invoke(answering(Raw(200, b"x" * 20_000_000)))
    assert isinstance(reply, FunctionFailed)
    assert reply.failure is Failure.OVERSIZED
    assert isinstance(await bench.invoke(answering(Result(b"null"))), Returned)


@pytest.mark.semantics("INVOKE-09")
@pytest.mark.parametrize(
    ("answer", "after", "reason"),
    [
        (TOO_MANY, 2.0, "ReservedFunctionConcurrentInvocationLimitExceeded"),
        (
            refusal(429, "TooManyRequestsException", "Rate Exceeded.", Reason="CallerRateLimitExceeded"),
            None,
            "CallerRateLimitExceeded",
        ),
        (refusal(429, "TooManyRequestsException", "m", {"Retry-After": "soon"}), None, "TooManyRequestsException"),
        (refusal(429, "TooManyRequestsException", "m", {"Retry-After": "-1"}), None, "TooManyRequestsException"),
        (refusal(429, "TooManyRequestsException", "m", {"Retry-After": "nan"}), None, "TooManyRequestsException"),
        (Raw(429, b"slow down"), None, "429"),
    ],
)
async def test_throttled(bench: Bench, answer: Raw, after: float | None, reason: str) -> None:
    reply = await bench.invoke(answering(answer))
    assert isinstance(reply, Throttled)
    assert reply.after == after
    assert reply.said == reason
    assert reply.attempt.status == 429


@pytest.mark.semantics("INVOKE-12")
@pytest.mark.parametrize(
    ("answer", "down", "words"),
    [
        (refusal(403, "AccessDeniedException", "no"), True, "lambda:InvokeFunction"),
        (refusal(403, "UnrecognizedClientException", "bad token"), True, "check the access key"),
        (refusal(409, "ResourceConflictException", "The function is Pending"), True, "until it is active"),
        (refusal(400, "InvalidParameterValueException", "qualifier"), True, "qualifier"),
        (refusal(400, "ValidationException", "FunctionName"), True, "FunctionName"),
        (refusal(400, "InvalidRequestContentException", "Could not parse"), False, "Could not parse"),
        (refusal(413, "RequestTooLargeException", "Request must be smaller"), False, "must be smaller"),
        (refusal(500, "ServiceException", "broken"), False, "may have run"),
        (refusal(502, "EC2UnexpectedException", "broken"), False, "may have run"),
        (Raw(503, b"<html>starting</html>"), False, "may have run"),
        (Raw(501, b""), True, "no Invoke API"),
    ],
)
async def test_refused(bench: Bench, answer: Raw, down: bool, words: str) -> None:
    reply = await bench.invoke(answering(answer))
    assert isinstance(reply, Unreachable)
    assert reply.down is down
    assert words in str(reply.cause)
    assert "\n" not in str(reply.cause)
    assert reply.attempt.status == answer.status
    assert reply.attempt.request_id


@pytest.mark.semantics("INVOKE-12")
async def test_no_such_function(bench: Bench) -> None:
    reply = await (await bench.invoker("nobody")).invoke(ASKED)
    assert isinstance(reply, Unreachable)
    assert reply.down
    assert "Function not found" in str(reply.cause)
    assert "create it there" in str(reply.cause)


@pytest.mark.semantics("INVOKE-13")
async def test_the_connection_is_cut(bench: Bench) -> None:
    reply = await bench.invoke(answering(Raw(0)))
    assert isinstance(reply, Unreachable)
    assert not reply.down
    assert "may have run" in str(reply.cause)
    assert reply.attempt.status is None
    assert reply.attempt.request_id == ASKED.request_id


@pytest.mark.semantics("INVOKE-13")
async def test_no_answer_in_time(bench: Bench) -> None:
    async def never(payload: bytes) -> Result:
        await anyio.sleep_forever()
        raise AssertionError

    reply = await bench.invoke(never, timeout=0.05, margin=0.05)
    assert isinstance(reply, Unreachable)
    assert not reply.down
    assert "within 0.1 s" in str(reply.cause)
    assert "may have run" in str(reply.cause)


@pytest.mark.parametrize(
    "endpoint",
    [closed_port(), "http://no-such-host.invalid:4566", "https://127.0.0.1:1"],
    ids=["refused", "dns", "tls"],
)
async def test_nobody_there(bench: Bench, endpoint: str) -> None:
    subject = await bench.invoker(endpoint=endpoint)
    reply = await subject.invoke(ASKED)
    assert isinstance(reply, Unreachable)
    assert reply.down
    assert endpoint in str(reply.cause)
    probed = await subject.probe()
    assert isinstance(probed, NotReady)
    assert "is the address right" in str(probed.cause)


async def test_tls_to_a_plain_server_is_down(bench: Bench) -> None:
    subject = await bench.invoker(endpoint=bench.stub.url.replace("http:", "https:"))
    reply = await subject.invoke(ASKED)
    assert isinstance(reply, Unreachable)
    assert reply.down


async def test_a_probe_asks_for_a_connection_and_no_more(bench: Bench) -> None:
    assert await (await bench.invoker("nobody")).probe() == Ready()
    assert bench.stub.seen == []


async def test_the_deadline_is_above_the_functions_own(bench: Bench) -> None:
    assert (await bench.invoker(timeout=30.0, margin=5.0)).timeout == 35.0
    assert (await bench.invoker()).timeout is None
    assert (await bench.invoker(concurrency=3)).concurrency == 3


async def test_an_error_names_what_was_invoked(bench: Bench) -> None:
    reply = await bench.invoke(answering(refusal(500, "ServiceException", "said by the service")))
    assert isinstance(reply, Unreachable)
    assert reply.cause.text.startswith("invoke billing: ServiceException: said by the service")


async def test_what_no_client_raises_is_not_swallowed(bench: Bench) -> None:
    subject = await bench.invoker()
    with pytest.raises(TypeError):
        await subject.invoke(Invocation(object(), "r"))  # type: ignore[arg-type]


async def test_many_share_one_client(bench: Bench) -> None:
    async def echo(payload: bytes) -> Result:
        return Result(payload)

    bench.stub.functions["billing"] = echo
    subject = await bench.invoker()
    replies: dict[int, object] = {}

    async def invoke(number: int) -> None:
        reply = await subject.invoke(Invocation(json.dumps(number).encode(), str(number), trace=f"Root={number}"))
        assert isinstance(reply, Returned)
        replies[number] = json.loads(reply.body)

    async with anyio.create_task_group() as tasks:
        for number in range(30):
            tasks.start_soon(invoke, number)
    assert replies == {number: number for number in range(30)}
    assert {(seen.headers["X-Amzn-Trace-Id"], seen.body) for seen in bench.stub.seen} == {
        (f"Root={number}", str(number).encode()) for number in range(30)
    }

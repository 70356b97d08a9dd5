"""Invoke and InvokeAsync: every text, in the order of AWS's checks; answers as botocore's model has them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from headrace.config.clock import SystemClock
from headrace.config.durable.faults import StoreUnavailable
from headrace.dispatch.core.model import Attempt, Reply, Throttled, Unreachable
from headrace.dispatch.core.observer import FunctionLog
from headrace.dispatch.invokers.base import Invocation, Invoker
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.service.api.calls.invoke import InvokeCalls
from headrace.service.api.wire.call import Answer, Call
from headrace.service.api.wire.refusals import form_of
from headrace.service.control.catalogue import Runnable
from headrace.service.control.refusals import ApiError
from headrace.service.running.environments import Environments
from headrace.service.running.invocations import Invocations
from headrace.service.telemetry.tails import Tails
from support.catalogues import HERE, PaperCatalogue
from support.fleets import fleet_of
from support.reasons import no_start

RID = "11111111-2222-4333-8444-555555555555"
ARN = HERE.arn("orders")
MODEL = ServiceModel(Loader().load_service_model("lambda", "service-2"))


@dataclass
class Desk:
    """The calls, with functions that do what the test says."""

    catalogue: PaperCatalogue = field(default_factory=PaperCatalogue)
    does: Any = b"null"
    """Bytes to answer, a reply, or an exception."""
    invoked: list[Invocation] = field(default_factory=list)
    accepted: list[tuple[str, str, str, bytes, int]] = field(default_factory=list)
    room: int = 1_048_576
    """Bytes that an accepted event may have."""
    full: bool = False
    tails: Tails = field(default_factory=Tails)
    shared: int = 10

    def __post_init__(self) -> None:
        self.catalogue.put()
        clock = SystemClock()
        environments = Environments(self.catalogue, self.make, self.shared, clock, lambda: 1.0)
        self.calls = InvokeCalls(HERE, Invocations((), fleet_of(), environments, clock), self, self.tails).calls()

    def make(self, runnable: Runnable) -> Invoker:
        async def function(invocation: Invocation) -> Reply | bytes:
            self.invoked.append(invocation)
            self.tails.observe(FunctionLog("orders", "", "INIT_START", "platform"))
            for line in ("START", "hello", "END"):
                self.tails.observe(FunctionLog("orders", invocation.request_id, line, "platform"))
            if isinstance(self.does, Exception):
                raise self.does
            answer: Reply | bytes = self.does
            return answer

        return CallableInvoker(function, clock=SystemClock(), concurrency=None)

    def has_room(self, size: int) -> bool:
        return size <= self.room

    async def accept(self, function: str, qualifier: str, request_id: str, payload: bytes, hops: int) -> None:
        if self.full:
            raise StoreUnavailable("cannot store accepted events: the disk is full")
        self.accepted.append((function, qualifier, request_id, payload, hops))

    async def call(self, operation: str = "Invoke", hops: int = 0, **parameters: Any) -> Answer:
        answer = await self.calls[operation](Call(operation, {"FunctionName": "orders", **parameters}, RID, hops))
        _as_the_model_has_it(operation, answer)
        return answer

    async def refused(self, operation: str = "Invoke", hops: int = 0, **parameters: Any) -> ApiError:
        with pytest.raises(ApiError) as caught:
            await self.call(operation, hops, **parameters)
        return caught.value


def _as_the_model_has_it(operation: str, answer: Answer) -> None:
    shape = MODEL.operation_model(operation).output_shape
    assert answer.output.keys() <= shape.members.keys()
    assert not ParamValidator().validate(dict(answer.output), shape).has_errors()


@pytest.fixture
def desk() -> Desk:
    return Desk()


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("API-INVOKE-09")
async def test_an_answer_is_the_functions_byte_for_byte(desk: Desk) -> None:
    desk.does = b' {"a": 1.50} '
    answer = await desk.call(Payload=b'{"e": 1}')
    assert answer.output == {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": b' {"a": 1.50} '}
    assert answer.headers["X-Amzn-Trace-Id"].startswith("Root=1-")
    (invocation,) = desk.invoked
    assert (invocation.payload, invocation.request_id, invocation.invoked_arn) == (b'{"e": 1}', RID, ARN)
    assert invocation.trace == answer.headers["X-Amzn-Trace-Id"]


@pytest.mark.semantics("API-INVOKE-09")
async def test_a_function_that_fails_is_a_good_answer_with_an_error(desk: Desk) -> None:
    desk.does = ValueError("no")
    answer = await desk.call()
    assert answer.output["StatusCode"] == 200
    assert answer.output["FunctionError"] == "Unhandled"
    assert json.loads(answer.output["Payload"])["errorMessage"] == "no"


@pytest.mark.semantics("API-INVOKE-09")
async def test_a_function_that_cannot_start_is_told_as_its_error(desk: Desk) -> None:
    ran = Attempt(RID, 0.0, 0.0, 200, "$LATEST", "Unhandled")
    desk.does = Unreachable(ran, no_start("its init failed"), True, b'{"errorType":"Runtime.ImportModuleError"}')
    answer = await desk.call()
    assert answer.output["FunctionError"] == "Unhandled"
    assert answer.output["Payload"] == b'{"errorType":"Runtime.ImportModuleError"}'
    desk.does = Unreachable(ran, no_start("ruby3.4 cannot be run here: install it"), True)
    told = json.loads((await desk.call()).output["Payload"])
    assert told == {
        "errorType": "Runtime.Unavailable",
        "errorMessage": f"RequestId: {RID} Error: ruby3.4 cannot be run here: install it",
    }


@pytest.mark.semantics("API-INVOKE-10")
@pytest.mark.parametrize("sent", [{}, {"Payload": b""}])
async def test_without_a_body_the_event_is_an_empty_object(desk: Desk, sent: dict[str, Any]) -> None:
    await desk.call(**sent)
    assert desk.invoked[0].payload == b"{}"


@pytest.mark.semantics("API-INVOKE-10")
@pytest.mark.parametrize(
    "event", [b"[]", b'"text"', b"1", b"1.5e400", b"true", b"null", b' {"a":1}\n', b'"\\ud800"', b"1" * 400]
)
async def test_any_json_is_an_event(desk: Desk, event: bytes) -> None:
    await desk.call(Payload=event)
    assert desk.invoked[0].payload == event


@pytest.mark.semantics("API-INVOKE-09")
async def test_versions_and_aliases(desk: Desk) -> None:
    desk.catalogue.put(version="3")
    desk.catalogue.alias("orders", "live", "3")
    asked: list[tuple[dict[str, Any], str]] = [
        ({"FunctionName": "orders:live"}, f"{ARN}:live"),
        ({"Qualifier": "3"}, f"{ARN}:3"),
        ({"FunctionName": f"{ARN}:$LATEST", "Qualifier": "$LATEST"}, f"{ARN}:$LATEST"),
        ({"FunctionName": "000000000000:function:orders"}, ARN),
    ]
    for parameters, arn in asked:
        await desk.call(**parameters)
        assert desk.invoked[-1].invoked_arn == arn


@pytest.mark.semantics("API-INVOKE-11")
async def test_the_end_of_the_log_is_there_for_those_who_ask(desk: Desk) -> None:
    assert "LogResult" not in (await desk.call(LogType="None")).output
    answer = await desk.call(LogType="Tail")
    assert base64.b64decode(answer.output["LogResult"]) == b"START\nhello\nEND\n"


@pytest.mark.semantics("API-INVOKE-11")
def test_a_tail_is_the_last_4096_bytes() -> None:
    tails = Tails()
    with tails.of("r") as tail:
        for number in range(10_000):
            tails.observe(FunctionLog("f", "r", f"line {number}\n", "stdout"))
        tails.observe(FunctionLog("f", "other", "not mine", "stdout"))
        assert len(tail.text) == 4096
        assert tail.text.endswith(b"line 9998\nline 9999\n")
        tails.observe(FunctionLog("f", "r", "x" * 100_000, "stdout"))
        assert tail.text == b"x" * 4095 + b"\n"


@pytest.mark.semantics("API-INVOKE-12")
async def test_an_event_is_queued_and_its_request_id_is_that_of_the_call(desk: Desk) -> None:
    answer = await desk.call(InvocationType="Event", Payload=b"[1]", Qualifier="$LATEST", ClientContext="e30=")
    assert (answer.output, answer.status) == ({"StatusCode": 202}, 202)
    assert desk.accepted == [("orders", "$LATEST", RID, b"[1]", 0)]
    assert desk.invoked == []


@pytest.mark.semantics("API-INVOKE-12")
async def test_an_event_is_queued_though_there_is_no_room(desk: Desk) -> None:
    desk.catalogue.limit("orders", 0)
    await desk.call(InvocationType="Event")
    assert len(desk.accepted) == 1


@pytest.mark.semantics("API-INVOKE-12")
async def test_what_could_not_be_stored_is_not_accepted(desk: Desk) -> None:
    desk.full = True
    error = await desk.refused(InvocationType="Event")
    assert (error.code, form_of(error).status) == ("ServiceException", 500)
    assert error.message == "cannot store accepted events: the disk is full"


@pytest.mark.semantics("ASYNC-13")
async def test_an_event_for_which_there_is_no_room_is_to_come_again(desk: Desk) -> None:
    desk.room = 3
    await desk.call(InvocationType="Event", Payload=b"[1]")
    error = await desk.refused(InvocationType="Event", Payload=b"[12]")
    assert (error.code, form_of(error).status, form_of(error).headers) == (
        "TooManyRequestsException",
        429,
        {"Retry-After": "1"},
    )
    assert len(desk.accepted) == 1


@pytest.mark.semantics("API-INVOKE-13")
async def test_a_dry_run_looks_and_does_nothing(desk: Desk) -> None:
    answer = await desk.call(InvocationType="DryRun")
    assert (answer.output, answer.status) == ({"StatusCode": 204}, 204)
    assert (desk.invoked, desk.accepted) == ([], [])
    assert form_of(await desk.refused(InvocationType="DryRun", FunctionName="gone")).status == 404


@pytest.mark.semantics("API-INVOKE-12")
async def test_the_deprecated_call_is_an_event_too(desk: Desk) -> None:
    answer = await desk.call("InvokeAsync", InvokeArgs=b"{}")
    assert (answer.output, answer.status) == ({"Status": 202}, 202)
    assert desk.accepted == [("orders", "", RID, b"{}", 0)]
    assert (await desk.refused("InvokeAsync", InvokeArgs=b"{")).code == "InvalidRequestContentException"


@pytest.mark.semantics("API-INVOKE-14")
async def test_a_client_context_is_decoded(desk: Desk) -> None:
    context = '{"custom": {"ü": 1}}'
    await desk.call(ClientContext=base64.b64encode(context.encode()).decode())
    assert desk.invoked[0].client_context == context


# --- refusals -------------------------------------------------------------------------------------------------------

PARSE = "Could not parse request body into json: Could not parse payload into json: "
NO_JSON = base64.b64encode(b"[1]").decode()
REFUSALS: dict[str, tuple[dict[str, Any], str, int, str | None]] = {
    "missing": (
        {"FunctionName": "gone"},
        "ResourceNotFoundException",
        404,
        f"Function not found: {HERE.arn('gone')}:$LATEST",
    ),
    "no such version": ({"Qualifier": "9"}, "ResourceNotFoundException", 404, f"Function not found: {ARN}:9"),
    "no such alias": ({"FunctionName": "orders:x"}, "ResourceNotFoundException", 404, f"Function not found: {ARN}:x"),
    "odd spelling": ({"Qualifier": "$latest"}, "ResourceNotFoundException", 404, f"Function not found: {ARN}:$latest"),
    "elsewhere": (
        {"FunctionName": ARN.replace("us-east-1", "eu-west-1")},
        "ResourceNotFoundException",
        404,
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
    ),
    "another account": (
        {"FunctionName": ARN.replace("000000000000", "111111111111")},
        "AccessDeniedException",
        403,
        None,
    ),
    "two qualifiers": (
        {"FunctionName": "orders:1", "Qualifier": "2"},
        "InvalidParameterValueException",
        400,
        "The derived qualifier from the function name does not match the specified qualifier.",
    ),
    "long context": (
        {"ClientContext": "A" * 3584},
        "InvalidRequestContentException",
        400,
        "Client context must be no more than 3583 bytes.",
    ),
    "bad context": (
        {"ClientContext": "{}"},
        "InvalidRequestContentException",
        400,
        "Client context must be a valid Base64-encoded JSON object.",
    ),
    "context of another kind": (
        {"ClientContext": NO_JSON},
        "InvalidRequestContentException",
        400,
        "Client context must be a valid Base64-encoded JSON object.",
    ),
}


@pytest.mark.semantics("API-INVOKE-15")
@pytest.mark.parametrize("case", REFUSALS)
async def test_refusals_in_awss_words(desk: Desk, case: str) -> None:
    parameters, code, status, message = REFUSALS[case]
    error = await desk.refused(**parameters)
    assert (error.code, form_of(error).status, error.message) == (code, status, message)
    assert desk.invoked == []


@pytest.mark.semantics("API-INVOKE-15")
@pytest.mark.parametrize("event", [b"{", b"\x99", b"'a'", b"NaN", b" ", b'{"a":1}}', b"[" * 100_000, b'"\x87"'])
async def test_what_is_no_json_is_no_event(desk: Desk, event: bytes) -> None:
    error = await desk.refused(Payload=event)
    assert (error.code, form_of(error).status) == ("InvalidRequestContentException", 400)
    assert error.message is not None
    assert error.message.startswith(PARSE)
    assert len(error.message) > len(PARSE)


@pytest.mark.semantics("API-INVOKE-15")
async def test_the_order_of_the_checks(desk: Desk) -> None:
    """Each request has everything wrong that the following ones have."""
    codes = [
        await desk.refused(FunctionName="gone:1", Qualifier="2", Payload=b"{"),
        await desk.refused(FunctionName="gone", Payload=b"{"),
        await desk.refused(FunctionName="gone"),
    ]
    assert [form_of(error).status for error in codes] == [400, 400, 404]
    assert [error.code[:9] for error in codes] == ["InvalidPa", "InvalidRe", "ResourceN"]


@pytest.mark.semantics("API-INVOKE-15")
@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
async def test_a_function_that_is_being_made_is_not_invoked(desk: Desk, kind: str) -> None:
    desk.catalogue.put(state="Pending")
    error = await desk.refused(InvocationType=kind)
    assert (error.code, form_of(error).status) == ("ResourceConflictException", 409)
    assert error.message == (
        "The operation cannot be performed at this time. The function is currently in the following state: Pending"
    )


@pytest.mark.semantics("API-INVOKE-05", "API-INVOKE-06")
@pytest.mark.parametrize(
    ("reserved", "shared", "reason"),
    [
        (0, 10, "ReservedFunctionConcurrentInvocationLimitExceeded"),
        (None, 0, "ConcurrentInvocationLimitExceeded"),
    ],
)
async def test_no_room(reserved: int | None, shared: int, reason: str) -> None:
    desk = Desk(shared=shared)
    desk.catalogue.limit("orders", reserved)
    error = await desk.refused()
    assert (error.code, form_of(error).status, error.message) == ("TooManyRequestsException", 429, "Rate Exceeded.")
    assert (form_of(error).type, form_of(error).more) == ("User", {"Reason": reason})


async def test_a_throttle_elsewhere_is_handed_on(desk: Desk) -> None:
    desk.does = Throttled(Attempt("x", 0.0, 0.0, 429), after=3.0, reason="ConcurrentInvocationLimitExceeded")
    error = await desk.refused()
    assert form_of(error).headers == {"Retry-After": "3"}
    desk.does = Throttled(Attempt("x", 0.0, 0.0, 429), detail="the runtime is busy")
    assert form_of(await desk.refused()).more == {"Reason": "ConcurrentInvocationLimitExceeded"}


@pytest.mark.semantics("API-INVOKE-16")
async def test_what_was_sent_in_a_circle_is_refused(desk: Desk) -> None:
    await desk.call(hops=3)
    assert desk.invoked[0].hops == 3
    for kind in ("RequestResponse", "Event"):
        error = await desk.refused(hops=4, InvocationType=kind)
        assert (error.code, form_of(error).status) == ("RecursiveInvocationException", 400)
        assert "forwarded by 4 daemons" in (error.message or "")


@pytest.mark.semantics("API-INVOKE-17")
@pytest.mark.parametrize(
    ("status", "code", "answered"),
    [(404, "ResourceNotFoundException", 404), (500, "ServiceException", 502), (None, "ServiceException", 502)],
)
async def test_a_function_elsewhere_that_is_not_reached(
    desk: Desk, status: int | None, code: str, answered: int
) -> None:
    desk.does = Unreachable(Attempt("x", 0.0, 0.0, status), no_start("billing at http://x: connection refused"), True)
    error = await desk.refused()
    assert (error.code, form_of(error).status, error.message) == (
        code,
        answered,
        "billing at http://x: connection refused",
    )


async def test_a_function_that_is_gone_since_it_was_looked_for(desk: Desk) -> None:
    class Gone(PaperCatalogue):
        looked = 0

        def runnable(self, name: str, qualifier: str = "", draw: float = 1.0) -> Runnable | None:
            self.looked += 1
            return super().runnable(name, qualifier, draw) if self.looked == 1 else None

    desk = Desk(Gone())
    error = await desk.refused()
    assert (form_of(error).status, error.message) == (404, f"Function not found: {ARN}:$LATEST")

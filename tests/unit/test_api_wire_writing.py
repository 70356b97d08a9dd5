"""From answers and refusals to HTTP."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from headrace.config.errors import BugError
from headrace.service.api.core.recorded import DEVIATIONS
from headrace.service.api.service_model import load
from headrace.service.api.wire import refusals as http
from headrace.service.api.wire.call import Answer
from headrace.service.api.wire.model import Model
from headrace.service.api.wire.writing import ApiResponse, plain, refused, written
from headrace.service.control import refusals
from headrace.service.control.refusals import ApiError
from support import api_model

ID = "11111111-2222-4333-8444-555555555555"


@functools.cache
def model() -> Model:
    return load("lambda", "2015-03-31", DEVIATIONS)


def write(operation: str, output: dict[str, Any] | None = None, **more: Any) -> ApiResponse:
    return written(model().operations[operation], Answer(output or {}, **more), ID)


@pytest.mark.semantics("API-05")
@pytest.mark.parametrize(
    ("operation", "output", "status", "body"),
    [
        ("CreateFunction", {"FunctionName": "f", "Runtime": None}, 201, b'{"FunctionName":"f"}'),
        ("DeleteFunction", {}, 204, b""),
        ("DeleteAlias", {}, 204, b""),
        ("TagResource", {}, 204, b""),
        ("CreateEventSourceMapping", {"LastModified": 1573243620}, 202, b'{"LastModified":1573243620.0}'),
        (
            "GetEventSourceMapping",
            {"LastModified": datetime(2019, 11, 8, 20, 7, tzinfo=UTC)},
            200,
            b'{"LastModified":1573243620.0}',
        ),
        ("GetFunctionConcurrency", {}, 200, b"{}"),
        ("GetFunction", {"Configuration": {"LastModified": "2025", "State": None}}, 200, None),
        ("Invoke", {"Payload": b"\x00\xff", "StatusCode": 200}, 200, b"\x00\xff"),
        ("Invoke", {"StatusCode": 202}, 202, b""),
        ("Invoke", {"StatusCode": 204}, 204, b""),
        ("InvokeAsync", {"Status": 202}, 202, b"{}"),
        ("GetFunctionRecursionConfig", {"RecursiveLoop": "Allow"}, 200, b'{"RecursiveLoop":"Allow"}'),
    ],
)
def test_answers(operation: str, output: dict[str, Any], status: int, body: bytes | None) -> None:
    response = write(operation, output)
    assert response.status == status
    assert body is None or response.body == body
    assert response.headers["x-amzn-RequestId"] == ID
    api_model.check(operation, response.status, response.headers, response.body)


@pytest.mark.semantics("API-05")
def test_bytes_in_a_body_are_base64() -> None:
    code = model().operations["CreateFunction"].input.members["Code"].shape
    assert plain(code, {"ZipFile": b"\x00\xff"}) == {"ZipFile": "AP8="}


@pytest.mark.semantics("API-05")
def test_members_that_travel_in_headers() -> None:
    output = {"FunctionError": "Unhandled", "LogResult": "bG9n", "ExecutedVersion": "3", "Payload": b"{}"}
    response = write("Invoke", output, headers={"X-Amzn-Trace-Id": "Root=1\r\nX-Evil: 1"})
    assert response.headers == {
        "Content-Type": "application/json",
        "X-Amz-Function-Error": "Unhandled",
        "X-Amz-Log-Result": "bG9n",
        "X-Amz-Executed-Version": "3",
        "X-Amzn-Trace-Id": "Root=1 X-Evil: 1",
        "x-amzn-RequestId": ID,
    }
    parsed = api_model.check("Invoke", response.status, response.headers, response.body)
    assert parsed["ExecutedVersion"] == "3"


def test_a_status_of_the_answer_wins() -> None:
    assert write("PutFunctionConcurrency", status=202).status == 202


@pytest.mark.parametrize("output", [{"Nme": "f"}, {"VpcConfig": {"Subnets": []}}])
def test_an_output_that_the_model_does_not_know_is_a_fault_of_ours(output: dict[str, Any]) -> None:
    with pytest.raises(BugError, match=r"Nme|Subnets"):
        write("CreateFunction", output)


@pytest.mark.semantics("API-05")
@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (refusals.invalid_parameter("m"), 400, {"Type": "User", "message": "m"}),
        (refusals.unsupported("m"), 400, {"message": "m"}),
        (refusals.validation("m"), 400, {"message": "1 validation error detected: m"}),
        (refusals.no_such_resource("m"), 404, {"Type": "User", "Message": "m"}),
        (refusals.conflict("m"), 409, {"Type": "User", "message": "m"}),
        (refusals.in_use("m"), 400, {"Type": "User", "Message": "m"}),
        (refusals.precondition_failed("m"), 412, {"Type": "User", "message": "m"}),
        (refusals.policy_too_long("m"), 400, {"Type": "User", "message": "m"}),
        (http.unreadable_event("m"), 400, None),
        (refusals.too_large("m"), 413, {"message": "m"}),
        (refusals.access_denied(), 403, {"Message": None}),
        (
            http.too_many("ReservedFunctionConcurrentInvocationLimitExceeded", retry_after=1),
            429,
            {
                "Type": "User",
                "message": "Rate Exceeded.",
                "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
            },
        ),
        (refusals.service("m"), 500, {"Type": "Service", "Message": "m"}),
    ],
)
def test_refusals(error: ApiError, status: int, body: dict[str, Any] | None) -> None:
    response = refused(error, ID)
    assert response.status == status
    assert response.headers["x-amzn-ErrorType"] == error.code
    assert response.headers["x-amzn-RequestId"] == ID
    assert body is None or orjson.loads(response.body) == body
    assert ("Retry-After" in response.headers) == (status == 429)


@pytest.mark.semantics("API-05")
def test_the_members_of_errors_are_those_of_the_model() -> None:
    made = [
        refusals.invalid_parameter("m"),
        refusals.no_such_resource("m"),
        refusals.conflict("m"),
        refusals.in_use("m"),
        refusals.precondition_failed("m"),
        refusals.policy_too_long("m"),
        http.unreadable_event("m"),
        http.too_many(),
        refusals.service("m"),
    ]
    for error in made:
        shape = api_model.service().shape_for(error.code)
        form = http.form_of(error)
        assert form.member in shape.members, error.code
        assert form.status == shape.metadata["error"]["httpStatusCode"]
        assert form.more.keys() <= shape.members.keys()


@pytest.mark.parametrize("kind", refusals.RefusalKind)
def test_each_kind_of_refusal_has_its_form(kind: refusals.RefusalKind) -> None:
    assert http.form_of(ApiError("Code", "m", kind)) is http.FORMS[kind]


def test_no_text_breaks_an_answer() -> None:
    response = refused(refusals.invalid_parameter("\ud800"), ID)
    assert orjson.loads(response.body) == {"Type": "User", "message": "?"}

"""What is told of an event that is over, to the letter."""

from __future__ import annotations

import json

import pytest

from headrace.service.async_invoke.core import records
from headrace.service.async_invoke.core.model import AsyncEvent, Condition, FunctionResponse, HeldEvent, Over

ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"
RID = "11111111-2222-4333-8444-555555555555"
NOW = 1_764_025_868.123
HELD = HeldEvent(AsyncEvent(1, "orders", "", RID, NOW, NOW), b'{"a": 1.50}')
ERROR = FunctionResponse("$LATEST", b'{"errorMessage":"no","errorType":"E"}', failed=True)


def contexts(condition: str, count: int, qualifier: str = "$LATEST") -> str:
    return (
        '{"version":"1.0","timestamp":"2025-11-24T23:11:08.123Z",'
        f'"requestContext":{{"requestId":"{RID}","functionArn":"{ARN}:{qualifier}",'
        f'"condition":"{condition}","approximateInvokeCount":{count}}},"requestPayload":{{"a": 1.50}}'
    )


CASES = {
    "success": (
        Over(Condition.SUCCESS, 1, FunctionResponse("3", b"null", failed=False)),
        contexts("Success", 1) + ',"responseContext":{"statusCode":200,"executedVersion":"3"},"responsePayload":null}',
    ),
    "exhausted": (
        Over(Condition.RETRIES_EXHAUSTED, 3, ERROR),
        contexts("RetriesExhausted", 3)
        + ',"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},'
        '"responsePayload":{"errorMessage":"no","errorType":"E"}}',
    ),
    "too old, once tried": (
        Over(Condition.AGE_EXCEEDED, 1, ERROR),
        contexts("EventAgeExceeded", 1)
        + ',"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},'
        '"responsePayload":{"errorMessage":"no","errorType":"E"}}',
    ),
    "too old, never tried": (Over(Condition.AGE_EXCEEDED, 0), contexts("EventAgeExceeded", 0) + "}"),
    "may not run": (Over(Condition.ZERO_RESERVED, 0), contexts("ZeroReservedConcurrency", 0) + "}"),
    "no JSON": (
        Over(Condition.SUCCESS, 1, FunctionResponse("3", b'a "b" \xff', failed=False)),
        contexts("Success", 1)
        + ',"responseContext":{"statusCode":200,"executedVersion":"3"},"responsePayload":"a \\"b\\" \ufffd"}',
    ),
}


@pytest.mark.semantics("ASYNC-06")
@pytest.mark.parametrize("case", CASES)
def test_the_invocation_record(case: str) -> None:
    over, expected = CASES[case]
    made = records.record(HELD, over, ARN, NOW)
    assert made.decode() == expected
    json.loads(made)


@pytest.mark.semantics("ASYNC-06")
def test_the_function_is_named_as_it_was_invoked() -> None:
    held = HeldEvent(AsyncEvent(1, "orders", "live", RID, NOW, NOW), HELD.payload)
    assert records.record(held, CASES["may not run"][0], ARN, NOW).decode() == (
        contexts("ZeroReservedConcurrency", 0, "live") + "}"
    )


@pytest.mark.semantics("ASYNC-08")
@pytest.mark.parametrize(
    ("over", "code", "message"),
    [
        (Over(Condition.RETRIES_EXHAUSTED, 3, ERROR), "200", "no"),
        (Over(Condition.RETRIES_EXHAUSTED, 3, FunctionResponse("1", b"not JSON", failed=True)), "200", "not JSON"),
        (Over(Condition.ZERO_RESERVED, 0), "429", "ZeroReservedConcurrency"),
    ],
)
def test_a_dead_letter_has_its_story_in_attributes(over: Over, code: str, message: str) -> None:
    assert records.dead_letter_attributes(HELD.event, over) == {
        "RequestID": ("String", RID),
        "ErrorCode": ("Number", code),
        "ErrorMessage": ("String", message),
    }


@pytest.mark.semantics("ASYNC-08")
def test_of_a_long_message_a_kilobyte_is_told_and_no_half_of_a_character() -> None:
    long = FunctionResponse("1", json.dumps({"errorMessage": "ü" * 2000}).encode(), failed=True)
    message = records.dead_letter_attributes(HELD.event, Over(Condition.RETRIES_EXHAUSTED, 3, long))["ErrorMessage"][1]
    assert message == "ü" * 512
    odd = FunctionResponse("1", json.dumps({"errorMessage": "x" + "ü" * 2000}).encode(), failed=True)
    message = records.dead_letter_attributes(HELD.event, Over(Condition.RETRIES_EXHAUSTED, 3, odd))["ErrorMessage"][1]
    assert message == "x" + "ü" * 511


@pytest.mark.semantics("ASYNC-07")
@pytest.mark.parametrize(("condition", "ending"), [("Success", "Success"), ("RetriesExhausted", "Failure")])
def test_the_heading_of_an_event_on_a_bus(condition: str, ending: str) -> None:
    heading = records.bus_heading(Condition(condition), ARN, HELD.event)
    assert (heading.source, heading.detail_type) == ("lambda", f"Lambda Function Invocation Result - {ending}")
    assert heading.resources == (f"{ARN}:$LATEST",)


@pytest.mark.semantics("ASYNC-07")
def test_an_objects_key() -> None:
    assert records.s3_key("orders", NOW, "an-id") == "aws/lambda/async/orders/2025/11/24/2025-11-24T23.11.08-an-id"

"""The reports of an event that is over: the invocation record, the dead letter, EventBridge's entry. Pure.

A record contains payloads unchanged, byte for byte; a payload that is no JSON becomes a string.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from ....dispatch.core.documents import BusHeading
from ....dispatch.invokers.core import answers
from .model import AsyncEvent, Condition, FunctionResponse, HeldEvent, Over

OK = 200
THROTTLED = 429
MESSAGE_MAX = 1024
"""Bytes of an error's message beside a dead letter."""
S3_PREFIX = "aws/lambda/async"


def record(held: HeldEvent, over: Over, function_arn: str, now: float) -> bytes:
    """The document for SQS, SNS, S3 and Lambda, and EventBridge's detail."""
    event = held.event
    members = {
        "version": b'"1.0"',
        "timestamp": orjson.dumps(_stamp(now)),
        "requestContext": orjson.dumps(
            {
                "requestId": event.request_id,
                "functionArn": f"{function_arn}:{event.explicit}",
                "condition": over.condition.value,
                "approximateInvokeCount": over.attempts,
            }
        ),
        "requestPayload": held.payload,
    }
    if over.response is not None:
        members["responseContext"] = orjson.dumps(_response_context(over.response))
        members["responsePayload"] = _embedded(over.response.body)
    return b"{%s}" % b",".join(b'"%s":%s' % (name.encode(), value) for name, value in members.items())


def _response_context(response: FunctionResponse) -> dict[str, Any]:
    context: dict[str, Any] = {"statusCode": OK, "executedVersion": response.version}
    return {**context, "functionError": answers.UNHANDLED} if response.failed else context


def _embedded(body: bytes) -> bytes:
    try:
        orjson.loads(body)
        return body
    except orjson.JSONDecodeError:
        return orjson.dumps(body.decode(errors="replace"))


def dead_letter_attributes(event: AsyncEvent, over: Over) -> dict[str, tuple[str, str]]:
    """Name to type and value. The dead letter itself is the event, as it was sent."""
    return {
        "RequestID": ("String", event.request_id),
        "ErrorCode": ("Number", str(OK if over.response else THROTTLED)),
        "ErrorMessage": ("String", _message(over)),
    }


def _message(over: Over) -> str:
    """The message of the function's error, or the reason why the function was never reached."""
    text = answers.error_text(over.response.body)[1] if over.response else ""
    cut = (text or over.condition.value).encode("utf-8", "replace")[:MESSAGE_MAX]
    return cut.decode(errors="ignore")


def bus_heading(condition: Condition, function_arn: str, event: AsyncEvent) -> BusHeading:
    """The heading of the record on an EventBridge bus."""
    ending = "Success" if condition is Condition.SUCCESS else "Failure"
    return BusHeading(f"Lambda Function Invocation Result - {ending}", (f"{function_arn}:{event.explicit}",))


def s3_key(function: str, now: float, fresh_id: str) -> str:
    at = datetime.fromtimestamp(now, UTC)
    return f"{S3_PREFIX}/{function}/{at:%Y/%m/%d}/{at:%Y-%m-%dT%H.%M.%S}-{fresh_id}"


def _stamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""What the API says when it refuses, to the letter, over HTTP; and that a refused call changes nothing.

Each text is one that AWS was recorded or documented to say.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from support.api_lab import Reply
from support.api_messages import MESSAGES
from support.function_api import creation
from support.function_refusals import PERMISSION, RNF, ROWS, STATUS, F
from support.mapping_requests import DYNAMODB, KAFKA, KINESIS, SQS
from support.whole_api import Over, over_http

STATUSES = {
    **STATUS,
    "ResourceInUseException": 400,
    "InvalidRequestContentException": 400,
    "TooManyRequestsException": 429,
}
CAPITAL = {RNF, "ResourceInUseException", "AccessDeniedException"}
"""Codes whose text stands in `Message`."""
WITHOUT_TYPE = {"ValidationException", "RequestEntityTooLargeException", "AccessDeniedException"}
WITHOUT_TYPE_TEXTS = ("Specified Reserved", "$LATEST is not supported for an alias")
HASTY = "arn:aws:sqs:us-east-1:000000000000:hasty"
NOT_OVER_HTTP = "The final policy size (20860)"
"""One statement alone cannot be so long."""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Over]:
    async with over_http(tmp_path) as api:
        await api.done("CreateFunction", **creation(Publish=True))
        for number in (2, 3):
            await api.done("UpdateFunctionConfiguration", **F, Description=str(number))
            await api.done("PublishVersion", **F)
        await api.done("CreateAlias", **F, Name="live", FunctionVersion="1")
        await api.done("AddPermission", **F, **{**PERMISSION, "StatementId": "taken"})
        for name in ("full", "quick"):
            await api.done("CreateFunction", **creation(FunctionName=name, Timeout=1))
        await api.done("PutFunctionConcurrency", FunctionName="full", ReservedConcurrentExecutions=0)
        yield api


async def known(api: Over) -> dict[str, str]:
    """What messages refer to; and after it nothing is settled any more."""
    found = {"sha": (await api.done("GetFunctionConfiguration", **F))["CodeSha256"]}
    kinds: dict[str, Mapping[str, Any]] = {"sqs": SQS, "kinesis": KINESIS, "dynamodb": DYNAMODB, "kafka": KAFKA}
    for kind, request in kinds.items():
        found[kind] = (await api.done("CreateEventSourceMapping", **{**request, **F}))["UUID"]
    hasty = {**SQS, "FunctionName": "quick", "EventSourceArn": HASTY}
    found["hasty"] = (await api.done("CreateEventSourceMapping", **hasty))["UUID"]
    await api.ask("CreateFunction", creation(FunctionName="making"))
    busy = await api.ask("CreateEventSourceMapping", {**SQS, "FunctionName": "orders:2"})
    return {**found, "busy": orjson.loads(busy.body)["UUID"]}


def filled(value: Any, known: Mapping[str, str]) -> Any:
    """With `{sqs}` and its like as they are."""
    if isinstance(value, Mapping):
        return {key: filled(each, known) for key, each in value.items()}
    if isinstance(value, str):
        for name, meant in known.items():
            value = value.replace(f"{{{name}}}", meant)
    return value


def as_told(reply: Reply) -> tuple[int, str, str, str | None]:
    """Status, code, the member that holds the text, the text."""
    body = orjson.loads(reply.body)
    member = next((name for name in ("message", "Message") if name in body), "")
    return reply.status, reply.headers["x-amzn-ErrorType"], member, body.get(member)


@pytest.mark.semantics("API-04", "API-05", "API-19", "API-INVOKE-15", "ESM-10", "FUNC-05")
async def test_each_refusal_is_awss_to_the_letter_and_changes_nothing(api: Over) -> None:
    meant = await known(api)
    before = await api.whole.answers(), api.whole.documents()
    for operation, parameters, code, message in [*ROWS, *MESSAGES]:
        if message.startswith(NOT_OVER_HTTP):
            continue
        where = (operation, {key: value for key, value in parameters.items() if key not in ("Code", "Payload")})
        reply = await api.ask(operation, filled(parameters, meant))
        status, told, member, text = as_told(reply)
        begin, cut, _ = filled(message, meant).partition("…")
        assert (status, told) == (STATUSES[code], code), (where, text)
        assert text == begin or (cut and str(text).startswith(begin)) or not begin, where
        assert member == (("Message" if code in CAPITAL else "message") if begin else member), where
        untyped = code in WITHOUT_TYPE or message.startswith(WITHOUT_TYPE_TEXTS)
        assert orjson.loads(reply.body).get("Type") == (None if untyped else "User"), where
        assert (await api.whole.answers(), api.whole.documents()) == before, where


@pytest.mark.semantics("FUNC-05")
async def test_a_policy_that_grows_too_long(api: Over) -> None:
    for number in range(100):
        reply = await api.ask("AddPermission", {**F, **PERMISSION, "StatementId": f"{number:0100d}"})
        if reply.status != 201:
            break
    _, code, member, text = as_told(reply)
    assert (code, member) == ("PolicyLengthExceededException", "message")
    assert str(text).startswith("The final policy size (")
    assert str(text).endswith(") is bigger than the limit (20480).")


@pytest.mark.semantics("API-INVOKE-05")
async def test_why_there_is_no_room_is_told(api: Over) -> None:
    reply = await api.ask("Invoke", {"FunctionName": "full"})
    assert orjson.loads(reply.body)["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"

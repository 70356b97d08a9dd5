"""Features that no function has here: "none" where one is read, a refusal where one would be made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from headrace.service.api.core import field_support
from headrace.service.control import absent
from support.function_api import ARN, creation
from support.function_refusals import F
from support.whole_api import over_http

NOT_FOUND = "ResourceNotFoundException"
SIGNED = {"CodeSigningConfigArn": "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0"}
QUALIFIED: dict[str, Any] = {**F, "Qualifier": "live"}
REFUSED: list[tuple[str, Mapping[str, Any], int, str]] = [
    ("GetFunctionUrlConfig", F, 404, NOT_FOUND),
    ("UpdateFunctionUrlConfig", {**F, "AuthType": "NONE"}, 404, NOT_FOUND),
    ("DeleteFunctionUrlConfig", F, 404, NOT_FOUND),
    ("GetProvisionedConcurrencyConfig", QUALIFIED, 404, "ProvisionedConcurrencyConfigNotFoundException"),
    ("DeleteProvisionedConcurrencyConfig", QUALIFIED, 404, NOT_FOUND),
    ("DeleteFunctionCodeSigningConfig", F, 404, "CodeSigningConfigNotFoundException"),
    ("GetFunctionScalingConfig", {**F, "Qualifier": "$LATEST"}, 404, NOT_FOUND),
    ("CreateFunctionUrlConfig", {**F, "AuthType": "NONE"}, 400, "have no function URLs"),
    (
        "PutProvisionedConcurrencyConfig",
        {**QUALIFIED, "ProvisionedConcurrentExecutions": 1},
        400,
        "have no provisioned concurrency",
    ),
    ("PutFunctionCodeSigningConfig", {**F, **SIGNED}, 400, "have no code signing"),
    ("PutFunctionScalingConfig", {**F, "Qualifier": "$LATEST"}, 400, "leave it out"),
]


@pytest.mark.semantics("API-25", "API-26")
async def test_none_is_there_and_none_is_made(tmp_path: Path) -> None:
    async with over_http(tmp_path) as api:
        await api.done("CreateFunction", **creation())
        for operation, member in absent.EMPTY.items():
            for name in ("orders", ARN):
                assert (await api.done(operation, FunctionName=name))[member] == []
        for operation, parameters, status, said in REFUSED:
            reply = await api.ask(operation, parameters)
            assert reply.status == status, (operation, reply)
            assert said in f"{reply.headers} {reply.body!r}", (operation, reply)
        assert {each[0] for each in REFUSED} == absent.MISSING | absent.MAKING


@pytest.mark.semantics("API-26")
async def test_what_is_about_other_functions_goes_on_to_the_upstream(tmp_path: Path) -> None:
    async with over_http(tmp_path) as api:
        reply = await api.ask("ListFunctionUrlConfigs", {"FunctionName": "elsewhere"})
        assert (reply.status, b"api.upstream" in reply.body) == (400, True)


def test_every_such_call_has_a_subject_for_its_refusal() -> None:
    for operation in (*absent.EMPTY, *absent.MISSING, *absent.MAKING):
        assert absent.is_about_one(operation)
        assert field_support.subject(operation)
    assert not absent.is_about_one("GetFunction")

"""The functions' calls beside code and configuration: concurrency, delivery, permissions, tags, account."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from headrace.config.function import HttpFunction, LocalFunction
from headrace.service.control.refusals import ApiError
from support.function_api import ARN, UUID, ZIP, FunctionApi, function_api, zipped

F: dict[str, Any] = {"FunctionName": "orders"}
OTHER = zipped({"app.py": "handler = print"})
PERMISSION = {"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[FunctionApi]:
    async with function_api(tmp_path) as api:
        yield api


# --- concurrency, event-invoke configurations -------------------------------------------------------------------------


@pytest.mark.semantics("FUNC-25")
async def test_reserved_concurrency_is_of_the_whole_account(api: FunctionApi) -> None:
    await api.create()
    await api.create(FunctionName="other")
    assert await api("GetFunctionConcurrency", **F) == {}
    put = await api("PutFunctionConcurrency", **F, ReservedConcurrentExecutions=500)
    assert put == await api("GetFunctionConcurrency", **F) == {"ReservedConcurrentExecutions": 500}
    with pytest.raises(ApiError, match="UnreservedConcurrentExecution"):
        await api("PutFunctionConcurrency", FunctionName="other", ReservedConcurrentExecutions=401)
    await api("PutFunctionConcurrency", **F, ReservedConcurrentExecutions=900)
    assert (await api("GetAccountSettings"))["AccountLimit"]["UnreservedConcurrentExecutions"] == 100
    await api("DeleteFunctionConcurrency", **F)
    assert await api("GetFunctionConcurrency", **F) == {}


@pytest.mark.semantics("FUNC-25")
async def test_reservations_at_once_do_not_take_more_than_there_is(api: FunctionApi) -> None:
    refused: list[str] = []

    async def reserve(name: str) -> None:
        try:
            await api("PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=300)
        except ApiError as error:
            refused.append(error.code)

    names = [f"f{number}" for number in range(4)]
    for name in names:
        await api.create(FunctionName=name)
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(reserve, name)
    assert refused == ["InvalidParameterValueException"]
    assert (await api("GetAccountSettings"))["AccountLimit"]["UnreservedConcurrentExecutions"] == 100


@pytest.mark.semantics("FUNC-26")
async def test_event_invoke_configurations_are_replaced_merged_and_listed(api: FunctionApi) -> None:
    await api.create(Publish=True)
    await api.create(FunctionName="after")
    queue, function = "arn:aws:sqs:us-east-1:000000000000:q", ARN.replace("orders", "after")
    destinations = {"OnSuccess": {"Destination": function}, "OnFailure": {"Destination": queue}}
    put = await api("PutFunctionEventInvokeConfig", **F, MaximumRetryAttempts=0, DestinationConfig=destinations)
    assert isinstance(put["LastModified"], float)
    assert {key: value for key, value in put.items() if key != "LastModified"} == {
        "FunctionArn": f"{ARN}:$LATEST",
        "MaximumRetryAttempts": 0,
        "DestinationConfig": destinations,
    }
    assert await api("GetFunctionEventInvokeConfig", **F) == put
    updated = await api(
        "UpdateFunctionEventInvokeConfig", **F, MaximumEventAgeInSeconds=60, DestinationConfig={"OnSuccess": {}}
    )
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (0, 60)
    assert updated["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {"Destination": queue}}
    replaced = await api("PutFunctionEventInvokeConfig", **F, Qualifier="1", MaximumEventAgeInSeconds=61)
    assert replaced["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    assert "MaximumRetryAttempts" not in replaced
    listed = (await api("ListFunctionEventInvokeConfigs", **F))["FunctionEventInvokeConfigs"]
    assert [each["FunctionArn"] for each in listed] == [f"{ARN}:$LATEST", f"{ARN}:1"]
    settings = api.plane.asynchronous("orders", "1")
    assert (settings.maximum_retry_attempts, settings.maximum_event_age) == (2, 61)
    assert api.plane.asynchronous("orders").on_failure == queue
    await api("DeleteFunctionEventInvokeConfig", **F)
    assert api.plane.asynchronous("orders").on_failure == ""


# --- permissions ------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("FUNC-27")
@pytest.mark.parametrize(
    ("principal", "shown"),
    [
        ("s3.amazonaws.com", {"Service": "s3.amazonaws.com"}),
        ("123456789012", {"AWS": "arn:aws:iam::123456789012:root"}),
        ("arn:aws:iam::123456789012:user/x", {"AWS": "arn:aws:iam::123456789012:user/x"}),
        ("*", "*"),
    ],
)
async def test_a_statement_as_it_is_written(api: FunctionApi, principal: str, shown: object) -> None:
    await api.create()
    added = await api("AddPermission", **F, **{**PERMISSION, "Principal": principal})
    statement = {
        "Sid": "s3",
        "Effect": "Allow",
        "Principal": shown,
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
    }
    assert added == {"Statement": json.dumps(statement, separators=(",", ":"))}
    policy = await api("GetPolicy", **F)
    text = {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    assert policy["Policy"] == json.dumps(text, separators=(",", ":"))


@pytest.mark.semantics("FUNC-28")
async def test_conditions_of_a_statement(api: FunctionApi) -> None:
    await api.create(Publish=True)
    conditions = {
        "SourceArn": "arn:aws:s3:::b",
        "SourceAccount": "123456789012",
        "FunctionUrlAuthType": "NONE",
        "PrincipalOrgID": "o-0123456789",
        "EventSourceToken": "t",
        "InvokedViaFunctionUrl": True,
    }
    added = await api("AddPermission", **F, **PERMISSION, Qualifier="1", **conditions)
    statement = json.loads(added["Statement"])
    assert statement["Resource"] == f"{ARN}:1"
    assert statement["Condition"] == {
        "StringEquals": {
            "AWS:SourceAccount": "123456789012",
            "lambda:FunctionUrlAuthType": "NONE",
            "aws:PrincipalOrgID": "o-0123456789",
            "lambda:EventSourceToken": "t",
        },
        "Bool": {"lambda:InvokedViaFunctionUrl": "true"},
        "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"},
    }


@pytest.mark.semantics("FUNC-29")
async def test_policies_are_separate_and_have_revisions_of_their_own(api: FunctionApi) -> None:
    await api.create(Publish=True)
    alias = await api("CreateAlias", **F, Name="live", FunctionVersion="1")
    await api("AddPermission", **F, **PERMISSION)
    await api("AddPermission", **F, **PERMISSION, Qualifier="live", RevisionId=alias["RevisionId"])
    await api("AddPermission", **F, **PERMISSION, Qualifier="1")
    before = (await api("GetPolicy", **F))["RevisionId"]
    await api("UpdateFunctionConfiguration", **F, Description="2")
    await api("PublishVersion", **F)
    assert (await api("GetPolicy", **F))["RevisionId"] == before
    await api("AddPermission", **F, **{**PERMISSION, "StatementId": "two"}, RevisionId=before)
    after = (await api("GetPolicy", **F))["RevisionId"]
    assert after != before
    await api("RemovePermission", **F, StatementId="s3", RevisionId=after)
    await api("RemovePermission", **F, StatementId="two")
    with pytest.raises(ApiError):
        await api("GetPolicy", **F)
    assert await api("GetPolicy", **F, Qualifier="live")
    with pytest.raises(ApiError):
        await api("GetPolicy", **F, Qualifier="2")


# --- tags, account, the rest ------------------------------------------------------------------------------------------


@pytest.mark.semantics("FUNC-30")
@pytest.mark.parametrize("arn", [ARN, f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{UUID}"])
async def test_tags_are_merged_and_taken_away(api: FunctionApi, arn: str) -> None:
    await api.create()
    assert await api("ListTags", Resource=arn) == {"Tags": {}}
    await api("TagResource", Resource=arn, Tags={"a": "1", "b": "2"})
    await api("TagResource", Resource=arn, Tags={"b": "3", "c": ""})
    assert await api("ListTags", Resource=arn) == {"Tags": {"a": "1", "b": "3", "c": ""}}
    await api("UntagResource", Resource=arn, TagKeys=["a", "never"])
    assert await api("ListTags", Resource=arn) == {"Tags": {"b": "3", "c": ""}}
    await api("TagResource", Resource=arn, Tags={str(number): "" for number in range(48)})
    with pytest.raises(ApiError, match="Number of tags exceeds resource tag limit"):
        await api("TagResource", Resource=arn, Tags={"more": ""})


@pytest.mark.semantics("FUNC-31")
async def test_the_account_counts_every_version(api: FunctionApi) -> None:
    await api.create(Publish=True)
    await api("UpdateFunctionConfiguration", **F, Description="2")
    await api("PublishVersion", **F)
    await api.create(FunctionName="other", Code={"ZipFile": OTHER})
    settings = await api("GetAccountSettings")
    assert settings["AccountUsage"] == {"TotalCodeSize": 3 * len(ZIP) + len(OTHER), "FunctionCount": 2}
    assert settings["AccountLimit"] == {
        "TotalCodeSize": 80_530_636_800,
        "CodeSizeUnzipped": 262_144_000,
        "CodeSizeZipped": 52_428_800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 1000,
    }


@pytest.mark.semantics("FUNC-32")
async def test_recursion_and_runtime_management_are_kept_and_shown(api: FunctionApi) -> None:
    await api.create(Publish=True)
    assert await api("GetFunctionRecursionConfig", **F) == {"RecursiveLoop": "Terminate"}
    assert await api("PutFunctionRecursionConfig", **F, RecursiveLoop="Allow") == {"RecursiveLoop": "Allow"}
    assert await api("GetFunctionRecursionConfig", **F) == {"RecursiveLoop": "Allow"}
    runtime = "arn:aws:lambda:us-east-1::runtime:x"
    assert await api("GetRuntimeManagementConfig", **F) == {"UpdateRuntimeOn": "Auto", "FunctionArn": ARN}
    manual = {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": runtime}
    assert await api("PutRuntimeManagementConfig", **F, Qualifier="1", **manual) == {
        **manual,
        "FunctionArn": f"{ARN}:1",
    }
    assert (await api("GetRuntimeManagementConfig", **F, Qualifier="1"))["UpdateRuntimeOn"] == "Manual"
    assert (await api("GetRuntimeManagementConfig", **F))["UpdateRuntimeOn"] == "Auto"
    with pytest.raises(ApiError, match="RuntimeVersionArn is needed"):
        await api("PutRuntimeManagementConfig", **F, UpdateRuntimeOn="Manual")


# --- functions of the file --------------------------------------------------------------------------------------------


@pytest.mark.semantics("FUNC-33")
async def test_functions_of_the_file_are_shown_among_the_others(tmp_path: Path) -> None:
    filed = LocalFunction(
        name="filed", runtime="python", handler="app.handler", code=tmp_path, timeout=7, environment={"A1": "b"}
    )
    elsewhere = HttpFunction(name="elsewhere", http="http://127.0.0.1:9/x")
    async with function_api(tmp_path, configured={"filed": filed, "elsewhere": elsewhere}) as api:
        await api.create()
        names = [each["FunctionName"] for each in (await api("ListFunctions"))["Functions"]]
        assert names == ["elsewhere", "filed", "orders"]
        whole = await api("GetFunction", FunctionName="filed")
        shown = whole["Configuration"]
        assert (shown["Runtime"], shown["Timeout"], shown["State"]) == ("python", 7, "Active")
        assert (shown["Environment"], whole["Code"]) == ({"Variables": {"A1": "b"}}, {})
        assert not {"Runtime", "Handler", "Timeout"} & set(
            await api("GetFunctionConfiguration", FunctionName="elsewhere")
        )
        assert api.plane.runnable("filed") is None
        assert not api.plane.exists("filed")
        await api(
            "PutFunctionEventInvokeConfig", **F, DestinationConfig={"OnSuccess": {"Destination": shown["FunctionArn"]}}
        )

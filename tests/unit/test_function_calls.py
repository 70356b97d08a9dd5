"""The functions' calls as their callers see them, answer by answer; each answer is checked against AWS's model."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headrace.service.control.refusals import ApiError
from support.function_api import ARN, BASE, ROLE, ZIP, FunctionApi, function_api, zipped

F: dict[str, Any] = {"FunctionName": "orders"}
SHA = base64.b64encode(hashlib.sha256(ZIP).digest()).decode()
OTHER = zipped({"app.py": "handler = print"})
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")
LISTED_WITHOUT = {"State", "LastUpdateStatus", "RuntimeVersionConfig"}
PERMISSION = {"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[FunctionApi]:
    async with function_api(tmp_path) as api:
        yield api


# --- create, look -----------------------------------------------------------------------------------------------------


@pytest.mark.semantics("FUNC-07")
async def test_a_minimal_function_is_answered_with_all_defaults(api: FunctionApi) -> None:
    answer = dict(await api.create())
    assert ID.fullmatch(answer.pop("RevisionId"))
    assert STAMP.fullmatch(answer.pop("LastModified"))
    runtime = answer.pop("RuntimeVersionConfig")["RuntimeVersionArn"]
    assert re.fullmatch(r"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}", runtime)
    assert answer == {
        "FunctionName": "orders",
        "FunctionArn": ARN,
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "app.handler",
        "CodeSize": len(ZIP),
        "CodeSha256": SHA,
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/orders"},
    }


GIVEN: dict[str, Any] = {
    "Description": "takes orders",
    "Timeout": 900,
    "MemorySize": 10_240,
    "Environment": {"Variables": {"STAGE": "dev"}},
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"},
    "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k",
    "TracingConfig": {"Mode": "Active"},
    "FileSystemConfigs": [
        {"Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-1", "LocalMountPath": "/mnt/x"}
    ],
    "Architectures": ["arm64"],
    "EphemeralStorage": {"Size": 10_240},
    "SnapStart": {"ApplyOn": "PublishedVersions"},
    "LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN", "LogGroup": "shared"},
}


@pytest.mark.semantics("FUNC-08")
async def test_what_is_given_is_kept_and_shown(api: FunctionApi) -> None:
    answer = await api.create(**GIVEN, Tags={"team": "a"})
    shown = {
        **GIVEN,
        "VpcConfig": {**GIVEN["VpcConfig"], "VpcId": "", "Ipv6AllowedForDualStack": False},
        "SnapStart": {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"},
        "LoggingConfig": {**GIVEN["LoggingConfig"], "ApplicationLogLevel": "INFO"},
    }
    assert {key: answer[key] for key in GIVEN} == shown
    whole = await api("GetFunction", **F)
    assert {key: whole["Configuration"][key] for key in GIVEN} == shown
    assert whole["Tags"] == {"team": "a"}


@pytest.mark.semantics("FUNC-10")
async def test_empty_members_are_absent_but_the_empty_environment_of_a_creation(api: FunctionApi) -> None:
    answer = await api.create(
        Environment={"Variables": {}},
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
        DeadLetterConfig={"TargetArn": ""},
        KMSKeyArn="",
        FileSystemConfigs=[],
        Layers=[],
    )
    assert answer["Environment"] == {"Variables": {}}
    assert not {"VpcConfig", "DeadLetterConfig", "KMSKeyArn", "FileSystemConfigs", "Layers"} & set(answer)
    kept = await api("UpdateFunctionConfiguration", **F, Description="other")
    assert kept["Environment"] == {"Variables": {}}


@pytest.mark.semantics("FUNC-10")
@pytest.mark.parametrize("empty", [{}, {"Variables": {}}])
@pytest.mark.parametrize("before", [{"A1": "b"}, {}])
async def test_an_environment_that_an_update_empties_is_absent(
    api: FunctionApi, before: dict[str, str], empty: dict[str, Any]
) -> None:
    await api.create(Environment={"Variables": before})
    assert "Environment" not in await api("UpdateFunctionConfiguration", **F, Environment=empty)
    assert "Environment" not in await api("GetFunctionConfiguration", **F)


@pytest.mark.semantics("FUNC-10")
async def test_an_environment_without_variables_is_absent_from_a_creation(api: FunctionApi) -> None:
    assert "Environment" not in await api.create(Environment={})


@pytest.mark.semantics("FUNC-11")
async def test_the_arn_and_version_are_those_that_were_asked_for(api: FunctionApi) -> None:
    await api.create(Publish=True)
    await api("CreateAlias", **F, Name="live", FunctionVersion="1")
    for qualifier, arn, version in (
        (None, ARN, "$LATEST"),
        ("$LATEST", f"{ARN}:$LATEST", "$LATEST"),
        ("1", f"{ARN}:1", "1"),
        ("live", f"{ARN}:live", "1"),
    ):
        asked = {} if qualifier is None else {"Qualifier": qualifier}
        found = await api("GetFunctionConfiguration", **F, **asked)
        assert (found["FunctionArn"], found["Version"], found["FunctionName"]) == (arn, version, "orders")
        assert (await api("GetFunction", **F, **asked))["Configuration"] == found
        assert await api("GetFunctionConfiguration", FunctionName=arn) == found


@pytest.mark.semantics("FUNC-12")
async def test_the_package_can_be_fetched_by_who_knows_its_address_alone(api: FunctionApi) -> None:
    await api.create()
    code = (await api("GetFunction", **F))["Code"]
    assert code["RepositoryType"] == "S3"
    path = code["Location"].removeprefix(BASE)
    found = api.downloads.find(path)
    assert found
    assert found.read_bytes() == ZIP
    for wrong in (
        path[:-1] + ("0" if path[-1] != "0" else "1"),
        path[:40],
        "/_headrace/code/../lock",
        "/_headrace/code/",
    ):
        assert api.downloads.find(wrong) is None


async def test_tags_and_reserved_concurrency_are_shown_only_where_there_are_some(api: FunctionApi) -> None:
    await api.create()
    assert set(await api("GetFunction", **F)) == {"Configuration", "Code"}
    await api("PutFunctionConcurrency", **F, ReservedConcurrentExecutions=0)
    assert (await api("GetFunction", **F))["Concurrency"] == {"ReservedConcurrentExecutions": 0}


async def test_no_function_has_a_code_signing_configuration(api: FunctionApi) -> None:
    await api.create()
    assert await api("GetFunctionCodeSigningConfig", **F) == {}


# --- lists ------------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("FUNC-13")
async def test_functions_are_listed_in_pages_without_their_states(api: FunctionApi) -> None:
    for number in range(53):
        await api.create(FunctionName=f"f{number:02}", Code={"ZipFile": ZIP})
    first = await api("ListFunctions")
    second = await api("ListFunctions", Marker=first["NextMarker"], MaxItems=10_000)
    names = [each["FunctionName"] for page in (first, second) for each in page["Functions"]]
    assert names == [f"f{number:02}" for number in range(53)]
    assert len(first["Functions"]) == 50
    assert "NextMarker" not in second
    assert not LISTED_WITHOUT & set(first["Functions"][0])
    assert first["Functions"][0]["FunctionArn"] == ARN.replace("orders", "f00")
    page = await api("ListFunctions", MaxItems=1)
    await api("DeleteFunction", FunctionName="f00")
    assert (await api("ListFunctions", MaxItems=1, Marker=page["NextMarker"]))["Functions"][0]["FunctionName"] == "f01"


@pytest.mark.semantics("FUNC-14")
async def test_all_versions_are_listed_with_qualified_arns(api: FunctionApi) -> None:
    await api.create(Publish=True)
    for number in range(2, 12):
        await api("UpdateFunctionConfiguration", **F, Description=str(number))
        await api("PublishVersion", **F)
    await api.create(FunctionName="zero")
    numbers = ["$LATEST", *map(str, range(1, 12))]
    versions = await api("ListVersionsByFunction", **F)
    assert [each["Version"] for each in versions["Versions"]] == numbers
    assert [each["FunctionArn"] for each in versions["Versions"]] == [f"{ARN}:{number}" for number in numbers]
    assert not LISTED_WITHOUT & set(versions["Versions"][0])
    everything = await api("ListFunctions", FunctionVersion="ALL")
    zero = ARN.replace("orders", "zero")
    assert [each["FunctionArn"] for each in everything["Functions"]] == [
        *(f"{ARN}:{number}" for number in numbers),
        f"{zero}:$LATEST",
    ]
    assert len((await api("ListFunctions"))["Functions"]) == 2


# --- update -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("FUNC-15")
async def test_absent_members_are_kept_and_given_ones_replaced(api: FunctionApi) -> None:
    before = await api.create(**GIVEN)
    after = await api("UpdateFunctionConfiguration", **F, Environment={"Variables": {"NEW": "1"}})
    assert after["Environment"] == {"Variables": {"NEW": "1"}}
    same = set(GIVEN) - {"Environment"}
    assert {key: after[key] for key in same} == {key: before[key] for key in same}


@pytest.mark.semantics("FUNC-16")
async def test_what_clears_a_member_and_what_does_not(api: FunctionApi) -> None:
    await api.create(**GIVEN)
    kept = await api("UpdateFunctionConfiguration", **F, DeadLetterConfig={}, TracingConfig={}, SnapStart={})
    assert kept["DeadLetterConfig"] == GIVEN["DeadLetterConfig"]
    assert kept["TracingConfig"] == GIVEN["TracingConfig"]
    cleared = await api(
        "UpdateFunctionConfiguration",
        **F,
        DeadLetterConfig={"TargetArn": ""},
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
        KMSKeyArn="",
        FileSystemConfigs=[],
        Environment={},
        Layers=[],
    )
    assert not {"DeadLetterConfig", "KMSKeyArn", "FileSystemConfigs", "Environment"} & set(cleared)
    assert cleared["VpcConfig"] == {
        "SubnetIds": [],
        "SecurityGroupIds": [],
        "VpcId": "",
        "Ipv6AllowedForDualStack": False,
    }


@pytest.mark.semantics("FUNC-17")
@pytest.mark.parametrize(
    ("before", "given", "after"),
    [
        ({}, {"LogFormat": "JSON"}, {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}),
        (
            {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN"},
            {"ApplicationLogLevel": "ERROR"},
            {"LogFormat": "JSON", "ApplicationLogLevel": "ERROR", "SystemLogLevel": "WARN"},
        ),
        (
            {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"},
            {"LogGroup": "g"},
            {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "INFO", "LogGroup": "g"},
        ),
        (
            {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "LogGroup": "g"},
            {"LogFormat": "Text"},
            {"LogFormat": "Text", "LogGroup": "g"},
        ),
        ({"LogGroup": "g"}, {}, {"LogFormat": "Text", "LogGroup": "g"}),
    ],
)
async def test_how_logging_is_merged(
    api: FunctionApi, before: dict[str, str], given: dict[str, str], after: dict[str, str]
) -> None:
    await api.create(LoggingConfig=before)
    answer = await api("UpdateFunctionConfiguration", **F, LoggingConfig=given)
    assert answer["LoggingConfig"] == {"LogGroup": "/aws/lambda/orders", **after}


@pytest.mark.semantics("FUNC-18")
async def test_new_code_changes_the_code_and_its_architecture_alone(api: FunctionApi) -> None:
    before = await api.create(Description="same")
    after = await api("UpdateFunctionCode", **F, ZipFile=OTHER, Architectures=["arm64"])
    assert after["CodeSha256"] == base64.b64encode(hashlib.sha256(OTHER).digest()).decode()
    assert (after["CodeSize"], after["Architectures"]) == (len(OTHER), ["arm64"])
    assert after["Description"] == before["Description"]
    found = api.downloads.find((await api("GetFunction", **F))["Code"]["Location"].removeprefix(BASE))
    assert found
    assert found.read_bytes() == OTHER


@pytest.mark.semantics("FUNC-19")
async def test_a_dry_run_shows_what_would_be_and_changes_nothing(api: FunctionApi) -> None:
    await api.create()
    before = await api("GetFunctionConfiguration", **F)
    shown = await api("UpdateFunctionCode", **F, ZipFile=OTHER, DryRun=True, Publish=True)
    assert shown["CodeSize"] == len(OTHER)
    assert await api("GetFunctionConfiguration", **F) == before


# --- versions and aliases ---------------------------------------------------------------------------------------------


@pytest.mark.semantics("FUNC-20")
async def test_publishing_freezes_and_does_nothing_where_nothing_changed(api: FunctionApi) -> None:
    await api.create()
    first = await api("PublishVersion", **F, Description="the first")
    assert (first["Version"], first["FunctionArn"], first["Description"]) == ("1", f"{ARN}:1", "the first")
    assert (first["State"], first["LastUpdateStatus"]) == ("Active", "Successful")
    assert await api("PublishVersion", **F, Description="ignored", CodeSha256=SHA) == first
    await api("UpdateFunctionConfiguration", **F, Environment={"Variables": {"A1": "b"}})
    second = await api("PublishVersion", **F)
    assert (second["Version"], second["Environment"]) == ("2", {"Variables": {"A1": "b"}})
    assert "Environment" not in await api("GetFunctionConfiguration", **F, Qualifier="1")
    await api("DeleteFunction", **F, Qualifier="2")
    assert (await api("PublishVersion", **F))["Version"] == "3"


@pytest.mark.semantics("FUNC-21")
async def test_a_version_of_a_creation_has_the_unqualified_arn(api: FunctionApi) -> None:
    answer = await api.create(Publish=True)
    assert (answer["Version"], answer["FunctionArn"], answer["State"]) == ("1", ARN, "Pending")
    for qualifier in ("1", "$LATEST"):
        assert (await api("GetFunctionConfiguration", **F, Qualifier=qualifier))["State"] == "Active"
    updated = await api("UpdateFunctionCode", **F, ZipFile=OTHER, Publish=True)
    assert (updated["Version"], updated["FunctionArn"], updated["State"]) == ("2", f"{ARN}:2", "Pending")
    assert "LastUpdateStatus" not in updated
    again = await api("UpdateFunctionCode", **F, ZipFile=OTHER, Publish=True)
    assert again["Version"] == "2"


@pytest.mark.semantics("FUNC-22")
async def test_deleting_a_version_or_alias_twice_is_as_good_as_once(api: FunctionApi) -> None:
    await api.create(Publish=True)
    await api("CreateAlias", **F, Name="live", FunctionVersion="1")
    for _ in range(2):
        await api("DeleteAlias", **F, Name="live")
    for _ in range(2):
        await api("DeleteFunction", **F, Qualifier="1")
    assert len((await api("ListVersionsByFunction", **F))["Versions"]) == 1


@pytest.mark.semantics("FUNC-23")
async def test_an_alias_from_its_creation_to_its_end(api: FunctionApi) -> None:
    await api.create(Publish=True)
    await api("UpdateFunctionConfiguration", **F, Description="2")
    await api("PublishVersion", **F)
    weights = {"AdditionalVersionWeights": {"2": 0.25}}
    created = await api("CreateAlias", **F, Name="live", FunctionVersion="1", RoutingConfig=weights)
    assert {key: value for key, value in created.items() if key != "RevisionId"} == {
        "AliasArn": f"{ARN}:live",
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "",
        "RoutingConfig": weights,
    }
    assert await api("GetAlias", **F, Name="live") == created
    same = await api("UpdateAlias", **F, Name="live", RevisionId=created["RevisionId"])
    assert same["RoutingConfig"] == weights
    assert same["RevisionId"] != created["RevisionId"]
    cleared = await api(
        "UpdateAlias", **F, Name="live", RoutingConfig={"AdditionalVersionWeights": {}}, Description="d"
    )
    assert "RoutingConfig" not in cleared
    assert (cleared["FunctionVersion"], cleared["Description"]) == ("1", "d")
    await api("UpdateAlias", **F, Name="live", RoutingConfig=weights)
    assert "RoutingConfig" not in await api("UpdateAlias", **F, Name="live", RoutingConfig={})
    assert "RoutingConfig" not in await api("GetAlias", **F, Name="live")
    await api("CreateAlias", **F, Name="2024-01-02", FunctionVersion="$LATEST")
    assert [each["Name"] for each in (await api("ListAliases", **F))["Aliases"]] == ["2024-01-02", "live"]
    assert [each["Name"] for each in (await api("ListAliases", **F, FunctionVersion="1"))["Aliases"]] == ["live"]
    await api("DeleteAlias", **F, Name="live")
    with pytest.raises(ApiError):
        await api("GetAlias", **F, Name="live")


@pytest.mark.semantics("FUNC-24")
async def test_what_belongs_to_a_function_goes_with_it(api: FunctionApi) -> None:
    await api.create(Publish=True, Tags={"a": "b"})
    await api("CreateAlias", **F, Name="live", FunctionVersion="1")
    await api("PutFunctionConcurrency", **F, ReservedConcurrentExecutions=5)
    await api("AddPermission", **F, **PERMISSION)
    await api("PutFunctionEventInvokeConfig", **F, MaximumRetryAttempts=0)
    await api("DeleteFunction", **F)
    await api.create()
    assert set(await api("GetFunction", **F)) == {"Configuration", "Code"}
    assert len((await api("ListVersionsByFunction", **F))["Versions"]) == 1
    assert await api("ListAliases", **F) == {"Aliases": []}
    assert await api("ListFunctionEventInvokeConfigs", **F) == {"FunctionEventInvokeConfigs": []}
    with pytest.raises(ApiError):
        await api("GetPolicy", **F)


async def test_what_belongs_to_an_alias_goes_with_it(api: FunctionApi) -> None:
    await api.create(Publish=True)
    for _ in range(2):
        await api("CreateAlias", **F, Name="live", FunctionVersion="1")
        await api("AddPermission", **F, **PERMISSION, Qualifier="live")
        await api("PutFunctionEventInvokeConfig", **F, Qualifier="live", MaximumRetryAttempts=0)
        await api("DeleteAlias", **F, Name="live")
        with pytest.raises(ApiError):
            await api("GetPolicy", **F, Qualifier="live")

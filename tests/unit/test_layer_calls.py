"""The calls on layers, and layers of functions, as callers see them; each answer is checked against AWS's model."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headrace.service.control import attached
from headrace.service.control.layer_documents import LAYER, LAYER_VERSION
from headrace.service.control.model import Package, Version
from headrace.service.control.refusals import ApiError
from headrace.service.control.store.code import DIRECTORY, whole
from support.function_api import BASE, FunctionApi, function_api, zipped

F: dict[str, Any] = {"FunctionName": "orders"}
L: dict[str, Any] = {"LayerName": "tools"}
LAYER_ARN = "arn:aws:lambda:us-east-1:000000000000:layer:tools"
FOREIGN = "arn:aws:lambda:us-east-1:580247275435:layer:Insights:53"
ZIP = zipped({"python/tools.py": "VALUE = 1\n"})
OTHER = zipped({"python/tools.py": "VALUE = 2\n"})
SHA = hashlib.sha256(ZIP).hexdigest()
IPV, RNF, RC = "InvalidParameterValueException", "ResourceNotFoundException", "ResourceConflictException"
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")
GRANT = {"StatementId": "all", "Action": "lambda:GetLayerVersion", "Principal": "*"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[FunctionApi]:
    async with function_api(tmp_path) as api:
        yield api


async def publish(api: FunctionApi, data: bytes = ZIP, name: str = "tools", **more: Any) -> str:
    """The ARN of the new version."""
    answer = await api("PublishLayerVersion", LayerName=name, Content={"ZipFile": data}, **more)
    return str(answer["LayerVersionArn"])


def stored(directory: Path) -> set[str]:
    """The packages that are on the disk."""
    return {name for name in os.listdir(directory / DIRECTORY) if re.fullmatch("[0-9a-f]{64}", name)}


# --- layers -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("LAYER-01", "LAYER-05")
async def test_a_version_is_shown_as_it_was_published(api: FunctionApi) -> None:
    first = dict(await api("PublishLayerVersion", **L, Content={"ZipFile": ZIP}))
    assert await api("GetLayerVersion", **L, VersionNumber=1) == first
    assert await api("GetLayerVersion", LayerName=LAYER_ARN, VersionNumber=1) == first
    assert await api("GetLayerVersionByArn", Arn=f"{LAYER_ARN}:1") == first
    content = first.pop("Content")
    found = api.downloads.find(content.pop("Location").removeprefix(BASE))
    assert found is not None
    assert found.read_bytes() == ZIP
    assert content == {
        "CodeSha256": base64.b64encode(hashlib.sha256(ZIP).digest()).decode(),
        "CodeSize": len(ZIP),
    }
    assert STAMP.fullmatch(first.pop("CreatedDate"))
    assert first == {
        "LayerArn": LAYER_ARN,
        "LayerVersionArn": f"{LAYER_ARN}:1",
        "Version": 1,
        "Description": "",
    }


@pytest.mark.semantics("LAYER-01")
async def test_what_was_given_is_shown_also_when_it_is_empty(api: FunctionApi) -> None:
    given = {"CompatibleRuntimes": ["python3.7"], "CompatibleArchitectures": [], "LicenseInfo": "MIT"}
    answer = await api("PublishLayerVersion", **L, Content={"ZipFile": ZIP}, Description="some", **given)
    assert {key: answer[key] for key in given} == given
    assert answer["Description"] == "some"


@pytest.mark.semantics("LAYER-01")
@pytest.mark.parametrize("content", [{}, {"S3Bucket": "b"}, {"ZipFile": ZIP, "S3Bucket": "b", "S3Key": "k"}])
async def test_content_has_one_source(api: FunctionApi, content: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="Please provide a source for layer content"):
        await api("PublishLayerVersion", **L, Content=content)


@pytest.mark.semantics("LAYER-02")
async def test_numbers_are_not_used_again(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        assert [await publish(api), await publish(api)] == [f"{LAYER_ARN}:1", f"{LAYER_ARN}:2"]
        for number in (2, 1):
            await api("DeleteLayerVersion", **L, VersionNumber=number)
        assert await api("ListLayers") == {"Layers": []}
    async with function_api(tmp_path) as api:
        assert await publish(api) == f"{LAYER_ARN}:3"


@pytest.mark.semantics("LAYER-03")
async def test_lists_have_the_newest_first_and_what_fits(api: FunctionApi) -> None:
    for runtimes in (["python3.12"], ["nodejs22.x"], []):
        await publish(api, CompatibleRuntimes=runtimes, CompatibleArchitectures=["arm64"])
    await publish(api, name="other")
    versions = await api("ListLayerVersions", **L)
    assert [each["Version"] for each in versions["LayerVersions"]] == [3, 2, 1]
    assert "Content" not in versions["LayerVersions"][0]
    page = await api("ListLayerVersions", **L, MaxItems=2)
    rest = await api("ListLayerVersions", **L, MaxItems=2, Marker=page["NextMarker"])
    assert [each["Version"] for each in (*page["LayerVersions"], *rest["LayerVersions"])] == [3, 2, 1]
    assert "NextMarker" not in rest
    every = (await api("ListLayers"))["Layers"]
    assert [(each["LayerName"], each["LatestMatchingVersion"]["Version"]) for each in every] == [
        ("other", 1),
        ("tools", 3),
    ]
    (python,) = (await api("ListLayers", CompatibleRuntime="python3.12", CompatibleArchitecture="arm64"))["Layers"]
    assert (python["LayerArn"], python["LatestMatchingVersion"]["Version"]) == (LAYER_ARN, 1)
    assert await api("ListLayers", CompatibleArchitecture="x86_64") == {"Layers": []}
    assert await api("ListLayerVersions", LayerName="nobody") == {"LayerVersions": []}


@pytest.mark.semantics("LAYER-04")
async def test_a_version_that_is_not_there(api: FunctionApi) -> None:
    await publish(api)
    for name, number in (("nobody", 1), ("tools", 2)):
        with pytest.raises(ApiError) as refused:
            await api("GetLayerVersion", LayerName=name, VersionNumber=number)
        assert (refused.value.code, refused.value.message) == (RNF, "The resource you requested does not exist.")
        await api("DeleteLayerVersion", LayerName=name, VersionNumber=number)
    for operation in ("GetLayerVersion", "DeleteLayerVersion"):
        with pytest.raises(ApiError) as refused:
            await api(operation, **L, VersionNumber=0)
        assert (refused.value.code, refused.value.message) == (IPV, "Layer Version Cannot be less than 1")
    with pytest.raises(ApiError) as refused:
        await api("GetLayerVersionByArn", Arn=FOREIGN)
    assert refused.value.code == "AccessDeniedException"


# --- permissions ------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("LAYER-06")
async def test_versions_have_policies_of_their_own(api: FunctionApi) -> None:
    await publish(api)
    one: dict[str, Any] = {**L, "VersionNumber": await _number(api)}
    added = await api("AddLayerVersionPermission", **one, **GRANT)
    statement = {
        "Sid": "all",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:GetLayerVersion",
        "Resource": f"{LAYER_ARN}:2",
    }
    assert added["Statement"] == json.dumps(statement, separators=(",", ":"))
    more = {
        "StatementId": "one",
        "Action": GRANT["Action"],
        "Principal": "123456789012",
        "OrganizationId": "o-1234567890",
    }
    second = await api("AddLayerVersionPermission", **one, **more, RevisionId=added["RevisionId"])
    policy = await api("GetLayerVersionPolicy", **one)
    assert policy["RevisionId"] == second["RevisionId"] != added["RevisionId"]
    read = json.loads(policy["Policy"])
    assert (read["Version"], read["Id"], read["Statement"][0]) == ("2012-10-17", "default", statement)
    assert read["Statement"][1]["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    assert read["Statement"][1]["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}
    for sid in ("all", "one"):
        await api("RemoveLayerVersionPermission", **one, StatementId=sid)
    with pytest.raises(ApiError, match=r"No policy is associated with the given resource\."):
        await api("GetLayerVersionPolicy", **one)


async def _number(api: FunctionApi) -> int:
    return int((await publish(api)).rpartition(":")[2])


MISSING = f"Layer version {LAYER_ARN}:7 does not exist."
NO_POLICY = "No policy is associated with the given resource."
TAKEN = (
    "The statement id (all) provided already exists. Please provide a new statement id, or remove the existing "
    "statement."
)
STALE = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the "
    "latest Revision Id"
)


@pytest.mark.semantics("LAYER-06")
@pytest.mark.parametrize(
    ("operation", "parameters", "code", "message"),
    [
        ("AddLayerVersionPermission", {"VersionNumber": 7, **GRANT}, RNF, MISSING),
        ("GetLayerVersionPolicy", {"VersionNumber": 7}, RNF, MISSING),
        ("RemoveLayerVersionPermission", {"VersionNumber": 7, "StatementId": "all"}, RNF, MISSING),
        ("GetLayerVersionPolicy", {"VersionNumber": 2}, RNF, NO_POLICY),
        ("RemoveLayerVersionPermission", {"VersionNumber": 2, "StatementId": "all"}, RNF, NO_POLICY),
        ("AddLayerVersionPermission", {"VersionNumber": 1, **GRANT}, RC, TAKEN),
        (
            "AddLayerVersionPermission",
            {"VersionNumber": 1, **GRANT, "StatementId": "new", "RevisionId": "old"},
            "PreconditionFailedException",
            STALE,
        ),
        (
            "RemoveLayerVersionPermission",
            {"VersionNumber": 1, "StatementId": "all", "RevisionId": "old"},
            "PreconditionFailedException",
            STALE,
        ),
        (
            "RemoveLayerVersionPermission",
            {"VersionNumber": 1, "StatementId": "none"},
            RNF,
            "Statement none is not found in resource policy.",
        ),
    ],
)
async def test_permissions_that_are_refused(
    api: FunctionApi, operation: str, parameters: dict[str, Any], code: str, message: str
) -> None:
    await publish(api)
    await publish(api)
    await api("AddLayerVersionPermission", **L, VersionNumber=1, **GRANT)
    before = api.documents.all(LAYER_VERSION)
    with pytest.raises(ApiError) as refused:
        await api(operation, **L, **parameters)
    assert (refused.value.code, refused.value.message) == (code, message)
    assert api.documents.all(LAYER_VERSION) == before


# --- of functions -----------------------------------------------------------------------------------------------------


@pytest.mark.semantics("LAYER-07")
async def test_a_function_shows_its_layers_until_it_gets_other_ones(api: FunctionApi) -> None:
    one, two = await publish(api), await publish(api, OTHER, "other")
    created = await api.create(Layers=[one, two])
    shown = [{"Arn": one, "CodeSize": len(ZIP)}, {"Arn": two, "CodeSize": len(OTHER)}]
    assert created["Layers"] == shown
    assert _contents(api) == ["VALUE = 1\n", "VALUE = 2\n"]
    await api("PublishVersion", **F)
    assert (await api("UpdateFunctionConfiguration", **F, Timeout=9))["Layers"] == shown
    replaced = await api("UpdateFunctionConfiguration", **F, Layers=[two])
    assert replaced["Layers"] == shown[1:]
    assert _contents(api) == ["VALUE = 2\n"]
    assert (await api("PublishVersion", **F))["Version"] == "2"
    assert "Layers" not in await api("UpdateFunctionConfiguration", **F, Layers=[])
    assert (await api("GetFunctionConfiguration", **F, Qualifier="1"))["Layers"] == shown
    assert _contents(api, "1") == ["VALUE = 1\n", "VALUE = 2\n"]
    assert _contents(api) == []


def _contents(api: FunctionApi, qualifier: str = "") -> list[str]:
    runnable = api.plane.runnable("orders", qualifier)
    assert runnable is not None
    return [Path(layer, "python/tools.py").read_text() for layer in runnable.layers]


async def test_another_list_of_layers_means_new_environments(api: FunctionApi) -> None:
    one = await publish(api)
    identities: set[str] = set()
    for layers in ([], [one], [await publish(api)]):
        if not identities:
            await api.create()
        else:
            await api("UpdateFunctionConfiguration", **F, Layers=layers)
        runnable = api.plane.runnable("orders")
        assert runnable is not None
        identities.add(runnable.identity)
    assert len(identities) == 3


TWICE = (
    "Two different versions of the same layer are not allowed to be referenced in the same function. {0}:1 and {0}:2 "
    "are versions of the same layer."
)
ELSEWHERE = LAYER_ARN.replace("us-east-1", "eu-west-1")
REGION = "Layers are not in the same region as the function. Layers are expected to be in region us-east-1."


@pytest.mark.semantics("LAYER-08")
@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([f"{LAYER_ARN}-{number}:1" for number in range(6)], "Cannot reference more than 5 layers."),
        ([f"{LAYER_ARN}:9"], f"Layer version {LAYER_ARN}:9 does not exist."),
        ([f"{LAYER_ARN}:1", f"{LAYER_ARN}:2"], TWICE.format(LAYER_ARN)),
        ([f"{LAYER_ARN}:1", f"{LAYER_ARN}:1"], TWICE.format(LAYER_ARN).replace(":2", ":1")),
        ([f"{ELSEWHERE}:1"], REGION),
    ],
)
async def test_layers_that_a_function_cannot_have(api: FunctionApi, layers: list[str], message: str) -> None:
    await publish(api)
    await publish(api)
    with pytest.raises(ApiError) as refused:
        await api.create(Layers=layers)
    assert (refused.value.code, refused.value.message) == (IPV, message)
    assert api.plane.find("orders") is None
    await api.create()
    before = api.plane.find("orders")
    with pytest.raises(ApiError) as refused:
        await api("UpdateFunctionConfiguration", **F, Layers=layers)
    assert refused.value.message == message
    assert api.plane.find("orders") == before


COMBINED = "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes."


@pytest.mark.semantics("LAYER-09")
@pytest.mark.parametrize(
    ("code", "layers", "message"),
    [
        (200_000_000, [62_144_000], ""),
        (
            200_000_000,
            [62_144_000, 1],
            f"{COMBINED} The actual size is 262144001 bytes.",
        ),
        (1, [262_144_000, 1], "Layers consume more than the available size of 262144000 bytes"),
    ],
)
def test_code_and_layers_have_a_size_together(code: int, layers: list[int], message: str) -> None:
    packages = [Package("a", 1, unzipped=each) for each in (code, *layers)]
    version = Version("$LATEST", packages[0], {}, "", "", layers=tuple(packages[1:]))
    if not message:
        attached.expect_room(version)
        return
    with pytest.raises(ApiError) as refused:
        attached.expect_room(version)
    assert (refused.value.code, refused.value.message) == (IPV, message)


@pytest.mark.semantics("LAYER-09")
async def test_sizes_are_those_of_the_unpacked_files(api: FunctionApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attached, "UNZIPPED_MAX", 100)
    arn = await publish(api, zipped({"python/large.py": "#" * 90}))
    code = zipped({"app.py": "#" * 11})
    with pytest.raises(ApiError, match=r"The actual size is 101 bytes\."):
        await api.create(Layers=[arn], Code={"ZipFile": code})
    await api.create(Layers=[arn], Code={"ZipFile": zipped({"app.py": "#" * 10})})
    with pytest.raises(ApiError, match=r"The actual size is 101 bytes\."):
        await api("UpdateFunctionCode", **F, ZipFile=code)


@pytest.mark.semantics("LAYER-10")
async def test_a_deleted_version_runs_on_where_it_is_used(api: FunctionApi, tmp_path: Path) -> None:
    one, two = await publish(api), await publish(api, OTHER)
    await api.create(Layers=[one])
    for number in (1, 2):
        await api("DeleteLayerVersion", **L, VersionNumber=number)
    await api.plane.sweep()
    assert _contents(api) == ["VALUE = 1\n"]
    assert SHA in stored(tmp_path)
    assert hashlib.sha256(OTHER).hexdigest() not in stored(tmp_path)
    assert (await api("GetFunctionConfiguration", **F))["Layers"][0]["Arn"] == one
    with pytest.raises(ApiError, match=f"Layer version {two} does not exist"):
        await api("UpdateFunctionConfiguration", **F, Layers=[two])
    await api("UpdateFunctionConfiguration", **F, Layers=[])
    await api.plane.sweep()
    assert SHA not in stored(tmp_path)


@pytest.mark.semantics("LAYER-10")
async def test_a_layer_that_no_function_has_stays(api: FunctionApi, tmp_path: Path) -> None:
    await publish(api)
    await api.plane.sweep()
    assert SHA in stored(tmp_path)


@pytest.mark.semantics("LAYER-11")
async def test_layers_are_there_after_a_restart(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        one = await publish(api, Description="kept", LicenseInfo="MIT")
        await api("AddLayerVersionPermission", **L, VersionNumber=1, **GRANT)
        await api.create(Layers=[one])
        before = [await _seen(api), api.documents.all(LAYER)]
    async with function_api(tmp_path) as api:
        assert [await _seen(api), api.documents.all(LAYER)] == before
        assert _contents(api) == ["VALUE = 1\n"]


async def _seen(api: FunctionApi) -> list[Any]:
    one: dict[str, Any] = {**L, "VersionNumber": 1}
    return [await api("GetLayerVersion", **one), await api("GetLayerVersionPolicy", **one), await api("ListLayers")]


@pytest.mark.semantics("LAYER-11")
async def test_a_function_whose_layer_is_lost_is_failed_until_it_is_cured(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create(Layers=[await publish(api)])
    shutil.rmtree(tmp_path / DIRECTORY / SHA)
    (tmp_path / DIRECTORY / f"{SHA}.zip").unlink()
    async with function_api(tmp_path) as api:
        assert api.lost == ["orders"]
        failed = await api("GetFunctionConfiguration", **F)
        assert failed["State"] == "Failed"
        other = await publish(api, OTHER, "other")
        with pytest.raises(ApiError, match=f"The content of the layer {LAYER_ARN}:1 is lost: publish it again"):
            await api.create(FunctionName="another", Layers=[f"{LAYER_ARN}:1"])
        cured = await api("UpdateFunctionConfiguration", **F, Layers=[other])
        assert (cured["State"], _contents(api)) == ("Active", ["VALUE = 2\n"])


@pytest.mark.semantics("LAYER-11")
async def test_a_function_is_cured_when_the_content_of_its_layer_is_published_again(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create(Layers=[await publish(api)])
    shutil.rmtree(tmp_path / DIRECTORY / SHA)
    (tmp_path / DIRECTORY / f"{SHA}.zip").unlink()
    async with function_api(tmp_path) as api:
        told: list[str] = []
        api.plane.watch(told.append)
        await publish(api, name="other")
        assert (await api("GetFunctionConfiguration", **F))["State"] == "Active"
        assert (told, _contents(api)) == (["orders"], ["VALUE = 1\n"])


@pytest.mark.semantics("LAYER-16")
async def test_the_account_uses_what_layers_hold(api: FunctionApi) -> None:
    await publish(api)
    await publish(api)
    assert (await api("GetAccountSettings"))["AccountUsage"] == {"TotalCodeSize": 2 * len(ZIP), "FunctionCount": 0}


# --- that are not here ------------------------------------------------------------------------------------------------


@pytest.mark.semantics("LAYER-13")
async def test_a_layer_of_another_account_is_refused_with_the_setting(api: FunctionApi) -> None:
    with pytest.raises(ApiError) as refused:
        await api.create(Layers=[FOREIGN])
    assert refused.value.code == "AccessDeniedException"
    assert refused.value.message is not None
    assert f"layers: {{'{FOREIGN}': PATH}}" in refused.value.message
    assert "no api.upstream is set" in refused.value.message


@pytest.mark.semantics("LAYER-14")
async def test_the_setting_names_a_zip_or_a_directory(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "layer.zip").write_bytes(ZIP)
    (tmp_path / "live" / "python").mkdir(parents=True)
    (tmp_path / "live" / "python" / "tools.py").write_text("VALUE = 3\n")
    live = FOREIGN.replace("Insights", "Live")
    given = {FOREIGN: tmp_path / "layer.zip", live.removesuffix(":53"): tmp_path / "live", f"{LAYER_ARN}:1": tmp_path}
    async with function_api(tmp_path / "state", given_layers=given) as api:
        created = await api.create(Layers=[FOREIGN, live])
        assert created["Layers"] == [{"Arn": FOREIGN, "CodeSize": len(ZIP)}, {"Arn": live, "CodeSize": 0}]
        assert _contents(api) == ["VALUE = 1\n", "VALUE = 3\n"]
        runnable = api.plane.runnable("orders")
        assert runnable is not None
        assert (runnable.live, runnable.stored, runnable.layers[1]) == (True, True, tmp_path / "live")
        (tmp_path / "layer.zip").write_text("no zip")
        with pytest.raises(
            ApiError, match=r"layer\.zip by the setting 'layers', which is neither a directory nor a zip"
        ):
            await api("UpdateFunctionConfiguration", **F, Layers=[FOREIGN])


class Emulator:
    """Has one layer, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    @asynccontextmanager
    async def fetched(self, arn: str) -> AsyncIterator[AsyncGenerator[bytes] | None]:
        self.asked.append(arn)
        yield whole(ZIP) if arn == FOREIGN else None


@pytest.mark.semantics("LAYER-15")
async def test_what_is_not_here_is_fetched_from_the_upstream_once(tmp_path: Path) -> None:
    emulator = Emulator()
    async with function_api(tmp_path, upstream=emulator) as api:
        await api.create(Layers=[FOREIGN])
        await api("UpdateFunctionConfiguration", **F, Layers=[FOREIGN])
        await api.plane.sweep()
        assert (emulator.asked, _contents(api)) == ([FOREIGN], ["VALUE = 1\n"])
        with pytest.raises(ApiError, match=r"api\.upstream does not have it either"):
            await api("UpdateFunctionConfiguration", **F, Layers=[FOREIGN.replace("53", "54")])
        with pytest.raises(ApiError, match=r"Layer version .*:9 does not exist"):
            await api("UpdateFunctionConfiguration", **F, Layers=[f"{LAYER_ARN}:9"])

"""Every call that is served, over HTTP and with all that is behind it, answered well and refused: held against
botocore's model each time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from headrace.service.api.core.field_support_tables import SERVED
from support.function_api import ARN, ZIP, creation
from support.function_refusals import F, N
from support.mapping_requests import DYNAMODB, KAFKA, KINESIS, MSK, PROVISIONED, SQS
from support.whole_api import FILED_UUID, Over, over_http

DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"
DESTINATIONS = {"OnSuccess": {"Destination": DEAD}, "OnFailure": {"Destination": DEAD}}
PERMISSION = {
    "StatementId": "s3",
    "Action": "lambda:InvokeFunction",
    "Principal": "s3.amazonaws.com",
    "SourceArn": "arn:aws:s3:::bucket",
    "SourceAccount": "000000000000",
}
EVERYTHING: Mapping[str, Any] = {
    "Description": "all that a function can have",
    "Timeout": 9,
    "MemorySize": 512,
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"], "Ipv6AllowedForDualStack": True},
    "DeadLetterConfig": {"TargetArn": DEAD},
    "Environment": {"Variables": {"STAGE": "test"}},
    "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k",
    "TracingConfig": {"Mode": "Active"},
    "FileSystemConfigs": [
        {
            "Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-00000000000000000",
            "LocalMountPath": "/mnt/files",
        }
    ],
    "EphemeralStorage": {"Size": 1024},
    "SnapStart": {"ApplyOn": "PublishedVersions"},
    "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN", "LogGroup": "g"},
}
STREAMED = {
    "BatchSize": 7,
    "MaximumBatchingWindowInSeconds": 3,
    "ParallelizationFactor": 2,
    "MaximumRecordAgeInSeconds": 60,
    "MaximumRetryAttempts": 3,
    "BisectBatchOnFunctionError": True,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "FilterCriteria": {"Filters": [{"Pattern": '{"data":{"a":[1]}}'}]},
    "DestinationConfig": {"OnFailure": {"Destination": DEAD}},
    "MetricsConfig": {"Metrics": ["EventCount"]},
    "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000",
}


@pytest.mark.semantics("API-05")
async def test_every_served_call_is_answered_and_refused_as_the_model_says(tmp_path: Path) -> None:
    async with over_http(tmp_path) as api:
        assert api.web.api.served == set(SERVED)
        await functions(api)
        await looked_at(api)
        await settings(api)
        await layers(api)
        await invocations(api)
        await mappings(api)
        await refusals(api)
        await deletions(api)
        assert api.web.api.served - api.good == set()
        assert api.web.api.served - api.refused == set()


async def functions(api: Over) -> None:
    made = await api.done("CreateFunction", **creation(Publish=True, Tags={"a": "b"}, Architectures=["arm64"]))
    assert (made["FunctionName"], made["State"], made["Version"]) == ("orders", "Pending", "1")
    made = await api.done("CreateFunction", **creation(FunctionName="full", **EVERYTHING))
    assert made["LoggingConfig"] == EVERYTHING["LoggingConfig"]
    await api.done("UpdateFunctionConfiguration", **F, **EVERYTHING)
    dry = await api.done("UpdateFunctionCode", **F, ZipFile=ZIP, DryRun=True, Architectures=["x86_64"])
    assert dry["Architectures"] == ["x86_64"]
    await api.done("UpdateFunctionCode", **F, ZipFile=ZIP, Publish=True)
    await api.done("PublishVersion", **F, Description="more")
    await api.done("CreateAlias", **F, Name="live", FunctionVersion="1", Description="x")
    weights = {"AdditionalVersionWeights": {"1": 0.25}}
    alias = await api.done("UpdateAlias", **F, Name="live", FunctionVersion="2", RoutingConfig=weights)
    assert alias["RoutingConfig"] == weights


async def looked_at(api: Over) -> None:
    for qualifier in ({}, {"Qualifier": "$LATEST"}, {"Qualifier": "1"}, {"Qualifier": "live"}):
        await api.done("GetFunction", **F, **qualifier)
        await api.done("GetFunctionConfiguration", **F, **qualifier)
    for name in ("full", "filed"):
        await api.done("GetFunction", FunctionName=name)
    assert (await api.done("ListFunctions", MaxItems=1))["NextMarker"]
    assert len((await api.done("ListFunctions", FunctionVersion="ALL"))["Functions"]) == 5
    assert (await api.done("ListVersionsByFunction", **F, MaxItems=1))["NextMarker"]
    await api.done("GetAlias", **F, Name="live")
    assert len((await api.done("ListAliases", **F, FunctionVersion="2"))["Aliases"]) == 1
    await api.done("GetFunctionCodeSigningConfig", **F)
    assert (await api.done("GetAccountSettings"))["AccountUsage"]["FunctionCount"] == 3


async def settings(api: Over) -> None:
    assert await unset(api) == {}
    await api.done("PutFunctionConcurrency", **F, ReservedConcurrentExecutions=5)
    assert await unset(api) == {"ReservedConcurrentExecutions": 5}
    await api.done("PutFunctionEventInvokeConfig", **F, MaximumRetryAttempts=1)
    await api.done("PutFunctionEventInvokeConfig", **F, Qualifier="live", DestinationConfig=DESTINATIONS)
    await api.done("UpdateFunctionEventInvokeConfig", **F, MaximumEventAgeInSeconds=60, DestinationConfig=DESTINATIONS)
    config = await api.done("GetFunctionEventInvokeConfig", **F)
    assert (config["MaximumRetryAttempts"], config["DestinationConfig"]) == (1, DESTINATIONS)
    assert (await api.done("ListFunctionEventInvokeConfigs", **F, MaxItems=1))["NextMarker"]
    await api.done("AddPermission", **F, **PERMISSION)
    await api.done("AddPermission", **F, **PERMISSION, Qualifier="live")
    await api.done("GetPolicy", **F)
    await api.done("PutFunctionRecursionConfig", **F, RecursiveLoop="Allow")
    assert (await api.done("GetFunctionRecursionConfig", **F))["RecursiveLoop"] == "Allow"
    await api.done("PutRuntimeManagementConfig", **F, UpdateRuntimeOn="FunctionUpdate")
    await api.done("GetRuntimeManagementConfig", **F)
    await api.done("TagResource", Resource=ARN, Tags={"c": "d"})
    assert (await api.done("ListTags", Resource=ARN))["Tags"] == {"a": "b", "c": "d"}
    await api.done("UntagResource", Resource=ARN, TagKeys=["a", "nothing"])
    await api.done("GetFunction", **F)


async def layers(api: Over) -> None:
    layer = {"LayerName": "shared"}
    first = {**layer, "VersionNumber": 1}
    made = await api.done(
        "PublishLayerVersion", **layer, Content={"ZipFile": ZIP}, Description="x", CompatibleRuntimes=["python3.12"]
    )
    assert made["Version"] == 1
    await api.done("PublishLayerVersion", **layer, Content={"ZipFile": ZIP})
    await api.done("PublishLayerVersion", LayerName="other", Content={"ZipFile": ZIP})
    await api.done("GetLayerVersion", **first)
    await api.done("GetLayerVersionByArn", Arn=made["LayerVersionArn"])
    assert (await api.done("ListLayers", MaxItems=1))["NextMarker"]
    assert (await api.done("ListLayerVersions", **layer, MaxItems=1))["NextMarker"]
    statement = {"StatementId": "all", "Action": "lambda:GetLayerVersion", "Principal": "*"}
    await api.done("AddLayerVersionPermission", **first, **statement)
    await api.done("GetLayerVersionPolicy", **first)
    await api.done("RemoveLayerVersionPermission", **first, StatementId="all")
    await api.done("DeleteLayerVersion", **first)


async def unset(api: Over) -> dict[str, Any]:
    found = await api.done("GetFunctionConcurrency", **F)
    return {name: value for name, value in found.items() if name != "ResponseMetadata"}


async def invocations(api: Over) -> None:
    answer = await api.done("Invoke", **F, Payload=b'{"a":1}', LogType="Tail")
    assert (answer["StatusCode"], answer["Payload"], answer["ExecutedVersion"]) == (200, b'{"a":1}', "$LATEST")
    assert answer["LogResult"]
    failed = await api.done("Invoke", **F, Qualifier="live", Payload=b'{"do":"fail"}')
    assert (failed["FunctionError"], failed["ExecutedVersion"]) == ("Unhandled", "2")
    assert (await api.done("Invoke", FunctionName="filed"))["Payload"] == b"{}"
    assert (await api.done("Invoke", **F, InvocationType="DryRun"))["StatusCode"] == 204
    assert (await api.done("Invoke", **F, InvocationType="Event"))["StatusCode"] == 202
    assert (await api.done("InvokeAsync", **F, InvokeArgs=b"{}"))["Status"] == 202


async def mappings(api: Over) -> None:
    given = {"FunctionName": "orders:live", "Tags": {"a": "b"}}
    scaled = {"ScalingConfig": {"MaximumConcurrency": 2}}
    queue = await api.done("CreateEventSourceMapping", **{**SQS, **given}, **scaled)
    assert (queue["State"], queue["FunctionArn"]) == ("Creating", f"{ARN}:live")
    stream = await api.done("CreateEventSourceMapping", **{**KINESIS, **given, **STREAMED})
    await api.done("CreateEventSourceMapping", **{**DYNAMODB, **given}, TumblingWindowInSeconds=30)
    await api.done("CreateEventSourceMapping", **{**KAFKA, **given}, **PROVISIONED)
    await api.done("CreateEventSourceMapping", **{**MSK, **given}, StartingPosition="TRIM_HORIZON", Enabled=False)
    for uuid in (queue["UUID"], stream["UUID"], FILED_UUID):
        await api.done("GetEventSourceMapping", UUID=uuid)
    update = await api.done("UpdateEventSourceMapping", UUID=stream["UUID"], Enabled=False, DestinationConfig={})
    assert update["State"] == "Disabling"
    await api.done("UpdateEventSourceMapping", UUID=queue["UUID"], FunctionName="orders", BatchSize=1, **scaled)
    assert (await api.done("ListEventSourceMappings", MaxItems=2))["NextMarker"]
    assert len((await api.done("ListEventSourceMappings", FunctionName="orders"))["EventSourceMappings"]) == 5
    arn = queue["EventSourceMappingArn"]
    await api.done("TagResource", Resource=arn, Tags={"c": "d"})
    await api.done("UntagResource", Resource=arn, TagKeys=["a"])
    assert (await api.done("ListTags", Resource=arn))["Tags"] == {"c": "d"}
    assert (await api.done("DeleteEventSourceMapping", UUID=queue["UUID"]))["State"] == "Deleting"


# --- refused ----------------------------------------------------------------------------------------------------------

NO_MAPPING = {"UUID": "00000000-0000-4000-8000-000000000000"}
NO_FUNCTION = {"Resource": ARN.replace("orders", "nobody")}
NO_LAYER = {"LayerName": "nobody", "VersionNumber": 1}
DIGITS = {**F, "Name": "1"}

REFUSED: list[tuple[str, Mapping[str, Any]]] = [
    ("CreateFunction", creation()),
    ("CreateFunction", creation(FunctionName="fresh", Code={"S3Bucket": "none", "S3Key": "k"})),
    ("UpdateFunctionCode", {**N, "ZipFile": ZIP}),
    ("UpdateFunctionCode", {**F, "ZipFile": ZIP, "RevisionId": "x"}),
    ("UpdateFunctionConfiguration", {**F, "Runtime": "cobol"}),
    *((operation, N) for operation in ("GetFunction", "GetFunctionConfiguration", "GetFunctionCodeSigningConfig")),
    *((operation, {**F, "Qualifier": "9"}) for operation in ("GetFunction", "GetRuntimeManagementConfig", "Invoke")),
    *((operation, N) for operation in ("DeleteFunction", "PublishVersion", "ListVersionsByFunction", "ListAliases")),
    ("CreateAlias", {**DIGITS, "FunctionVersion": "1"}),
    *((operation, DIGITS) for operation in ("UpdateAlias", "DeleteAlias")),
    ("GetAlias", {**F, "Name": "dead"}),
    ("ListFunctions", {"MasterRegion": "ALL"}),
    ("PutFunctionConcurrency", {**N, "ReservedConcurrentExecutions": 1}),
    *((operation, N) for operation in ("GetFunctionConcurrency", "DeleteFunctionConcurrency")),
    *((f"{verb}FunctionEventInvokeConfig", N) for verb in ("Put", "Update", "Get", "Delete")),
    ("ListFunctionEventInvokeConfigs", N),
    ("AddPermission", {**F, **PERMISSION}),
    ("GetPolicy", N),
    ("RemovePermission", {**F, "StatementId": "dead"}),
    ("PutFunctionRecursionConfig", {**F, "RecursiveLoop": "Never"}),
    ("GetFunctionRecursionConfig", N),
    ("PutRuntimeManagementConfig", {**N, "UpdateRuntimeOn": "Auto"}),
    ("PublishLayerVersion", {"LayerName": "fresh", "Content": {"S3Bucket": "none", "S3Key": "k"}}),
    *((f"Get{what}", NO_LAYER) for what in ("LayerVersion", "LayerVersionPolicy")),
    ("GetLayerVersionByArn", {"Arn": "arn:aws:lambda:us-east-1:000000000000:layer:nobody:1"}),
    (
        "AddLayerVersionPermission",
        {**NO_LAYER, "StatementId": "s", "Action": "lambda:GetLayerVersion", "Principal": "*"},
    ),
    ("RemoveLayerVersionPermission", {**NO_LAYER, "StatementId": "s"}),
    ("DeleteLayerVersion", {"LayerName": "a b", "VersionNumber": 1}),
    ("ListLayers", {"Marker": "%"}),
    ("ListLayerVersions", {"LayerName": "shared", "Marker": "%"}),
    ("TagResource", {**NO_FUNCTION, "Tags": {"a": "b"}}),
    ("UntagResource", {**NO_FUNCTION, "TagKeys": ["a"]}),
    ("ListTags", NO_FUNCTION),
    ("Invoke", {**F, "Payload": b"{"}),
    ("InvokeAsync", {**N, "InvokeArgs": b"{}"}),
    ("CreateEventSourceMapping", {**KINESIS, "FunctionName": "orders:live"}),
    *((f"{verb}EventSourceMapping", NO_MAPPING) for verb in ("Get", "Update", "Delete")),
    ("ListEventSourceMappings", {"Marker": "%"}),
]


async def refusals(api: Over) -> None:
    """For some reason each: with which words is told by other tests."""
    for operation, parameters in REFUSED:
        reply = await api.ask(operation, parameters)
        assert 400 <= reply.status < 500, (operation, parameters, reply)
    elsewhere = await api.ask("GetAccountSettings", {}, Origin="http://elsewhere.example")  # it takes no parameters
    assert elsewhere.status == 403


async def deletions(api: Over) -> None:
    await api.done("DeleteFunctionEventInvokeConfig", **F)
    await api.done("DeleteFunctionConcurrency", **F)
    await api.done("RemovePermission", **F, StatementId="s3")
    await api.done("DeleteAlias", **F, Name="live")
    await api.done("DeleteFunction", **F, Qualifier="1")
    await api.done("DeleteFunction", **F)

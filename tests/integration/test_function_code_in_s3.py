"""Code of functions from S3, beside real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.service.control.refusals import ApiError
from support.function_api import FunctionApi, function_api, zipped
from support.servers.running import Server

F: dict[str, Any] = {"FunctionName": "orders"}
FIRST, SECOND = zipped({"app.py": "first = 1"}), zipped({"app.py": "second = 2"})


@pytest.fixture(params=["moto", "ministack"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@asynccontextmanager
async def api_beside(url: str, state: Path) -> AsyncIterator[tuple[FunctionApi, Any]]:
    async with (
        Clients(AwsSettings(endpoint_url=url, region="us-east-1")) as clients,
        function_api(state, clients=clients) as api,
    ):
        yield api, await clients.get("s3")


def text(api: FunctionApi) -> str:
    runnable = api.plane.runnable("orders")
    assert runnable
    return Path(runnable.code, "app.py").read_text()


@pytest.mark.semantics("FUNC-41")
async def test_code_is_an_object_or_a_version_of_one(server: Server, tmp_path: Path) -> None:
    async with api_beside(server.endpoint_url, tmp_path) as (api, s3):
        bucket = f"code-{server.name}"
        await s3.create_bucket(Bucket=bucket)
        await s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        first = await s3.put_object(Bucket=bucket, Key="dir/orders.zip", Body=FIRST)
        place = {"S3Bucket": bucket, "S3Key": "dir/orders.zip"}
        created = await api.create(Code=place)
        assert (created["CodeSize"], text(api)) == (len(FIRST), "first = 1")
        await s3.put_object(Bucket=bucket, Key="dir/orders.zip", Body=SECOND)
        await api("UpdateFunctionCode", **F, **place)
        assert text(api) == "second = 2"
        await api("UpdateFunctionCode", **F, **place, S3ObjectVersion=first["VersionId"])
        assert text(api) == "first = 1"


@pytest.mark.semantics("FUNC-41")
async def test_what_s3_does_not_have_is_told_in_its_words(server: Server, tmp_path: Path) -> None:
    async with api_beside(server.endpoint_url, tmp_path) as (api, s3):
        bucket = f"empty-{server.name}"
        await s3.create_bucket(Bucket=bucket)
        for place, told in (
            (
                {"S3Bucket": f"no-{bucket}", "S3Key": "x"},
                "NoSuchBucket. S3 Error Message: The specified bucket does not exist",
            ),
            ({"S3Bucket": bucket, "S3Key": "x"}, "NoSuchKey. S3 Error Message: The specified key does not exist."),
        ):
            with pytest.raises(ApiError) as refused:
                await api.create(Code=place)
            assert refused.value.code == "InvalidParameterValueException"
            assert refused.value.message == f"Error occurred while GetObject. S3 Error Code: {told}"
        assert await api("ListFunctions") == {"Functions": []}


async def test_an_object_that_is_no_package_is_refused_as_any_other(server: Server, tmp_path: Path) -> None:
    async with api_beside(server.endpoint_url, tmp_path) as (api, s3):
        bucket = f"strange-{server.name}"
        await s3.create_bucket(Bucket=bucket)
        await s3.put_object(Bucket=bucket, Key="text", Body=b"no zip")
        with pytest.raises(ApiError, match="Could not unzip uploaded file"):
            await api.create(Code={"S3Bucket": bucket, "S3Key": "text"})


async def test_where_nobody_answers_the_caller_is_told_so(tmp_path: Path) -> None:
    async with api_beside("http://127.0.0.1:9", tmp_path) as (api, _):
        with pytest.raises(ApiError, match=r"Error occurred while GetObject.*EndpointConnectionError") as refused:
            await api.create(Code={"S3Bucket": "bucket", "S3Key": "key"})
        assert refused.value.code == "InvalidParameterValueException"


async def test_real_aws_is_not_asked_unless_it_is_meant(tmp_path: Path) -> None:
    async with Clients(AwsSettings(region="us-east-1")) as clients, function_api(tmp_path, clients=clients) as api:
        with pytest.raises(ApiError, match=r"the code cannot be fetched from S3: .*real AWS"):
            await api.create(Code={"S3Bucket": "bucket", "S3Key": "key"})

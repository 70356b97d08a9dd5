"""A directory of this machine in the place of a zip, by LocalStack's habit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.dispatch.invokers.local.reload import CodeWatch
from headrace.service.control import hot_reload
from headrace.service.control.names import Home
from headrace.service.control.refusals import ApiError
from headrace.service.wiring.local_functions import spec_of_runnable
from support.function_api import ZIP, FunctionApi, function_api

F: dict[str, Any] = {"FunctionName": "orders"}
HERE = Home("us-east-1", "000000000000")


def hot(path: object) -> dict[str, Any]:
    return {"S3Bucket": "hot-reload", "S3Key": str(path)}


def code(tmp_path: Path) -> Path:
    directory = tmp_path / "app"
    directory.mkdir()
    (directory / "app.py").write_text("def handler(event, context): return event\n")
    return directory


def place(api: FunctionApi, qualifier: str = "") -> object:
    runnable = api.plane.runnable("orders", qualifier)
    assert runnable is not None
    return runnable.code


@pytest.mark.semantics("HOT-01", "HOT-04")
async def test_a_directory_is_the_code_of_a_function_until_it_gets_another(tmp_path: Path) -> None:
    directory = code(tmp_path)
    async with function_api(tmp_path) as api:
        created = await api.create(Code=hot(directory))
        assert (created["CodeSize"], created["CodeSha256"]) == (0, "hot-reloading-hash-not-available")
        assert (await api("GetFunction", **F))["Code"]["Location"] == directory.as_uri()
        await api("PublishVersion", **F)
        await api.plane.sweep()
    async with function_api(tmp_path) as api:
        assert api.lost == []
        assert (place(api), place(api, "1")) == (directory, directory)
        await api("UpdateFunctionCode", **F, ZipFile=ZIP)
        assert place(api) != directory
        await api("UpdateFunctionCode", **F, **hot(directory))
        assert (place(api), place(api, "1")) == (directory, directory)
    assert [each.name for each in directory.iterdir()] == ["app.py"]


@pytest.mark.semantics("HOT-01")
async def test_a_directory_is_the_content_of_a_layer(tmp_path: Path) -> None:
    directory = code(tmp_path)
    async with function_api(tmp_path) as api:
        layer = await api("PublishLayerVersion", LayerName="live", Content=hot(directory))
        assert layer["Content"]["Location"] == directory.as_uri()
        await api.create(Layers=[layer["LayerVersionArn"]])
        runnable = api.plane.runnable("orders")
        assert runnable is not None
        assert (runnable.layers, runnable.live, runnable.stored) == ((directory,), True, True)


@pytest.mark.semantics("HOT-02")
async def test_each_invocation_looks_at_a_directory_and_none_at_stored_code(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        for given, looks in ((hot(code(tmp_path)), True), ({"ZipFile": ZIP}, False)):
            await api("DeleteFunction", **F) if api.plane.find("orders") else None
            await api.create(Code=given)
            runnable = api.plane.runnable("orders")
            assert runnable is not None
            spec = spec_of_runnable(runnable, tmp_path, HERE, {})
            assert (spec.reload, spec.read_only, spec.reload_after) == (looks, not looks, 0.0)


@pytest.mark.semantics("HOT-02")
async def test_a_look_is_good_as_long_as_somebody_says(tmp_path: Path) -> None:
    eager = CodeWatch((tmp_path,), enabled=True, fresh_for=0.0)
    lazy = CodeWatch((tmp_path,), enabled=True)
    assert [await eager.changed(5.0), await lazy.changed(5.0)] == [False, False]
    (tmp_path / "app.py").write_text("")
    assert [await eager.changed(5.0), await lazy.changed(5.0)] == [True, False]
    assert [await eager.changed(6.1), await lazy.changed(6.1)] == [False, True]


@pytest.mark.semantics("HOT-03")
@pytest.mark.parametrize(
    ("setting", "host", "allowed"),
    [
        (None, "127.0.0.1", True),
        (None, "::1", True),
        (None, "0.0.0.0", False),
        (None, "192.168.1.7", False),
        (True, "0.0.0.0", True),
        (False, "127.0.0.1", False),
    ],
)
def test_where_it_is_allowed(setting: bool | None, host: str, allowed: bool) -> None:
    assert hot_reload.is_allowed(setting, host) is allowed


@pytest.mark.semantics("HOT-01", "HOT-03")
@pytest.mark.parametrize(
    ("key", "allowed", "message"),
    [
        ("code", True, "wants the absolute path of a directory on Headrace's machine as S3Key, not 'code'"),
        ("/no/such/directory", True, "there is no directory /no/such/directory on this machine"),
        ("/", False, r"the operator can allow it with api\.hot_reload: true"),
    ],
)
async def test_what_is_refused(tmp_path: Path, key: str, allowed: bool, message: str) -> None:
    async with function_api(tmp_path, hot_reload=allowed) as api:
        with pytest.raises(ApiError, match=message) as refused:
            await api.create(Code=hot(key))
        assert refused.value.code == "InvalidParameterValueException"
        assert api.plane.find("orders") is None

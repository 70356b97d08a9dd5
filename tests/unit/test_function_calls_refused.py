"""What the functions' calls are refused with, to the letter; and that a refused call changes nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headrace.config.function import LocalFunction
from headrace.service.api.wire.refusals import form_of
from headrace.service.control import runtimes
from headrace.service.control.as_documents import FUNCTION, VERSION
from headrace.service.control.catalogue import Runnable
from headrace.service.control.refusals import ApiError
from support.function_api import FunctionApi, function_api, zipped
from support.function_refusals import IPV, PERMISSION, RNF, ROWS, STATUS, F, new

NO_TYPE = ("Specified Reserved", "$LATEST is not supported for an alias", "Zipped size", "1 validation error detected")
CAPITAL = {RNF}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[FunctionApi]:
    """`orders` with the versions 1 to 3, the alias `live` for 1, and a permission; and a function of the file."""
    filed = LocalFunction(name="filed", runtime="python3.12", handler="app.handler", code=tmp_path)
    async with function_api(tmp_path, configured={"filed": filed}) as api:
        await api.create(Publish=True)
        for number in (2, 3):
            await api("UpdateFunctionConfiguration", **F, Description=str(number))
            await api("PublishVersion", **F)
        await api("CreateAlias", **F, Name="live", FunctionVersion="1")
        await api("AddPermission", **F, **{**PERMISSION, "StatementId": "taken"})
        yield api


def _stored(api: FunctionApi) -> tuple[Any, Any]:
    return api.documents.all(FUNCTION), api.documents.all(VERSION)


@pytest.mark.semantics("FUNC-05", "FUNC-46")
async def test_each_refusal_is_awss_and_changes_nothing(api: FunctionApi) -> None:
    before = _stored(api)
    sha = str((await api("GetFunctionConfiguration", **F))["CodeSha256"])
    for operation, parameters, code, message in ROWS:
        with pytest.raises(ApiError) as refused:
            await api(operation, **parameters)
        where = (operation, {key: value for key, value in parameters.items() if key != "Code"})
        error = refused.value
        assert (error.code, error.message) == (code, message.replace("{sha}", sha)), where
        assert form_of(error).status == STATUS[code], where
        assert form_of(error).member == ("Message" if code in CAPITAL else "message"), where
        untyped = message.startswith(NO_TYPE) and not message.startswith("1 validation error detected: Value '{")
        assert form_of(error).type == (None if untyped or code == "ValidationException" else "User"), where
        assert _stored(api) == before, where


@pytest.mark.semantics("FUNC-23")
async def test_a_version_that_an_alias_goes_to_by_weight_is_not_deleted(api: FunctionApi) -> None:
    await api("UpdateAlias", **F, Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}})
    before = _stored(api)
    with pytest.raises(ApiError, match=r"the following aliases reference it: \[live\]"):
        await api("DeleteFunction", **F, Qualifier="2")
    assert _stored(api) == before
    await api("DeleteFunction", **F, Qualifier="3")


@pytest.mark.semantics("FUNC-44")
async def test_what_cannot_be_run_on_this_machine_is_refused_before_it_is_a_function(tmp_path: Path) -> None:
    async def obstacle(runnable: Runnable) -> str:
        assert Path(runnable.code, "app.py").is_file()
        return "install Ruby" if runnable.runtime.startswith("ruby") else ""

    async with function_api(tmp_path, obstacle=obstacle) as api:
        await api.create()
        before = _stored(api)
        for operation, parameters in (
            ("CreateFunction", new(Runtime="ruby3.3")),
            ("UpdateFunctionConfiguration", {**F, "Runtime": "ruby3.3"}),
        ):
            with pytest.raises(ApiError) as refused:
                await api(operation, **parameters)
            name = parameters["FunctionName"]
            assert refused.value.code == IPV
            assert refused.value.message == f"Function {name} cannot be run on this machine: install Ruby"
        assert _stored(api) == before


@pytest.mark.semantics("FUNC-44")
async def test_only_new_code_or_another_runtime_is_looked_at(tmp_path: Path) -> None:
    asked: list[str] = []

    async def obstacle(runnable: Runnable) -> str:
        asked.append(runnable.runtime)
        return "it is gone" if len(asked) > 1 else ""

    async with function_api(tmp_path, obstacle=obstacle) as api:
        await api.create()
        await api("UpdateFunctionConfiguration", **F, Timeout=7)
        await api("PublishVersion", **F)
        assert len(asked) == 1
        with pytest.raises(ApiError, match="it is gone"):
            await api("UpdateFunctionCode", **F, ZipFile=zipped({"other.py": ""}))
        assert len(asked) == 2


def test_no_runtime_is_both_creatable_and_retired() -> None:
    assert not runtimes.RETIRED & set(runtimes.CREATABLE)
    assert len(runtimes.CREATABLE) == len(set(runtimes.CREATABLE)) == 25


async def test_an_environment_may_have_4096_bytes(api: FunctionApi) -> None:
    just = {"A" * 10: "v" * 4079}
    assert len(json.dumps(just, separators=(",", ":"))) == 4096
    await api("CreateFunction", **new(Environment={"Variables": just}))

"""The functions at work: states that pass, restarts, who runs what meanwhile, and code that comes and goes."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from headrace.config.durable.faults import StoreUnavailable, UnusableState
from headrace.config.function import LocalFunction
from headrace.service.api.wire.refusals import form_of
from headrace.service.control import tags
from headrace.service.control.model import Decision, Function, Moment
from headrace.service.control.names import Home, resolve
from headrace.service.control.refusals import ApiError
from headrace.service.control.store.code import DIRECTORY
from headrace.service.control.store.document_store import FILE, Documents
from support.eventually import eventually_async
from support.function_api import ARN, ZIP, FunctionApi, creation, function_api, zipped

F: dict[str, Any] = {"FunctionName": "orders"}
OTHER = zipped({"app.py": "handler = print"})
LONG = 3600.0
"""A window that nobody sees the end of."""
PENDING = "The operation cannot be performed at this time. The function is currently in the following state: Pending"
IN_PROGRESS = f"The operation cannot be performed at this time. An update is in progress for resource: {ARN}"


def packages(state: Path) -> set[str]:
    return {entry.name for entry in (state / DIRECTORY).iterdir() if entry.name != ".boot"}


async def configuration(api: FunctionApi, **more: Any) -> Mapping[str, Any]:
    return await api("GetFunctionConfiguration", **F, **more)


def active(api: FunctionApi) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        shown = await configuration(api)
        return bool(shown["State"] == "Active" and shown["LastUpdateStatus"] == "Successful")

    return look


async def tag(api: FunctionApi, arn: str, key: str) -> None:
    await api("TagResource", Resource=arn, Tags={key: ""})


# --- states -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("FUNC-09")
async def test_states_pass_by_themselves_and_are_seen_before(tmp_path: Path) -> None:
    async with function_api(tmp_path, window=0.05) as api, anyio.create_task_group() as tasks:
        tasks.start_soon(api.plane.run)
        created = await api.create()
        assert (created["State"], created["StateReasonCode"]) == ("Pending", "Creating")
        assert "LastUpdateStatus" not in created
        await eventually_async(active(api))
        shown = await configuration(api)
        assert not {"StateReason", "StateReasonCode", "LastUpdateStatusReason", "LastUpdateStatusReasonCode"} & set(
            shown
        )
        updated = await api("UpdateFunctionConfiguration", **F)
        assert (updated["State"], updated["LastUpdateStatus"]) == ("Active", "InProgress")
        assert updated["LastUpdateStatusReason"] == "The function is being created."
        assert updated["LastUpdateStatusReasonCode"] == "Creating"
        await eventually_async(active(api))
        tasks.cancel_scope.cancel()


@pytest.mark.semantics("FUNC-09")
async def test_without_a_window_the_answer_is_the_same_and_the_state_has_passed(tmp_path: Path) -> None:
    async with function_api(tmp_path, window=0) as api:
        assert (await api.create())["State"] == "Pending"
        assert (await configuration(api))["State"] == "Active"
        assert (await api("UpdateFunctionCode", **F, ZipFile=OTHER))["LastUpdateStatus"] == "InProgress"
        assert (await configuration(api))["LastUpdateStatus"] == "Successful"


async def refused(api: FunctionApi, message: str) -> None:
    for operation, more in (
        ("UpdateFunctionConfiguration", {}),
        ("UpdateFunctionCode", {"ZipFile": OTHER}),
        ("PublishVersion", {}),
    ):
        with pytest.raises(ApiError) as error:
            await api(operation, **F, **more)
        assert (error.value.code, error.value.message) == ("ResourceConflictException", message)


@pytest.mark.semantics("FUNC-34", "FUNC-35", "FUNC-37")
async def test_until_it_is_settled_nothing_else_is_changed_and_the_old_one_runs(tmp_path: Path) -> None:
    async with function_api(tmp_path, window=LONG) as api:
        await api.create()
        await refused(api, PENDING)
        runnable = api.plane.runnable("orders")
        assert runnable
        assert runnable.state == "Pending"
    async with function_api(tmp_path, window=LONG) as api:
        before = api.plane.runnable("orders")
        assert before
        assert before.state == "Active"
        await api("UpdateFunctionCode", **F, ZipFile=OTHER, Publish=True)
        await refused(api, IN_PROGRESS)
        assert api.plane.runnable("orders") == before
        assert api.plane.runnable("orders", "$LATEST") == before
        published = api.plane.runnable("orders", "1")
        assert published
        assert (published.state, Path(published.code, "app.py").read_text()) == ("Pending", "handler = print")
        await api.plane.sweep()
        assert Path(before.code).is_dir()
    async with function_api(tmp_path, window=LONG) as api:
        after = api.plane.runnable("orders")
        assert after
        assert Path(after.code, "app.py").read_text() == "handler = print"
        assert after.identity != before.identity
        published = api.plane.runnable("orders", "1")
        assert published
        assert published.state == "Active"
        assert not Path(before.code).exists()


@pytest.mark.semantics("FUNC-37")
async def test_what_could_not_be_settled_is_settled_later(tmp_path: Path) -> None:
    async with function_api(tmp_path, window=0.05) as api, anyio.create_task_group() as tasks:
        await api.create()
        with closing(sqlite3.connect(tmp_path / FILE)) as other:
            full = "CREATE TRIGGER full BEFORE INSERT ON documents BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            other.execute(full)
            other.commit()
            tasks.start_soon(api.plane.run)
            with pytest.raises(ApiError) as error:
                await api("TagResource", Resource=ARN, Tags={"a": "b"})
            assert (error.value.code, form_of(error.value).status) == ("ServiceException", 500)
            assert "cannot store stored functions and mappings in" in str(error.value.message)
            assert "disk full; free some disk space" in str(error.value.message)
            assert (await api("ListTags", Resource=ARN)) == {"Tags": {}}
            other.execute("DROP TRIGGER full")
            other.commit()
        await eventually_async(active(api))
        tasks.cancel_scope.cancel()


# --- restarts ---------------------------------------------------------------------------------------------------------


async def everything(api: FunctionApi) -> list[Mapping[str, Any]]:
    """All that can be seen of `orders`, but the address of its code."""
    asked: list[tuple[str, dict[str, Any]]] = [
        ("ListVersionsByFunction", F),
        ("ListAliases", F),
        ("GetFunctionConcurrency", F),
        ("ListFunctionEventInvokeConfigs", F),
        ("GetPolicy", F),
        ("ListTags", {"Resource": ARN}),
        ("GetFunctionRecursionConfig", F),
        ("GetRuntimeManagementConfig", F),
        ("GetAccountSettings", {}),
        ("GetFunctionConfiguration", F),
        ("GetFunctionConfiguration", {**F, "Qualifier": "1"}),
    ]
    return [await api(operation, **parameters) for operation, parameters in asked]


@pytest.mark.semantics("FUNC-37")
async def test_a_version_that_was_deleted_is_gone_after_a_restart_too(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create(Publish=True)
        await api("UpdateFunctionCode", **F, ZipFile=OTHER, Publish=True)
        await api("DeleteFunction", **F, Qualifier="1")
    async with function_api(tmp_path) as api:
        listed = await api("ListVersionsByFunction", **F)
        assert [each["Version"] for each in listed["Versions"]] == ["$LATEST", "2"]
        assert len(packages(tmp_path)) == 2, "one directory, one zip"


@pytest.mark.semantics("FUNC-37")
async def test_a_restart_changes_no_answer(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create(Publish=True, Tags={"a": "b"}, Environment={"Variables": {"NAME": "ü\ud800"}})
        await api("UpdateFunctionCode", **F, ZipFile=OTHER)
        await api("PublishVersion", **F)
        weights = {"AdditionalVersionWeights": {"2": 0.25}}
        await api("CreateAlias", **F, Name="live", FunctionVersion="1", RoutingConfig=weights)
        await api("PutFunctionConcurrency", **F, ReservedConcurrentExecutions=5)
        await api("PutFunctionEventInvokeConfig", **F, MaximumRetryAttempts=1)
        permission = {"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
        await api("AddPermission", **F, **permission)
        await api("PutFunctionRecursionConfig", **F, RecursiveLoop="Allow")
        await api("PutRuntimeManagementConfig", **F, UpdateRuntimeOn="FunctionUpdate")
        before = await everything(api)
        kept = packages(tmp_path)
    async with function_api(tmp_path) as api:
        assert await everything(api) == before
        assert packages(tmp_path) == kept
        assert (await api("PublishVersion", **F))["Version"] == "2"


@pytest.mark.parametrize("harm", [{"latest": {}}, {"aliases": [{"weights": 1}]}, {"name": None}, {"of_later": 1}])
async def test_a_function_that_another_version_stored_is_told(tmp_path: Path, harm: dict[str, Any]) -> None:
    async with function_api(tmp_path) as api:
        await api.create()
    documents = await Documents.open(tmp_path / FILE)
    stored = documents.all("function")["orders"]
    stored = {key: value for key, value in {**stored, **harm}.items() if value is not None}
    await documents.write({("function", "orders"): stored})
    await documents.aclose()
    with pytest.raises(UnusableState, match="does not understand the stored function orders"):
        async with function_api(tmp_path):
            pass


async def test_a_field_that_was_not_there_when_a_function_was_stored_has_its_default(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create()
        before = await api("GetFunction", **F), await api("GetFunctionRecursionConfig", **F)
    documents = await Documents.open(tmp_path / FILE)
    stored = documents.all("function")["orders"]
    first = {"name": stored["name"], "latest": {**stored["latest"]}}
    del first["latest"]["phase"]
    await documents.write({("function", "orders"): first})
    await documents.aclose()
    async with function_api(tmp_path) as api:
        assert (await api("GetFunction", **F), await api("GetFunctionRecursionConfig", **F)) == before


async def test_functions_are_of_the_region_that_is_set(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create()
    async with function_api(tmp_path, here=Home("eu-west-1", "111111111111")) as api:
        arn = "arn:aws:lambda:eu-west-1:111111111111:function:orders"
        assert (await configuration(api))["FunctionArn"] == arn
        assert (await api("GetFunctionConfiguration", FunctionName=arn))["FunctionName"] == "orders"


# --- who runs what ----------------------------------------------------------------------------------------------------


async def test_what_is_run_is_what_is_configured(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create(
            Timeout=9,
            MemorySize=256,
            Environment={"Variables": {"STAGE": "dev"}},
            LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "LogGroup": "g"},
            DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"},
            Publish=True,
        )
        found = api.plane.runnable("orders")
        assert found
        assert (found.name, found.version, found.arn, found.state) == ("orders", "$LATEST", ARN, "Active")
        assert (found.runtime, found.handler, found.timeout, found.memory_size) == ("python3.12", "app.handler", 9, 256)
        assert (found.environment, found.layers) == ({"STAGE": "dev"}, ())
        assert (found.log_group, found.log_format) == ("g", "JSON")
        assert (found.application_log_level, found.system_log_level) == ("DEBUG", "INFO")
        assert found.dead_letter == "arn:aws:sqs:us-east-1:000000000000:dead"
        assert Path(found.code, "app.py").is_file()
        first = api.plane.runnable("orders", "1")
        assert first
        assert (first.version, first.code) == ("1", found.code)
        assert first.identity != found.identity, "versions never share an environment"
        assert api.plane.runnable("orders", "9") is api.plane.runnable("nobody") is None


async def test_what_needs_new_environments_has_another_identity(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create()

        async def changed(operation: str, **more: Any) -> bool:
            before = api.plane.runnable("orders")
            await api(operation, **F, **more)
            after = api.plane.runnable("orders")
            assert before
            assert after
            return before.identity != after.identity

        assert not await changed("UpdateFunctionConfiguration")
        assert not await changed("UpdateFunctionConfiguration", Description="d", DeadLetterConfig={"TargetArn": "x:y"})
        assert not await changed("UpdateFunctionCode", ZipFile=ZIP)
        assert await changed("UpdateFunctionCode", ZipFile=OTHER)
        assert await changed("UpdateFunctionConfiguration", Environment={"Variables": {"A1": "b"}})
        assert await changed("UpdateFunctionConfiguration", Timeout=4)
        assert await changed("UpdateFunctionConfiguration", Runtime="python3.11")


async def test_an_alias_with_two_versions_is_drawn(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create(Publish=True)
        await api("UpdateFunctionConfiguration", **F, Description="2")
        await api("PublishVersion", **F)
        weights = {"AdditionalVersionWeights": {"2": 0.25}}
        await api("CreateAlias", **F, Name="live", FunctionVersion="1", RoutingConfig=weights)
        drawn = [api.plane.runnable("orders", "live", draw) for draw in (0.0, 0.2499, 0.25, 0.9999, 1.0)]
        assert [each and each.version for each in drawn] == ["2", "2", "1", "1", "1"]


async def test_watchers_are_told_of_each_change_and_of_the_end(tmp_path: Path) -> None:
    told: list[str] = []
    async with function_api(tmp_path) as api:
        api.plane.watch(told.append)
        steps: list[tuple[str, dict[str, Any]]] = [
            ("CreateFunction", creation(Publish=True)),
            ("UpdateFunctionConfiguration", F),
            ("CreateAlias", {**F, "Name": "live", "FunctionVersion": "1"}),
            ("PutFunctionConcurrency", {**F, "ReservedConcurrentExecutions": 1}),
            ("PutFunctionEventInvokeConfig", {**F, "MaximumRetryAttempts": 1}),
            ("DeleteFunction", F),
        ]
        for number, (operation, parameters) in enumerate(steps, start=1):
            await api(operation, **parameters)
            assert told == ["orders"] * number, operation
        with pytest.raises(ApiError):
            await api("DeleteFunction", **F)
        assert len(told) == len(steps)
        assert api.plane.reserved("orders") is None


@pytest.mark.semantics("FUNC-33")
async def test_a_function_of_the_file_hides_one_of_the_api_and_does_not_end_it(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create(Description="of the API")
    filed = LocalFunction(name="orders", runtime="python", handler="app.handler", code=tmp_path)
    async with function_api(tmp_path, configured={"orders": filed}) as api:
        assert api.plane.hidden == ["orders"]
        assert (await configuration(api))["Runtime"] == "python"
        (listed,) = (await api("ListFunctions"))["Functions"]
        assert listed["Runtime"] == "python"
        assert api.plane.runnable("orders") is None
    async with function_api(tmp_path) as api:
        assert (await configuration(api))["Description"] == "of the API"
        assert api.plane.runnable("orders")


# --- calls at once ----------------------------------------------------------------------------------------------------


async def test_calls_on_one_function_take_turns_and_none_is_lost(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create()
        async with anyio.create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(tag, api, ARN, str(number))
        assert len((await api("ListTags", Resource=ARN))["Tags"]) == 30


async def test_a_change_whose_caller_went_is_done_or_not_but_never_half(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create()
        with anyio.CancelScope() as scope:
            api.plane.watch(lambda name: scope.cancel())
            async with anyio.create_task_group() as tasks:
                for number in range(10):
                    tasks.start_soon(tag, api, ARN, str(number))
        before = await api("ListTags", Resource=ARN)
        assert before["Tags"]
    async with function_api(tmp_path) as api:
        assert await api("ListTags", Resource=ARN) == before


async def test_a_change_whose_caller_went_while_it_was_stored_is_in_memory_and_told(tmp_path: Path) -> None:
    told: list[str] = []
    async with function_api(tmp_path) as api:
        await api.create()
        api.plane.watch(told.append)
        with anyio.CancelScope() as caller:

            def decide(function: Function | None, moment: Moment) -> Decision:
                caller.cancel()
                return tags.tag(function, named, {"a": "1"}, moment)

            named = resolve("orders", api.plane.here)
            await api.plane.change(named, decide)
        function = api.plane.find("orders")
        assert function is not None
        assert function.tags == {"a": "1"}
        assert told == ["orders"]


async def test_of_two_creations_one_is_refused(tmp_path: Path) -> None:
    outcomes: list[str] = []
    async with function_api(tmp_path) as api:

        async def create() -> None:
            try:
                outcomes.append((await api.create())["State"])
            except ApiError as error:
                outcomes.append(error.code)

        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(create)
    assert sorted(outcomes) == ["Pending", "ResourceConflictException"]


async def test_functions_share_their_wait_for_the_disk(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create()
        for number in range(20):
            await api.create(FunctionName=f"f{number}")
        before = api.documents.durable_writes
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                arn = ARN.replace("orders", f"f{number}")
                tasks.start_soon(tag, api, arn, "a")
        assert api.documents.durable_writes - before < 10


# --- code -------------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("FUNC-40")
async def test_code_is_unpacked_once_and_goes_with_the_last_who_has_it(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api, anyio.create_task_group() as tasks:
        tasks.start_soon(api.plane.run)
        await api.create(Publish=True)
        await api.create(FunctionName="second")
        first = packages(tmp_path)
        assert len(first) == 2, "one directory, one zip"
        await api("UpdateFunctionCode", FunctionName="second", ZipFile=OTHER)
        await api("UpdateFunctionCode", **F, ZipFile=OTHER)
        both = packages(tmp_path)
        assert len(both) == 4, "version 1 has it still"
        await api("DeleteFunction", **F, Qualifier="1")

        async def swept(left: set[str]) -> bool:
            return packages(tmp_path) == left

        await eventually_async(lambda: swept(both - first))
        await api("DeleteFunction", **F)
        await api("DeleteFunction", FunctionName="second")
        await eventually_async(lambda: swept(set()))
        tasks.cancel_scope.cancel()


@pytest.mark.semantics("FUNC-40")
async def test_code_that_somebody_runs_stays_until_he_is_done(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api, anyio.create_task_group() as tasks:
        await api.create()
        runnable = api.plane.runnable("orders")
        assert runnable
        with api.plane.holding(runnable):
            await api("DeleteFunction", **F)
            await api.plane.sweep()
            assert Path(runnable.code).is_dir()
        tasks.start_soon(api.plane.run)

        async def gone() -> bool:
            return not Path(runnable.code).exists()

        await eventually_async(gone)
        tasks.cancel_scope.cancel()


@pytest.mark.semantics("FUNC-40", "FUNC-42")
async def test_leftovers_are_swept_at_the_start_and_what_is_missing_is_unpacked_again(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create()
        runnable = api.plane.runnable("orders")
        assert runnable
    code = tmp_path / DIRECTORY
    (code / ".new-1").mkdir()
    (code / ".new-1" / "half").touch()
    (code / ".new-2").touch()
    (code / "0000").mkdir()
    (code / "0000.zip").touch()
    Path(runnable.code, "app.py").unlink()
    Path(runnable.code).rmdir()
    async with function_api(tmp_path) as api:
        assert packages(tmp_path) == {runnable.code.name, f"{runnable.code.name}.zip"}
        assert Path(runnable.code, "app.py").is_file()


def state_of(api: FunctionApi, name: str, version: str = "") -> str:
    """As those who run it see it."""
    runnable = api.plane.runnable(name, version)
    assert runnable is not None
    return runnable.state


def lose(directory: Path, content: bytes, damaged: bytes | None = None) -> None:
    """The package with this content is lost, or another file has its name."""
    sha256 = hashlib.sha256(content).hexdigest()
    shutil.rmtree(directory / DIRECTORY / sha256)
    (directory / DIRECTORY / f"{sha256}.zip").unlink()
    if damaged is not None:
        (directory / DIRECTORY / f"{sha256}.zip").write_bytes(damaged)


@pytest.mark.semantics("FUNC-49")
@pytest.mark.parametrize("damaged", [None, OTHER], ids=["gone", "damaged"])
@pytest.mark.parametrize("fresh", [ZIP, OTHER], ids=["the same code", "other code"])
async def test_a_function_whose_code_is_lost_is_failed_until_it_gets_code_again(
    tmp_path: Path, damaged: bytes | None, fresh: bytes
) -> None:
    async with function_api(tmp_path) as api:
        await api.create()
    lose(tmp_path, ZIP, damaged)
    async with function_api(tmp_path) as api:
        assert api.lost == ["orders"]
        shown = (await api("GetFunction", FunctionName="orders"))["Configuration"]
        assert (shown["State"], shown["StateReasonCode"]) == ("Failed", "InvalidZipFileException")
        assert "Upload it again with UpdateFunctionCode" in shown["StateReason"]
        assert state_of(api, "orders") == "Failed"
        for call in ("UpdateFunctionConfiguration", "PublishVersion"):
            with pytest.raises(ApiError) as error:
                await api(call, FunctionName="orders")
            assert error.value.code == "ResourceConflictException"
            assert str(error.value.message).endswith("currently in the following state: Failed")
        await api("TagResource", Resource=ARN, Tags={"a": "b"})
        assert (await configuration(api))["State"] == "Failed"
        await api("UpdateFunctionCode", FunctionName="orders", ZipFile=fresh)
        assert (await configuration(api))["State"] == "Active"
        assert state_of(api, "orders") == "Active"
    (tmp_path / DIRECTORY / ".boot").unlink()  # so that all code is unpacked again
    async with function_api(tmp_path) as api:
        assert api.lost == []
        assert (await configuration(api))["State"] == "Active"


@pytest.mark.semantics("FUNC-49")
async def test_code_that_comes_again_is_there_for_all_who_had_it(tmp_path: Path) -> None:
    """A published version never changes: only its own code makes it whole."""
    async with function_api(tmp_path) as api:
        await api.create(Publish=True)
        await api.create(FunctionName="stock")
    lose(tmp_path, ZIP)
    async with function_api(tmp_path) as api:
        assert api.lost == ["orders", "stock"]
        await api("UpdateFunctionCode", FunctionName="orders", ZipFile=OTHER)
        assert [state_of(api, "orders", which) for which in ("", "1")] == ["Active", "Failed"]
        told: list[str] = []
        api.plane.watch(told.append)
        await api.create(FunctionName="fresh")
        assert state_of(api, "orders", "1") == "Active"
        assert state_of(api, "stock") == "Active"
        assert {"orders", "stock"} <= set(told)


@pytest.mark.semantics("FUNC-49")
async def test_code_that_somebody_puts_back_is_found_at_the_next_start(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create(Publish=True)
    lose(tmp_path, ZIP)
    async with function_api(tmp_path) as api:
        await api("TagResource", Resource=ARN, Tags={"a": "b"})
        assert (await configuration(api))["State"] == "Failed"
    (tmp_path / DIRECTORY / f"{hashlib.sha256(ZIP).hexdigest()}.zip").write_bytes(ZIP)
    async with function_api(tmp_path) as api:
        assert api.lost == []
        assert (await configuration(api))["State"] == "Active"
        assert state_of(api, "orders", "1") == "Active"


async def test_a_disk_that_takes_no_code_is_our_trouble_and_changes_nothing(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        (tmp_path / DIRECTORY / ".boot").unlink()
        (tmp_path / DIRECTORY).rmdir()
        (tmp_path / DIRECTORY).write_text("a file where the directory should be")
        with pytest.raises(ApiError) as error:
            await api.create()
        assert (error.value.code, form_of(error.value).status) == ("ServiceException", 500)
        assert "cannot store code" in str(error.value.message)
        assert await api("ListFunctions") == {"Functions": []}
    with pytest.raises(StoreUnavailable, match="cannot store code"):
        async with function_api(tmp_path):
            pass


async def test_a_package_that_was_refused_leaves_nothing(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        with pytest.raises(ApiError):
            await api.create(Code={"ZipFile": ZIP[:-5]})
        assert packages(tmp_path) == set()

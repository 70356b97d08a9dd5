"""A look at a function waits for what is under way: one look is enough for tools that sleep between two."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from support.function_api import ZIP, creation
from support.whole_api import over_http


@pytest.mark.semantics("FUNC-50")
async def test_one_look_shows_a_function_that_is_done(tmp_path: Path) -> None:
    async with over_http(tmp_path, 1.0) as api, anyio.create_task_group() as tasks:
        tasks.start_soon(api.whole.planes.functions.run)
        created = await api.ask("CreateFunction", creation())
        assert b'"State":"Pending"' in created.body
        shown = (await api.ask("GetFunction", {"FunctionName": "orders"})).body
        assert b'"State":"Active"' in shown
        updated = await api.ask("UpdateFunctionConfiguration", {"FunctionName": "orders", "Timeout": 9})
        assert b'"LastUpdateStatus":"InProgress"' in updated.body
        shown = (await api.ask("GetFunctionConfiguration", {"FunctionName": "orders"})).body
        assert b'"LastUpdateStatus":"Successful"' in shown
        await api.ask("UpdateFunctionCode", {"FunctionName": "orders", "ZipFile": ZIP})
        await api.ask("DeleteFunction", {"FunctionName": "orders"})
        gone = await api.ask("GetFunction", {"FunctionName": "orders"})
        assert gone.status == 404
        tasks.cancel_scope.cancel()


@pytest.mark.semantics("FUNC-50")
async def test_a_look_waits_no_longer_than_its_patience(tmp_path: Path) -> None:
    async with over_http(tmp_path, 1.0) as api:  # nobody lets time do its part
        await api.ask("CreateFunction", creation())
        shown = (await api.ask("GetFunctionConfiguration", {"FunctionName": "orders"})).body
        assert b'"State":"Pending"' in shown

"""Packages over HTTP."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from headrace.service.api.code_downloads import ROUTE, CodeDownloads
from support.function_api import ZIP, function_api


@pytest.mark.semantics("FUNC-12")
async def test_the_address_of_get_function_gives_the_package(tmp_path: Path) -> None:
    async with function_api(tmp_path) as api:
        await api.create()
        location = (await api("GetFunction", FunctionName="orders"))["Code"]["Location"]
        app = web.Application()
        app.router.add_get(ROUTE, CodeDownloads(api.downloads).get)
        async with TestClient(TestServer(app, host="127.0.0.1")) as client:
            answer = await client.get(urlsplit(location).path)
            assert (answer.status, answer.content_type, await answer.read()) == (200, "application/zip", ZIP)
            for path in (urlsplit(location).path[:-1], "/_headrace/code/%2e%2e%2fcontrol.db", "/_headrace/code/x"):
                assert (await client.get(path)).status == 404
            await api("DeleteFunction", FunctionName="orders")
            await api.plane.sweep()
            assert (await client.get(urlsplit(location).path)).status == 404

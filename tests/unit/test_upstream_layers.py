"""Layers of an emulator: looked up by their ARN or by their number, and fetched; or why they are not to be had."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from headrace.config.errors import ConfigError, Problem
from headrace.service.control.refusals import ApiError
from headrace.service.control.store import upstream_layers
from headrace.service.control.store.upstream_layers import UpstreamLayers
from support.scripted_client import ScriptedClient, refused

ARN = "arn:aws:lambda:us-east-1:580247275435:layer:Insights:53"


class Emulators:
    """One client; `fault` where there is none."""

    def __init__(self, client: Any = None, fault: Exception | None = None) -> None:
        self.client = client
        self.fault = fault

    async def get(self, service: str, endpoint_url: str | None = None) -> Any:
        assert (service, endpoint_url) == ("lambda", "http://emulator")
        if self.fault is not None:
            raise self.fault
        return self.client


@asynccontextmanager
async def served(body: bytes) -> AsyncIterator[str]:
    """The address of these bytes, and of nothing else."""

    async def give(request: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/zip", give)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.name.rstrip("/")
    finally:
        await runner.cleanup()


async def fetched(emulators: Emulators, arn: str = ARN) -> bytes | None:
    async with UpstreamLayers(emulators, "http://emulator").fetched(arn) as pieces:
        return None if pieces is None else b"".join([piece async for piece in pieces])


@pytest.mark.semantics("LAYER-15")
async def test_a_layer_is_fetched_from_the_address_that_the_emulator_gives() -> None:
    async with served(b"the zip") as url:
        found = {"Content": {"Location": f"{url}/zip"}}
        assert await fetched(Emulators(ScriptedClient(get_layer_version_by_arn=[found]))) == b"the zip"
        other = ScriptedClient(get_layer_version_by_arn=[refused("UnknownOperation")], get_layer_version=[found])
        assert await fetched(Emulators(other)) == b"the zip"
        assert other.asked["get_layer_version"] == [{"LayerName": ARN[:-3], "VersionNumber": 53}]


@pytest.mark.semantics("LAYER-15")
async def test_a_layer_that_the_emulator_does_not_have_or_does_not_give() -> None:
    missing = refused("ResourceNotFoundException")
    nobody = ScriptedClient(get_layer_version_by_arn=[missing, missing, {}], get_layer_version=[missing])
    emulators = Emulators(nobody)
    assert await fetched(emulators) is None
    assert await fetched(emulators, "arn:aws:lambda:::awslayer:Tools") is None
    assert await fetched(emulators) is None


@pytest.mark.semantics("LAYER-15")
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (ConfigError([Problem("it is real AWS", hint="say so")]), "cannot be looked up: it is real AWS.* say so"),
        (aiohttp.ClientConnectionError("away"), r"cannot be fetched from api\.upstream: .*away"),
        (TimeoutError(), r"cannot be fetched from api\.upstream: no answer within 30 seconds"),
    ],
)
async def test_an_emulator_that_cannot_be_asked(fault: Exception, words: str) -> None:
    with pytest.raises(ApiError, match=words):
        await fetched(Emulators(fault=fault))


@pytest.mark.semantics("LAYER-15")
async def test_content_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(b"the zip") as url:
        gone = {"Content": {"Location": f"{url}/other"}}
        with pytest.raises(ApiError, match="/other cannot be fetched: 404"):
            await fetched(Emulators(ScriptedClient(get_layer_version_by_arn=[gone])))
        monkeypatch.setattr(upstream_layers, "LONGEST", 3)
        there = {"Content": {"Location": f"{url}/zip"}}
        with pytest.raises(ApiError, match="Unzipped size must be smaller"):
            await fetched(Emulators(ScriptedClient(get_layer_version_by_arn=[there])))

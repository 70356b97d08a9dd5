"""Calls that are not served here: to the upstream as they came, its answers back as they are, and no circles."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import orjson
import pytest
from aiohttp import web

from headrace.config.settings import Address
from headrace.dispatch.invokers.base import HOPS, MOST_HOPS
from headrace.service.api.core.field_support_tables import FORWARDED
from headrace.service.api.forwarding import hops_of
from headrace.service.api.server import address_of, bind
from support.api_lab import Recorder, lab
from support.invoker_kits import closed_port

LAYERS = "/2018-10-31/layers/a%2Fb%3Ac/versions?CompatibleRuntime=python3.13&Marker=a%20b"
STREAM = "/2021-11-15/functions/f/response-streaming-invocations"
NONE = Recorder(())
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def upstream(handler: Handler) -> AsyncIterator[str]:
    listener = bind(Address("127.0.0.1", 0))
    app = web.Application(client_max_size=100 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield f"http://{address_of(listener)}"
    finally:
        await runner.cleanup()
        listener.close()


@pytest.mark.semantics("API-15")
async def test_a_call_goes_on_as_it_came_and_its_answer_comes_back() -> None:
    seen: list[tuple[web.Request, bytes]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request, await request.read()))
        headers = {"x-amzn-RequestId": "theirs", "Content-Encoding": "gzip", "X-Twice": "1"}
        return web.Response(status=418, body=gzip.compress(b"tea"), headers=headers)

    body = bytes(range(256)) * 8192
    sent = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/lambda", "X-Amz-Meta": "a b"}
    async with upstream(handler) as url, lab(NONE, f"{url}/prefix/") as api:
        reply = await api.ask("POST", LAYERS, body[: 2**20], sent)
    ((request, got),) = seen
    assert (request.method, request.raw_path, got) == ("POST", "/prefix" + LAYERS, body[: 2**20])
    assert {name: request.headers[name] for name in sent} == sent
    assert request.headers["Host"] in url
    assert request.headers[HOPS] == "1"
    assert "User-Agent" not in request.headers
    assert reply.status == 418
    assert reply.headers["x-amzn-RequestId"] == "theirs"
    assert gzip.decompress(reply.body) == b"tea"


@pytest.mark.semantics("API-15")
async def test_an_answer_is_streamed() -> None:
    """The second piece is only sent when the first has arrived."""
    arrived = anyio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/vnd.amazon.eventstream"})
        await response.prepare(request)
        await response.write(b"first")
        await arrived.wait()
        await response.write(b"second")
        await response.write_eof()
        return response

    async with upstream(handler) as url, lab(NONE, url) as api, api.session.post(f"{api.url}{STREAM}") as answer:
        first = await answer.content.readany()
        arrived.set()
        rest = await answer.read()
    assert (first, rest) == (b"first", b"second")


@pytest.mark.semantics("API-15")
async def test_an_answer_that_breaks_off_is_not_passed_for_a_whole_one() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 100
        await response.prepare(request)
        await response.write(b"first")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with upstream(handler) as url, lab(NONE, url) as api:
        with pytest.raises(Exception, match=r"payload|disconnected|reset|closed"):
            await api.ask("POST", STREAM)


@pytest.mark.semantics("API-16")
async def test_without_an_upstream_the_call_and_the_setting_are_named() -> None:
    async with lab(NONE) as api:
        urls = await api.ask("GET", "/2021-10-31/functions/orders/urls")
        served = await api.ask("GET", "/2015-03-31/functions")
    for reply, what in ((urls, "ListFunctionUrlConfigs (function URLs)"), (served, "ListFunctions")):
        assert (reply.status, reply.headers["x-amzn-ErrorType"]) == (400, "InvalidParameterValueException")
        message = orjson.loads(reply.body)["message"]
        assert message.startswith(
            f"{what} is not served here; the operator of Headrace can set api.upstream (HEADRACE_API"
        )


@pytest.mark.semantics("API-16")
async def test_an_upstream_that_is_not_there_is_a_passing_fault() -> None:
    async with lab(NONE, closed_port().replace("//", "//user:secret@")) as api:
        reply = await api.ask("GET", LAYERS)
    assert (reply.status, reply.headers["x-amzn-ErrorType"]) == (503, "ServiceUnavailableException")
    assert b"api.upstream (http://127.0.0.1:" in reply.body
    assert b"secret" not in reply.body


@pytest.mark.semantics("API-17")
async def test_a_circle_ends() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers[HOPS])
        reply = await back.ask("GET", LAYERS, headers={HOPS: request.headers[HOPS]})
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

    async with upstream(handler) as url, lab(NONE, url) as back:
        reply = await back.ask("GET", LAYERS)
    assert asked == ["1", "2", "3", "4"]
    assert reply.status == 400
    assert b"leads to itself" in reply.body


@pytest.mark.parametrize(
    ("text", "hops"), [("", 0), ("0", 0), ("3", 3), ("99", MOST_HOPS), ("9" * 50, 0), ("-1", 0), ("x", 0), ("٣", 0)]
)
def test_hops(text: str, hops: int) -> None:
    assert hops_of({HOPS: text}) == hops


async def test_a_served_call_is_told_its_hops() -> None:
    async with lab() as api:
        await api.ask("POST", "/2015-03-31/functions/f/invocations", headers={HOPS: "2"})
        assert [call.hops for call in api.group.seen] == [2]


def test_no_call_is_forwarded_for_two_reasons() -> None:
    names: list[Any] = [name for group in FORWARDED.values() for name in group]
    assert len(names) == len(set(names))

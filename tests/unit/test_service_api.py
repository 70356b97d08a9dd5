"""The HTTP surface, over a real socket."""

from __future__ import annotations

import json
import resource
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import aiohttp
import anyio
import pytest

from headrace.config.settings import Address
from headrace.service.api.connections import most_connections
from headrace.service.api.server import ListenError, address_of, bind, serving
from headrace.service.telemetry.view import FunctionView, MappingView, Readiness
from support.eventually import eventually_async
from support.reasons import no_start, why


class View:
    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def readiness(self) -> Readiness:
        return self._readiness

    def mappings(self) -> tuple[MappingView, ...]:
        return (MappingView("m", "uuid", "arn", "sqs", "f", "waiting", why("why"), 3, {"fetched": 1}),)

    def functions(self) -> tuple[FunctionView, ...]:
        return (FunctionView("f", "a function", up=False, cause=no_start("why"), in_flight=2, limit=None),)


POLLING = Readiness(ready=True, polling=True)
WAITING = Readiness(ready=True, polling=False, reasons=(why("m: the queue does not exist"),))
STARTING = Readiness(ready=False, polling=False, reasons=(why("m: it is being opened"),))


async def one_metric() -> bytes:
    return b"headrace_up 1\n"


@asynccontextmanager
async def asking(readiness: Readiness) -> AsyncIterator[aiohttp.ClientSession]:
    listener = bind(Address("127.0.0.1", 0))
    try:
        async with (
            serving(listener, View(readiness), one_metric),
            aiohttp.ClientSession(f"http://{address_of(listener)}") as session,
        ):
            yield session
    finally:
        listener.close()


@pytest.mark.semantics("OBS-01")
@pytest.mark.parametrize("path", ["/livez", "/healthz", "/ping"])
async def test_it_lives_whatever_the_mappings_do(path: str) -> None:
    async with asking(STARTING) as session, session.get(path) as answer:
        assert answer.status == 200


@pytest.mark.semantics("API-20")
async def test_connections_beyond_the_limit_are_ended_and_come_in_when_others_go() -> None:
    listener = bind(Address("127.0.0.1", 0))
    address = address_of(listener)

    async def answers() -> bool:
        async with await anyio.connect_tcp(address.host, address.port) as stream:
            try:
                await stream.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return b" 200 " in await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return False

    async with serving(listener, View(POLLING), one_metric, most=2):
        first, second = [await anyio.connect_tcp(address.host, address.port) for _ in range(2)]
        await eventually_async(lambda: negated(answers()))
        await second.aclose()
        await eventually_async(answers)
        await first.aclose()


async def negated(what: Awaitable[bool]) -> bool:
    return not await what


@pytest.mark.semantics("API-20")
def test_half_of_the_descriptors_are_left() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft in (resource.RLIM_INFINITY, 2 * most_connections(), 2 * most_connections() + 1)


@pytest.mark.semantics("OBS-02")
@pytest.mark.parametrize("path", ["/readyz", "/ready"])
@pytest.mark.parametrize(
    ("readiness", "query", "status"),
    [
        (POLLING, "", 200),
        (POLLING, "?strict", 200),
        (WAITING, "", 200),
        (WAITING, "?strict", 503),
        (WAITING, "?strict=false", 200),
        (STARTING, "", 503),
    ],
)
async def test_readiness_with_its_reasons(path: str, readiness: Readiness, query: str, status: int) -> None:
    async with asking(readiness) as session, session.get(path + query) as answer:
        assert answer.status == status
        assert await answer.json() == {"ready": status == 200, "reasons": [reason.text for reason in readiness.reasons]}


async def test_metrics_are_text() -> None:
    async with asking(POLLING) as session, session.get("/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert await answer.read() == b"headrace_up 1\n"


@pytest.mark.semantics("OBS-04")
async def test_status_has_mappings_and_functions() -> None:
    async with asking(WAITING) as session, session.get("/status") as answer:
        status = json.loads(await answer.read())
    assert (status["ready"], status["polling"], status["reasons"]) == (True, False, ["m: the queue does not exist"])
    mapping, function = status["mappings"][0], status["functions"][0]
    assert mapping["counts"] == {"fetched": 1}
    assert (mapping["reason"], mapping["reason_code"]) == ("why", "unavailable")
    assert (mapping["trouble"], mapping["trouble_code"]) == ("", "")
    assert (function["cause"], function["cause_code"]) == ("why", "function_cannot_start")
    assert function["limit"] is None


async def test_other_paths_are_not_there_and_other_methods_not_allowed() -> None:
    async with asking(POLLING) as session:
        async with session.get("/nothing") as answer:
            assert answer.status == 404
        async with session.post("/status") as answer:
            assert answer.status == 405


@pytest.mark.semantics("CLI-04")
def test_an_address_in_use_is_refused_with_what_to_do() -> None:
    first = bind(Address("127.0.0.1", 0))
    with pytest.raises(ListenError, match="--listen"):
        bind(address_of(first))
    first.close()


def test_a_host_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ListenError, match="cannot listen on"):
        bind(Address("no-such-host.invalid", 0))

"""The HTTP surface, over a real socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from penstock.config.settings import Address
from penstock.service.api.server import ListenError, address_of, bind, serving
from penstock.service.view import FunctionView, MappingView, Readiness


class View:
    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def readiness(self) -> Readiness:
        return self._readiness

    def mappings(self) -> tuple[MappingView, ...]:
        return (MappingView("m", "uuid", "arn", "sqs", "f", "waiting", "why", 3, {"fetched": 1}),)

    def functions(self) -> tuple[FunctionView, ...]:
        return (FunctionView("f", "a function", up=False, cause="why", in_flight=2, limit=None),)


POLLING = Readiness(ready=True, polling=True)
WAITING = Readiness(ready=True, polling=False, reasons=("m: the queue does not exist",))
STARTING = Readiness(ready=False, polling=False, reasons=("m: it is being opened",))


@asynccontextmanager
async def asking(readiness: Readiness) -> AsyncIterator[aiohttp.ClientSession]:
    listener = bind(Address("127.0.0.1", 0))
    try:
        async with (
            serving(listener, View(readiness), lambda: b"penstock_up 1\n"),
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
        assert await answer.json() == {"ready": status == 200, "reasons": list(readiness.reasons)}


async def test_metrics_are_text() -> None:
    async with asking(POLLING) as session, session.get("/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert await answer.read() == b"penstock_up 1\n"


@pytest.mark.semantics("OBS-04")
async def test_status_has_mappings_and_functions() -> None:
    async with asking(WAITING) as session, session.get("/status") as answer:
        status = json.loads(await answer.read())
    assert (status["ready"], status["polling"], status["reasons"]) == (True, False, list(WAITING.reasons))
    assert status["mappings"][0]["counts"] == {"fetched": 1}
    assert status["functions"][0]["limit"] is None


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

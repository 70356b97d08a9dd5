"""The Lambda API over a real socket, with any groups of calls, and requests that need not be well formed."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from headrace.config.clock import SystemClock
from headrace.config.settings import Address
from headrace.service.api.core.access import ApiAccess
from headrace.service.api.core.field_support_tables import SERVED
from headrace.service.api.forwarding import Forwarding
from headrace.service.api.lambda_api import LambdaApi
from headrace.service.api.server import address_of, bind, serving
from headrace.service.api.wire.call import Answer, Call, Group, Serve
from headrace.service.telemetry.log import Log
from headrace.service.telemetry.view import FunctionView, MappingView, Readiness
from support import api_model
from support.fleets import no_metrics

_OF_THE_CALL = {"content-type", "x-amz-invocation-type", "x-amz-log-type", "x-amz-client-context"}


class NothingToSee:
    """A daemon without mappings and functions."""

    def readiness(self) -> Readiness:
        return Readiness(ready=True, polling=True)

    def mappings(self) -> tuple[MappingView, ...]:
        return ()

    def functions(self) -> tuple[FunctionView, ...]:
        return ()


@dataclass
class Recorder:
    """A group that serves what it is told to, remembers every call, and answers as a test says."""

    operations: tuple[str, ...] = tuple(SERVED)
    answer: Callable[[Call], Answer] = lambda call: Answer()
    seen: list[Call] = field(default_factory=list)

    def calls(self) -> Mapping[str, Serve]:
        return dict.fromkeys(self.operations, self._serve)

    async def _serve(self, call: Call) -> Answer:
        self.seen.append(call)
        return self.answer(call)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Web:
    """The API, and a client of it."""

    url: str
    api: LambdaApi
    lines: io.StringIO
    session: aiohttp.ClientSession

    async def ask(self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """`target`: path and query string, sent as they are."""
        url = URL(self.url + target, encoded=True)
        body = io.BytesIO(body) if isinstance(body, bytes) and body else body
        async with self.session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def call(self, operation: str, parameters: Mapping[str, Any], **headers: str) -> Reply:
        """What boto3 would send, without a signature; `headers` are added."""
        request = api_model.sent(operation, parameters)
        sent = {
            name: str(value, "ascii") if isinstance(value, bytes) else value for name, value in request.headers.items()
        }
        kept = {name: value for name, value in sent.items() if name.lower() in _OF_THE_CALL}
        target = request.url.removeprefix(api_model.ENDPOINT)
        return await self.ask(request.method, target, request.body or None, {**kept, **headers})


@dataclass
class Lab(Web):
    """One of a test's own group."""

    group: Recorder


@asynccontextmanager
async def lab(group: Recorder | None = None, upstream: str | None = None, **given: Any) -> AsyncIterator[Lab]:
    """`given`: as for `web`."""
    group = group or Recorder()
    async with web([group], upstream, **given) as running:
        yield Lab(running.url, running.api, running.lines, running.session, group)


@asynccontextmanager
async def web(groups: Iterable[Group], upstream: str | None = None, **given: Any) -> AsyncIterator[Web]:
    """`given`: `address` (where the API takes itself to listen), `hosts`, `secrets`, `clock`, `room`, `is_ours`."""
    lines = io.StringIO()
    listener = bind(Address("127.0.0.1", 0))
    api = LambdaApi(
        groups,
        ApiAccess(
            (given.get("address") or address_of(listener)).host,
            given.get("hosts", ()),
            given.get("secrets", {}),
        ),
        Forwarding(upstream),
        Log(lines, level="info"),
        given.get("clock", SystemClock()),
        given.get("room"),
        given.get("is_ours", lambda function: False),
    )
    try:
        async with (
            serving(listener, NothingToSee(), no_metrics, api),
            aiohttp.ClientSession(
                auto_decompress=False, skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type")
            ) as session,
        ):
            yield Web(f"http://{address_of(listener)}", api, lines, session)
    finally:
        await api.aclose()
        listener.close()

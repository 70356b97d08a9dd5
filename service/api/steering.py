"""`/v1/…`: what becomes of records, and the levers. For `headrace` verbs, pages and programs; docs/steer-api.md says
each.

The rules of access are the Lambda API's. A lever also wants a token, which `GET /v1/token` gives: a page of somebody
else's can send a request here, but never read an answer, so it has none.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol

import orjson
from aiohttp import web

from ...config.clock import Clock
from ...config.durable.faults import StoreUnavailable
from ..control.refusals import ApiError, access_denied, invalid_parameter, no_such_resource
from ..telemetry.core.journal import Journal
from ..telemetry.function_lines import LinesOfFunctions
from ..telemetry.sight import Sight
from ..telemetry.taps import Taps, TapWish
from ..telemetry.view import View
from . import views
from .core.access import ApiAccess
from .heads import head_of
from .wire.refusals import form_of

TOKEN = "X-Headrace-Token"  # noqa: S105 - the name of a header
MOST = 1000
"""Entries of a journal in one answer."""
LONGEST = 64 * 1024
"""Bytes of a body: what levers are told is short."""

HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
"""No page may take an answer for one of its own."""

Answer = Callable[[web.Request], Awaitable[object]]


class Levers(Protocol):
    """What can be done with a mapping. Each raises ApiError for one that is not there, StoreUnavailable where it cannot
    be kept."""

    async def pause(self, name: str) -> None: ...

    async def resume(self, name: str) -> None: ...

    async def retry(self, name: str) -> None:
        """Raises ApiError where nothing waits for another attempt."""
        ...


@dataclass(frozen=True, slots=True)
class Outlook:
    """What watches records and lines."""

    sight: Sight
    taps: Taps
    lines: LinesOfFunctions


class Steering:
    def __init__(self, view: View, outlook: Outlook, levers: Levers, access: ApiAccess, clock: Clock) -> None:
        self._view = view
        self._outlook = outlook
        self._sight = outlook.sight
        self._levers: dict[str, Callable[[str], Awaitable[None]]] = {
            "pause": levers.pause,
            "resume": levers.resume,
            "retry": levers.retry,
        }
        self._access = access
        self._clock = clock
        self._token = secrets.token_urlsafe(24)

    def add_to(self, app: web.Application) -> None:
        gets: dict[str, Answer] = {
            "/v1/token": self._get_token,
            "/v1/mappings": self._mappings,
            "/v1/mappings/{name}": self._mapping,
            "/v1/mappings/{name}/journal": self._journal,
            "/v1/explain": self._explain,
            "/v1/functions": self._functions,
        }
        for path, answer in gets.items():
            app.router.add_get(path, partial(self._answered, answer))
        app.router.add_get("/v1/tap", self._tap)
        app.router.add_get("/v1/logs", self._logs)
        app.router.add_post("/v1/mappings/{name}/{lever:[a-z]+}", partial(self._answered, self._pull))

    # --- who may ----------------------------------------------------------------------------------------------------

    async def _answered(self, answer: Answer, request: web.Request) -> web.Response:
        try:
            await self._admit(request)
            return _json(await answer(request), 200)
        except ApiError as error:
            return _refused(error)
        except StoreUnavailable as error:
            return _json({"error": str(error), "code": "ServiceException"}, 500)

    async def _admit(self, request: web.Request) -> None:
        head = head_of(request)
        admitted = self._access.admit(head, self._clock.wall(), self._clock.steady())
        if (request.content_length or 0) > LONGEST or "transfer-encoding" in head.headers:
            raise invalid_parameter(f"a request to /v1 has a body of {LONGEST} bytes at most, and says its length")
        self._access.check_body(admitted, head, await request.read())

    async def _get_token(self, request: web.Request) -> object:
        return {"token": self._token}

    # --- what is seen -----------------------------------------------------------------------------------------------

    async def _mappings(self, request: web.Request) -> object:
        return {"mappings": views.mappings(self._view)}

    async def _functions(self, request: web.Request) -> object:
        return {"functions": views.functions(self._view)}

    async def _mapping(self, request: web.Request) -> object:
        return self._named(request)

    async def _journal(self, request: web.Request) -> object:
        """The newest entries first, `?fate=` of one kind, `?id=` about one record, `?limit=` of them."""
        name = self._named(request)["name"]
        journal, asked = self._sight.journals.of(name), request.query
        limit = asked.get("limit", "100")
        if not limit.isdecimal() or not 1 <= int(limit) <= MOST:
            raise invalid_parameter(f"limit is a number from 1 to {MOST}")
        found = journal.entries(asked.get("fate", ""), asked.get("id", "")) if journal else ()
        return {"mapping": name, "entries": list(islice(found, int(limit)))}

    async def _explain(self, request: web.Request) -> object:
        """What is known of one record: `?id=`, and `?mapping=` where only one is meant."""
        record, only = request.query.get("id", ""), request.query.get("mapping", "")
        if not record:
            raise invalid_parameter("name the record: ?id=")
        found = [
            {
                "mapping": name,
                "life": [dict(entry.without_ids()) for entry in life],
                **_now(self._flow(name), record),
                **self._payload(name, record),
            }
            for name, journal in self._journals(only)
            if (life := journal.life(record))
        ]
        return {"id": record, "mappings": found}

    def _payload(self, mapping: str, record: str) -> dict[str, Any]:
        """The record itself, where `journal.payloads` says that it is remembered, and it is."""
        found = self._sight.payloads.of(mapping, record) if self._sight.payloads else None
        return {} if found is None else {"record": orjson.loads(found)}

    def _journals(self, only: str) -> Iterator[tuple[str, Journal]]:
        for name, journal in list(self._sight.journals.all.items()):
            if not only or name == only:
                yield name, journal

    def _flow(self, name: str) -> dict[str, Any]:
        flow = self._sight.flow(name)
        return {"in_flight": flow.in_flight, "retrying": flow.retrying}

    def _named(self, request: web.Request) -> dict[str, Any]:
        name = request.match_info["name"]
        for mapping in views.mappings(self._view):
            if name in (mapping["name"], mapping["uuid"]):
                return mapping
        raise no_such_resource(f"there is no mapping {name[:200]!r}; `headrace status` lists them")

    async def _tap(self, request: web.Request) -> web.StreamResponse:
        """Records as they get their fate, a line each, until the reader goes: `?mapping=`, `?fate=`, `?where=`,
        `?payload=1`."""
        given = {name: request.query.get(name, "") for name in ("mapping", "fate", "where")}
        wish = TapWish(**given, payload=bool(request.query.get("payload")))

        async def tapped(response: web.StreamResponse) -> None:
            with self._outlook.taps.open(wish) as tap:
                await response.prepare(request)
                async for lines in tap.reading.read():
                    await response.write(lines)

        return await self._streamed(request, tapped)

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        """The last lines of functions, and with `?follow=1` those that come: `?function=`, `?platform=1`."""
        asked = request.query
        function, platform = asked.get("function", ""), bool(asked.get("platform"))

        async def logged(response: web.StreamResponse) -> None:
            with self._outlook.lines.open(function, platform=platform) as reading:
                await response.prepare(request)
                await response.write(reading.take())
                if asked.get("follow"):
                    async for lines in reading.read():
                        await response.write(lines)

        return await self._streamed(request, logged)

    async def _streamed(
        self, request: web.Request, write: Callable[[web.StreamResponse], Awaitable[None]]
    ) -> web.StreamResponse:
        """Lines of JSON, until they or the reader end."""
        try:
            await self._admit(request)
        except ApiError as error:
            return _refused(error)
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "application/x-ndjson"})
        with suppress(ConnectionError):
            await write(response)
        return response

    # --- levers -----------------------------------------------------------------------------------------------------

    async def _pull(self, request: web.Request) -> object:
        if not hmac.compare_digest(request.headers.get(TOKEN, "").encode(), self._token.encode()):
            raise access_denied(f"A lever wants the token of GET /v1/token in the header {TOKEN}.")
        pull = self._levers.get(request.match_info["lever"])
        if pull is None:
            raise no_such_resource(f"the levers are {', '.join(sorted(self._levers))}")
        name = self._named(request)["name"]
        await pull(name)
        return self._named(request)


def _now(flow: dict[str, Any], record: str) -> dict[str, Any]:
    """The batches under way that begin with this record."""
    return {name: [each for each in batches if each.first == record] for name, batches in flow.items()}


def _json(body: object, code: int) -> web.Response:
    text = orjson.dumps(body) + b"\n"
    return web.Response(body=text, status=code, content_type="application/json", headers=HEADERS)


def _refused(error: ApiError) -> web.Response:
    return _json({"error": error.message, "code": error.code}, form_of(error).status)

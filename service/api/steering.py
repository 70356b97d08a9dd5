"""`/v1/…`: what becomes of records, and the levers; and `/`, the page that shows both. For `headrace` verbs, people and
programs; docs/steer-api.md says each.

The rules of access are the Lambda API's. A lever also wants a token, which `GET /v1/token` gives: a page of somebody
else's can send a request here, but never read an answer, so it has none.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import anyio.lowlevel
import anyio.to_thread
import orjson
from aiohttp import web

from ...config.clock import Clock
from ...config.durable.faults import StoreUnavailable
from ...config.mapping import EventSourceMapping
from ..control.refusals import ApiError, access_denied, invalid_parameter, no_such_resource
from ..running.core.config_changes import ConfigChanges
from ..telemetry.function_lines import LinesOfFunctions
from ..telemetry.sight import Sight
from ..telemetry.taps import Taps, TapWish
from ..telemetry.view import OneByOne
from . import filter_trials, views
from .core.access import ApiAccess
from .heads import head_of
from .page_files import PageFiles
from .sightings import Sightings
from .wire.refusals import form_of

TOKEN = "X-Headrace-Token"  # noqa: S105 - the name of a header
LONGEST = 64 * 1024
"""Bytes of a body: what levers are told is short …"""
LONGEST_TRIAL = 1_000_000
"""… and a record that a filter is tried on may be long."""

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

    def config(self, name: str) -> EventSourceMapping | None:
        """The mapping of this name, at work or not."""
        ...


class PositionMoves(Protocol):
    """Where mappings stand in their sources. Each raises ApiError where it cannot be, StoreUnavailable where it cannot
    be kept; then nothing was moved."""

    async def shown(self, name: str) -> dict[str, Any]: ...

    async def put(self, name: str, lane: str, to: str) -> dict[str, Any]: ...

    async def remove(self, name: str) -> dict[str, Any]: ...

    async def skip(self, name: str, lane: str, record: str) -> dict[str, Any]: ...


class Reloads(Protocol):
    """What reads the configuration again."""

    async def reload(self) -> ConfigChanges:
        """Raises ApiError where that is refused; then nothing has changed."""
        ...

    def shown(self) -> dict[str, object]: ...


@dataclass(frozen=True, slots=True)
class Outlook:
    """What watches records and lines."""

    sight: Sight
    taps: Taps
    lines: LinesOfFunctions


class Steering:
    def __init__(
        self,
        view: OneByOne,
        outlook: Outlook,
        levers: Levers,
        access: ApiAccess,
        clock: Clock,
        reloads: Reloads,
        positions: PositionMoves,
    ) -> None:
        self._view = view
        self._outlook = outlook
        self._seen = Sightings(view, outlook.sight, levers.config)
        self._levers: dict[str, Callable[[str], Awaitable[None]]] = {
            "pause": levers.pause,
            "resume": levers.resume,
            "retry": levers.retry,
        }
        self._config_of = levers.config
        self.reloads = reloads
        self._positions = positions
        self._access = access
        self._clock = clock
        self._since = clock.wall()
        self._token = secrets.token_urlsafe(24)

    def add_to(self, app: web.Application) -> None:
        gets: dict[str, Answer] = {
            "/v1/token": self._get_token,
            "/v1/daemon": self._daemon,
            "/v1/history": self._seen.history,
            "/v1/mappings": self._seen.mappings,
            "/v1/mappings/{name}": self._seen.mapping,
            "/v1/mappings/{name}/journal": self._seen.journal,
            "/v1/mappings/{name}/positions": self._shown_positions,
            "/v1/explain": self._seen.explain,
            "/v1/functions": self._seen.functions,
        }
        for path, answer in gets.items():
            app.router.add_get(path, partial(self._answered, answer))
        app.router.add_post("/v1/filter", partial(self._answered, self._filter, longest=LONGEST_TRIAL))
        app.router.add_get("/v1/tap", self._tap)
        app.router.add_get("/v1/logs", self._logs)
        app.router.add_post("/v1/reload", partial(self._answered, self._reload))
        app.router.add_post("/v1/mappings/{name}/positions/{move:[a-z]+}", partial(self._answered, self._move))
        PageFiles(self._access).add_to(app)
        app.router.add_post("/v1/mappings/{name}/{lever:[a-z]+}", partial(self._answered, self._pull))

    # --- who may ----------------------------------------------------------------------------------------------------

    async def _answered(self, answer: Answer, request: web.Request, longest: int = LONGEST) -> web.Response:
        try:
            await self._admit(request, longest)
            return _json(await answer(request), 200)
        except ApiError as error:
            return _refused(error)
        except StoreUnavailable as error:
            return _json({"error": str(error), "code": "ServiceException"}, 500)

    async def _admit(self, request: web.Request, longest: int = LONGEST) -> None:
        head = head_of(request)
        admitted = self._access.admit(head, self._clock.wall(), self._clock.steady())
        if (request.content_length or 0) > longest or "transfer-encoding" in head.headers:
            raise invalid_parameter(f"a request to /v1 has a body of {longest} bytes at most, and says its length")
        self._access.check_body(admitted, head, await request.read())

    async def _get_token(self, request: web.Request) -> object:
        return {"token": self._token}

    # --- what is seen -----------------------------------------------------------------------------------------------

    async def _daemon(self, request: web.Request) -> object:
        return {
            **views.daemon(self._view),
            "since": self._since,
            "levers": sorted([*self._levers, "skip"]),
            "configuration": self.reloads.shown(),
        }

    async def _filter(self, request: web.Request) -> object:
        """Whether a filter keeps a record, and why."""
        self._check_token(request)
        body = await request.read()
        return await anyio.to_thread.run_sync(filter_trials.answer, body, self._config_of)

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

    def _check_token(self, request: web.Request) -> None:
        if not hmac.compare_digest(request.headers.get(TOKEN, "").encode(), self._token.encode()):
            raise access_denied(f"A POST wants the token of GET /v1/token in the header {TOKEN}.")

    async def _reload(self, request: web.Request) -> object:
        self._check_token(request)
        changes = await self.reloads.reload()
        return {**changes.as_plain(), "text": changes.text}

    async def _shown_positions(self, request: web.Request) -> object:
        return await self._positions.shown(self._seen.named(request)["name"])

    async def _move(self, request: web.Request) -> object:
        """`set` wants `to` and may have a `lane`; `skip` wants a `lane` and may have a `record`."""
        self._check_token(request)
        name, told = self._seen.named(request)["name"], await _told(request, ("lane", "to", "record"))
        match request.match_info["move"]:
            case "set":
                return await self._positions.put(name, told["lane"], told["to"])
            case "skip":
                return await self._positions.skip(name, told["lane"], told["record"])
            case "remove":
                return await self._positions.remove(name)
            case _:
                raise no_such_resource("positions can be set, removed, and skipped")

    async def _pull(self, request: web.Request) -> object:
        self._check_token(request)
        pull = self._levers.get(request.match_info["lever"])
        if pull is None:
            raise no_such_resource(f"the levers are {', '.join(sorted(self._levers))}")
        name = self._seen.named(request)["name"]
        await pull(name)
        return self._seen.named(request)


async def _told(request: web.Request, names: Sequence[str]) -> dict[str, str]:
    """The members of a body, empty for those that it lacks. Raises ApiError for one that is none, or has others."""
    raw = await request.read()
    try:
        body = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError as error:
        raise invalid_parameter("the body is no JSON") from error
    if not isinstance(body, dict) or not all(isinstance(each, str) for each in body.values()):
        raise invalid_parameter(f"the body is an object of texts: {', '.join(names)}")
    if strange := sorted(body.keys() - set(names)):
        raise invalid_parameter(f"the body has {strange[0][:100]!r}, and may have {', '.join(names)}")
    return {name: body.get(name, "") for name in names}


def _json(body: object, code: int) -> web.Response:
    text = orjson.dumps(body) + b"\n"
    return web.Response(body=text, status=code, content_type="application/json", headers=HEADERS)


def _refused(error: ApiError) -> web.Response:
    return _json({"error": error.message, "code": error.code}, form_of(error).status)

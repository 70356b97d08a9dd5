"""`/v1/…`: what becomes of records, and the levers; and `/`, the page that shows both. For `headrace` verbs, people and
programs; docs/steer-api.md says each.

The rules of access are the Lambda API's. A lever also wants a token, which `GET /v1/token` gives: a page of somebody
else's can send a request here, but never read an answer, so it has none.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol

import anyio.to_thread
import orjson
from aiohttp import web

from ...config.clock import Clock
from ...config.durable.faults import StoreUnavailable
from ...config.mapping import EventSourceMapping
from ..control.refusals import ApiError, access_denied, invalid_parameter, no_such_resource
from ..running.core.config_changes import ConfigChanges
from ..telemetry.core.history import STEP, STEPS, width
from ..telemetry.core.journal import Journal
from ..telemetry.function_lines import LinesOfFunctions
from ..telemetry.sight import Sight
from ..telemetry.taps import Taps, TapWish
from ..telemetry.view import View
from . import filter_trials, views
from .core.access import ApiAccess
from .heads import head_of
from .page_files import PageFiles
from .wire.refusals import form_of

TOKEN = "X-Headrace-Token"  # noqa: S105 - the name of a header
MOST = 1000
"""Entries of a journal in one answer."""
LONGEST = 64 * 1024
"""Bytes of a body: what levers are told is short …"""
LONGEST_TRIAL = 1_000_000
"""… and a record that a filter is tried on may be long."""
NAMED = 200
"""Mappings in one question for histories."""

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
        view: View,
        outlook: Outlook,
        levers: Levers,
        access: ApiAccess,
        clock: Clock,
        reloads: Reloads,
        positions: PositionMoves,
    ) -> None:
        self._view = view
        self._outlook = outlook
        self._sight = outlook.sight
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
            "/v1/history": self._history,
            "/v1/mappings": self._mappings,
            "/v1/mappings/{name}": self._mapping,
            "/v1/mappings/{name}/journal": self._journal,
            "/v1/mappings/{name}/positions": self._shown_positions,
            "/v1/explain": self._explain,
            "/v1/functions": self._functions,
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
        return {**views.daemon(self._view), "since": self._since, "levers": sorted(self._levers)}

    async def _history(self, request: web.Request) -> object:
        """The last hour of each `?mapping=`, in `?points=` of them at most."""
        names = request.query.getall("mapping", [])
        points = request.query.get("points", str(STEPS))
        if not points.isdecimal() or not 1 <= int(points) <= STEPS:
            raise invalid_parameter(f"points is a number from 1 to {STEPS}")
        if not 1 <= len(names) <= NAMED:
            raise invalid_parameter(f"name from 1 to {NAMED} mappings: ?mapping=")
        known = {name: history for name in names if (history := self._sight.history(name))}
        histories = {name: history.series(int(points)) for name, history in known.items()}
        return {"step": STEP * width(int(points)), "mappings": histories}

    async def _filter(self, request: web.Request) -> object:
        """Whether a filter keeps a record, and why."""
        self._check_token(request)
        body = await request.read()
        return await anyio.to_thread.run_sync(filter_trials.answer, body, self._config_of)

    async def _mappings(self, request: web.Request) -> object:
        return {"mappings": views.mappings(self._view)}

    async def _functions(self, request: web.Request) -> object:
        return {"functions": views.functions(self._view)}

    async def _mapping(self, request: web.Request) -> object:
        return self._named(request)

    async def _journal(self, request: web.Request) -> object:
        """The newest entries first, `?fate=` of one kind, `?id=` about one record, `?search=` with a text, `?failed=1`
        with an error; `?limit=` of them, each with `?ids=` of its ids."""
        name = self._named(request)["name"]
        journal, asked = self._sight.journals.of(name), request.query
        limit = _number(asked.get("limit", "100"), "limit")
        ids = _number(asked["ids"], "ids") if "ids" in asked else None
        given = [asked.get(each, "") for each in ("fate", "id", "search")]
        found = journal.entries(*given, failed=bool(asked.get("failed"))) if journal else ()
        entries = [{**entry.without_ids(), "ids": entry.ids[:ids]} for entry in islice(found, limit)]
        return {"mapping": name, "entries": entries}

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

    def _check_token(self, request: web.Request) -> None:
        if not hmac.compare_digest(request.headers.get(TOKEN, "").encode(), self._token.encode()):
            raise access_denied(f"A POST wants the token of GET /v1/token in the header {TOKEN}.")

    async def _reload(self, request: web.Request) -> object:
        self._check_token(request)
        changes = await self.reloads.reload()
        return {**changes.as_plain(), "text": changes.text}

    async def _shown_positions(self, request: web.Request) -> object:
        return await self._positions.shown(self._named(request)["name"])

    async def _move(self, request: web.Request) -> object:
        """`set` wants `to` and may have a `lane`; `skip` wants a `lane` and may have a `record`."""
        self._check_token(request)
        name, told = self._named(request)["name"], await _told(request, ("lane", "to", "record"))
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
        name = self._named(request)["name"]
        await pull(name)
        return self._named(request)


def _now(flow: dict[str, Any], record: str) -> dict[str, Any]:
    """The batches under way that begin with this record."""
    return {name: [each for each in batches if each.first == record] for name, batches in flow.items()}


def _number(text: str, name: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise invalid_parameter(f"{name} is a number from 1 to {MOST}")
    return int(text)


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

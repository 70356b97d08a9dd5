"""The Lambda API: from a request to the call that serves it, and back. Assembled from groups of calls.

    access by the head -> operation -> body, within bounds -> the rest of access -> shapes -> standing -> the call

Each step refuses with an `ApiError`; later steps do not see a refused request. Any other exception of a call is
a fault of ours: it is logged, and the caller gets a ServiceException without details.
"""

from __future__ import annotations

import logging
import traceback
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qs

import anyio
import anyio.to_thread
from aiohttp import web

from ...config.clock import Clock
from ...config.errors import BugError, HeadraceError
from ..control import absent
from ..control.refusals import ApiError, service, validation
from ..telemetry.log import Action, Log
from .bodies import BodyRoom
from .core import field_support
from .core.access import ApiAccess
from .core.recorded import DEVIATIONS
from .core.signatures import Head
from .forwarding import Forwarding, hops_of, path_of
from .heads import head_of
from .service_model import load
from .wire import constraints, reading, refusals, routing, writing
from .wire.call import Answer, Call, Group, Serve
from .wire.model import Operation

_T = TypeVar("_T")

_LARGE = 256 * 1024
"""A body above this is hashed and parsed in a thread."""
_MOST_PARAMETERS = 1000


@dataclass(frozen=True, slots=True)
class ApiParts:
    """A request without its body."""

    head: Head
    query: Mapping[str, list[str]]
    headers: dict[str, str]
    """By lower-case name."""


class LambdaApi:
    def __init__(
        self,
        groups: Iterable[Group],
        access: ApiAccess,
        forwarding: Forwarding,
        log: Log,
        clock: Clock,
        room: BodyRoom | None = None,
        is_ours: Callable[[str], bool] = lambda function: False,
    ) -> None:
        """`is_ours`: whether a function is here, however a request names it."""
        self._is_ours = is_ours
        self._serve = _together(groups)
        self._access = access
        self._forwarding = forwarding
        self._log = log
        self._clock = clock
        self._room = room or BodyRoom()
        self._logged: set[str] = set()
        self._loading = anyio.Lock()
        self._router: routing.Router | None = None

    @property
    def served(self) -> frozenset[str]:
        """The calls that some group serves."""
        return frozenset(self._serve)

    async def aclose(self) -> None:
        await self._forwarding.aclose()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Never raises for what a request holds."""
        request_id = str(uuid.uuid4())
        try:
            return await self._answer(request, request_id)
        except ApiError as error:
            return _response(writing.refused(error, request_id))
        except Exception as fault:
            self._say_fault(request, request_id, fault)
            return _response(writing.refused(service(), request_id))

    async def _answer(self, request: web.Request, request_id: str) -> web.StreamResponse:
        parts = _parts(request)
        admitted = self._access.admit(parts.head, self._clock.wall(), self._clock.steady())
        found = (await self._routes()).find(request.method, parts.head.path, parts.query)
        if found is None:
            raise refusals.unknown_operation(f"{request.method} {parts.head.path[:200]} is no call of the Lambda API.")
        name, hops = found.operation.name, hops_of(parts.headers)
        with self._room.hold() as held:
            body = await held.read(request, name, parts.headers)
            await _aside(body, partial(self._access.check_body, admitted, parts.head, body))
            if absent.is_about_one(name) and self._is_ours(found.labels.get("FunctionName", "")):
                given = Answer(absent.answer(name, field_support.subject(name)))
                return _response(writing.written(found.operation, given, request_id))
            if name not in self._serve:
                return await self._forwarding.forward(name, request, body, hops)
            asked = reading.ApiRequest(found.labels, parts.query, parts.headers, body)
            parameters = await _aside(body, partial(_checked, found.operation, asked))
            call = Call(name, parameters, request_id, hops, request.headers.get("Host", ""))
            answer = await self._serve[name](call)
        self._say_recorded(call)
        return _response(writing.written(found.operation, answer, request_id))

    async def _routes(self) -> routing.Router:
        async with self._loading:
            if self._router is None:
                self._router = await anyio.to_thread.run_sync(_load)
        return self._router

    def _say_recorded(self, call: Call) -> None:
        """Each field that has no effect here, once."""
        for field in field_support.recorded(call.operation, call.parameters):
            if field.path not in self._logged:
                self._logged.add(field.path)
                self._log.info(
                    Action.RECORDED, f"{call.operation}: {field.path} is recorded without effect: {field.reason}"
                )

    def _say_fault(self, request: web.Request, request_id: str, fault: Exception) -> None:
        """Without the query string, which may hold a signature."""
        asked = f"{request.method} {path_of(request.raw_path).partition('?')[0]}"
        if isinstance(fault, HeadraceError) and not isinstance(fault, BugError):
            self._log.error(Action.FAULT, f"{asked} failed: {fault}", request_id=request_id)
            return
        trace = "".join(traceback.format_exception(fault)) if self._log.level <= logging.DEBUG else None
        text = f"a fault in Headrace: {asked}: please report it: {fault!r}"
        self._log.error(Action.FAULT, text, request_id=request_id, trace=trace)


async def _aside(body: bytes, work: Callable[[], _T]) -> _T:
    """What takes long for a large body, where it holds up nobody."""
    return await anyio.to_thread.run_sync(work) if len(body) > _LARGE else work()


def _together(groups: Iterable[Group]) -> dict[str, Serve]:
    serve: dict[str, Serve] = {}
    for group in groups:
        for operation, one in group.calls().items():
            if operation in serve:
                raise BugError(f"two groups serve {operation}")
            if not field_support.served(operation):
                raise BugError(f"{operation} is served, and the table of standings does not say so")
            serve[operation] = one
    return serve


def _load() -> routing.Router:
    return routing.Router(load("lambda", "2015-03-31", DEVIATIONS))


def _checked(operation: Operation, asked: reading.ApiRequest) -> Mapping[str, Any]:
    """The parameters of a request with which nothing is wrong. Raises ApiError."""
    found = reading.read(operation, asked)
    faults = constraints.faults(operation.input, found.values)
    if faults:
        raise validation(*faults)
    refusal = field_support.refusal(operation.name, found.values, found.unknown)
    if refusal is not None:
        raise refusal
    return found.values


def _parts(request: web.Request) -> ApiParts:
    """Raises ApiError for a query string without end."""
    head = head_of(request)
    try:
        query = parse_qs(head.query, keep_blank_values=True, errors="replace", max_num_fields=_MOST_PARAMETERS)
    except ValueError as fault:
        raise refusals.serialization(f"the query string has more than {_MOST_PARAMETERS} parameters") from fault
    return ApiParts(head, query, {name: _text(values[-1]) for name, values in head.headers.items()})


def _text(value: str) -> str:
    """A header's bytes as UTF-8, whatever they are."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _response(written: writing.ApiResponse) -> web.Response:
    return web.Response(status=written.status, headers=written.headers, body=written.body)

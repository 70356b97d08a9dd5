"""A daemon's `/v1` and page without a daemon: over HTTP, with levers that only remember that they were pulled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from headrace.config.clock import SystemClock
from headrace.config.durable.faults import StoreUnavailable
from headrace.config.mapping import EventSourceMapping
from headrace.config.reasons import Reason
from headrace.config.settings import Address
from headrace.service.api.core.access import ApiAccess
from headrace.service.api.server import address_of, bind, serving
from headrace.service.api.steering import Outlook, Steering
from headrace.service.control.refusals import conflict, invalid_parameter
from headrace.service.running.core.config_changes import ConfigChanges, PartChanges
from headrace.service.telemetry.core.flow import FlightView, FlowView
from headrace.service.telemetry.core.mapping_model import Instant
from headrace.service.telemetry.function_lines import LinesOfFunctions
from headrace.service.telemetry.sight import Sight
from headrace.service.telemetry.taps import Taps
from headrace.service.telemetry.view import FunctionView, MappingView, OneByOne, Readiness

TOKEN = "X-Headrace-Token"
FILTERED_MAPPING = EventSourceMapping(
    name="orders",
    source="arn:aws:sqs:us-east-1:000000000000:orders",
    function="f",
    filter_criteria={"filters": [{"pattern": '{"body": {"type": ["order"]}}'}]},
)


@dataclass
class Shown:
    """A view of mappings and functions with these names."""

    names: Sequence[str] = ("a b/c",)
    functions_names: Sequence[str] = ("f",)
    reason: Reason | None = None
    flow: Callable[[str], FlowView] | None = None

    def readiness(self) -> Readiness:
        return Readiness(ready=True, polling=self.reason is None, reasons=(self.reason,) if self.reason else ())

    def mappings(self) -> tuple[MappingView, ...]:
        return tuple(self._mapping(name) for name in self.names)

    def listed(self) -> tuple[str, ...]:
        return tuple(self.names)

    def mapping(self, name: str) -> MappingView | None:
        found = self.names[0] if self.names and name == "uuid" else name
        return self._mapping(found) if found in self.names else None

    def _mapping(self, name: str) -> MappingView:
        state = "failing" if self.reason else "polling"
        counts = dict.fromkeys(("fetched", "delivered", "filtered", "discarded", "returned", "undecided"), 7)
        uuid = "uuid" if name == self.names[0] else f"uuid-{name}"
        flow = self.flow(name) if self.flow else None
        function = (*self.functions_names, "f")[0]
        return MappingView(name, uuid, "arn", "kinesis", function, state, self.reason, 1, counts, flow=flow)

    def functions(self) -> tuple[FunctionView, ...]:
        return tuple(
            FunctionView(name, "a function", up=True, cause=None, in_flight=0, limit=None)
            for name in self.functions_names
        )


@dataclass
class Levers:
    pulled: list[tuple[str, str]] = field(default_factory=list)
    full: bool = False

    async def pause(self, name: str) -> None:
        if self.full:
            raise StoreUnavailable("the disk is full")
        self.pulled.append(("pause", name))

    async def resume(self, name: str) -> None:
        self.pulled.append(("resume", name))

    async def retry(self, name: str) -> None:
        self.pulled.append(("retry", name))

    def config(self, name: str) -> EventSourceMapping | None:
        return FILTERED_MAPPING if "orders" in name else None


@dataclass
class Moves:
    made: list[tuple[str, ...]] = field(default_factory=list)
    away: str = ""

    async def shown(self, name: str) -> dict[str, Any]:
        if self.away:
            raise conflict(self.away)
        finished = {"source": "arn", "shard": "s", "place": "finished", "sequence_number": None}
        return {"mapping": name, "positions": [{**finished, "sub_sequence_number": None, "window": None}]}

    async def put(self, name: str, lane: str, to: str) -> dict[str, Any]:
        self.made.append(("put", name, lane, to))
        flight = FlightView("r", lane, 1, "7", 1, 0.5, None)
        return {"mapping": name, "positions": [], "in_flight": (flight,), "retrying": ()}

    async def remove(self, name: str) -> dict[str, Any]:
        self.made.append(("remove", name))
        return {"mapping": name}

    async def skip(self, name: str, lane: str, record: str) -> dict[str, Any]:
        self.made.append(("skip", name, lane, record))
        return {"mapping": name, "lane": lane, "record": record, "waits": False}


@dataclass
class Reloads:
    refused: str = ""
    times: int = 0

    async def reload(self) -> ConfigChanges:
        if self.refused:
            raise invalid_parameter(self.refused)
        self.times += 1
        return ConfigChanges(PartChanges(added=("new",), kept=("a b/c",)))

    def shown(self) -> dict[str, object]:
        return {"loaded": 1000.0, "trouble": self.refused, "needs_restart": []}


class Doctor:
    async def examine(self, status: Mapping[str, Any]) -> dict[str, Any]:
        return {"worst": "good", "findings": [], "seen": sorted(status)}


@dataclass
class Desk:
    """A daemon's /v1, as a client sees it."""

    session: aiohttp.ClientSession
    sight: Sight
    levers: Levers
    taps: Taps
    lines: LinesOfFunctions
    shown: Shown
    reloads: Reloads
    moves: Moves

    @property
    def url(self) -> str:
        return str(self.session._base_url).rstrip("/")

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        async with self.session.get(path, headers=headers) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, headers: Mapping[str, str] | None = None, data: bytes = b"") -> tuple[int, Any]:
        async with self.session.post(path, headers=headers, data=data) as answer:
            return answer.status, await answer.json()

    async def token(self) -> dict[str, str]:
        return {TOKEN: (await self.get("/v1/token"))[1]["token"]}


@asynccontextmanager
async def desk(
    host: str = "127.0.0.1",
    keys: Mapping[str, str] | None = None,
    *,
    sight: Sight | None = None,
    view: OneByOne | None = None,
    lines: LinesOfFunctions | None = None,
    port: int = 0,
) -> AsyncIterator[Desk]:
    """`host`: where it believes to listen. `keys`: secrets by id. `sight` and `view`: what there is to see."""

    async def no_metrics() -> bytes:
        return b""

    sight = sight or Sight(lambda: Instant(100.0, 1000.0))
    levers, shown = Levers(), Shown()
    seen = view or shown
    taps, lines = Taps(lambda: 1000.0), lines or LinesOfFunctions(lambda: 1000.0)
    access, reloads, moves = ApiAccess(host, (), keys or {}), Reloads(), Moves()
    steering = Steering(seen, Outlook(sight, taps, lines), levers, access, SystemClock(), reloads, moves, Doctor())
    listener = bind(Address("127.0.0.1", port))
    try:
        async with (
            serving(listener, seen, no_metrics, steering=steering),
            aiohttp.ClientSession(f"http://{address_of(listener)}") as session,
        ):
            yield Desk(session, sight, levers, taps, lines, shown, reloads, moves)
    finally:
        listener.close()

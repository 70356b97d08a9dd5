"""What `/v1` shows of mappings, records and functions. `steering.py` says who may ask."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import anyio.lowlevel
import anyio.to_thread
import orjson
from aiohttp import web

from ..control.refusals import invalid_parameter, no_such_resource
from ..telemetry.core.history import STEP, STEPS, width
from ..telemetry.core.journal import Journal
from ..telemetry.sight import Sight
from ..telemetry.view import OneByOne
from . import filter_trials, views
from .filter_trials import ConfigOf

MOST = 1000
"""Entries of a journal in one answer."""
NAMED = 200
"""Mappings in one question for histories."""


class Sightings:
    """Each method is the answer to one path. Raises ApiError for a question that cannot be answered."""

    def __init__(self, view: OneByOne, sight: Sight, config_of: ConfigOf) -> None:
        self._view = view
        self._sight = sight
        self._config_of = config_of

    async def history(self, request: web.Request) -> object:
        """The last hour of each `?mapping=`, in `?points=` of them at most."""
        names = request.query.getall("mapping", [])
        points = request.query.get("points", str(STEPS))
        if not points.isdecimal() or not 1 <= int(points) <= STEPS:
            raise invalid_parameter(f"points is a number from 1 to {STEPS}")
        if not 1 <= len(names) <= NAMED:
            raise invalid_parameter(f"name from 1 to {NAMED} mappings: ?mapping=")
        known = {name: history for name in names if (history := self._sight.history(name))}
        histories = {}
        for name, history in known.items():
            histories[name] = history.series(int(points))
            await anyio.lowlevel.checkpoint()
        return {"step": STEP * width(int(points)), "mappings": histories}

    async def mappings(self, request: web.Request) -> object:
        shown = []
        for name in self._view.listed():
            if (mapping := self._view.mapping(name)) is not None:
                shown.append(views.mapping(mapping))
            await anyio.lowlevel.checkpoint()  # a thousand of them hold up no record
        return {"mappings": shown}

    async def functions(self, request: web.Request) -> object:
        return {"functions": views.functions(self._view)}

    async def mapping(self, request: web.Request) -> object:
        return self.named(request)

    async def journal(self, request: web.Request) -> object:
        """The newest entries first, `?fate=` of one kind, `?id=` about one record, `?search=` with a text, `?failed=1`
        with an error; `?limit=` of them, each with `?ids=` of its ids."""
        name = self.named(request)["name"]
        journal, asked = self._sight.journals.of(name), request.query
        limit = _number(asked.get("limit", "100"), "limit")
        ids = _number(asked["ids"], "ids") if "ids" in asked else None
        given = [asked.get(each, "") for each in ("fate", "id", "search")]
        found = journal.entries(*given, failed=bool(asked.get("failed"))) if journal else ()
        entries = [{**entry.without_ids(), "ids": entry.ids[:ids]} for entry in islice(found, limit)]
        return {"mapping": name, "entries": entries}

    async def explain(self, request: web.Request) -> object:
        """What is known of one record: `?id=`, and `?mapping=` where only one is meant."""
        record, only = request.query.get("id", ""), request.query.get("mapping", "")
        if not record:
            raise invalid_parameter("name the record: ?id=")
        found = [
            {
                "mapping": name,
                "life": [dict(entry.without_ids()) for entry in life],
                **_now(self._flow(name), record),
                **await self._payload(name, record),
            }
            for name, journal in self._journals(only)
            if (life := journal.life(record))
        ]
        return {"id": record, "mappings": found}

    async def _payload(self, mapping: str, record: str) -> dict[str, Any]:
        """The record itself, and what each filter of the mapping says of it, where `journal.payloads` says that it is
        remembered, and it is."""
        found = self._sight.payloads.of(mapping, record) if self._sight.payloads else None
        if found is None:
            return {}
        config = self._config_of(mapping)
        filters = await anyio.to_thread.run_sync(filter_trials.of_mapping, config, found) if config else []
        return {"record": orjson.loads(found), "filters": filters}

    def _journals(self, only: str) -> Iterator[tuple[str, Journal]]:
        for name, journal in list(self._sight.journals.all.items()):
            if not only or name == only:
                yield name, journal

    def _flow(self, name: str) -> dict[str, Any]:
        flow = self._sight.flow(name)
        return {"in_flight": flow.in_flight, "retrying": flow.retrying}

    def named(self, request: web.Request) -> dict[str, Any]:
        """The mapping of the path, by name or UUID. Raises ApiError."""
        name = request.match_info["name"]
        if (mapping := self._view.mapping(name)) is not None:
            return views.mapping(mapping)
        raise no_such_resource(f"there is no mapping {name[:200]!r}; `headrace status` lists them")


def _now(flow: dict[str, Any], record: str) -> dict[str, Any]:
    """The batches under way that begin with this record."""
    return {name: [each for each in batches if each.first == record] for name, batches in flow.items()}


def _number(text: str, name: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise invalid_parameter(f"{name} is a number from 1 to {MOST}")
    return int(text)

"""What a test in another process does with the stub: `POST /_put` and the like. Not for clients of AWS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web

from .faults import Faults
from .stub import Stub


def add_routes(app: web.Application, stub: Stub) -> None:
    for name, carry_out in ROUTES.items():
        app.router.add_post(f"/_{name}", _route(stub, carry_out))


def _route(
    stub: Stub, carry_out: Callable[[Stub, web.Request], Awaitable[None]]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def route(request: web.Request) -> web.Response:
        await carry_out(stub, request)
        return web.Response()

    return route


async def _kinesis(stub: Stub, request: web.Request) -> None:
    stub.kinesis(request.query["stream"], int(request.query.get("shards", 1)))


async def _table(stub: Stub, request: web.Request) -> None:
    stub.table(request.query["table"], shards=int(request.query.get("shards", 1)))


async def _put(stub: Stub, request: web.Request) -> None:
    """`?stream=NAME&key=KEY[&count=N]`: N records with the same data, whose keys end in their numbers."""
    stream, data = stub.streams[request.query["stream"]], await request.read()
    for number in range(int(request.query.get("count", 1))):
        stream.put(f"{request.query['key']}{number or ''}", data)


async def _item(stub: Stub, request: web.Request) -> None:
    stub.tables[request.query["table"]].put(orjson.loads(await request.read()))


async def _faults(stub: Stub, request: web.Request) -> None:
    """`?stream=NAME` or `?table=NAME`, and the fields of Faults."""
    faults = Faults(**orjson.loads(await request.read()))
    if "stream" in request.query:
        stub.streams[request.query["stream"]].faults = faults
    else:
        stub.tables[request.query["table"]].faults = faults


async def _unlimited(stub: Stub, request: web.Request) -> None:
    stub.limits = None


ROUTES: dict[str, Callable[[Stub, web.Request], Awaitable[None]]] = {
    "faults": _faults,
    "item": _item,
    "kinesis": _kinesis,
    "put": _put,
    "table": _table,
    "unlimited": _unlimited,
}

"""A schema registry with Confluent's REST API: what clients use to write records, and readers to read them.

Schemas come in as definitions (Protobuf's as descriptors in base64, as Python's client registers them, or as text) and
go out in the format in which they are asked for, as far as the registry has it.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from anyio.from_thread import start_blocking_portal


@dataclass
class SchemaRegistry:
    """One registry; every member may be changed while it serves."""

    url: str = ""
    login: tuple[str, str] | None = None
    """User name and password that are asked for."""
    token: str = ""
    """Token that is asked for instead."""
    down: bool = False
    """Answers 503."""
    knows_formats: bool = True
    """False: `?format=serialized` is passed over, as registries other than Confluent's do."""
    texts: dict[str, str] = field(default_factory=dict)
    """What a Protobuf definition (base64) is as text."""
    asked: list[str] = field(default_factory=list)
    """Paths of the GETs that came, with their queries."""
    hold: asyncio.Event | None = None
    """GETs wait for it."""
    schemas: dict[int, dict[str, Any]] = field(default_factory=dict)
    subjects: dict[str, list[int]] = field(default_factory=dict)

    def add(self, subject: str, definition: str, schema_type: str = "AVRO", references: Any = ()) -> int:
        """The id. The same schema has the same id under any subject."""
        schema = {"schema": definition, "schemaType": schema_type, "references": list(references)}
        ids = [number for number, known in self.schemas.items() if known == schema]
        number = ids[0] if ids else len(self.schemas) + 1
        self.schemas[number] = schema
        versions = self.subjects.setdefault(subject, [])
        if number not in versions:
            versions.append(number)
        return number

    def described(self, number: int, form: str | None) -> dict[str, Any]:
        """A schema as the API has it: Avro's type is not named, empty references neither."""
        schema = dict(self.schemas[number])
        if schema["schemaType"] == "PROTOBUF" and not (form == "serialized" and self.knows_formats):
            schema["schema"] = self.texts.get(schema["schema"], schema["schema"])
        if schema["schemaType"] == "AVRO":
            if form == "serialized":
                raise web.HTTPUnprocessableEntity(text='{"error_code": 422, "message": "no such format"}')
            del schema["schemaType"]
        return {name: value for name, value in schema.items() if value}


@asynccontextmanager
async def serve(
    registry: SchemaRegistry | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[SchemaRegistry]:
    """Serves until the end of the block, on a free port of this machine."""
    registry = registry or SchemaRegistry()
    app = web.Application(middlewares=[_guard(registry)])
    handlers = _Handlers(registry)
    app.add_routes(
        [
            web.get("/schemas/ids/{id}", handlers.by_id),
            web.get("/subjects/{subject}/versions/{version}", handlers.by_version),
            web.post("/subjects/{subject}/versions", handlers.register),
            web.post("/subjects/{subject}", handlers.look_up),
        ]
    )
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        host, port = runner.addresses[0][:2]
        registry.url = f"{'https' if tls else 'http'}://{host}:{port}"
        yield registry
    finally:
        await runner.cleanup()


@contextmanager
def serving() -> Iterator[SchemaRegistry]:
    """The same for tests that wait in the ordinary way: it serves in a thread."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serve()) as registry:
        yield registry


def _guard(registry: SchemaRegistry) -> Any:
    @web.middleware
    async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.method == "GET":
            registry.asked.append(request.path_qs)
            if registry.hold is not None:
                await registry.hold.wait()
        if registry.down:
            return _fault(503, 50301, "down for the moment")
        wanted = f"Bearer {registry.token}" if registry.token else registry.login and _basic(registry.login)
        if wanted and request.headers.get("Authorization") != wanted:
            return _fault(401, 401, "Unauthorized")
        answer: web.StreamResponse = await handler(request)
        return answer

    return guard


def _basic(login: tuple[str, str]) -> str:
    return f"Basic {b64encode(':'.join(login).encode()).decode()}"


def _fault(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"error_code": code, "message": message}, status=status)


class _Handlers:
    def __init__(self, registry: SchemaRegistry) -> None:
        self._registry = registry

    async def by_id(self, request: web.Request) -> web.Response:
        number = int(request.match_info["id"])
        if number not in self._registry.schemas:
            return _fault(404, 40403, f"Schema {number} not found")
        return web.json_response(self._registry.described(number, request.query.get("format")))

    async def by_version(self, request: web.Request) -> web.Response:
        subject, wanted = request.match_info["subject"], request.match_info["version"]
        versions = self._registry.subjects.get(subject)
        if versions is None:
            return _fault(404, 40401, f"Subject {subject!r} not found")
        version = len(versions) if wanted == "latest" else int(wanted)
        if not 0 < version <= len(versions):
            return _fault(404, 40402, f"Version {version} not found")
        number = versions[version - 1]
        about = {"subject": subject, "id": number, "version": version}
        return web.json_response(about | self._registry.described(number, request.query.get("format")))

    async def register(self, request: web.Request) -> web.Response:
        body = await request.json()
        number = self._registry.add(
            request.match_info["subject"], body["schema"], body.get("schemaType", "AVRO"), body.get("references") or ()
        )
        return web.json_response({"id": number})

    async def look_up(self, request: web.Request) -> web.Response:
        subject, body = request.match_info["subject"], await request.json()
        for version, number in enumerate(self._registry.subjects.get(subject, []), start=1):
            if self._registry.schemas[number]["schema"] == body["schema"]:
                return web.json_response(
                    {"subject": subject, "id": number, "version": version} | self._registry.described(number, None)
                )
        return _fault(404, 40403, "Schema not found")

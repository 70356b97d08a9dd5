"""Ways to a local function that are not ours: awslambdaric behind an aiohttp server, and a bare socket."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from .daemons import FUNCTIONS
from .peers import PEERS

Invoke = Callable[[bytes], Awaitable[bytes]]


class RuntimeApi:
    """As much of the Runtime API as awslambdaric needs: one invocation after the other."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[bytes] = asyncio.Queue()
        self._answers: dict[str, asyncio.Future[bytes]] = {}
        self._waiting: list[asyncio.Future[bytes]] = []

    async def invoke(self, event: bytes) -> bytes:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._events.put_nowait(event)
        return await answer

    async def next(self, request: web.Request) -> web.Response:
        event, identifier = await self._events.get(), str(uuid.uuid4())
        self._answers[identifier] = self._waiting.pop(0)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": identifier,
            "Lambda-Runtime-Deadline-Ms": "4102444800000",
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:noop",
        }
        return web.Response(body=event, content_type="application/json", headers=headers)

    async def answer(self, request: web.Request) -> web.Response:
        self._answers.pop(request.match_info["id"]).set_result(await request.read())
        return web.Response(status=202)


@asynccontextmanager
async def by_aiohttp() -> AsyncIterator[Invoke]:
    api, application = RuntimeApi(), web.Application(client_max_size=16 * 1024 * 1024)
    application.router.add_get("/2018-06-01/runtime/invocation/next", api.next)
    application.router.add_post("/2018-06-01/runtime/invocation/{id}/response", api.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    env = {
        **os.environ,
        "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": "noop",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "awslambdaric", "noop.handler", cwd=FUNCTIONS, env=env
    )
    try:
        yield api.invoke
    finally:
        process.kill()
        await process.wait()
        await runner.cleanup()


@asynccontextmanager
async def by_socket() -> AsyncIterator[Invoke]:
    ours, theirs = socket.socketpair()
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PEERS / "framed_function.py"), str(theirs.fileno()), pass_fds=[theirs.fileno()]
    )
    theirs.close()
    reader, writer = await asyncio.open_connection(sock=ours)

    async def invoke(event: bytes) -> bytes:
        writer.write(struct.pack(">I", len(event)) + event)
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        return await reader.readexactly(length)

    try:
        yield invoke
    finally:
        writer.close()
        process.kill()
        await process.wait()

"""Makes local functions from source text, and knows every process that came of them."""

from __future__ import annotations

import textwrap
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import orjson

from headrace.config.clock import SystemClock
from headrace.dispatch.core.model import Reply, Returned
from headrace.dispatch.core.observer import Event, FunctionLog
from headrace.dispatch.invokers.base import Invocation
from headrace.dispatch.invokers.local.external import ExternalInvoker
from headrace.dispatch.invokers.local.pool import LocalInvoker
from headrace.dispatch.invokers.local.reaper import Reaper
from headrace.dispatch.invokers.local.spec import FunctionSpec, Launch, RuntimeLaunch

from .marked import marked

PYTHON = RuntimeLaunch("python", "app.handler")


@dataclass
class Logs:
    lines: list[FunctionLog] = field(default_factory=list)

    def observe(self, event: Event) -> None:
        if isinstance(event, FunctionLog):
            self.lines.append(event)

    def text(self, stream: str = "stdout") -> list[str]:
        return [line.line for line in self.lines if line.stream == stream]


@dataclass
class Shop:
    """Makes functions from source text."""

    directory: Path
    logs: Logs = field(default_factory=Logs)
    reaper: Reaper = field(default_factory=Reaper)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def write(self, source: str, name: str = "app.py") -> Path:
        code = self.directory / "code"
        code.mkdir(exist_ok=True)
        (code / name).write_text(textwrap.dedent(source))
        return code

    def spec(self, source: str = "", name: str = "app.py", launch: Launch = PYTHON, **more: Any) -> FunctionSpec:
        code = self.write(source, name)
        more["environment"] = {"MARK": self.mark, **more.get("environment", {})}
        return FunctionSpec("shop", launch, code, self.directory / "scratch", **{"isolation": "env", **more})

    @asynccontextmanager
    async def open(self, source: str = "", **more: Any) -> AsyncIterator[LocalInvoker]:
        async with self.opened(self.spec(source, **more)) as invoker:
            yield invoker

    @asynccontextmanager
    async def opened(self, spec: FunctionSpec) -> AsyncIterator[LocalInvoker]:
        limiter = anyio.CapacityLimiter(2)
        invoker = LocalInvoker(spec, clock=SystemClock(), observer=self.logs, reaper=self.reaper, inits=limiter)
        try:
            yield invoker
        finally:
            await invoker.aclose()
            self.reaper.close()
        assert self.marked() == []

    def marked(self) -> list[int]:
        """Processes that came of our functions."""
        return marked(self.mark)


async def call(invoker: LocalInvoker | ExternalInvoker, event: object = None, request_id: str = "") -> Reply:
    return await invoker.invoke(Invocation(orjson.dumps(event or {}), request_id or str(uuid.uuid4())))


async def returned(invoker: LocalInvoker | ExternalInvoker, event: object = None) -> Any:
    reply = await call(invoker, event)
    assert isinstance(reply, Returned), reply
    return orjson.loads(reply.body)


ECHO = """
    def handler(event, context):
        return event
"""

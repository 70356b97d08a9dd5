"""One function behind every invoker: what the contract suite invokes, and how each invoker is made for it.

The function does what its event says (`do`), or returns the event. A kit builds an invoker whose function behaves so;
it may also be `broken` (its init fails) or `gone` (there is nothing to start or to connect to).
"""

from __future__ import annotations

import shutil
import socket
import sys
import uuid
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clock import SystemClock
from headrace.config.fields.runtimes import Runtimes
from headrace.dispatch.core.observer import Event
from headrace.dispatch.invokers.base import Invocation, Invoker
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.dispatch.invokers.http import HttpInvoker
from headrace.dispatch.invokers.local.pool import LocalInvoker
from headrace.dispatch.invokers.local.reaper import Reaper
from headrace.dispatch.invokers.local.spec import CommandLaunch, FunctionSpec, Launch, RuntimeLaunch
from headrace.dispatch.invokers.remote import RemoteInvoker
from headrace.dispatch.plugins.guarded_invoker import GuardedInvoker
from headrace.service.testing.contract_function import contract_function
from headrace.service.testing.invoker_contract import InvokerKit, InvokerWanted
from support.java_function import java_function
from support.lambda_stub import LambdaStub, Raw, Result, error_body, refusal, serving

FUNCTION = "orders"
CODE = Path(__file__).parent / "contract_function"


@dataclass(frozen=True, slots=True)
class Wanted(InvokerWanted):
    endpoint: str = ""
    """Of the server that the kit needs."""


@dataclass(frozen=True, slots=True)
class Kit(InvokerKit):
    server: str = ""
    """Fixture of the server that it needs."""
    needs: tuple[str, ...] = ()
    """Programs without which it cannot be tried."""

    def __str__(self) -> str:
        return self.name


# --- in this process ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _closing(invoker: Any) -> AsyncIterator[Invoker]:
    async with aclosing(invoker):
        yield invoker


@asynccontextmanager
async def _callable(wanted: Wanted) -> AsyncIterator[Invoker]:
    async def function(invocation: Invocation) -> bytes:
        return await contract_function(invocation.payload)

    invoker = CallableInvoker(function, clock=SystemClock(), timeout=wanted.timeout, concurrency=wanted.concurrency)
    if wanted.broken or wanted.gone:
        invoker.break_down("the function cannot start: Runtime.ImportModuleError: No module named 'stock'")
    async with _closing(invoker):
        yield invoker


@asynccontextmanager
async def _plugin(wanted: Wanted) -> AsyncIterator[Invoker]:
    """A plug-in's invoker, kept apart as the daemon keeps it."""

    async def function(invocation: Invocation) -> bytes:
        return await contract_function(invocation.payload)

    def make() -> Invoker:
        clock = SystemClock()
        made = CallableInvoker(function, clock=clock, timeout=wanted.timeout, concurrency=wanted.concurrency)
        if wanted.broken or wanted.gone:
            made.break_down("the function cannot start: Runtime.ImportModuleError: No module named 'stock'")
        return made

    invoker = GuardedInvoker(make, title="plug-in 'orders'", clock=SystemClock(), timeout=wanted.timeout)
    await invoker.start()
    async with _closing(invoker):
        yield invoker


# --- behind HTTP ----------------------------------------------------------------------------------------------------


class Service:
    """The function at the other side: with its own timeout and its own concurrency."""

    def __init__(self, wanted: Wanted, busy: Raw) -> None:
        self._wanted = wanted
        self._busy = busy
        self._running = 0

    async def invoke(self, payload: bytes) -> Result | Raw:
        if self._wanted.broken:
            body = error_body("Runtime.ImportModuleError", "Unable to import module 'app': No module named 'stock'")
            return Result(body, failed=True, broken=True)
        if self._running >= self._wanted.concurrency:
            return self._busy
        self._running += 1
        try:
            with anyio.move_on_after(self._wanted.timeout):
                return await self._ran(payload)
            return Result(b"", timed_out=self._wanted.timeout)
        finally:
            self._running -= 1

    async def _ran(self, payload: bytes) -> Result:
        try:
            return Result(await contract_function(payload))
        except ValueError as error:
            return Result(error_body("ValueError", str(error), requestId="r", stackTrace=[]), failed=True)
        except SystemExit as error:
            text = f"RequestId: r Error: Runtime exited with error: exit status {error.code}"
            return Result(error_body("Runtime.ExitError", text), failed=True, broken=True)


_TAKEN: list[socket.socket] = []


def closed_port() -> str:
    """A URL at which nobody listens, nor will as long as this process runs: the port is taken."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    _TAKEN.append(taken)
    return f"http://127.0.0.1:{taken.getsockname()[1]}"


TOO_MANY = refusal(
    429,
    "TooManyRequestsException",
    "Rate Exceeded.",
    {"Retry-After": "2"},
    Reason="ReservedFunctionConcurrentInvocationLimitExceeded",
)


@asynccontextmanager
async def _remote(wanted: Wanted) -> AsyncIterator[Invoker]:
    stub = LambdaStub({FUNCTION: Service(wanted, TOO_MANY).invoke})
    async with serving(stub):
        url = closed_port() if wanted.gone else stub.url
        async with Clients(AwsSettings(endpoint_url=url)) as clients:
            invoker = RemoteInvoker(
                await clients.get("lambda"), FUNCTION, clock=SystemClock(), timeout=wanted.timeout, concurrency=None
            )
            async with _closing(invoker):
                yield invoker


@asynccontextmanager
async def _http(wanted: Wanted) -> AsyncIterator[Invoker]:
    stub = LambdaStub({"function": Service(wanted, Raw(400)).invoke}, rie=True)
    async with serving(stub):
        url = closed_port() if wanted.gone else stub.rie_url
        invoker = HttpInvoker(url, clock=SystemClock(), timeout=wanted.timeout, concurrency=wanted.concurrency)
        async with _closing(invoker):
            yield invoker


@asynccontextmanager
async def _ministack(wanted: Wanted) -> AsyncIterator[Invoker]:
    async with Clients(AwsSettings(endpoint_url=wanted.endpoint)) as clients:
        client = await clients.get("lambda")
        name = f"orders-{uuid.uuid4().hex[:12]}"
        await client.create_function(
            FunctionName=name,
            Runtime=f"python3.{sys.version_info.minor}",
            Role="arn:aws:iam::000000000000:role/orders",
            Handler="broken.handler" if wanted.broken else "app.handler",
            Code={"ZipFile": _zipped()},
            Timeout=int(wanted.timeout),
        )
        if wanted.gone:
            client = await clients.get("lambda", closed_port())
        async with _closing(RemoteInvoker(client, name, clock=SystemClock(), timeout=wanted.timeout)) as invoker:
            yield invoker


def _zipped() -> bytes:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        for source in CODE.glob("*.py"):
            files.write(source, source.name)
    return archive.getvalue()


# --- in processes of this machine -----------------------------------------------------------------------------------


class Unwatched:
    """An observer of what nobody looks at."""

    def observe(self, event: Event) -> None: ...


def _local(
    launch: Callable[[str], Launch],
    code_in: Callable[[], Path] = lambda: CODE,
    runtimes: Callable[[], Mapping[str, object]] = dict,
) -> Callable[[Wanted], AbstractAsyncContextManager[Invoker]]:
    """An invoker of `launch(module)`; the module is `app` or `broken`. `code_in` has the code, `runtimes` the setting
    of that name."""

    @asynccontextmanager
    async def opened(wanted: Wanted) -> AsyncIterator[Invoker]:
        code = wanted.directory / "code"
        if not wanted.gone:
            shutil.copytree(code_in(), code)
        spec = FunctionSpec(
            name=FUNCTION,
            launch=launch("broken" if wanted.broken else "app"),
            code=code,
            scratch=wanted.directory / "scratch",
            timeout=wanted.timeout,
            concurrency=wanted.concurrency,
            runtimes=Runtimes.model_validate(runtimes()),
        )
        reaper = Reaper()
        try:
            invoker = LocalInvoker(
                spec, clock=SystemClock(), observer=Unwatched(), reaper=reaper, inits=anyio.CapacityLimiter(2)
            )
            async with _closing(invoker):
                yield invoker
        finally:
            reaper.close()

    return opened


def _command(module: str) -> Launch:
    return CommandLaunch((sys.executable, "-m", "awslambdaric", f"{module}.handler"), f"{module}.handler")


def _java() -> Mapping[str, object]:
    return {"java21": {"command": java_function.command()}}


CALLABLE = Kit("callable", _callable, local=True, throttles=True)
REMOTE = Kit("remote", _remote, throttles=True)
MINISTACK = Kit("ministack", _ministack, server="ministack", paraphrases=True)
HTTP = Kit("http", _http, throttles=True)
PYTHON = Kit("python", _local(lambda module: RuntimeLaunch("python", f"{module}.handler")), local=True, throttles=True)
NODE = Kit(
    "node",
    _local(lambda module: RuntimeLaunch("nodejs", f"{module}.handler")),
    local=True,
    throttles=True,
    needs=("node",),
)
BOOTSTRAP = Kit(
    "bootstrap",
    _local(lambda module: RuntimeLaunch("provided", f"{module}.handler")),
    local=True,
    throttles=True,
    needs=("curl",),
)
JAVA = Kit(
    "java",
    _local(lambda module: RuntimeLaunch("java21", module.capitalize()), java_function.classes, _java),
    local=True,
    throttles=True,
    needs=("java", "maven"),
)
COMMAND = Kit("command", _local(_command), local=True, throttles=True)
PLUGIN = Kit("plugin", _plugin, local=True, throttles=True)

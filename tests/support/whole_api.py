"""The whole Lambda API in a test's own process: every group as the daemon puts it together, on a real state directory.

What lies outside is paper: functions are coroutines, sources and S3 buckets are there when their names say so. Nothing
happens by itself: what takes time is done by `settle`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any

from headrace.config.clients.aws import Clients
from headrace.config.clock import SystemClock
from headrace.config.function import AnyFunction
from headrace.config.loader import load
from headrace.config.mapping import EventSourceMapping
from headrace.config.settings import Address
from headrace.dispatch.core.model import Attempt, Failure, FunctionFailed, Reply, Returned
from headrace.dispatch.core.observer import FunctionLog, Observers
from headrace.dispatch.invokers.base import Invocation, Invoker
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.service.api.calls.mappings import MappingCalls
from headrace.service.api.calls.tags import TagCalls
from headrace.service.api.wire.call import Call, Group, Serve
from headrace.service.control.catalogue import Runnable
from headrace.service.control.mappings.model import MappingState, SourceLook
from headrace.service.control.names import Home
from headrace.service.control.refusals import ApiError
from headrace.service.control.store.document_store import FILE
from headrace.service.running.functions import RunningFunctions
from headrace.service.running.mappings import Changes
from headrace.service.running.progress import Progresses
from headrace.service.telemetry.log import Log
from headrace.service.telemetry.tails import Tails
from headrace.service.wiring.api_functions import ApiFunctions, DaemonParts
from headrace.service.wiring.control_plane import ControlPlane
from headrace.service.wiring.function_factory import FunctionFactory
from headrace.service.wiring.invokers import InvokerFactory, Refused
from support import api_lab, api_model
from support.scripted_client import ScriptedClient, refused

REQUEST_ID = "00000000-0000-4000-8000-000000000000"
FILED_UUID = "99999999-9999-4999-8999-999999999999"
"""A mapping of the configuration file."""

CONFIGURATION: Mapping[str, Any] = {
    "functions": {"filed": {"http": "http://127.0.0.1:9/never"}},
    "mappings": {
        "of-the-file": {
            "uuid": FILED_UUID,
            "source": "arn:aws:sqs:us-east-1:000000000000:filed",
            "function": "filed",
        }
    },
}


class PaperFunctions(InvokerFactory):
    """Functions without processes: they give their event back, or fail when it says so."""

    def __init__(self, tails: Tails) -> None:
        self._tails = tails

    async def invoker(self, function: AnyFunction) -> Invoker:
        return self._made(function.name, "$LATEST")

    async def maker(self, here: Home) -> Any:
        def make(runnable: Runnable) -> Invoker:
            return self._made(runnable.name, runnable.version)

        return make

    async def obstacle(self, runnable: Runnable, here: Home) -> str:
        return "install Java" if runnable.runtime.startswith("java") else ""

    async def runtime_remark(self, runnable: Runnable) -> str:
        return ""

    async def looked_at(self, function: AnyFunction) -> str | Refused:
        return ""

    def _made(self, name: str, version: str) -> Invoker:
        clock = SystemClock()

        async def run(invocation: Invocation) -> Reply | bytes:
            self._tails.observe(FunctionLog(name, invocation.request_id, "hello\n", "stdout"))
            attempt = Attempt(invocation.request_id, clock.wall(), clock.wall(), 200, executed_version=version)
            failed = replace(attempt, function_error="Unhandled")
            if b"fail" in invocation.payload:
                return FunctionFailed(failed, Failure.ERROR, "failed", b'{"errorMessage":"failed"}')
            return Returned(attempt, invocation.payload)

        return CallableInvoker(run, clock=clock, timeout=60.0, concurrency=None)


class PaperClients(Clients):
    """S3 has no bucket, EC2 one subnet and one security group."""

    def __init__(self) -> None:
        pass

    async def get(self, service: str, endpoint: str | None = None, region: str | None = None) -> Any:
        if service == "ec2":
            return ScriptedClient(
                describe_subnets=[{"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1"}]}],
                describe_security_groups=[{"SecurityGroups": [{"GroupId": "sg-1"}]}],
            )
        assert service == "s3", f"nobody should ask for {service} here"
        return ScriptedClient(get_object=[refused("NoSuchBucket", 404)])


async def look(mapping: EventSourceMapping) -> SourceLook:
    """What there is at a source, by its name."""
    if "missing" in mapping.source:
        return SourceLook(missing=True)
    return SourceLook(visibility=2.0) if "hasty" in mapping.source else SourceLook()


class WholeApi:
    """The groups, and what is behind them."""

    def __init__(self, state: Path, planes: ControlPlane, groups: tuple[Group, ...]) -> None:
        self.state = state
        self.planes = planes
        self.groups = groups
        self.calls: dict[str, Serve] = {name: serve for group in groups for name, serve in group.calls().items()}

    async def ask(self, operation: str, **parameters: Any) -> Any:
        """The answer's members, or the refusal's code. Past HTTP, with nothing checked."""
        try:
            return (await self.calls[operation](Call(operation, parameters, REQUEST_ID))).output
        except ApiError as error:
            return str(error)

    async def settle(self) -> None:
        """Let time do its part: what was being made is there, what was being deleted is gone."""
        await self.planes.functions.start()
        plane = self.planes.mappings
        for mapped in tuple(plane.all.values()):
            if mapped.state is MappingState.DELETING:
                await plane.end(mapped)
            elif mapped.state.passing:
                plane.settle(mapped)

    # --- what there is ----------------------------------------------------------------------------------------------

    def documents(self) -> dict[str, list[tuple[Any, ...]]]:
        """What is on the disk: documents, and accepted events."""
        return {
            "documents": _rows(self.state / FILE, "SELECT kind, key, body FROM documents ORDER BY kind, key"),
            "events": _rows(self.state / "events.db", "SELECT id, function, qualifier FROM events"),
        }

    async def answers(self) -> dict[str, Any]:
        """Every answer of the calls that only look."""
        found: dict[str, Any] = {"account": await self.ask("GetAccountSettings")}
        found["functions"] = await self._pages("ListFunctions", "Functions", FunctionVersion="ALL")
        found["mappings"] = await self._pages("ListEventSourceMappings", "EventSourceMappings")
        for mapping in found["mappings"]:
            uuid = mapping["UUID"]
            found[uuid] = [
                await self.ask("GetEventSourceMapping", UUID=uuid),
                await self.ask(
                    "ListTags", Resource=f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}"
                ),
            ]
        for version in found["functions"]:
            arn = version["FunctionArn"]
            found[arn] = [await self.ask(each, FunctionName=arn) for each in _OF_VERSIONS]
            if version["Version"] == "$LATEST":
                await self._of_function(version["FunctionName"], found)
        return found

    async def _of_function(self, name: str, found: dict[str, Any]) -> None:
        arn = self.planes.functions.here.arn(name)
        found[name] = [await self.ask(each, FunctionName=name) for each in _OF_FUNCTIONS]
        found[name].append(await self.ask("ListTags", Resource=arn))
        aliases = await self._pages("ListAliases", "Aliases", FunctionName=name)
        found[f"{name} aliases"] = aliases
        for alias in aliases:
            given = {"FunctionName": name, "Qualifier": alias["Name"]}
            found[alias["AliasArn"]] = [await self.ask(each, **given) for each in _OF_VERSIONS]

    async def _pages(self, operation: str, members: str, **parameters: Any) -> list[Any]:
        entries: list[Any] = []
        marker: dict[str, str] = {}
        while True:
            page = await self.ask(operation, **parameters, **marker)
            entries += page[members]
            if "NextMarker" not in page:
                return entries
            marker = {"Marker": page["NextMarker"]}


_OF_VERSIONS = (
    "GetFunction",
    "GetFunctionConfiguration",
    "GetPolicy",
    "GetFunctionEventInvokeConfig",
    "GetRuntimeManagementConfig",
)
_OF_FUNCTIONS = (
    "GetFunctionConcurrency",
    "GetFunctionRecursionConfig",
    "GetFunctionCodeSigningConfig",
    "ListVersionsByFunction",
    "ListFunctionEventInvokeConfigs",
)


def _rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@dataclass
class Over:
    """The whole API over HTTP: each answer is held against the model, and what was asked is kept."""

    whole: WholeApi
    web: api_lab.Web
    good: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)

    async def ask(self, operation: str, parameters: Mapping[str, Any], **headers: str) -> api_lab.Reply:
        reply = await self.web.call(operation, parameters, **headers)
        api_model.check(operation, reply.status, reply.headers, reply.body)
        (self.good if reply.status < 300 else self.refused).add(operation)
        return reply

    async def done(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """What is well, and settled; with what a client makes of the answer."""
        reply = await self.ask(operation, parameters)
        assert reply.status < 300, (operation, parameters, reply)
        await self.whole.settle()
        return api_model.check(operation, reply.status, reply.headers, reply.body)


@asynccontextmanager
async def over_http(state: Path, settles: float = 0.0) -> AsyncIterator[Over]:
    """As `whole_api`."""
    async with (
        whole_api(state, settles) as whole,
        api_lab.web(whole.groups, is_ours=whole.planes.functions.is_named) as running,
    ):
        yield Over(whole, running)


@asynccontextmanager
async def whole_api(state: Path, settles: float = 0.0) -> AsyncIterator[WholeApi]:
    """On this state directory; leaving it is a restart's first half. `settles`: seconds that a look at a function waits
    for what is under way, where something happens by itself."""
    file = state / "headrace.json"
    file.write_text(json.dumps(CONFIGURATION))
    config = load([file], environ={})
    clock, log, tails, changes, progresses = SystemClock(), Log(StringIO()), Tails(), Changes(), Progresses()
    observer = Observers([progresses, changes])
    functions, clients = PaperFunctions(tails), PaperClients()
    async with AsyncExitStack() as stack:
        planes = await ControlPlane.open(state, config, "us-east-1", clock, log, stack)
        given = DaemonParts(config, clients, observer, tails, clock, lambda: 0.5, settles=settles)
        made = await ApiFunctions.open(given, planes, functions, state, stack)
        targets = FunctionFactory(config, functions, None, changes, observer, clock, lambda: 0.5, made.references)
        fleet = RunningFunctions(targets.make, environments=made.environments)
        stack.push_async_callback(fleet.aclose)
        mappings = MappingCalls(planes.mappings, look, progresses.of)
        served = made.served(fleet, Address("127.0.0.1", 9470)).groups
        yield WholeApi(state, planes, (*served, mappings, TagCalls(planes.functions, mappings)))

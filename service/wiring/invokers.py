"""Makes the concrete invokers of a configuration's functions, and finds problems without starting a function.

Beside `daemon.py` the only place that knows concrete invokers. Used by the daemon and by `headrace invoke`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from ...config.clients.aws import Clients
from ...config.clients.endpoints import LocalEndpoint, RefusedEndpoint
from ...config.clock import SystemClock
from ...config.errors import ConfigError, Problem
from ...config.fields.arn import LOCAL_ACCOUNT, Arn
from ...config.function import (
    AnyFunction,
    CommandFunction,
    ExternalFunction,
    HttpFunction,
    LocalFunction,
    PluginFunction,
    RemoteFunction,
)
from ...config.mapping import EventSourceMapping
from ...config.services import services_of
from ...dispatch.core.observer import Observer, RuntimeDiffers
from ...dispatch.invokers.base import Invoker
from ...dispatch.invokers.http import HttpInvoker
from ...dispatch.invokers.local import temporary
from ...dispatch.invokers.local.core.warm import Warm
from ...dispatch.invokers.local.external import ExternalInvoker
from ...dispatch.invokers.local.launch import plan
from ...dispatch.invokers.local.pool import LocalInvoker
from ...dispatch.invokers.local.reaper import Reaper
from ...dispatch.invokers.local.spec import FunctionSpec
from ...dispatch.invokers.local.start_command import LaunchRefused
from ...dispatch.invokers.remote import RemoteInvoker
from ..control.catalogue import Runnable
from ..control.names import Home
from .live_config import Configured
from .local_functions import ANY_SERVICE, OwnApi, Owned, aws_variables, spec_of, spec_of_runnable
from .plugins import plugin_invoker

INITS = 4
"""Environments at a time that are started, at most, however many cores there are."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A function that cannot be started."""

    why: str


class InvokerFactory:
    """Makes invokers. Resources that their processes share end with it. `own`: our Lambda API for
    functions, None for none."""

    def __init__(
        self, config: Configured, clients: Clients, observer: Observer, scratch: Path, own: OwnApi | None = None
    ) -> None:
        self._config = config
        self._clients = clients
        self._observer = observer
        self._scratch = scratch
        self._own = own
        self._clock = SystemClock()
        self._reaper = Reaper()
        self._inits = anyio.CapacityLimiter(min(INITS, max(2, os.cpu_count() or 1)))
        self._warm = Warm(config.settings.warm)
        self._runtimes = config.settings.runtimes
        self._here: Home | None = None
        """The home of the API's functions, once something makes their invokers."""

    def close(self) -> None:
        self._reaper.close()

    async def invoker(self, function: AnyFunction) -> Invoker:
        match function:
            case RemoteFunction(invoke=invoke):
                return RemoteInvoker(
                    await self._clients.get("lambda", invoke.endpoint_url),
                    invoke.function_name,
                    clock=self._clock,
                    qualifier=invoke.qualifier,
                    timeout=function.deadline,
                    concurrency=function.concurrency,
                )
            case HttpFunction():
                return HttpInvoker(
                    function.http, clock=self._clock, timeout=function.deadline, concurrency=function.concurrency
                )
            case PluginFunction():
                return await plugin_invoker(function, self._clock)
            case ExternalFunction():
                return ExternalInvoker(await self._spec(function), clock=self._clock)
            case _:
                return LocalInvoker(
                    await self._spec(function),
                    clock=self._clock,
                    observer=self._observer,
                    reaper=self._reaper,
                    inits=self._inits,
                    warm=self._warm,
                )

    async def maker(self, here: Home) -> Callable[[Runnable], Invoker]:
        """Makes invokers of the API's functions; they start no process before they are used. Leftovers of a daemon that
        was killed are removed now, whether a process starts or not."""
        self._here = here
        scratch = self._scratch / "functions"
        await anyio.Path(scratch).mkdir(parents=True, exist_ok=True)
        await anyio.to_thread.run_sync(temporary.sweep, scratch)
        endpoint = await self._clients.target(ANY_SERVICE)
        aws = aws_variables(self._config.settings.aws, endpoint, here.account, os.environ, self._own)

        def make(runnable: Runnable) -> Invoker:
            return LocalInvoker(
                spec_of_runnable(runnable, scratch, here, aws, self._runtimes),
                clock=self._clock,
                observer=self._observer,
                reaper=self._reaper,
                inits=self._inits,
                warm=self._warm,
            )

        return make

    async def obstacle(self, runnable: Runnable, here: Home) -> str:
        """Why a function of the API cannot be started on this machine; empty when it can, or when AWS would take it
        and report the problem with its first event. Reports what differs from AWS."""
        planned = await plan(spec_of_runnable(runnable, self._scratch / "functions", here, {}, self._runtimes))
        if isinstance(planned, LaunchRefused):
            return "" if planned.entrypoint_error else planned.text
        if planned.remark:
            self._observer.observe(RuntimeDiffers(runnable.name, runnable.runtime, planned.remark))
        return ""

    async def runtime_remark(self, runnable: Runnable) -> str:
        """What differs from AWS where a function of the API runs; empty where nothing does, or nothing runs it."""
        if self._here is None:
            return ""
        planned = await plan(spec_of_runnable(runnable, self._scratch / "functions", self._here, {}, self._runtimes))
        return "" if isinstance(planned, LaunchRefused) else planned.remark

    async def refuse_unstartable(self, names: Iterable[str]) -> dict[str, str]:
        """What differs from AWS where functions run, by name. Raises ConfigError for functions that cannot be
        invoked, as far as that is known without starting them."""
        found = {name: await self._looked_at(self._config.functions[name]) for name in names}
        if problems := [each for each in found.values() if isinstance(each, Problem)]:
            raise ConfigError(problems)
        return {name: each for name, each in found.items() if isinstance(each, str) and each}

    async def looked_at(self, function: AnyFunction) -> str | Refused:
        """What differs from AWS where a function of the configuration runs, which may be nothing; or why the function
        cannot be started, as far as that is known without a try."""
        found = await self._looked_at(function)
        return Refused(found.what) if isinstance(found, Problem) else found

    async def _looked_at(self, function: AnyFunction) -> str | Problem:
        match function:
            case LocalFunction() | CommandFunction():
                planned = await plan(await self._spec(function))
                if isinstance(planned, LaunchRefused):
                    return self._config.problem(f"functions.{function.name}", planned.text)
                return planned.remark
            case RemoteFunction(invoke=invoke):
                endpoint = await self._clients.target("lambda", invoke.endpoint_url)
                return endpoint.problem if isinstance(endpoint, RefusedEndpoint) else ""
            case _:
                return ""

    async def _spec(self, function: Owned) -> FunctionSpec:
        scratch = self._scratch / "functions"
        await anyio.Path(scratch).mkdir(parents=True, exist_ok=True)
        account = self._account(function.name)
        endpoint = await self._clients.target(self._service(function.name))
        aws = aws_variables(self._config.settings.aws, endpoint, account, os.environ, self._own)
        region = await self._region(function.name)
        return spec_of(function, scratch, region=region, account=account, aws=aws, runtimes=self._runtimes)

    def _account(self, name: str) -> str:
        """The account in the function's variables: that of the first source of its records."""
        arn = self._arn(name)
        return self._config.settings.aws.account or (arn.account if arn else LOCAL_ACCOUNT)

    async def _region(self, name: str) -> str:
        arn = self._arn(name)
        return arn.region if arn else await self._clients.region()

    def _service(self, name: str) -> str:
        """The service whose endpoint the function is told of where no general one is set: that of its first source."""
        mapping = self._mapping(name)
        return next(iter(services_of(mapping)), ANY_SERVICE) if mapping else ANY_SERVICE

    def _arn(self, name: str) -> Arn | None:
        mapping = self._mapping(name)
        return mapping.arn if mapping else None

    def _mapping(self, name: str) -> EventSourceMapping | None:
        mappings = self._config.mappings.values()
        return next((mapping for mapping in mappings if mapping.function_name == name and mapping.arn), None)


async def url_of(function: AnyFunction, clients: Clients) -> str | None:
    """The address of a remote function; None for a local one."""
    match function:
        case RemoteFunction(invoke=invoke):
            endpoint = await clients.target("lambda", invoke.endpoint_url)
            return endpoint.url if isinstance(endpoint, LocalEndpoint) else None
        case HttpFunction():
            return function.http
        case _:
            return None

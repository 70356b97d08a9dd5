"""The daemon: puts a configuration together into what runs. The only place that knows concrete classes.

What happens to the parts while they run is in `life.py`. What can be found wrong is found here, before the first
message is touched.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import anyio
import anyio.to_thread

from ..config.clients.aws import AwsSettings, Clients
from ..config.clients.endpoints import Local, Refused, would_call_itself
from ..config.clients.endpoints import Target as Endpoint
from ..config.clock import SystemClock, system_jitter
from ..config.errors import BugError, ConfigError, Problem
from ..config.function import CommandFunction, HttpFunction, LocalFunction, RemoteFunction, describe
from ..config.limits import RECEIVERS_DEFAULT
from ..config.loader import AnyFunction, Config
from ..config.mapping import EventSourceMapping
from ..dispatch.backoff import Backoff
from ..dispatch.batcher import Limits
from ..dispatch.dispatcher import Dispatcher, Target
from ..dispatch.events import RecordsEnvelope
from ..dispatch.invokers.base import Invoker
from ..dispatch.invokers.http import HttpInvoker
from ..dispatch.invokers.remote import RemoteInvoker
from ..dispatch.observer import Observer, Observers
from ..dispatch.permits import Gate, Permits
from ..dispatch.policy import Policy, Progress
from ..dispatch.slots import SingleSlot
from ..pollers.feed import FeedSettings
from ..pollers.source import Source
from ..pollers.sqs import QueueSettings, SqsSource
from ..pollers.supervisor import Supervisor
from .account import Account
from .api.server import address_of, bind
from .dry_run import DryInvoker, DrySource, Verdict
from .exits import Exit
from .filters import Keeps, keep_all
from .first_lines import say_first_lines, watch_foreign
from .life import Life, Outside
from .metrics import Labels, Metrics
from .plant import Changes, Plant, Work
from .registry import Forgetting, Registry, fingerprint
from .state import StateDirectory
from .telemetry import Action, Log, Logs

SOURCE_BACKOFF = Backoff(base=0.5, cap=5.0)
"""Between attempts to reach a source: short, because somebody waits for the emulator or the queue that they start."""
PROBE_BACKOFF = Backoff(base=0.5, cap=10.0)
"""Between probes of a function that cannot start."""


def say(line: str) -> None:
    print(line, flush=True)


class Daemon:
    """One run of one configuration.

    `observers` are told every event after our own; tests use one that kills the process. `show` gets the verdicts of a
    dry run.
    """

    def __init__(
        self,
        config: Config,
        log: Log,
        *,
        observers: Sequence[Observer] = (),
        out: Callable[[str], None] = say,
        show: Callable[[Verdict], None] | None = None,
    ) -> None:
        self._config = config
        self._settings = config.settings
        self._log = log
        self._out = out
        self._show = show or (lambda verdict: out(f"{verdict.mapping}\t{verdict.id}\t{verdict.text}"))
        self._clock = SystemClock()
        self._jitter = system_jitter()
        self._mappings = {name: mapping for name, mapping in config.mappings.items() if mapping.enabled}
        self._account = Account(config.mappings)
        self._metrics = Metrics(
            Labels(name, str(mapping.kind), mapping.function_name) for name, mapping in config.mappings.items()
        )
        self._changes = Changes()
        self._own_observers: list[Observer] = [self._account, self._metrics, Logs(log), self._changes]
        self._extra_observers = observers

    async def run(self) -> Exit:
        """Until a signal, or until idle. Raises ConfigError, StateError and ListenError, each before anything began."""
        async with AsyncExitStack() as stack:
            clients = await stack.enter_async_context(Clients(AwsSettings(**self._settings.aws.arguments())))
            endpoint = await clients.target("sqs")
            refuse_real_aws(self._config, endpoint)
            registry = None if self._settings.dry_run else self._registry(stack)
            listener = None if self._settings.dry_run else self._listener(stack)
            if listener is not None:
                await self._refuse_loops(clients, listener)
            observer = self._observer(registry)
            targets = {
                name: await self._target(self._config.functions[name], clients, observer, registry, stack)
                for name in sorted({mapping.function_name for mapping in self._mappings.values()})
            }
            works = [
                await self._work(mapping, targets, clients, endpoint, observer) for mapping in self._mappings.values()
            ]
            described = {name: (target, describe(self._config.functions[name])) for name, target in targets.items()}
            plant = Plant(self._config.mappings, works, described, self._account, self._changes)
            self._metrics.look_at(plant)
            self._say_start(endpoint, listener)
            return await Life(plant, self._settings, self._outside(plant, clients, listener), self._clock).run()

    # --- before anything begins -------------------------------------------------------------------------------------

    def _registry(self, stack: AsyncExitStack) -> Registry:
        state = StateDirectory.open(self._settings.state)
        stack.callback(state.close)
        return Registry(state.path)

    def _listener(self, stack: AsyncExitStack) -> socket.socket:
        listener = bind(self._settings.listen)
        stack.callback(listener.close)
        return listener

    async def _refuse_loops(self, clients: Clients, listener: socket.socket) -> None:
        """As the loader does for what stands in the file; here for profiles and for a port that was free."""
        listen = str(address_of(listener))
        for name in {mapping.function_name for mapping in self._mappings.values()}:
            url = await _url_of(self._config.functions[name], clients)
            if url and would_call_itself(url, listen):
                what = f"{url} is this daemon's own address: it would call itself for ever"
                raise ConfigError([Problem(what, f"functions.{name}", hint="name the emulator's address")])

    def _observer(self, registry: Registry | None) -> Observers:
        forgetting = [] if registry is None else [Forgetting(registry)]
        return Observers([*self._own_observers, *forgetting, *self._extra_observers])

    def _say_start(self, endpoint: Endpoint, listener: socket.socket | None) -> None:
        say_first_lines(self._log, self._config, endpoint)
        if listener is not None:
            address = address_of(listener)
            self._log.info(Action.LISTEN, f"listening on http://{address}", host=address.host, port=address.port)
            self._out(f"Listening on http://{address}")

    def _outside(self, plant: Plant, clients: Clients, listener: socket.socket | None) -> Outside:
        async def beside() -> None:
            await watch_foreign(plant, self._config.functions, lambda: self._lambda(clients, listener), self._log)

        return Outside(self._log, self._out, listener, self._metrics.render, beside)

    async def _lambda(self, clients: Clients, listener: socket.socket | None) -> Any:
        """The client of the endpoint's Lambda API; None where it is refused or our own."""
        endpoint = await clients.target("lambda")
        if isinstance(endpoint, Refused):
            return None
        listen = str(address_of(listener)) if listener else ""
        if isinstance(endpoint, Local) and listen and would_call_itself(endpoint.url, listen):
            return None
        try:
            return await clients.get("lambda")
        except ConfigError:  # it is only asked out of courtesy
            return None

    # --- functions --------------------------------------------------------------------------------------------------

    async def _target(
        self,
        function: AnyFunction,
        clients: Clients,
        observer: Observer,
        registry: Registry | None,
        stack: AsyncExitStack,
    ) -> Target:
        invoker: Invoker
        if self._settings.dry_run:
            invoker = DryInvoker(self._clock)
        else:
            invoker = await make_invoker(function, clients, observer)
        stack.push_async_callback(invoker.aclose)
        gate = await self._gate(function, invoker, observer, registry)
        return Target(function.name, invoker, Permits(invoker.concurrency), gate)

    async def _gate(
        self, function: AnyFunction, invoker: Invoker, observer: Observer, registry: Registry | None
    ) -> Gate:
        remembered, remember = False, _nothing
        if registry is not None and isinstance(function, LocalFunction | CommandFunction):
            known = await anyio.to_thread.run_sync(fingerprint, function, [function.code, *function.layers])
            remembered = registry.remembers(function.name, known)
            remember = lambda: registry.remember(function.name, known)  # noqa: E731
        if remembered:
            self._changes.tried.add(function.name)
        return Gate(
            function.name,
            invoker,
            observer=observer,
            jitter=self._jitter,
            backoff=PROBE_BACKOFF,
            remembered=remembered,
            on_ready=remember,
        )

    # --- mappings ---------------------------------------------------------------------------------------------------

    async def _work(
        self,
        mapping: EventSourceMapping,
        targets: dict[str, Target],
        clients: Clients,
        endpoint: Endpoint,
        observer: Observer,
    ) -> Work:
        target = targets[mapping.function_name]
        source = await self._source(mapping, clients, endpoint)
        envelope = RecordsEnvelope()
        dispatcher = Dispatcher(
            mapping=mapping.name,
            target=target,
            policy=Policy(Progress.NONE, partial=mapping.partial_responses),
            envelope=envelope,
            identifiers="string",
            clock=self._clock,
            jitter=self._jitter,
            observer=observer,
        )
        limits = Limits(mapping.batch_limit, mapping.window, envelope)
        settings = FeedSettings(
            dispatcher=dispatcher,
            slots=lambda: SingleSlot(limits, grouped=bool(mapping.arn and mapping.arn.is_fifo)),
            keeps=Keeps(mapping.kind, mapping.patterns) if mapping.patterns and mapping.kind else keep_all,
            backoff=SOURCE_BACKOFF,
            lent=source.lent,
        )
        return Work(mapping, Supervisor(settings, source), target)

    async def _source(self, mapping: EventSourceMapping, clients: Clients, endpoint: Endpoint) -> Source:
        arn, function = mapping.arn, self._config.functions[mapping.function_name]
        if arn is None or mapping.kind is None or not mapping.kind.is_queue:
            raise BugError(f"mapping {mapping.name} has a source that the rules should have refused: {mapping.source}")
        client = await clients.get("sqs", region=arn.region)

        async def connect() -> Any:
            return client

        settings = QueueSettings(
            arn=arn,
            window=mapping.window,
            function_timeout=function.deadline,
            receivers=receivers_of(mapping, function),
            endpoint_url=endpoint.url if isinstance(endpoint, Local) else None,
            rewrite_urls=self._settings.aws.rewrite_queue_urls,
        )
        source = SqsSource(settings, connect, self._clock, self._jitter)
        return DrySource(source, mapping.name, function.name, self._show) if self._settings.dry_run else source


def receivers_of(mapping: EventSourceMapping, function: AnyFunction) -> int:
    """The most receivers of a mapping: its maximum concurrency, else the function's, else AWS's five; a number of its
    own bounds them further."""
    limit = mapping.maximum_concurrency or _concurrency_of(function) or RECEIVERS_DEFAULT
    return (
        min(limit, mapping.receivers)
        if mapping.receivers and mapping.maximum_concurrency
        else mapping.receivers or limit
    )


def _concurrency_of(function: AnyFunction) -> int | None:
    return function.processes if isinstance(function, LocalFunction | CommandFunction) else function.concurrency


def refuse_real_aws(config: Config, endpoint: Endpoint) -> None:
    """The guard. Raises ConfigError where queues would be real AWS's and nobody said so."""
    if isinstance(endpoint, Refused) and any(mapping.enabled for mapping in config.mappings.values()):
        raise ConfigError([endpoint.problem])


async def make_invoker(function: AnyFunction, clients: Clients, observer: Observer) -> Invoker:
    """The way to invoke a function. Raises ConfigError where it is known without a try that there is none."""
    clock = SystemClock()
    match function:
        case RemoteFunction(invoke=invoke):
            client = await clients.get("lambda", invoke.endpoint_url)
            return RemoteInvoker(
                client,
                invoke.function_name,
                clock=clock,
                qualifier=invoke.qualifier,
                timeout=function.deadline,
                concurrency=function.concurrency,
            )
        case HttpFunction():
            return HttpInvoker(function.http, clock=clock, timeout=function.deadline, concurrency=function.concurrency)
        case _:
            raise ConfigError([Problem("local functions are not here yet", f"functions.{function.name}")])


async def _url_of(function: AnyFunction, clients: Clients) -> str | None:
    """Where a remote function is; None for a local one."""
    match function:
        case RemoteFunction(invoke=invoke):
            endpoint = await clients.target("lambda", invoke.endpoint_url)
            return endpoint.url if isinstance(endpoint, Local) else None
        case HttpFunction():
            return function.http
        case _:
            return None


def _nothing() -> None:
    """Nothing to remember."""

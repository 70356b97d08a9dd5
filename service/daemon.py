"""The daemon: puts a configuration together into what runs. With `functions.py` the only place that knows concrete
classes.

What happens to the parts while they run is in `life.py`. What can be found wrong is found here, before the first
message is touched.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from ..config.clients.aws import AwsSettings, Clients
from ..config.clients.endpoints import Local, Refused, would_call_itself
from ..config.clients.endpoints import Target as Endpoint
from ..config.clock import Clock, Jitter, SystemClock, system_jitter
from ..config.errors import BugError, ConfigError, Problem
from ..config.function import CommandFunction, ExternalFunction, LocalFunction, describe
from ..config.limits import RECEIVERS_DEFAULT
from ..config.loader import AnyFunction, Config
from ..config.mapping import EventSourceMapping
from ..dispatch.backoff import Backoff
from ..dispatch.batcher import Limits
from ..dispatch.dispatcher import Dispatcher, Target
from ..dispatch.events import RecordsEnvelope
from ..dispatch.invokers.base import Invoker
from ..dispatch.observer import Observer, Observers
from ..dispatch.permits import Gate, Permits
from ..dispatch.policy import Policy, Progress
from ..dispatch.slots import SingleSlot
from ..pollers.feed import FeedSettings
from ..pollers.source import Source
from ..pollers.sqs import LOCAL_POLL, LONG_POLL, QueueSettings, SqsSource
from ..pollers.supervisor import Supervisor
from .account import Account
from .api.server import address_of, bind
from .dry_run import DryInvoker, DrySource, Show, Verdict
from .exits import Exit
from .filters import Keeps, keep_all
from .first_lines import say_first_lines, watch_foreign
from .functions import Functions, url_of
from .life import Life, Outside
from .metrics import Labels, Metrics
from .plant import Changes, Plant, Work
from .registry import Forgetting, Registry, fingerprint
from .state import StateDirectory
from .telemetry import Action, Log, Logs

SOURCE_BACKOFF = Backoff(base=0.5, cap=5.0)
"""Between attempts to reach a source: short, because somebody waits for the emulator or the queue that they start."""
IDLE_POLL = 1
"""Seconds of a long poll when the run ends with the work."""
PROBE_BACKOFF = Backoff(base=0.5, cap=10.0)
"""Between probes of a function that cannot start."""
EXTERNAL_BACKOFF = Backoff(base=0.5, cap=1.0)
"""The same for a runtime that somebody is about to start; such a probe is only a look."""


def say(line: str) -> None:
    """A line to standard output. Whoever read it may be gone, which is no reason to stop."""
    with suppress(BrokenPipeError):
        print(line, flush=True)


def say_verdict(verdict: Verdict) -> None:
    say(f"{verdict.mapping}\t{verdict.id}\t{verdict.text}")


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
        show: Show = say_verdict,
    ) -> None:
        self._config = config
        self._settings = config.settings
        self._log = log
        self._out = out
        self._show = show
        self._extra_observers = observers
        self._clock = SystemClock()
        self._account = Account(config.mappings)
        self._metrics = Metrics(
            Labels(name, str(mapping.kind), mapping.function_name) for name, mapping in config.mappings.items()
        )
        self._changes = Changes()

    async def run(self) -> Exit:
        """Until a signal, or until idle. Raises ConfigError, StateError and ListenError, each before anything began."""
        async with AsyncExitStack() as stack:
            clients = await stack.enter_async_context(Clients(AwsSettings(**self._settings.aws.arguments())))
            endpoint = await clients.target("sqs")
            refuse_real_aws(self._config, endpoint)
            registry, scratch = self._state(stack)
            listener = None if self._settings.dry_run else self._listener(stack)
            observer = self._observer(registry)
            functions = Functions(self._config, clients, observer, scratch)
            stack.callback(functions.close)
            plant = await self._plant(_Making(self, clients, endpoint, functions, observer, registry), stack)
            if listener is not None:
                await self._refuse_loops(clients, listener)
            self._say_start(endpoint, listener)
            return await Life(plant, self._settings, self._outside(plant, clients, listener), self._clock).run()

    # --- before anything begins -------------------------------------------------------------------------------------

    def _state(self, stack: AsyncExitStack) -> tuple[Registry | None, Path]:
        """What is remembered, and a directory for what functions need. A dry run remembers nothing and runs none."""
        if self._settings.dry_run:
            return None, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-")))
        state = StateDirectory.open(self._settings.state)
        stack.callback(state.close)
        return Registry(state.path), state.path.absolute()

    def _listener(self, stack: AsyncExitStack) -> socket.socket:
        listener = bind(self._settings.listen)
        stack.callback(listener.close)
        return listener

    def _observer(self, registry: Registry | None) -> Observers:
        own: list[Observer] = [self._account, self._metrics, Logs(self._log), self._changes]
        if registry is not None:
            own.append(Forgetting(registry))
        return Observers([*own, *self._extra_observers])

    async def _plant(self, making: _Making, stack: AsyncExitStack) -> Plant:
        mappings = [mapping for mapping in self._config.mappings.values() if mapping.enabled]
        names = sorted({mapping.function_name for mapping in mappings})
        if not self._settings.dry_run:
            await making.functions.refuse_unstartable(names)
        targets: dict[str, Target] = {}
        for name in names:
            targets[name] = await making.target(self._config.functions[name])
            stack.push_async_callback(targets[name].invoker.aclose)
        works = [await making.work(mapping, targets[mapping.function_name]) for mapping in mappings]
        described = {name: (target, describe(self._config.functions[name])) for name, target in targets.items()}
        plant = Plant(self._config.mappings, works, described, self._account, self._changes)
        self._metrics.look_at(plant)
        return plant

    async def _refuse_loops(self, clients: Clients, listener: socket.socket) -> None:
        """As the loader does for what stands in the file; here for profiles and for a port that was free."""
        listen = str(address_of(listener))
        for name, function in self._config.functions.items():
            url = await url_of(function, clients)
            if url and would_call_itself(url, listen):
                what = f"{url} is this daemon's own address: it would call itself for ever"
                raise ConfigError([Problem(what, f"functions.{name}", hint="name the emulator's address")])

    # --- around it --------------------------------------------------------------------------------------------------

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
        listen = str(address_of(listener)) if listener else ""
        ours = isinstance(endpoint, Local) and listen and would_call_itself(endpoint.url, listen)
        if ours or isinstance(endpoint, Refused):
            return None
        try:
            return await clients.get("lambda")
        except ConfigError:  # it is only asked out of courtesy
            return None

    # --- what `_Making` needs ---------------------------------------------------------------------------------------

    @property
    def config(self) -> Config:
        return self._config

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def show(self) -> Show:
        return self._show

    @property
    def changes(self) -> Changes:
        return self._changes


def refuse_real_aws(config: Config, endpoint: Endpoint) -> None:
    """The guard. Raises ConfigError where queues would be real AWS's and nobody said so."""
    if isinstance(endpoint, Refused) and any(mapping.enabled for mapping in config.mappings.values()):
        raise ConfigError([endpoint.problem])


class _Making:
    """Makes targets and works out of the configuration."""

    def __init__(
        self,
        daemon: Daemon,
        clients: Clients,
        endpoint: Endpoint,
        functions: Functions,
        observer: Observer,
        registry: Registry | None,
    ) -> None:
        self._config = daemon.config
        self._dry_run = daemon.config.settings.dry_run
        self._show = daemon.show
        self._changes = daemon.changes
        self._clock = daemon.clock
        self._jitter: Jitter = system_jitter()
        self._clients = clients
        self._endpoint = endpoint
        self.functions = functions
        self._observer = observer
        self._registry = registry

    # --- functions --------------------------------------------------------------------------------------------------

    async def target(self, function: AnyFunction) -> Target:
        invoker: Invoker = DryInvoker(self._clock) if self._dry_run else await self.functions.invoker(function)
        gate = await self._gate(function, invoker)
        return Target(function.name, invoker, Permits(invoker.concurrency), gate)

    async def _gate(self, function: AnyFunction, invoker: Invoker) -> Gate:
        remembered, remember = await self._memory(function)
        if remembered:
            self._changes.tried.add(function.name)
        return Gate(
            function.name,
            invoker,
            observer=self._observer,
            jitter=self._jitter,
            backoff=EXTERNAL_BACKOFF if isinstance(function, ExternalFunction) else PROBE_BACKOFF,
            remembered=remembered,
            on_ready=remember,
        )

    async def _memory(self, function: AnyFunction) -> tuple[bool, Callable[[], None]]:
        """Whether the function is known to start, and how to remember it."""
        registry = self._registry
        if registry is None or not isinstance(function, LocalFunction | CommandFunction):
            return False, _nothing
        known = await anyio.to_thread.run_sync(fingerprint, function, [function.code, *function.layers])
        return registry.remembers(function.name, known), lambda: registry.remember(function.name, known)

    # --- mappings ---------------------------------------------------------------------------------------------------

    async def work(self, mapping: EventSourceMapping, target: Target) -> Work:
        source = await self._source(mapping)
        envelope = RecordsEnvelope()
        limits = Limits(mapping.batch_limit, mapping.window, envelope)
        dispatcher = Dispatcher(
            mapping=mapping.name,
            target=target,
            policy=Policy(Progress.NONE, partial=mapping.partial_responses),
            envelope=envelope,
            identifiers="string",
            clock=self._clock,
            jitter=self._jitter,
            observer=self._observer,
        )
        settings = FeedSettings(
            dispatcher=dispatcher,
            slots=lambda lane, window: SingleSlot(limits, grouped=bool(mapping.arn and mapping.arn.is_fifo)),
            keeps=Keeps(mapping.kind, mapping.patterns) if mapping.patterns and mapping.kind else keep_all,
            backoff=SOURCE_BACKOFF,
            lent=source.lent,
        )
        return Work(mapping, Supervisor(settings, source), target)

    async def _source(self, mapping: EventSourceMapping) -> Source:
        arn, function = mapping.arn, self._config.functions[mapping.function_name]
        if arn is None or mapping.kind is None or not mapping.kind.is_queue:
            raise BugError(f"mapping {mapping.name} has a source that the rules should have refused: {mapping.source}")
        settings = QueueSettings(
            arn=arn,
            window=mapping.window,
            function_timeout=function.deadline,
            receivers=receivers_of(mapping, function),
            endpoint_url=self._endpoint.url if isinstance(self._endpoint, Local) else None,
            rewrite_urls=self._config.settings.aws.rewrite_queue_urls,
            long_poll=self._long_poll(),
        )
        connect = _Connected(await self._clients.get("sqs", region=arn.region))
        source = SqsSource(settings, connect, self._clock, self._jitter)
        return DrySource(source, mapping.name, function.name, self._show) if self._dry_run else source

    def _long_poll(self) -> int:
        """Short where somebody waits for the end of the run."""
        if self._config.settings.until_idle is not None:
            return IDLE_POLL
        return LOCAL_POLL if isinstance(self._endpoint, Local) else LONG_POLL


@dataclass(frozen=True, slots=True)
class _Connected:
    """Gives the client that was made at the start; what is wrong with its settings was said then."""

    client: Any

    async def __call__(self) -> Any:
        return self.client


def receivers_of(mapping: EventSourceMapping, function: AnyFunction) -> int:
    """The most receivers of a mapping: its maximum concurrency, else the function's, else AWS's five. A number of its
    own takes the place of the last two, and bounds the first."""
    if mapping.maximum_concurrency:
        return min(mapping.maximum_concurrency, mapping.receivers or mapping.maximum_concurrency)
    return mapping.receivers or _concurrency_of(function) or RECEIVERS_DEFAULT


def _concurrency_of(function: AnyFunction) -> int | None:
    return function.processes if isinstance(function, LocalFunction | CommandFunction) else function.concurrency


def _nothing() -> None:
    """Nothing to remember."""

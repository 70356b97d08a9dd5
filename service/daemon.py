"""The daemon: puts a configuration together into what runs. With `functions.py` and `sources.py` the only place that
knows concrete classes.

What happens to the parts while they run is in `life.py`. What can be found wrong is found here, before the first
message is touched.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from ..config.clients.aws import AwsSettings, Clients
from ..config.clients.endpoints import Local, Refused, would_call_itself
from ..config.clients.kafka import MappingAccess
from ..config.clock import Clock, Jitter, ServiceClock, SystemClock, system_jitter
from ..config.errors import ConfigError, Problem
from ..config.function import CommandFunction, ExternalFunction, LocalFunction, describe
from ..config.limits import SourceKind
from ..config.loader import AnyFunction, Config
from ..config.mapping import EventSourceMapping
from ..dispatch.backoff import Backoff
from ..dispatch.destinations.aws import make_destination
from ..dispatch.destinations.base import Destination, kafka_documents, stream_documents
from ..dispatch.destinations.kafka import KafkaDestination
from ..dispatch.destinations.persistence import FailureDestination
from ..dispatch.dispatcher import Dispatcher, Target
from ..dispatch.documents import Subject
from ..dispatch.invokers.base import Invoker
from ..dispatch.observer import Observer, Observers
from ..dispatch.permits import Gate, Permits
from ..pollers.checkpoints.memory import MemoryCheckpoints
from ..pollers.checkpoints.store import CheckpointStore
from ..pollers.feed import FeedSettings
from ..pollers.source import Source
from ..pollers.supervisor import Supervisor
from .account import Account
from .api.server import address_of, bind
from .dispatching import ahead_of, envelope_of, function_arn, kafka_subject, persistence_of, policy_of, slots_of
from .dry_run import DryInvoker, Show, Verdict, dry
from .endpoints import Endpoints
from .exits import Exit
from .filters import Keeps, keep_all
from .first_lines import say_first_lines, watch_foreign
from .functions import Functions, url_of
from .life import Life, Outside
from .mapping_logs import MappingLogs
from .metrics import Labels, Metrics
from .plant import Changes, Plant, Work
from .positions import are_stored, open_positions, unused_line, without_mapping
from .registry import Forgetting, Registry, fingerprint
from .sources import Sources, refuse_missing_libraries
from .state import StateDirectory
from .telemetry import Action, Log

SOURCE_BACKOFF = Backoff(base=0.5, cap=5.0)
"""Between attempts to reach a source: short, because somebody waits for the emulator or the queue that they start."""
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
        self._jitter = system_jitter()
        self._account = Account(config.mappings)
        self._metrics = Metrics(
            Labels(name, str(mapping.kind), mapping.function_name) for name, mapping in config.mappings.items()
        )
        self._changes = Changes()

    async def run(self) -> Exit:
        """Until a signal, or until idle. Raises ConfigError, StateError and ListenError, each before anything began."""
        refuse_missing_libraries(self._config)
        async with AsyncExitStack() as stack:
            clients = await stack.enter_async_context(Clients(AwsSettings(**self._settings.aws.arguments())))
            endpoints = await Endpoints.find(self._config.mappings.values(), clients)
            endpoints.refuse_real_aws(self._config.mappings.values())
            registry, scratch = self._state(stack)
            store = await self._positions(stack, scratch)
            listener = None if self._settings.dry_run else self._listener(stack)
            observer = self._observer(registry)
            functions = Functions(self._config, clients, observer, scratch)
            stack.callback(functions.close)
            sources = Sources(self._config, clients, endpoints, store, self._clock, self._jitter, observer)
            making = _Making(self, clients, functions, observer, registry, sources.access)
            plant = await self._plant(making, sources, stack)
            if listener is not None:
                await self._refuse_loops(clients, listener)
            await self._say_start(endpoints, store, listener)
            return await Life(plant, self._settings, self._outside(plant, clients, listener), self._clock).run()

    # --- before anything begins -------------------------------------------------------------------------------------

    def _state(self, stack: AsyncExitStack) -> tuple[Registry | None, Path]:
        """What is remembered, and a directory for what functions need. A dry run remembers nothing and runs none."""
        if self._settings.dry_run:
            return None, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-")))
        state = StateDirectory.open(self._settings.state)
        stack.callback(state.close)
        return Registry(state.path), state.path.absolute()

    async def _positions(self, stack: AsyncExitStack, state: Path) -> CheckpointStore | None:
        """Where the positions of streams are kept; None where there are neither. Raises UnusableState. A dry run keeps
        them for itself, so each time it begins where the mapping says."""
        reads = any(mapping.kind and mapping.kind.is_stream for mapping in self._config.enabled)
        if self._settings.dry_run:
            return MemoryCheckpoints() if reads else None
        if not reads and not are_stored(state):
            return None
        store = await open_positions(state)
        stack.push_async_callback(store.aclose)
        return store

    def _listener(self, stack: AsyncExitStack) -> socket.socket:
        listener = bind(self._settings.listen)
        stack.callback(listener.close)
        return listener

    def _observer(self, registry: Registry | None) -> Observers:
        own: list[Observer] = [
            self._account,
            self._metrics,
            MappingLogs(self._config.mappings.values(), self._log),
            self._changes,
        ]
        if registry is not None:
            own.append(Forgetting(registry))
        return Observers([*own, *self._extra_observers])

    async def _plant(self, making: _Making, sources: Sources, stack: AsyncExitStack) -> Plant:
        mappings = self._config.enabled
        names = sorted({mapping.function_name for mapping in mappings})
        if not self._settings.dry_run:
            await making.functions.refuse_unstartable(names)
        targets: dict[str, Target] = {}
        for name in names:
            targets[name] = await making.target(self._config.functions[name])
            stack.push_async_callback(targets[name].invoker.aclose)
        works = []
        for mapping in mappings:
            clock = ServiceClock(self._clock)
            source = await sources.source(mapping, clock)
            works.append(await making.work(mapping, targets[mapping.function_name], source, clock))
        for work in works:
            if work.destination is not None:
                stack.push_async_callback(work.destination.destination.aclose)
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

    async def _say_start(
        self, endpoints: Endpoints, store: CheckpointStore | None, listener: socket.socket | None
    ) -> None:
        say_first_lines(self._log, self._config, endpoints)
        left = without_mapping(await store.kept(), self._config.mappings.values()) if store is not None else []
        if left:
            self._log.warning(Action.POSITIONS, unused_line(left))
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
    def jitter(self) -> Jitter:
        return self._jitter

    @property
    def show(self) -> Show:
        return self._show

    @property
    def changes(self) -> Changes:
        return self._changes


class _Making:
    """Makes targets and works out of the configuration."""

    def __init__(
        self,
        daemon: Daemon,
        clients: Clients,
        functions: Functions,
        observer: Observer,
        registry: Registry | None,
        access: Callable[[EventSourceMapping], MappingAccess],
    ) -> None:
        self._config = daemon.config
        self._dry_run = daemon.config.settings.dry_run
        self._show = daemon.show
        self._changes = daemon.changes
        self._clock = daemon.clock
        self.jitter: Jitter = daemon.jitter
        self._clients = clients
        self.functions = functions
        self._observer = observer
        self._registry = registry
        self._access = access

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
            jitter=self.jitter,
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

    async def work(self, mapping: EventSourceMapping, target: Target, source: Source, clock: Clock) -> Work:
        """`clock`: by which the age of the source's records is judged."""
        envelope = envelope_of(mapping, lambda: str(self._access(mapping)))
        destination = await self._destination(mapping)
        dispatcher = Dispatcher(
            mapping=mapping.name,
            target=target,
            policy=policy_of(mapping),
            envelope=envelope,
            identifiers="kafka" if mapping.kind is SourceKind.KAFKA else "string",
            clock=clock,
            jitter=self.jitter,
            observer=self._observer,
            destination=destination,
        )
        ahead_records, ahead_bytes = ahead_of(mapping)
        settings = FeedSettings(
            dispatcher=dispatcher,
            slots=slots_of(mapping, envelope, dispatcher.now),
            keeps=Keeps(mapping.kind, mapping.patterns) if mapping.patterns and mapping.kind else keep_all,
            backoff=SOURCE_BACKOFF,
            lent=source.lent,
            ahead_records=ahead_records,
            ahead_bytes=ahead_bytes,
        )
        if self._dry_run:
            source = dry(source, mapping.name, target.name, self._show)
        return Work(mapping, Supervisor(settings, source), target, destination)

    async def _destination(self, mapping: EventSourceMapping) -> FailureDestination | None:
        """Where discarded records are told of; nowhere in a dry run."""
        destination = None if self._dry_run else await self._place(mapping)
        if destination is None:
            return None
        persistence = persistence_of(self._config.settings.destinations)
        return FailureDestination(mapping.name, destination, persistence, self._clock, self.jitter, self._observer)

    async def _place(self, mapping: EventSourceMapping) -> Destination | None:
        """What takes the documents of a mapping."""
        aws = self._config.settings.aws
        subject = kafka_subject(mapping, aws, lambda: str(self._access(mapping)))
        if mapping.failure_topic:
            return KafkaDestination(mapping.failure_topic, self._access(mapping), subject)
        if mapping.failure_destination is None:
            return None
        match mapping.kind:
            case SourceKind.KAFKA:
                documents = kafka_documents(subject)
            case SourceKind.DYNAMODB:
                documents = stream_documents("dynamodb", Subject(function_arn(mapping, aws)))
            case _:
                documents = stream_documents("kinesis", Subject(function_arn(mapping, aws)))
        return await make_destination(mapping.failure_destination, self._clients, documents, mapping.uuid)


def _nothing() -> None:
    """Nothing to remember."""

"""The daemon: turns a configuration into running parts. With `source_factory.py`, `mapping_factory.py`,
`invokers.py`, `api_functions.py` and `function_factory.py` the only place that knows concrete classes.

`life.py` runs the parts. This module finds configuration problems before the first
message is received.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from ...config.addresses import is_loopback, would_call_itself
from ...config.clients.aws import AwsSettings, Clients
from ...config.clients.endpoints import LocalEndpoint, RefusedEndpoint
from ...config.clock import SystemClock, system_jitter
from ...config.core.stop_budget import NEVER, StopBudget, soon
from ...config.errors import ConfigError, Problem
from ...config.loader import Config
from ...config.mapping import EventSourceMapping
from ...dispatch.core.observer import Observer, Observers
from ...dispatch.core.trace_carriers import Handing
from ...pollers.checkpoints.store import CheckpointStore
from ..api.calls.mappings import MappingCalls
from ..api.calls.tags import TagCalls
from ..api.code_downloads import CodeDownloads
from ..api.core.access import FUNCTION_KEY, ApiAccess
from ..api.forwarding import Forwarding
from ..api.lambda_api import LambdaApi
from ..api.server import address_of, bind, reached_at
from ..api.steering import Outlook, Steering
from ..api.wire.call import Group
from ..control.store.attachments import Attachments
from ..control.store.uploads import Uploads
from ..control.store.upstream_layers import UpstreamLayers
from ..running.dry_run import Show
from ..running.emulator_follower import EmulatorFollower, GivingBack
from ..running.functions import RunningFunctions, reference_of
from ..running.mappings import Changes, Companion, RunningMappings
from ..running.pauses import KIND as PAUSE
from ..running.pauses import Pauses, paused_of
from ..running.positions import PositionLevers
from ..running.progress import Progresses
from ..running.reconciler import Reconciler, ReconcilerParts
from ..running.state_watch import StateWatch
from ..running.tending import tended
from ..telemetry import stray_errors
from ..telemetry.account import Account
from ..telemetry.cloudwatch import CloudWatch, counted_of
from ..telemetry.core.event_counts import EventCounts
from ..telemetry.core.mapping_model import Instant
from ..telemetry.fault_reports import FaultReports
from ..telemetry.filter_lines import say_filters
from ..telemetry.function_lines import LinesOfFunctions
from ..telemetry.function_telemetry import FunctionLines, FunctionMetrics
from ..telemetry.log import Action, Log
from ..telemetry.log_shipping import LogShipping, Mode
from ..telemetry.mapping_logs import MappingLogs, log_of
from ..telemetry.metrics import Labels, Metrics
from ..telemetry.reload_metrics import ReloadMetrics
from ..telemetry.sight import Sight
from ..telemetry.span_metrics import SpanMetrics
from ..telemetry.tails import Tails
from ..telemetry.taps import Taps
from . import accounts, garbage, signals
from .api_functions import ApiFunctions, DaemonParts, Served
from .bounded_exits import bounded_exits
from .control_plane import ControlPlane
from .embedding import ALONE, Embedding
from .endpoints import ServiceEndpoints
from .exits import Exit
from .function_factory import FunctionFactory
from .invokers import InvokerFactory, url_of
from .known_starts import ForgetfulObserver, KnownStarts
from .leaving import Leaving
from .life import Life, Outside
from .live_config import LiveConfig
from .local_copies import LocalCopies, is_own
from .local_functions import OwnApi
from .mapping_factory import MappingFactory
from .positions import Positions, Volatile, are_stored, unused_line, without_mapping
from .reload_steps import ReloadSteps
from .reloading import Reloading
from .source_factory import SourceFactory, refuse_missing_libraries
from .start_lines import say_first_lines, watch_foreign
from .state import StateDirectory, former_directory
from .take_over import AskedEmulator, BorrowedFunctions, emulator_at, emulator_url, left_off_line, refuse_own
from .tracing import Tracing, open_tracing

Keeper = Callable[[], Coroutine[Any, Any, None]]
"""Runs beside the mappings until it is cancelled."""


class Daemon:
    """One run of one configuration.

    `out` writes a line to standard output, and `show` a result of a dry run: both must return at once, because they are
    called in the event loop. `observers` get every event after our own; tests use one that kills the process. `leaving`
    ends the process when the daemon does not end by itself. `embedding`: what the program around it replaces.
    """

    def __init__(
        self,
        config: Config,
        log: Log,
        *,
        out: Callable[[str], object],
        show: Show = lambda verdict: None,
        observers: Sequence[Observer] = (),
        leaving: Leaving | None = None,
        embedding: Embedding = ALONE,
        read: Callable[[], Config] | None = None,
        watched: Sequence[Path] = (),
    ) -> None:
        """`read` reads the configuration again, as this one was read; None where it cannot be. `watched`: paths that
        are read again when their files change."""
        self._config = config
        self._embedding = embedding
        self._settings = config.settings
        self._log = log
        self._out = out
        self._show = show
        self._extra_observers = observers
        self._leaving = leaving or Leaving(lambda within: None, lambda code: None)
        self._clock = SystemClock()
        self._jitter = system_jitter()
        self._functions_secret = secrets.token_hex(20)
        self._account = Account(config.mappings)
        self._metrics = Metrics(
            Labels(name, str(mapping.kind), reference_of(mapping)) for name, mapping in config.mappings.items()
        )
        self._function_metrics = FunctionMetrics(self._metrics.registry)
        self._faults = FaultReports(log, self._metrics.registry)
        self._reloading = Reloading(
            config, read, log, ReloadMetrics(self._metrics.registry), self._clock, [Path(each) for each in watched]
        )
        self._mapping_logs = MappingLogs(config.mappings.values(), log)
        self._tails = Tails()
        self._progresses = Progresses()
        kept = self._settings.journal
        self._sight = Sight(self._now, kept.records, payloads=kept.payloads)
        self._taps = Taps(self._clock.wall)
        self._lines = LinesOfFunctions(self._clock.wall)
        self._borrowed = BorrowedFunctions()
        self._tracing = Tracing()
        self._event_counts = EventCounts()
        self._cloudwatch: tuple[Companion, ...] = ()
        self._span_metrics = SpanMetrics(self._metrics.registry)
        self._changes = Changes()
        self._state_watch = StateWatch(log, self._changes.changed)
        self._live = LiveConfig(config)
        self._life: Life | None = None
        self._starting: anyio.CancelScope | None = None

    def _now(self) -> Instant:
        return Instant(self._clock.monotonic(), self._clock.wall())

    async def run(self) -> Exit:
        """Run until a signal, or until idle. Raises ConfigError, StateError and ListenError, each before any part
        starts."""
        asyncio.get_running_loop().set_exception_handler(stray_errors.handler(self._log))
        alone = self._embedding.standalone
        heard = signals.watched(self._signalled, self._leaving.at_once, self._hung_up) if alone else nullcontext()
        with anyio.CancelScope() as self._starting, heard:
            return await self._run()
        return Exit.OK

    @property
    def life(self) -> Life | None:
        """Its life, once all parts are made."""
        return self._life

    def stop(self) -> None:
        """Begin to stop, as the first signal does."""
        if self._life is not None:
            self._life.stop()
        elif self._starting is not None:
            self._starting.cancel()

    def _signalled(self, received: signal.Signals) -> None:
        self._log.info(
            Action.SIGNAL, f"{received.name}: stopping; a second signal ends the daemon at once", signal=received.name
        )
        self.stop()
        if self._life is not None:
            return
        seconds = StopBudget.of_daemon(self._settings.stop_timeout).last_resort
        self._leaving.after(seconds, lambda: Exit.OK, lambda: None)

    def _hung_up(self) -> None:
        reads = self._reloading.can_read and not self._settings.dry_run
        text = "reading the configuration again" if reads else "there is no configuration to read again"
        self._log.info(Action.SIGNAL, f"SIGHUP: {text}", signal=signal.SIGHUP.name)
        if reads:
            self._reloading.soon()

    async def _run(self) -> Exit:
        refuse_missing_libraries(self._config)
        async with bounded_exits(self._ends) as stack:
            clients = await stack.enter_async_context(Clients(AwsSettings(**self._settings.aws.arguments())))
            endpoints = await ServiceEndpoints.find(self._config.mappings.values(), clients)
            endpoints.refuse_real_aws(self._config.mappings.values())
            emulator = await self._emulator(clients)
            registry, scratch = self._state(stack)
            await self._settle_account(clients, scratch)
            self._live = LiveConfig(self._config)
            planes = await self._planes(clients, stack, scratch)
            positions = await self._positions(stack, scratch)
            listener = None if self._settings.dry_run else self._listener(stack)
            own = self._observer(registry)
            self._cloudwatch = self._counting(clients)
            self._tracing = open_tracing(self._settings, self._log, self._span_metrics)
            logs = LogShipping(self._logs_mode, clients, own, self._clock, self._jitter)
            observer = Observers(
                [own, *self._tracing.observers, logs, self._tails, *self._extra_observers], self._faults.of_observer
            )
            functions = InvokerFactory(self._live, clients, observer, scratch, self._own(listener))
            stack.callback(functions.close)
            made = await self._api_functions(planes, functions, clients, observer, scratch, stack)
            fleet = self._fleet(functions, registry, observer, made)
            served = made.served(fleet, address_of(listener)) if made and listener else Served()
            sources = self._sources(clients, endpoints, positions.store, observer)
            works = self._works(clients, fleet, sources, observer)
            follower = self._follower(emulator, planes, functions, clients, listener)
            plant = await self._plant(functions, fleet, works, planes, stack, served.parts, logs, follower)
            following = self._following(planes, plant, works, sources, positions)
            keepers = await self._keepers(planes, following)
            if planes is not None and following is not None:
                listen = str(address_of(listener)) if listener else ""
                self._reloading.begin(
                    ReloadSteps(self._live, clients, endpoints, functions, planes, plant, following, self._log, listen)
                )
            if listener is not None:
                await self._refuse_loops(clients, listener)
            await self._say_start(endpoints, positions, planes, listener)
            api = self._api(listener, [*served.groups, *self._groups(planes, sources)], planes, stack)
            steering = self._steering(listener, planes, plant, following, sources)
            outside = self._outside(plant, keepers, clients, listener, api, served.code, steering)
            self._life = Life(plant, self._settings, outside, self._clock)
            return await self._life.run()

    def _ends(self) -> float:
        """The time by which everything must be closed (monotonic)."""
        times = self._life.times if self._life else NEVER
        return soon(times.leave, self._clock.monotonic())

    # --- before anything begins -------------------------------------------------------------------------------------

    def _state(self, stack: AsyncExitStack) -> tuple[KnownStarts | None, Path]:
        """The state directory, and a scratch directory for functions. A dry run stores nothing and runs no function."""
        if self._settings.dry_run:
            return None, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-")))
        state = StateDirectory.open(self._settings.state)
        stack.callback(state.close)
        self._state_watch.add(state)
        if line := former_directory(state.path):
            self._log.warning(Action.POSITIONS, line)
        return KnownStarts(state.path), state.path.absolute()

    async def _settle_account(self, clients: Clients, state: Path) -> None:
        """Find the account before anything has an ARN. A dry run does not."""
        if not self._settings.dry_run:
            self._config = await accounts.settled(self._config, clients, state, self._log)
            self._settings = self._config.settings

    async def _emulator(self, clients: Clients) -> AskedEmulator | None:
        """Whose mappings are taken over. Raises ConfigError for real AWS. A dry run takes nothing over."""
        if self._settings.dry_run or not self._settings.take_over.enabled:
            return None
        url = await emulator_url(self._settings, clients)
        self._borrowed = BorrowedFunctions(url)
        return await emulator_at(url, clients)

    def _follower(
        self,
        emulator: AskedEmulator | None,
        planes: ControlPlane | None,
        functions: InvokerFactory,
        clients: Clients,
        listener: socket.socket | None,
    ) -> EmulatorFollower | None:
        """Raises ConfigError for an emulator that is this daemon."""
        if emulator is None or planes is None:
            return None
        if listener is not None:
            refuse_own(emulator.url, str(address_of(listener)))
        plane = planes.functions
        uploads, theirs = Uploads(plane.code, clients), UpstreamLayers(clients, emulator.url)
        attachments = Attachments(planes.layers, uploads, self._settings.layers, theirs, theirs=True)
        copies = LocalCopies(emulator.client, plane, uploads, attachments, partial(functions.obstacle, here=plane.here))
        return EmulatorFollower(
            emulator,
            planes.mappings,
            copies.prepare if self._settings.take_over.functions == "local" else self._borrowed.prepare,
            self._log,
            interval=self._settings.take_over.interval,
            deaf=emulator.deaf,
            changed=self._changes.changed,
        )

    async def _planes(self, clients: Clients, stack: AsyncExitStack, state: Path) -> ControlPlane | None:
        """The API's functions and mappings. Raises UnusableState, and ConfigError for real AWS without a
        region. A dry run uses the configuration alone."""
        if self._settings.dry_run:
            return None
        region, borrowed = await clients.region(), self._borrowed.find
        planes = await ControlPlane.open(state, self._config, region, self._clock, self._log, stack, borrowed)
        self._state_watch.add(planes.documents.file)
        plane = planes.functions
        self._borrowed.look_at(lambda name: is_own(plane.find(name)))
        if self._settings.take_over.functions == "invoke":
            for mapped in (*planes.mappings.taken.values(), *planes.mappings.noted.values()):
                self._borrowed.add(mapped.config.function_name)
        for name, mapping in self._config.mappings.items():
            if mapping.uuid not in planes.mappings.all:  # the API deleted it
                self._metrics.remove(name)
        return planes

    async def _positions(self, stack: AsyncExitStack, state: Path) -> Positions | Volatile:
        """The store of stream positions. Raises UnusableState. A dry run keeps positions in memory, so each time
        it begins at the mapping's starting position."""
        if self._settings.dry_run:
            return Volatile()
        positions = Positions(state, self._state_watch.add)
        stack.push_async_callback(positions.aclose)
        if are_stored(state) or any(mapping.profile.keeps_positions for mapping in self._config.enabled):
            await positions.store()  # damaged positions prevent the start
        return positions

    def _listener(self, stack: AsyncExitStack) -> socket.socket:
        listener = bind(self._settings.listen)
        stack.callback(listener.close)
        return listener

    def _own(self, listener: socket.socket | None) -> OwnApi | None:
        """The Lambda API for functions. None when they cannot call it: it is not served, or a configured key
        has the functions' key id."""
        given = self._settings.api
        if listener is None or not given.enabled:
            return None
        address = address_of(listener)
        if is_loopback(address.host):
            return OwnApi(f"http://{address}")
        if any(FUNCTION_KEY.fullmatch(key_id) for key_id in given.secrets()):
            return None
        return OwnApi(f"http://{reached_at(address)}", self._functions_secret)

    def _api(
        self,
        listener: socket.socket | None,
        groups: Sequence[Group],
        planes: ControlPlane | None,
        stack: AsyncExitStack,
    ) -> LambdaApi | None:
        """The Lambda API. Raises ConfigError for an upstream that is this daemon."""
        given = self._settings.api
        if listener is None or not given.enabled:
            return None
        address = address_of(listener)
        if given.upstream and would_call_itself(given.upstream, str(address)):
            what = f"{given.upstream} is this daemon's own address: it would forward calls to itself forever"
            raise ConfigError([Problem(what, "api.upstream", hint="name the emulator's address")])
        is_ours = planes.functions.is_named if planes else lambda function: False
        api = LambdaApi(
            groups, self._access(listener), Forwarding(given.upstream), self._log, self._clock, is_ours=is_ours
        )
        stack.push_async_callback(api.aclose)
        return api

    def _observer(self, registry: KnownStarts | None) -> Observers:
        own: list[Observer] = [self._account, self._metrics, self._function_metrics, self._progresses]
        own += [self._event_counts, self._sight, self._taps, self._lines, self._changes]
        own += [self._mapping_logs, FunctionLines(self._log), self._faults]
        if registry is not None:
            own.append(ForgetfulObserver(registry))
        return Observers(own, self._faults.of_observer)

    def _counting(self, clients: Clients) -> tuple[Companion, ...]:
        """A dry run counts nothing at AWS's place."""
        if self._settings.dry_run:
            return ()
        return (CloudWatch(self._event_counts, clients, self._log, self._clock),)

    @property
    def _logs_mode(self) -> Mode:
        """The function logs; none in a dry run, because no function runs."""
        return "off" if self._settings.dry_run else self._settings.function_logs

    # --- the parts --------------------------------------------------------------------------------------------------

    async def _api_functions(
        self,
        planes: ControlPlane | None,
        functions: InvokerFactory,
        clients: Clients,
        observer: Observer,
        state: Path,
        stack: AsyncExitStack,
    ) -> ApiFunctions | None:
        if planes is None:
            return None
        given = DaemonParts(self._live, clients, observer, self._tails, self._clock, self._jitter)
        made = await ApiFunctions.open(given, planes, functions, state, stack)
        self._state_watch.add(made.events)
        return made

    def _fleet(
        self, functions: InvokerFactory, registry: KnownStarts | None, observer: Observer, made: ApiFunctions | None
    ) -> RunningFunctions:
        references = made.references if made else None
        targets = FunctionFactory(
            self._live,
            functions,
            registry,
            self._changes,
            observer,
            self._clock,
            self._jitter,
            references,
            self._borrowed.function,
            self._embedding.invoker,
        )
        environments = made.environments if made else None
        return RunningFunctions(targets.make, environments=environments, kept=self._live.functions)

    def _sources(
        self,
        clients: Clients,
        endpoints: ServiceEndpoints,
        store: Callable[[], Awaitable[CheckpointStore]],
        observer: Observer,
    ) -> SourceFactory:
        directory, make = self._live.directory, self._embedding.maker
        return SourceFactory(
            self._settings, directory, clients, endpoints, store, self._clock, self._jitter, observer, make
        )

    def _works(
        self, clients: Clients, fleet: RunningFunctions, sources: SourceFactory, observer: Observer
    ) -> MappingFactory:
        settings, directory = self._settings, self._live.directory
        return MappingFactory(
            settings,
            clients,
            fleet,
            sources,
            observer,
            self._clock,
            self._jitter,
            self._show,
            directory,
            self._embedding.destination,
            self._begin,
        )

    def _begin(self, mapping: EventSourceMapping) -> Handing:
        """What watches a mapping learns of it before it runs."""
        self._event_counts.watch(mapping.name, counted_of(mapping))
        return self._tracing.handing(mapping)

    def _paused(self, planes: ControlPlane | None) -> set[str]:
        """Names of the mappings that somebody told to wait, before a restart."""
        if planes is None:
            return set()
        return paused_of(planes.documents, {uuid: each.config.name for uuid, each in planes.mappings.all.items()})

    async def _plant(
        self,
        functions: InvokerFactory,
        fleet: RunningFunctions,
        works: MappingFactory,
        planes: ControlPlane | None,
        stack: AsyncExitStack,
        parts: Sequence[Companion],
        logs: LogShipping,
        follower: EmulatorFollower | None,
    ) -> RunningMappings:
        configured = [
            mapping
            for mapping in self._config.mappings.values()
            if planes is None or planes.mappings.is_of_the_file(mapping.uuid)
        ]
        paused = self._paused(planes)
        mappings = [mapping for mapping in configured if mapping.enabled and mapping.name not in paused]
        names = sorted({reference_of(mapping) for mapping in mappings})
        if not self._settings.dry_run:
            await functions.refuse_unstartable(names)
        stack.push_async_callback(fleet.aclose)
        for name in names:
            await fleet.member(name)
        made = [await works.work(mapping) for mapping in mappings]
        plant = RunningMappings(
            configured,
            made,
            fleet,
            self._account,
            self._changes,
            parts=(*parts, follower) if follower else parts,
            last=self._last(logs, follower),
            fault=self._faults.of_part,
            unkept=self._state_watch.reasons,
            sight=self._sight,
            coming=follower.coming if follower else lambda: None,
            origin=planes.mappings.origin if planes else lambda uuid: "file",
        )
        plant.paused |= paused
        if follower is not None:
            follower.look_at(plant)
        stack.push_async_callback(plant.aclose)
        self._metrics.look_at(plant)
        self._progresses.look_at(plant.waits_for)
        return plant

    def _last(self, logs: LogShipping, follower: EmulatorFollower | None) -> tuple[Companion, ...]:
        """What is stopped after the functions."""
        giving = (GivingBack(follower),) if follower and self._settings.take_over.give_back else ()
        return (logs, *self._tracing.parts, *self._cloudwatch, *giving)

    async def _keepers(self, planes: ControlPlane | None, following: Reconciler | None) -> list[Keeper]:
        """What keeps functions and mappings in step with the API. The stored mappings run by then."""
        if planes is None or following is None:
            return []
        planes.functions.watch(following.function_changed)
        await following.begin()
        keepers = [planes.functions.run, following.run, self._state_watch.run, self._sight.run]
        return [*keepers, self._reloading.run]

    def _following(
        self,
        planes: ControlPlane | None,
        plant: RunningMappings,
        works: MappingFactory,
        sources: SourceFactory,
        positions: Positions | Volatile,
    ) -> Reconciler | None:
        if planes is None:
            return None

        async def forget_positions(mapping: EventSourceMapping) -> None:
            if mapping.profile.keeps_positions:
                await (await positions.store()).remove(mapping.uuid)

        def forget(mapping: str) -> None:
            self._account.forget(mapping)
            self._progresses.forget(mapping)
            self._sight.forget(mapping)
            self._event_counts.watch(mapping, None)

        parts = ReconcilerParts(
            make=works.work,
            let_go=lambda mapping: sources.forget(mapping.name),
            forget_positions=forget_positions,
            metrics=self._metrics,
            logs=self._mapping_logs,
            forget=forget,
            is_paused=lambda uuid: uuid in planes.documents.all(PAUSE),
            fault=self._faults.of_part,
        )
        grace = StopBudget.of_daemon(self._settings.stop_timeout).finish
        return Reconciler(planes.mappings, plant, parts, self._log, grace=grace)

    def _steering(
        self,
        listener: socket.socket | None,
        planes: ControlPlane | None,
        plant: RunningMappings,
        following: Reconciler | None,
        sources: SourceFactory,
    ) -> Steering | None:
        if listener is None or planes is None or following is None:
            return None
        pauses = Pauses(planes.documents, plant, following.follow, self._log)
        outlook = Outlook(self._sight, self._taps, self._lines)
        positions = PositionLevers(plant, sources.positions, following.follow, self._sight.flow, self._log)
        return Steering(plant, outlook, pauses, self._access(listener), self._clock, self._reloading, positions)

    def _access(self, listener: socket.socket) -> ApiAccess:
        given = self._settings.api
        return ApiAccess(address_of(listener).host, given.hosts, given.secrets(), self._functions_secret)

    def _groups(self, planes: ControlPlane | None, sources: SourceFactory) -> list[Group]:
        """The calls of the API that are served."""
        if planes is None:
            return []
        mappings = MappingCalls(planes.mappings, sources.look, self._progresses.of, self._tell)
        return [mappings, TagCalls(planes.functions, mappings)]

    def _tell(self, mapping: EventSourceMapping) -> None:
        say_filters(log_of(mapping, self._log), mapping)

    # --- around it --------------------------------------------------------------------------------------------------

    async def _refuse_loops(self, clients: Clients, listener: socket.socket) -> None:
        """The loader's check of our own address, repeated for profiles and for a port that was chosen at the start."""
        listen = str(address_of(listener))
        for name, function in self._config.functions.items():
            url = await url_of(function, clients)
            if url and would_call_itself(url, listen):
                what = f"{url} is this daemon's own address: it would call itself forever"
                raise ConfigError([Problem(what, f"functions.{name}", hint="name the emulator's address")])

    async def _say_start(
        self,
        endpoints: ServiceEndpoints,
        positions: Positions | Volatile,
        planes: ControlPlane | None,
        listener: socket.socket | None,
    ) -> None:
        mappings = list(self._config.mappings.values())
        if planes is not None:
            mappings = [mapped.config for mapped in planes.mappings.all.values()]
        for mapping in mappings:
            await endpoints.add(mapping)
        say_first_lines(self._log, self._config, mappings, endpoints)
        left = without_mapping(await positions.kept(), mappings)
        if left and not self._settings.take_over.enabled:  # they may be of what is taken over again
            self._log.warning(Action.POSITIONS, unused_line(left))
        if planes is not None and not self._settings.take_over.enabled and (off := planes.mappings.left_off):
            self._log.warning(Action.NOT_TAKEN_OVER, left_off_line(off))
        if listener is not None:
            address = address_of(listener)
            self._log.info(Action.LISTEN, f"listening on http://{address}", host=address.host, port=address.port)
            self._out(f"Listening on http://{address}")

    def _outside(
        self,
        plant: RunningMappings,
        keepers: Sequence[Keeper],
        clients: Clients,
        listener: socket.socket | None,
        api: LambdaApi | None,
        code: CodeDownloads | None,
        steering: Steering | None,
    ) -> Outside:
        async def look() -> None:
            await watch_foreign(plant, self._live.functions, lambda: self._lambda(clients, listener), self._log)

        async def beside() -> None:
            async with anyio.create_task_group() as tasks:
                for keeper in keepers:
                    tasks.start_soon(tended, "what follows the API", keeper, self._faults.of_part)
                if not self._settings.take_over.enabled:
                    await tended("the look at foreign mappings", look, self._faults.of_part)

        scrape, leave = self._metrics.scrape, self._leaving.after
        rest = garbage.leave_alone if self._embedding.standalone else self._embedding.ready
        return Outside(self._log, self._out, listener, scrape, beside, api, code, steering, leave, rest)

    async def _lambda(self, clients: Clients, listener: socket.socket | None) -> Any:
        """The client of the endpoint's Lambda API; None where it is refused or our own."""
        endpoint = await clients.target("lambda")
        listen = str(address_of(listener)) if listener else ""
        ours = isinstance(endpoint, LocalEndpoint) and listen and would_call_itself(endpoint.url, listen)
        if ours or isinstance(endpoint, RefusedEndpoint):
            return None
        try:
            return await clients.get("lambda")
        except ConfigError:  # this call is optional, so a failure does not matter
            return None

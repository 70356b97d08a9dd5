"""The daemon: turns a configuration into running parts. With `source_factory.py`, `mapping_factory.py`,
`invokers.py`, `api_functions.py` and `function_factory.py` the only place that knows concrete classes.

`life.py` runs the parts. This module finds configuration problems before the first
message is received.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from typing import Any

import anyio

from ...config.clients.aws import AwsSettings, Clients
from ...config.clock import SystemClock, system_jitter
from ...config.core.stop_budget import NEVER, StopBudget, soon
from ...config.loader import Config
from ...dispatch.core.observer import Observer
from ...pollers.checkpoints.store import CheckpointStore
from ..api.code_downloads import CodeDownloads
from ..api.lambda_api import LambdaApi
from ..api.steering import Steering
from ..api.wire.call import Group
from ..running.dry_run import Show
from ..running.emulator_follower import EmulatorFollower, GivingBack
from ..running.functions import RunningFunctions, reference_of
from ..running.mappings import Companion, RunningMappings
from ..running.pauses import paused_of
from ..running.reconciler import Reconciler
from ..running.state_watch import StateWatch
from ..running.tending import tended
from ..telemetry import stray_errors
from ..telemetry.log import Action, Log
from ..telemetry.log_shipping import LogShipping, Mode
from ..telemetry.reload_metrics import ReloadMetrics
from . import accounts, garbage, signals
from .api_functions import ApiFunctions, DaemonParts, Served
from .borrowing import Borrowing
from .bounded_exits import bounded_exits
from .control_plane import ControlPlane
from .embedding import ALONE, Embedding
from .endpoints import ServiceEndpoints
from .exits import Exit
from .front import Front, foreign_lambda
from .function_factory import FunctionFactory
from .invokers import InvokerFactory
from .known_starts import KnownStarts
from .leaving import Leaving
from .life import Life, Outside
from .live_config import LiveConfig
from .mapping_factory import MappingFactory
from .positions import Positions, Volatile, are_stored
from .reconciling import mapping_calls, reconciler_of, steering_of
from .reload_steps import ReloadSteps
from .reloading import Reloading
from .source_factory import SourceFactory, refuse_missing_libraries
from .start_lines import say_first_lines, say_left_behind, watch_foreign
from .state import StateDirectory, former_directory
from .watchers import Watchers

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
        self._watchers = Watchers(config, log, self._clock)
        metrics = ReloadMetrics(self._watchers.metrics.registry)
        self._reloading = Reloading(config, read, log, metrics, self._clock, [Path(each) for each in watched])
        self._borrowing = Borrowing(self._settings, log, self._watchers.changes.changed)
        self._state_watch = StateWatch(log, self._watchers.changes.changed)
        self._live = LiveConfig(config)
        self._life: Life | None = None
        self._starting: anyio.CancelScope | None = None

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
            await self._borrowing.ask(clients)
            registry, scratch = self._state(stack)
            await self._settle_account(clients, scratch)
            self._live = LiveConfig(self._config)
            planes = await self._planes(clients, stack, scratch)
            positions = await self._positions(stack, scratch)
            front = None if self._settings.dry_run else self._front(stack)
            own = self._watchers.first(registry)
            logs = LogShipping(self._logs_mode, clients, own, self._clock, self._jitter)
            self._watchers.open(self._settings, clients)
            observer = self._watchers.all(own, logs, self._extra_observers)
            invokers = InvokerFactory(self._live, clients, observer, scratch, front.own if front else None)
            stack.callback(invokers.close)
            made = await self._api_functions(planes, invokers, clients, observer, scratch, stack)
            functions = self._functions(invokers, registry, observer, made)
            served = made.served(functions, front.address) if made and front else Served()
            sources = self._sources(clients, endpoints, positions.store, observer)
            factory = self._factory(clients, functions, sources, observer)
            follower = self._borrowing.follower(planes, invokers, clients, front)
            running = await self._running(invokers, functions, factory, planes, stack, served.parts, logs, follower)
            reconciler = (
                reconciler_of(planes, running, factory, sources, positions, self._watchers, self._settings, self._log)
                if planes
                else None
            )
            keepers = await self._keepers(planes, reconciler)
            if planes is not None and reconciler is not None:
                listen = str(front.address) if front else ""
                rest = (planes, running, reconciler, self._log, listen)
                self._reloading.begin(ReloadSteps(self._live, clients, endpoints, invokers, *rest))
            if front is not None:
                await front.refuse_loops(self._config.functions, clients)
            await self._say_start(endpoints, positions, planes, front)
            groups = mapping_calls(planes, sources, self._watchers, self._log) if planes else ()
            api = self._api(front, [*served.groups, *groups], planes, stack)
            steering = None
            if planes and reconciler and front:
                ours = (self._watchers, self._clock, self._reloading, self._live, self._log)
                steering = steering_of(planes, running, reconciler, sources, front, *ours)
            outside = self._outside(running, keepers, clients, front, api, served.code, steering)
            self._life = Life(running, self._settings, outside, self._clock)
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

    async def _planes(self, clients: Clients, stack: AsyncExitStack, state: Path) -> ControlPlane | None:
        """The API's functions and mappings. Raises UnusableState, and ConfigError for real AWS without a
        region. A dry run uses the configuration alone."""
        if self._settings.dry_run:
            return None
        region, borrowed = await clients.region(), self._borrowing.functions.find
        planes = await ControlPlane.open(state, self._config, region, self._clock, self._log, stack, borrowed)
        self._state_watch.add(planes.documents.file)
        self._borrowing.look_at(planes)
        for name, mapping in self._config.mappings.items():
            if mapping.uuid not in planes.mappings.all:  # the API deleted it
                self._watchers.metrics.remove(name)
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

    def _front(self, stack: AsyncExitStack) -> Front:
        front = Front(self._settings, self._log, self._clock)
        stack.callback(front.close)
        return front

    def _api(
        self, front: Front | None, groups: Sequence[Group], planes: ControlPlane | None, stack: AsyncExitStack
    ) -> LambdaApi | None:
        """The Lambda API. Raises ConfigError for an upstream that is this daemon."""
        api = front.api(groups, planes.functions.is_named if planes else lambda function: False) if front else None
        if api is not None:
            stack.push_async_callback(api.aclose)
        return api

    @property
    def _logs_mode(self) -> Mode:
        """The function logs; none in a dry run, because no function runs."""
        return "off" if self._settings.dry_run else self._settings.function_logs

    # --- the parts --------------------------------------------------------------------------------------------------

    async def _api_functions(
        self,
        planes: ControlPlane | None,
        invokers: InvokerFactory,
        clients: Clients,
        observer: Observer,
        state: Path,
        stack: AsyncExitStack,
    ) -> ApiFunctions | None:
        if planes is None:
            return None
        given = DaemonParts(self._live, clients, observer, self._watchers.tails, self._clock, self._jitter)
        made = await ApiFunctions.open(given, planes, invokers, state, stack)
        self._state_watch.add(made.events)
        return made

    def _functions(
        self, invokers: InvokerFactory, registry: KnownStarts | None, observer: Observer, made: ApiFunctions | None
    ) -> RunningFunctions:
        references = made.references if made else None
        targets = FunctionFactory(
            self._live,
            invokers,
            registry,
            self._watchers.changes,
            observer,
            self._clock,
            self._jitter,
            references,
            self._borrowing.functions.function,
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

    def _factory(
        self, clients: Clients, functions: RunningFunctions, sources: SourceFactory, observer: Observer
    ) -> MappingFactory:
        settings, directory = self._settings, self._live.directory
        return MappingFactory(
            settings,
            clients,
            functions,
            sources,
            observer,
            self._clock,
            self._jitter,
            self._show,
            directory,
            self._embedding.destination,
            self._watchers.begin,
        )

    def _paused(self, planes: ControlPlane | None) -> set[str]:
        """Names of the mappings that somebody told to wait, before a restart."""
        if planes is None:
            return set()
        return paused_of(planes.documents, {uuid: each.config.name for uuid, each in planes.mappings.all.items()})

    async def _running(
        self,
        invokers: InvokerFactory,
        functions: RunningFunctions,
        factory: MappingFactory,
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
            await invokers.refuse_unstartable(names)
        stack.push_async_callback(functions.aclose)
        for name in names:
            await functions.member(name)
        made = [await factory.running_mapping(mapping) for mapping in mappings]
        giving_back = (GivingBack(follower),) if follower and self._settings.take_over.give_back else ()
        running = RunningMappings(
            configured,
            made,
            functions,
            self._watchers.account,
            self._watchers.changes,
            parts=(*parts, follower) if follower else parts,
            last=(logs, *self._watchers.senders, *giving_back),
            fault=self._watchers.faults.of_part,
            unkept=self._state_watch.reasons,
            sight=self._watchers.sight,
            coming=follower.coming if follower else lambda: None,
            origin=planes.mappings.origin if planes else lambda uuid: "file",
        )
        running.paused |= paused
        if follower is not None:
            follower.look_at(running)
        stack.push_async_callback(running.aclose)
        self._watchers.look_at(running)
        return running

    async def _keepers(self, planes: ControlPlane | None, reconciler: Reconciler | None) -> list[Keeper]:
        """What keeps functions and mappings in step with the API. The stored mappings run by then."""
        if planes is None or reconciler is None:
            return []
        planes.functions.watch(reconciler.function_changed)
        await reconciler.begin()
        keepers = [planes.functions.run, reconciler.run, self._state_watch.run, self._watchers.sight.run]
        return [*keepers, self._reloading.run]

    # --- around it --------------------------------------------------------------------------------------------------

    async def _say_start(
        self,
        endpoints: ServiceEndpoints,
        positions: Positions | Volatile,
        planes: ControlPlane | None,
        front: Front | None,
    ) -> None:
        mappings = list(self._config.mappings.values())
        if planes is not None:
            mappings = [mapped.config for mapped in planes.mappings.all.values()]
        for mapping in mappings:
            await endpoints.add(mapping)
        say_first_lines(self._log, self._config, mappings, endpoints)
        if not self._settings.take_over.enabled:  # otherwise they may be of what is taken over again
            say_left_behind(self._log, await positions.kept(), mappings, planes.mappings.left_off if planes else ())
        if front is not None:
            address = front.address
            self._log.info(Action.LISTEN, f"listening on http://{address}", host=address.host, port=address.port)
            self._out(f"Listening on http://{address}")

    def _outside(
        self,
        running: RunningMappings,
        keepers: Sequence[Keeper],
        clients: Clients,
        front: Front | None,
        api: LambdaApi | None,
        code: CodeDownloads | None,
        steering: Steering | None,
    ) -> Outside:
        async def look() -> None:
            await watch_foreign(running, self._live.functions, lambda: foreign_lambda(clients, front), self._log)

        async def beside() -> None:
            async with anyio.create_task_group() as tasks:
                for keeper in keepers:
                    tasks.start_soon(tended, "what follows the API", keeper, self._watchers.faults.of_part)
                if not self._settings.take_over.enabled:
                    await tended("the look at foreign mappings", look, self._watchers.faults.of_part)

        scrape, leave = self._watchers.metrics.scrape, self._leaving.after
        rest = garbage.leave_alone if self._embedding.standalone else self._embedding.ready
        listener = front.listener if front else None
        return Outside(self._log, self._out, listener, scrape, beside, api, code, steering, leave, rest)

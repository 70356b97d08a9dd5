"""The daemon: puts a configuration together into what runs. With `sources.py`, `works.py`, `functions.py` and
`targets.py` the only place that knows concrete classes.

What happens to the parts while they run is in `life.py`. What can be found wrong is found here, before the first
message is touched.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from ..config.clients.aws import AwsSettings, Clients
from ..config.clients.endpoints import Local, Refused, would_call_itself
from ..config.clock import SystemClock, system_jitter
from ..config.errors import ConfigError, Problem
from ..config.loader import Config
from ..dispatch.observer import Observer, Observers
from ..pollers.checkpoints.store import CheckpointStore
from .account import Account
from .api.server import address_of, bind
from .dry_run import Show, Verdict
from .endpoints import Endpoints
from .exits import Exit
from .first_lines import say_first_lines, watch_foreign
from .fleet import Fleet
from .functions import Functions, url_of
from .life import Life, Outside
from .mapping_logs import MappingLogs
from .metrics import Labels, Metrics
from .plant import Changes, Plant
from .positions import Positions, Volatile, are_stored, unused_line, without_mapping
from .registry import Forgetting, Registry
from .sources import Sources, refuse_missing_libraries
from .state import StateDirectory
from .targets import Targets
from .telemetry import Action, Log
from .works import Works


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
            positions = await self._positions(stack, scratch)
            listener = None if self._settings.dry_run else self._listener(stack)
            observer = self._observer(registry)
            functions = Functions(self._config, clients, observer, scratch)
            stack.callback(functions.close)
            fleet = Fleet(self._targets(functions, registry, observer).make)
            sources = self._sources(clients, endpoints, positions.store, observer)
            works = self._works(clients, fleet, sources, observer)
            plant = await self._plant(functions, fleet, works, stack)
            if listener is not None:
                await self._refuse_loops(clients, listener)
            await self._say_start(endpoints, positions, listener)
            return await Life(plant, self._settings, self._outside(plant, clients, listener), self._clock).run()

    # --- before anything begins -------------------------------------------------------------------------------------

    def _state(self, stack: AsyncExitStack) -> tuple[Registry | None, Path]:
        """What is remembered, and a directory for what functions need. A dry run remembers nothing and runs none."""
        if self._settings.dry_run:
            return None, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-")))
        state = StateDirectory.open(self._settings.state)
        stack.callback(state.close)
        return Registry(state.path), state.path.absolute()

    async def _positions(self, stack: AsyncExitStack, state: Path) -> Positions | Volatile:
        """Where the positions of streams are kept. Raises UnusableState. A dry run keeps them for itself, so each time
        it begins where the mapping says."""
        if self._settings.dry_run:
            return Volatile()
        positions = Positions(state)
        stack.push_async_callback(positions.aclose)
        if are_stored(state) or any(mapping.kind and mapping.kind.is_stream for mapping in self._config.enabled):
            await positions.store()  # what is wrong with them lets nothing start
        return positions

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

    # --- the parts --------------------------------------------------------------------------------------------------

    def _targets(self, functions: Functions, registry: Registry | None, observer: Observer) -> Targets:
        return Targets(self._config, functions, registry, self._changes, observer, self._clock, self._jitter)

    def _sources(
        self,
        clients: Clients,
        endpoints: Endpoints,
        store: Callable[[], Awaitable[CheckpointStore]],
        observer: Observer,
    ) -> Sources:
        directory = self._config.directory
        return Sources(self._settings, directory, clients, endpoints, store, self._clock, self._jitter, observer)

    def _works(self, clients: Clients, fleet: Fleet, sources: Sources, observer: Observer) -> Works:
        return Works(self._settings, clients, fleet, sources, observer, self._clock, self._jitter, self._show)

    async def _plant(self, functions: Functions, fleet: Fleet, works: Works, stack: AsyncExitStack) -> Plant:
        mappings = self._config.enabled
        names = sorted({mapping.function_name for mapping in mappings})
        if not self._settings.dry_run:
            await functions.refuse_unstartable(names)
        stack.push_async_callback(fleet.aclose)
        for name in names:
            await fleet.member(name)
        made = [await works.work(mapping) for mapping in mappings]
        plant = Plant(self._config.mappings.values(), made, fleet, self._account, self._changes)
        stack.push_async_callback(plant.aclose)
        self._metrics.look_at(plant)
        return plant

    # --- around it --------------------------------------------------------------------------------------------------

    async def _refuse_loops(self, clients: Clients, listener: socket.socket) -> None:
        """As the loader does for what stands in the file; here for profiles and for a port that was free."""
        listen = str(address_of(listener))
        for name, function in self._config.functions.items():
            url = await url_of(function, clients)
            if url and would_call_itself(url, listen):
                what = f"{url} is this daemon's own address: it would call itself for ever"
                raise ConfigError([Problem(what, f"functions.{name}", hint="name the emulator's address")])

    async def _say_start(
        self, endpoints: Endpoints, positions: Positions | Volatile, listener: socket.socket | None
    ) -> None:
        say_first_lines(self._log, self._config, endpoints)
        left = without_mapping(await positions.kept(), self._config.mappings.values())
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

"""Checks a configuration that was read again as a start does, and carries it out. Beside `daemon.py` a place that knows
concrete classes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ...config.addresses import would_call_itself
from ...config.clients.aws import Clients
from ...config.errors import ConfigError, Problem
from ...config.loader import Config
from ..running.core.config_changes import ConfigChanges
from ..running.mappings import RunningMappings
from ..running.reconciler import Reconciler
from ..running.reload import ReloadParts, carry_out
from ..telemetry.filter_lines import say_filters
from ..telemetry.log import Action, Log
from ..telemetry.mapping_logs import log_of
from .control_plane import ControlPlane, filed_of
from .descriptor_limit import raised
from .endpoints import ServiceEndpoints
from .invokers import InvokerFactory, Refused, url_of
from .live_config import LiveConfig
from .source_factory import refuse_missing_libraries


@dataclass(frozen=True, slots=True)
class ReloadSteps:
    """`listen`: the daemon's own address; empty when it serves none."""

    live: LiveConfig
    clients: Clients
    endpoints: ServiceEndpoints
    functions: InvokerFactory
    planes: ControlPlane
    plant: RunningMappings
    following: Reconciler
    log: Log
    listen: str

    async def __call__(self, changes: ConfigChanges, config: Config) -> None:
        """Raises ConfigError and StoreUnavailable, and then nothing changed."""
        await self._check(changes, config)
        before, told = dict(self.live.mappings), {*self.live.now.warnings, *self.live.now.remarks}
        parts = ReloadParts(self.planes.mappings, self.plant, self.following, self._refile)
        await carry_out(changes, before, filed_of(config), parts, lambda: self.live.take(config))
        raised(len(config.mappings), config.functions.values(), self.log)
        for problem in (*config.warnings, *config.remarks):
            if problem not in told:
                self.log.warning(Action.RELOAD, str(problem))
        for name in (*changes.mappings.added, *changes.mappings.changed):
            mapping = config.mappings[name]
            say_filters(log_of(mapping, self.log), mapping)

    def _refile(self, other: Collection[str]) -> None:
        self.planes.functions.refile(self.live.functions, other)

    async def _check(self, changes: ConfigChanges, config: Config) -> None:
        refuse_missing_libraries(config)
        mappings = [config.mappings[name] for name in (*changes.mappings.added, *changes.mappings.changed)]
        for mapping in mappings:
            await self.endpoints.add(mapping)
        self.endpoints.refuse_real_aws(mappings)
        problems = []
        for name in (*changes.functions.added, *changes.functions.changed):
            problems += await self._problems(name, config)
        if problems:
            raise ConfigError(problems)

    async def _problems(self, name: str, config: Config) -> list[Problem]:
        function, place = config.functions[name], f"functions.{name}"
        url = await url_of(function, self.clients)
        if url and self.listen and would_call_itself(url, self.listen):
            return [config.problem(place, f"{url} is this daemon's own address: it would call itself forever")]
        used = any(mapping.enabled and mapping.function_name == name for mapping in config.mappings.values())
        found = await self.functions.looked_at(function) if used else ""
        return [config.problem(place, found.why)] if isinstance(found, Refused) else []

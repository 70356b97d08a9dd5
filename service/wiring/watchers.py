"""Everything that gets the events of mappings and functions: one of each for the whole daemon.

Owns who they are and in which order they are told. What each of them makes of an event is its own business. Made by
`daemon.py`, which hands single ones to the parts that show them.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...config.clients.aws import Clients
from ...config.clock import SystemClock
from ...config.loader import Config
from ...config.mapping import EventSourceMapping
from ...config.settings import Settings
from ...dispatch.core.observer import Observer, Observers
from ...dispatch.core.trace_carriers import Handing
from ..running.functions import reference_of
from ..running.mappings import Changes, Companion, RunningMappings
from ..running.progress import Progresses
from ..telemetry.account import Account
from ..telemetry.cloudwatch import CloudWatch, counted_of
from ..telemetry.core.event_counts import EventCounts
from ..telemetry.core.mapping_model import Instant
from ..telemetry.fault_reports import FaultReports
from ..telemetry.function_lines import LinesOfFunctions
from ..telemetry.function_telemetry import FunctionLines, FunctionMetrics
from ..telemetry.log import Log
from ..telemetry.mapping_logs import MappingLogs
from ..telemetry.metrics import Labels, Metrics
from ..telemetry.sight import Sight
from ..telemetry.span_metrics import SpanMetrics
from ..telemetry.tails import Tails
from ..telemetry.taps import Taps
from .known_starts import ForgetfulObserver, KnownStarts
from .tracing import Tracing, open_tracing


class Watchers:
    """Made before anything runs."""

    def __init__(self, config: Config, log: Log, clock: SystemClock) -> None:
        kept = config.settings.journal
        self._log = log
        self.account = Account(config.mappings)
        self.metrics = Metrics(
            Labels(name, str(mapping.kind), reference_of(mapping)) for name, mapping in config.mappings.items()
        )
        self._function_metrics = FunctionMetrics(self.metrics.registry)
        self._span_metrics = SpanMetrics(self.metrics.registry)
        self._event_counts = EventCounts()
        self.tracing = Tracing()
        self._clock = clock
        self._counting: tuple[Companion, ...] = ()
        self.faults = FaultReports(log, self.metrics.registry)
        self.mapping_logs = MappingLogs(config.mappings.values(), log)
        self.tails = Tails()
        self.progresses = Progresses()
        self.sight = Sight(lambda: Instant(clock.monotonic(), clock.wall()), kept.records, payloads=kept.payloads)
        self.taps = Taps(clock.wall)
        self.lines = LinesOfFunctions(clock.wall)
        self.changes = Changes()

    def first(self, registry: KnownStarts | None) -> Observers:
        """Our own, but for those that others are made with. `registry`: where good starts are kept; None for a dry
        run."""
        own: list[Observer] = [self.account, self.metrics, self._function_metrics, self.progresses]
        own += [self._event_counts, self.sight, self.taps, self.lines, self.changes]
        own += [self.mapping_logs, FunctionLines(self._log), self.faults]
        if registry is not None:
            own.append(ForgetfulObserver(registry))
        return Observers(own, self.faults.of_observer)

    def open(self, settings: Settings, clients: Clients) -> None:
        """Make what sends counts and traces away. Raises ConfigError for a library that is missing. A dry run sends
        nothing."""
        self.tracing = open_tracing(settings, self._log, self._span_metrics)
        if not settings.dry_run:
            self._counting = (CloudWatch(self._event_counts, clients, self._log, self._clock),)

    def all(self, first: Observers, logs: Observer, others: Sequence[Observer]) -> Observers:
        """`logs` ships the lines of functions; `others` are told last."""
        return Observers([first, *self.tracing.observers, logs, self.tails, *others], self.faults.of_observer)

    @property
    def senders(self) -> tuple[Companion, ...]:
        """They end after the functions."""
        return (*self.tracing.parts, *self._counting)

    def begin(self, mapping: EventSourceMapping) -> Handing:
        """Learn of a mapping before it runs. Returns what its invocations take along."""
        self._event_counts.watch(mapping.name, counted_of(mapping))
        return self.tracing.handing(mapping)

    def look_at(self, running: RunningMappings) -> None:
        """Show these mappings from now on."""
        self.metrics.look_at(running)
        self.progresses.look_at(running.waits_for)

    def forget(self, mapping: str) -> None:
        """A mapping of this name is gone."""
        self.account.forget(mapping)
        self.progresses.forget(mapping)
        self.sight.forget(mapping)
        self._event_counts.watch(mapping, None)

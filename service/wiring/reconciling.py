"""Puts together what changes the running mappings: the reconciler, which keeps them in step with the API's and the
file's, the levers, and the API's calls on mappings. Used by `daemon.py` alone."""

from __future__ import annotations

from ...config.clock import Clock
from ...config.core.stop_budget import StopBudget
from ...config.mapping import EventSourceMapping
from ...config.settings import Settings
from ..api.calls.mappings import MappingCalls
from ..api.calls.tags import TagCalls
from ..api.steering import Outlook, Steering
from ..api.wire.call import Group
from ..running.mappings import RunningMappings
from ..running.pauses import KIND as PAUSE
from ..running.pauses import Pauses
from ..running.positions import PositionLevers
from ..running.reconciler import Reconciler, ReconcilerParts
from ..telemetry.filter_lines import say_filters
from ..telemetry.log import Log
from ..telemetry.mapping_logs import log_of
from .control_plane import ControlPlane
from .front import Front
from .mapping_factory import MappingFactory
from .positions import Positions, Volatile
from .reloading import Reloading
from .source_factory import SourceFactory
from .watchers import Watchers


def reconciler_of(
    planes: ControlPlane,
    running: RunningMappings,
    factory: MappingFactory,
    sources: SourceFactory,
    positions: Positions | Volatile,
    watchers: Watchers,
    settings: Settings,
    log: Log,
) -> Reconciler:
    async def forget_positions(mapping: EventSourceMapping) -> None:
        if mapping.profile.keeps_positions:
            await (await positions.store()).remove(mapping.uuid)

    parts = ReconcilerParts(
        make=factory.running_mapping,
        let_go=lambda mapping: sources.forget(mapping.name),
        forget_positions=forget_positions,
        metrics=watchers.metrics,
        logs=watchers.mapping_logs,
        forget=watchers.forget,
        is_paused=lambda uuid: uuid in planes.documents.all(PAUSE),
        fault=watchers.faults.of_part,
    )
    grace = StopBudget.of_daemon(settings.stop_timeout).finish
    return Reconciler(planes.mappings, running, parts, log, grace=grace)


def steering_of(
    planes: ControlPlane,
    running: RunningMappings,
    reconciler: Reconciler,
    sources: SourceFactory,
    front: Front,
    watchers: Watchers,
    clock: Clock,
    reloading: Reloading,
    log: Log,
) -> Steering:
    """What `/v1` shows and its levers."""
    pauses = Pauses(planes.documents, running, reconciler.follow, log)
    outlook = Outlook(watchers.sight, watchers.taps, watchers.lines)
    positions = PositionLevers(running, sources.positions, reconciler.follow, watchers.sight.flow, log)
    return Steering(running, outlook, pauses, front.access, clock, reloading, positions)


def mapping_calls(planes: ControlPlane, sources: SourceFactory, watchers: Watchers, log: Log) -> tuple[Group, ...]:
    """The calls of the Lambda API on mappings, and on tags."""
    mappings = MappingCalls(
        planes.mappings,
        sources.look,
        watchers.progresses.of,
        lambda mapping: say_filters(log_of(mapping, log), mapping),
    )
    return mappings, TagCalls(planes.functions, mappings)

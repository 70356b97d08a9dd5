"""Carries out what changed in a configuration that was read again: only what is another one is opened anew.

    compare (pure) ──► the stored changes of the API ──► functions: new members ──► mappings: each by its follower

What is in flight of a mapping that changes or goes ends first, as with a pause. A mapping that is gone keeps its
positions; `core/config_changes.py` says what is the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from ...config.mapping import EventSourceMapping
from ..control.mappings.from_file import Filed
from ..control.store.mapping_plane import MappingPlane
from .core.config_changes import ConfigChanges
from .mappings import RunningMappings
from .reconciler import Reconciler


@dataclass(frozen=True, slots=True)
class ReloadParts:
    """The parts that follow a configuration."""

    plane: MappingPlane
    plant: RunningMappings
    following: Reconciler
    refile_functions: Callable[[Collection[str]], None]
    """Gets the names of functions that are not as they were."""


async def carry_out(
    changes: ConfigChanges,
    before: Mapping[str, EventSourceMapping],
    filed: Filed,
    parts: ReloadParts,
    take: Callable[[], None],
) -> None:
    """`before`: the mappings until now, by name; `filed`: those from now on. `take` makes the new configuration the one
    from which functions and sources are made. Raises StoreUnavailable, and then nothing changed."""
    await parts.plane.refile(filed)
    take()
    for name in changes.functions.other:
        await parts.plant.fleet.renew(name)
        parts.plant.changes.tried.discard(name)
    old_names = [name for name, _ in changes.renamed]
    parts.refile_functions(changes.functions.other)
    uuids = {mapping.name: mapping.uuid for mapping, _ in filed.values()}
    opened = [uuids[name] for name in (*changes.mappings.added, *changes.mappings.changed)]
    parts.following.file_changed([before[name] for name in (*changes.mappings.removed, *old_names)], opened)
    await parts.following.close_unused()

"""A mapping of the API, and its states. Values.

    Create ──► Creating ──► Enabled ◄──► Updating        Update
       │                    │     ▲
       │          Disabling ▼     │ Enabling              Update with Enabled=false, Enabled=true
       └─ not enabled ──► Disabled ◄──► Updating          Update

    Enabled, Disabled ── Delete ──► Deleting ──► gone

The reconciler (`running/reconciler.py`) says when a mapping has `settled`. Only what is asked for is
stored, not the progress: after a crash every mapping is brought to its wanted state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from ....config.mapping import EventSourceMapping


class MappingState(StrEnum):
    """The states of a mapping, in AWS's words."""

    CREATING = "Creating"
    ENABLING = "Enabling"
    ENABLED = "Enabled"
    DISABLING = "Disabling"
    DISABLED = "Disabled"
    UPDATING = "Updating"
    DELETING = "Deleting"

    @property
    def passing(self) -> bool:
        """Whether a change is in progress, so that no other change can begin."""
        return self not in (MappingState.ENABLED, MappingState.DISABLED)


@dataclass(frozen=True, slots=True)
class Mapped:
    """One mapping."""

    config: EventSourceMapping
    """The settings. `function` is the ARN with the qualifier as given; the tags are here too."""
    modified: float
    """Seconds since the epoch."""
    state: MappingState
    file: str = ""
    """The configuration file that defines it; empty for the API's own."""
    adopted: str = ""
    """For a file's mapping that the API changed: the fingerprint of the definition that it replaces."""
    taken: str = ""
    """The fingerprint of what the emulator shows of a mapping that was taken over; empty for others."""

    @property
    def uuid(self) -> str:
        return self.config.uuid

    @property
    def is_stored(self) -> bool:
        """Whether the store has it, not only a file."""
        return not self.file or bool(self.adopted)

    @property
    def origin(self) -> str:
        """Where it comes from, as `status` shows it."""
        return "emulator" if self.taken else "file" if self.file else "api"


Mappings = Mapping[str, Mapped]
"""All mappings, by UUID."""


def steady(config: EventSourceMapping) -> MappingState:
    """The state of a mapping without a change in progress."""
    return MappingState.ENABLED if config.enabled else MappingState.DISABLED


def settled(mapped: Mapped) -> Mapped | None:
    """The mapping after the change in progress is complete; None after a deletion."""
    if mapped.state is MappingState.DELETING:
        return None
    return replace(mapped, state=steady(mapped.config))


@dataclass(frozen=True, slots=True)
class FoundFunction:
    """A function that a mapping may name."""

    timeout: float | None
    """Seconds; None where it has none of its own."""


Find = Callable[[str, str], FoundFunction | None]
"""The function of this name and qualifier; None when there is none."""


@dataclass(frozen=True, slots=True)
class SourceLook:
    """The result of the check of a source."""

    missing: bool = False
    code: str = ""
    """The service's or client's error why the source cannot be read; empty when it can."""
    message: str = ""
    visibility: float | None = None
    """A queue's visibility timeout in seconds; None for other sources."""


NOT_LOOKED_AT = SourceLook()

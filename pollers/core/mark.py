"""How far a lane is done, as a value: what a feed hands to its reader to store."""

from __future__ import annotations

from dataclasses import dataclass

from ...dispatch.core.model import OpenWindow, Position


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a lane is done; always as one, so that a window's state never belongs to another position."""

    position: Position | None
    """None: where it stands already."""
    window: OpenWindow | None = None
    """The tumbling window under way."""
    ended: bool = False
    """The lane has ended, and every record of it is done."""

"""The position up to which a lane is done, as a value: a feed passes it to its reader to store."""

from __future__ import annotations

from dataclasses import dataclass

from ...dispatch.core.model import OpenWindow, Position


@dataclass(frozen=True, slots=True)
class Mark:
    """The position of a lane and its window's state, always together, so that the state never belongs to another
    position."""

    position: Position | None
    """None: unchanged."""
    window: OpenWindow | None = None
    """The tumbling window under way."""
    ended: bool = False
    """The lane has ended, and every record of it is done."""

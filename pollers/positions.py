"""The positions of one mapping, for who looks at them or moves them by hand: the protocol, one for each kind that has
some, and what is shown of a position.

Nobody may read the mapping's source meanwhile: `service/running/positions.py` sees to that. Queues have none.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Protocol

from ..config.errors import HeadraceError
from ..dispatch.core.model import Position
from .checkpoints.store import Checkpoint, Finished, Start
from .core.wish import Wish


class PositionRefused(HeadraceError):
    """The wish cannot be met: there is no such shard, or it never had such a position."""


class LanePositions(Protocol):
    """Each call may raise SourceError and StoreUnavailable."""

    async def shown(self) -> list[dict[str, Any]]:
        """Where each lane stands: `source`, `shard`, and `place` with what belongs to it."""
        ...

    async def put(self, lane: str, wish: Wish) -> None:
        """Go on there: in this lane, or in all of them (empty). Raises PositionRefused, and then nothing changed."""
        ...

    async def remove(self) -> None:
        """Forget them: the mapping begins again at its starting position."""
        ...


def as_plain(stored: Checkpoint) -> dict[str, Any]:
    """The stored position of a shard, as plain data."""
    window = asdict(stored.window.window) if stored.window else None
    match stored.place:
        case Start(kind=kind, at=at):
            return {"place": "start", "start": kind.value, "at": at, **_number(None), "window": window}
        case Position() as position:
            return {"place": "position", **_number(position), "window": window}
        case Finished(last=last):
            return {"place": "finished", **_number(last), "window": window}


def _number(position: Position | None) -> dict[str, Any]:
    if position is None:
        return {"sequence_number": None, "sub_sequence_number": None}
    return {"sequence_number": position.text or str(position.number), "sub_sequence_number": position.sub}


def in_words(shard: dict[str, Any]) -> str:
    """The position of a shard or a partition, as text for people."""
    if shard["place"] == "offset":
        return f"from offset {shard['offset']} on, the end is {shard['end']}"
    number, sub = shard["sequence_number"], shard["sub_sequence_number"]
    record = f"{number}.{sub}" if sub else number
    match shard["place"]:
        case "start":
            return f"starts at {shard['start']}" + (f" {_utc(shard['at'])}" if shard["at"] is not None else "")
        case "position":
            return f"after {record}" + (f", window of {_utc(shard['window']['start'])}" if shard["window"] else "")
        case _:
            return f"finished after {record}" if record else "finished"


def _utc(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

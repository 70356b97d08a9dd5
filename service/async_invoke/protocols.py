"""What the parts of asynchronous invocation are to one another: who takes events, and who is told of their end."""

from __future__ import annotations

from typing import Protocol

from ..control.catalogue import AsynchronousSettings
from .core.model import HeldEvent, Over


class Tells(Protocol):
    """Who hears of finished events."""

    async def tell(self, held: HeldEvent, over: Over, settings: AsynchronousSettings, dead_letter: str) -> None:
        """Return when everybody was told, or given up. `dead_letter` is an ARN, empty for none."""
        ...


class Accepts(Protocol):
    """Who takes events."""

    def has_room(self, size: int) -> bool:
        """Whether an event of so many bytes may be accepted now."""
        ...

    async def accept(self, function: str, qualifier: str, request_id: str, payload: bytes, hops: int) -> None:
        """Return once it is durable. Raises StoreUnavailable, and then nothing was taken."""
        ...

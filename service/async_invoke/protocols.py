"""The protocols between the parts of asynchronous invocation: acceptance of events, and reports of their end."""

from __future__ import annotations

from typing import Protocol

from ..control.catalogue import AsynchronousSettings
from .core.model import HeldEvent, Over


class Tells(Protocol):
    """Receives the reports of finished events."""

    async def tell(self, held: HeldEvent, over: Over, settings: AsynchronousSettings, dead_letter: str) -> None:
        """Return when each report was sent, or has failed for good. `dead_letter` is an ARN, empty for none."""
        ...


class Accepts(Protocol):
    """Accepts events."""

    def has_room(self, size: int) -> bool:
        """Whether an event of this size in bytes may be accepted now."""
        ...

    async def accept(self, function: str, qualifier: str, request_id: str, payload: bytes, hops: int) -> None:
        """Return once the event is durable. Raises StoreUnavailable, and then the event was not accepted."""
        ...

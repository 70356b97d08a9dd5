"""The protocol between a delivery and the feed whose records it has: `dispatcher.py` calls it, `pollers/slot_ledger.py`
fulfils it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .core.model import Record
from .core.steps import DiscardStep, SettleStep


class Ledger(Protocol):
    """The feed's side of a delivery: settles records and reports running invocations."""

    async def settle(self, step: SettleStep | DiscardStep) -> None:
        """Settle this fate at the source, then move the positions past it."""
        ...

    def invoked(self) -> None:
        """An invocation ended: what its slot plans by (windows) may have changed."""
        ...

    async def hold(self, records: Sequence[Record], until: float) -> float:
        """See `pollers.source.Reader.hold`."""
        ...

    async def release(self, records: Sequence[Record]) -> None:
        """See `pollers.source.Reader.release`."""
        ...

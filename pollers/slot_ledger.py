"""Lets the delivery of one slot act on its records (`dispatch.ledger.Ledger`): its feed acts, for this slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..dispatch.core.model import Record
from ..dispatch.core.planner import DiscardStep, SettleStep

if TYPE_CHECKING:
    from .feed import Feed


@dataclass(frozen=True, slots=True)
class SlotLedger:
    feed: Feed
    slot: int

    async def settle(self, step: SettleStep | DiscardStep) -> None:
        await self.feed.settle(self.slot, step)

    def invoked(self) -> None:
        self.feed.invoked(self.slot)

    async def hold(self, records: Sequence[Record], until: float) -> float:
        return await self.feed.hold(records, until)

    async def release(self, records: Sequence[Record]) -> None:
        await self.feed.release(records)

"""The event source mappings of an emulator's Lambda API: list, look at one, switch on and off. Each call ends in time.

What is done about them is `service/running/emulator_follower.py`'s matter.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import anyio

from ..errors import SourceMissing, SourceUnavailable
from . import faults
from .foreign_mappings import listed_all

PATIENCE = 10.0
"""Seconds that the emulator has for an answer."""


class EmulatorMappings:
    """`client`: of the emulator's Lambda API. Every call raises SourceError."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def all(self) -> dict[str, dict[str, Any]]:
        """Every mapping, as it is shown, by UUID in lower case; all pages."""
        listed = await _in_time("list event source mappings", listed_all(self.client))
        return {str(each["UUID"]).lower(): each for each in listed if each.get("UUID")}

    async def get(self, uuid: str) -> dict[str, Any] | None:
        """One mapping; None where there is none."""
        what = f"get event source mapping {uuid}"
        try:
            with faults.translating(what):
                shown: dict[str, Any] = await _in_time(what, self.client.get_event_source_mapping(UUID=uuid))
        except SourceMissing:
            return None
        return shown

    async def switch(self, uuid: str, *, on: bool) -> None:
        """Raises SourceMissing where there is no such mapping."""
        what = f"switch event source mapping {uuid} {'on' if on else 'off'}"
        with faults.translating(what):
            await _in_time(what, self.client.update_event_source_mapping(UUID=uuid, Enabled=on))


async def _in_time(what: str, answer: Awaitable[Any]) -> Any:
    with anyio.move_on_after(PATIENCE):
        return await answer
    raise SourceUnavailable(f"{what}: there was no answer within {PATIENCE:g} seconds")

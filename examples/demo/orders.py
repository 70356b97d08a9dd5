"""The orders of the demo: most succeed, some are filtered, some fail once and some fail always."""

from __future__ import annotations

import json
from dataclasses import dataclass

from account import DELIVERED, FILTERED, GIVEN_UP


@dataclass(frozen=True, slots=True)
class Order:
    id: int

    @property
    def type(self) -> str:
        return "cancelled" if self.id % 10 == 7 else "created"

    @property
    def trouble(self) -> str:
        return {3: "once", 13: "once", 23: "always"}.get(self.id % 40, "none")

    @property
    def called_for(self) -> str:
        """Its expected fate."""
        if self.type == "cancelled":
            return FILTERED
        return GIVEN_UP if self.trouble == "always" else DELIVERED

    @property
    def body(self) -> str:
        return json.dumps({"id": self.id, "type": self.type, "trouble": self.trouble})

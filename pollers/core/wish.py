"""Where somebody wants a lane to go on, from their words. Pure.

TRIM_HORIZON | LATEST | a time (2026-12-01T10:00:00Z) | a position: a sequence number, or an offset
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

FORM = "TRIM_HORIZON, LATEST, a time like 2026-12-01T10:00:00Z, or a sequence number or offset"
_NUMBER = re.compile(r"(\d{1,130})(?:\.(\d{1,6}))?", re.ASCII)


class WishKind(Enum):
    TRIM_HORIZON = "TRIM_HORIZON"
    LATEST = "LATEST"
    AT_TIMESTAMP = "AT_TIMESTAMP"
    POSITION = "POSITION"


@dataclass(frozen=True, slots=True)
class Wish:
    kind: WishKind
    at: float = 0.0
    """Wall-clock seconds, for AT_TIMESTAMP."""
    number: str = ""
    """For POSITION, as it was given."""
    sub: int = 0
    """The number of a record inside of an aggregated one; 0 for the record as a whole."""


def parse_wish(text: str) -> Wish | None:
    """None for what is none of it. A time without a zone is UTC."""
    word = text.strip()
    if word.upper() in (WishKind.TRIM_HORIZON.value, WishKind.LATEST.value):
        return Wish(WishKind(word.upper()))
    if found := _NUMBER.fullmatch(word):
        return Wish(WishKind.POSITION, number=found[1], sub=int(found[2] or 0))
    try:
        moment = datetime.fromisoformat(word)
        return Wish(WishKind.AT_TIMESTAMP, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None

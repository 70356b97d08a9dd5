"""Lists in pages. Pure.

A marker names the last entry of the page before it, not a place: entries that come or go meanwhile neither hide others
nor show them twice.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from ..api.wire.errors import invalid_parameter
from .model import Answer

PAGE_MAX = 50


Entry = tuple[str, Answer]
"""A sort key that no other entry has, and the entry."""


def page(member: str, entries: Sequence[Entry], marker: str | None, most: int | None) -> Answer:
    """One page under `member`; the entries are in the order of their keys. Raises ApiError for a strange marker."""
    after = "" if marker is None else _key(marker)
    rest = [entry for entry in entries if entry[0] > after]
    limit = min(most or PAGE_MAX, PAGE_MAX)
    answer: dict[str, Any] = {member: [shown for _, shown in rest[:limit]]}
    if len(rest) > limit:
        answer["NextMarker"] = base64.urlsafe_b64encode(rest[limit - 1][0].encode()).decode()
    return answer


def _key(marker: str) -> str:
    try:
        return base64.b64decode(marker.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid_parameter("The Marker is none that was given as NextMarker: leave it out to begin.") from error


def numbered(version: str) -> str:
    """A version's number as a key: `$LATEST` comes first, then they ascend."""
    return version if not version.isdigit() else version.zfill(12)

"""Lists in pages. Pure.

A marker names the last entry of the page before it, not a place: entries that come or go meanwhile neither hide others
nor show them twice.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .model import Answer
from .refusals import invalid_parameter

PAGE_MAX = 50

T = TypeVar("T")


def page(
    member: str, entries: Mapping[str, T], show: Callable[[T], Answer], request: Mapping[str, Any], most: int = PAGE_MAX
) -> Answer:
    """The entries of one page under `member`, in the order of their keys, as the request's `Marker` and `MaxItems` say.
    Raises ApiError for a strange marker."""
    after = _key(request["Marker"]) if request.get("Marker") else ""
    rest = sorted(key for key in entries if key > after)
    limit = min(request.get("MaxItems") or most, most)
    answer: dict[str, Any] = {member: [show(entries[key]) for key in rest[:limit]]}
    if len(rest) > limit:
        answer["NextMarker"] = base64.urlsafe_b64encode(rest[limit - 1].encode()).decode()
    return answer


def _key(marker: str) -> str:
    try:
        return base64.b64decode(marker.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid_parameter("The Marker is none that was given as NextMarker: leave it out to begin.") from error


def numbered(version: str) -> str:
    """A version's number as a key: `$LATEST` comes first, then they ascend."""
    return version.zfill(12) if version.isdigit() else version

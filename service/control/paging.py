"""Lists in pages. Pure.

A marker names the last entry of the previous page, not an index: entries that are added or deleted neither hide others
nor repeat them.
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
        raise invalid_parameter(
            "The Marker is not the NextMarker of an earlier answer: leave it out to begin."
        ) from error


def numbered(version: str) -> str:
    """A version's number as a sort key: `$LATEST` first, then ascending."""
    return version.zfill(12) if version.isdigit() else version

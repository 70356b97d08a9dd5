"""Which version runs."""

from __future__ import annotations

from functools import cache
from importlib import metadata


@cache
def version() -> str:
    """Read once: where no file can be opened any more, it is known all the same."""
    return metadata.version("headrace")

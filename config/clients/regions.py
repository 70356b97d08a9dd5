"""Whether AWS has a region of that name, by the list that botocore carries."""

from __future__ import annotations

import difflib
from functools import cache


def meant(region: str) -> list[str]:
    """The regions that an unknown name probably means. None for a known region, and for a name that resembles no
    region, because an emulator accepts any."""
    return [] if region in _known() else difflib.get_close_matches(region, _known(), n=3, cutoff=0.8)


@cache
def _known() -> tuple[str, ...]:
    from botocore.loaders import create_loader  # a heavy import, which one verb alone needs

    partitions = create_loader().load_data("partitions")["partitions"]
    return tuple(
        sorted(region for partition in partitions for region in partition["regions"] if "global" not in region)
    )

"""Whether AWS has a region of that name, by the list that botocore carries."""

from __future__ import annotations

import difflib
from functools import cache


def meant(region: str) -> list[str]:
    """The regions that are likely to be meant by a name that none has; none for a region, and for a name that is like
    no region: an emulator takes any."""
    return [] if region in _known() else difflib.get_close_matches(region, _known(), n=3, cutoff=0.8)


@cache
def _known() -> tuple[str, ...]:
    from botocore.loaders import create_loader  # heavy, and wanted by one verb alone

    partitions = create_loader().load_data("partitions")["partitions"]
    return tuple(
        sorted(region for partition in partitions for region in partition["regions"] if "global" not in region)
    )

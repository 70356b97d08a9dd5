"""How `headrace positions` shows positions: as a table, and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ....pollers.positions import in_words
from .tables import show, show_json, table

YES_NO = {True: "yes", False: "no"}


def by_source(mapping: str, uuid: str, positions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The positions of one mapping, as `/v1` tells them, by source."""
    sources: dict[str, list[dict[str, Any]]] = {}
    for each in positions:
        shard = {name: value for name, value in each.items() if name != "source"}
        sources.setdefault(each["source"], []).append(shard)
    return [
        {"mapping": mapping, "mapping_uuid": uuid, "source": source, "used": True, "shards": shards}
        for source, shards in sources.items()
    ]


def shown(found: Sequence[dict[str, Any]], output: str) -> None:
    if output == "json":
        show_json(found)
        return
    rows = [
        (each["mapping"] or each["mapping_uuid"], YES_NO[each["used"]], each["source"], one["shard"], in_words(one))
        for each in found
        for one in each["shards"]
    ]
    show(table(("MAPPING", "USED", "SOURCE", "SHARD", "PLACE"), rows))

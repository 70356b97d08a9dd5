"""`headrace positions`: lists, moves and removes the stored positions of streams.

Works on the state directory of the configuration, while no daemon uses it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import anyio

from ....config.errors import HeadraceError
from ....config.fields.mapping_fields import UUID_FORM
from ....config.fields.spoken import counted
from ....config.loader import Config
from ....dispatch.core.model import Position
from ....dispatch.core.observer import Observer
from ....pollers.checkpoints.store import Checkpoint, CheckpointStore, Finished, Kept, Start
from ...wiring.control_plane import with_stored
from ...wiring.exits import Exit, UsageError
from ...wiring.positions import are_stored, open_positions, without_mapping
from ...wiring.state import StateDirectory
from .configs import default, read_config
from .tables import show, show_json, table

YES_NO = {True: "yes", False: "no"}
Work = Callable[[CheckpointStore, Config, argparse.Namespace], Awaitable[None]]


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    config = read_config(arguments.config or default(), arguments)  # a daemon without a configuration has positions too
    anyio.run(_run, config, arguments)
    return Exit.OK


async def _run(config: Config, arguments: argparse.Namespace) -> None:
    directory = config.settings.state
    work = _WORK[arguments.positions_verb]
    if not are_stored(directory):
        if work is not _list:
            raise HeadraceError(f"no positions are stored in {directory}")
        _show([], arguments.output)
        return
    with closing(StateDirectory.open(directory)):
        config = await with_stored(config, directory)
        store = await open_positions(directory)
        try:
            await work(store, config, arguments)
        finally:
            await store.aclose()


# --- list -----------------------------------------------------------------------------------------------------------


async def _list(store: CheckpointStore, config: Config, arguments: argparse.Namespace) -> None:
    kept = await store.kept()
    left = without_mapping(kept, config.mappings.values())
    names = {mapping.uuid: name for name, mapping in config.mappings.items()}
    found = [
        {
            "mapping": names.get(each.mapping),
            "mapping_uuid": each.mapping,
            "source": each.source,
            "used": each not in left,
            "shards": await _shards(store, each),
        }
        for each in kept
    ]
    _show(found, arguments.output)


async def _shards(store: CheckpointStore, kept: Kept) -> list[dict[str, Any]]:
    opened = await store.opened(kept.mapping, kept.source)
    return [{"shard": shard, **as_json(stored)} for shard, stored in opened.lanes.items()] if opened else []


def as_json(stored: Checkpoint) -> dict[str, Any]:
    """The position of a shard, as plain data."""
    window = asdict(stored.window.window) if stored.window else None
    match stored.place:
        case Start(kind=kind, at=at):
            return {"place": "start", "start": kind.value, "at": at, **_number(None), "window": window}
        case Position() as position:
            return {"place": "position", **_number(position), "window": window}
        case Finished(last=last):
            return {"place": "finished", **_number(last), "window": window}


def _number(position: Position | None) -> dict[str, Any]:
    if position is None:
        return {"sequence_number": None, "sub_sequence_number": None}
    return {"sequence_number": position.text or str(position.number), "sub_sequence_number": position.sub}


def in_words(shard: dict[str, Any]) -> str:
    """The position of a shard, as text for people."""
    number, sub = shard["sequence_number"], shard["sub_sequence_number"]
    record = f"{number}.{sub}" if sub else number
    match shard["place"]:
        case "start":
            return f"starts at {shard['start']}" + (f" {_utc(shard['at'])}" if shard["at"] is not None else "")
        case "position":
            return f"after {record}" + (f", window of {_utc(shard['window']['start'])}" if shard["window"] else "")
        case _:
            return f"finished after {record}" if record else "finished"


def _utc(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _show(found: Sequence[dict[str, Any]], output: str) -> None:
    if output == "json":
        show_json(found)
        return
    rows = [
        (each["mapping"] or each["mapping_uuid"], YES_NO[each["used"]], each["source"], one["shard"], in_words(one))
        for each in found
        for one in each["shards"]
    ]
    show(table(("MAPPING", "USED", "SOURCE", "SHARD", "PLACE"), rows))


# --- change ---------------------------------------------------------------------------------------------------------


async def _move(store: CheckpointStore, config: Config, arguments: argparse.Namespace) -> None:
    mapping, source = _mapping(arguments.mapping, config), arguments.source
    to = _mapping(arguments.to, config)
    other = next((each for each in config.mappings.values() if each.uuid == to), None)
    if other is not None and not other.profile.positions_in(other, source):
        raise UsageError(f"mapping {other.name} reads {other.source}, so positions in {source} are of no use to it")
    number = await _lanes(store, mapping, source)
    if not await store.move(mapping, source, to):
        raise HeadraceError(
            f"mapping {arguments.to} has positions of its own in {source}; to replace them, remove those first: "
            f"headrace positions remove {arguments.to} {source}"
        )
    show(f"moved {counted(number, 'position')} in {source} from {arguments.mapping} to {arguments.to}")


async def _remove(store: CheckpointStore, config: Config, arguments: argparse.Namespace) -> None:
    mapping = _mapping(arguments.mapping, config)
    await _lanes(store, mapping, arguments.source)
    number = await store.remove(mapping, arguments.source)
    show(f"removed {counted(number, 'position')} of {arguments.mapping}")


async def _lanes(store: CheckpointStore, mapping: str, source: str | None) -> int:
    """The number of these positions. Raises HeadraceError when there are none."""
    kept = [each for each in await store.kept() if each.mapping == mapping and source in (None, each.source)]
    if not kept:
        where = f" in {source}" if source else ""
        raise HeadraceError(f"no positions of {mapping} are stored{where}; `headrace positions` lists what is stored")
    return sum(each.lanes for each in kept)


def _mapping(text: str, config: Config) -> str:
    """The UUID of a mapping, given by UUID or by its name in the configuration."""
    if text in config.mappings:
        return config.mappings[text].uuid
    if re.fullmatch(UUID_FORM, text):
        return text.lower()
    known = ", ".join(config.mappings) or "none"
    raise UsageError(f"there is no mapping {text!r}; there are {known}, and others are named by their UUID")


_WORK: dict[str | None, Work] = {None: _list, "move": _move, "remove": _remove}

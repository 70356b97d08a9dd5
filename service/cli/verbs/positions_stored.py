"""`headrace positions` while no daemon uses the state directory: works on the directory itself, and on the offsets of
groups."""

from __future__ import annotations

import argparse
import re
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from ....config.errors import ConfigError, HeadraceError, SourceError
from ....config.fields.mapping_fields import UUID_FORM
from ....config.fields.spoken import counted
from ....config.loader import Config
from ....config.mapping import EventSourceMapping
from ....pollers.checkpoints.store import CheckpointStore, Kept
from ....pollers.core.wish import FORM, parse_wish
from ....pollers.positions import as_plain
from ...wiring.control_plane import with_stored
from ...wiring.exits import UsageError
from ...wiring.positions import are_stored, by_hand, open_positions, without_mapping
from ...wiring.state import StateDirectory
from .positions_shown import by_source, shown
from .tables import show, tell

NO_POSITIONS = "mapping {} reads a queue, which has no positions"
Work = Callable[[CheckpointStore, Config, argparse.Namespace], Awaitable[None]]


async def run(config: Config, arguments: argparse.Namespace) -> None:
    """Raises HeadraceError."""
    directory = config.settings.state
    verb = arguments.positions_verb
    if verb == "skip":
        raise HeadraceError(
            f"no daemon uses {directory}, and only a running one can give up on a record; "
            "`headrace positions set MAPPING LANE SEQUENCE_NUMBER` goes on after it"
        )
    if verb == "set":
        await _set(config, arguments)
        return
    if not are_stored(directory):
        config = await _with_api(config, directory)
        if verb == "remove" and await _of_group(config, arguments):
            return
        if verb is not None:
            raise HeadraceError(f"no positions are stored in {directory}")
        shown(await _of_groups(config), arguments.output)
        return
    with closing(StateDirectory.open(directory)):
        config = await with_stored(config, directory)
        if verb == "remove" and await _of_group(config, arguments):
            return
        store = await open_positions(directory)
        try:
            await _WORK[verb](store, config, arguments)
        finally:
            await store.aclose()


async def _with_api(config: Config, directory: Path) -> Config:
    """With the mappings that were made through the API, where there are some."""
    if not _is_there(directory):
        return config
    with closing(StateDirectory.open(directory)):
        return await with_stored(config, directory)


def _is_there(directory: Path) -> bool:
    return directory.is_dir()


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
    shown([*found, *await _of_groups(config)], arguments.output)


async def _of_groups(config: Config) -> list[dict[str, Any]]:
    """The offsets that consumer groups have at their brokers. One whose brokers are away hides no other."""
    found: list[dict[str, Any]] = []
    for mapping in config.mappings.values():
        if mapping.profile.keeps_positions or mapping.profile.competing:
            continue
        try:
            async with by_hand(config, mapping, config.settings.state) as positions:
                lanes = await positions.shown() if positions else []
        except (SourceError, ConfigError) as error:
            tell(f"{mapping.name}: {error}")
            continue
        found += by_source(mapping.name, mapping.uuid, lanes)
    return found


async def _shards(store: CheckpointStore, kept: Kept) -> list[dict[str, Any]]:
    opened = await store.opened(kept.mapping, kept.source)
    return [{"shard": shard, **as_plain(stored)} for shard, stored in opened.lanes.items()] if opened else []


# --- set ------------------------------------------------------------------------------------------------------------


async def _set(config: Config, arguments: argparse.Namespace) -> None:
    directory = config.settings.state
    wish = parse_wish(arguments.to)
    if wish is None:
        raise UsageError(f"{arguments.to!r} is no place to go on: write {FORM}")
    with closing(StateDirectory.open(directory)):
        mapping = _configured(await with_stored(config, directory), arguments.mapping)
        async with by_hand(config, mapping, directory) as positions:
            if positions is None:
                raise HeadraceError(NO_POSITIONS.format(mapping.name))
            await positions.put(arguments.lane, wish)
            found = await positions.shown()
    show(f"{mapping.name} goes on there")
    shown(by_source(mapping.name, mapping.uuid, found), "table")


def _configured(config: Config, text: str) -> EventSourceMapping:
    uuid = _mapping(text, config)
    found = next((each for each in config.mappings.values() if each.uuid == uuid), None)
    if found is None:
        raise UsageError(f"there is no mapping {text}: where it goes on depends on its source")
    return found


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


async def _of_group(config: Config, arguments: argparse.Namespace) -> bool:
    """Remove those of a mapping that has them elsewhere. Whether it is one."""
    mapping = config.mappings.get(arguments.mapping)
    if mapping is None or mapping.profile.keeps_positions:
        return False
    async with by_hand(config, mapping, config.settings.state) as positions:
        if positions is None:
            raise HeadraceError(NO_POSITIONS.format(mapping.name))
        await positions.remove()
    show(f"{mapping.name} begins again at its starting position")
    return True


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

"""The stored positions of streams: opens them in the state directory, and finds the mapping of each.

Used by the daemon and by `headrace positions`. The caller holds the lock of the state directory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from ...config.clients.aws import AwsSettings, Clients
from ...config.clock import SystemClock, system_jitter
from ...config.durable.writer import GroupWriter
from ...config.loader import Config
from ...config.mapping import EventSourceMapping
from ...dispatch.core.observer import Observers
from ...pollers.checkpoints.memory import MemoryCheckpoints
from ...pollers.checkpoints.sqlite import SqliteCheckpoints
from ...pollers.checkpoints.state_file import FILE
from ...pollers.checkpoints.store import CheckpointStore, Kept, unused
from ...pollers.positions import LanePositions
from .endpoints import ServiceEndpoints
from .source_factory import SourceFactory

NAMED = 3
"""Maximum unused positions that a line names; the verb lists them all."""


def are_stored(directory: Path) -> bool:
    """Whether positions were ever stored in this state directory. The remaining end of a lost file counts too."""
    return (directory / FILE).exists() or (directory / f"{FILE}-wal").exists()


class Positions:
    """The store of a locked state directory, opened on first use. `opened` is told its file."""

    def __init__(self, directory: Path, opened: Callable[[GroupWriter], None] = lambda file: None) -> None:
        self._directory = directory
        self._opened = opened
        self._opening = anyio.Lock()
        self._store: SqliteCheckpoints | None = None

    async def store(self) -> CheckpointStore:
        """Raises UnusableState."""
        async with self._opening:
            if self._store is None:
                self._store = await open_positions(self._directory)
                self._opened(self._store.file)
            return self._store

    async def kept(self) -> Sequence[Kept]:
        """The stored positions, if the store was opened."""
        return await self._store.kept() if self._store is not None else ()

    async def aclose(self) -> None:
        if self._store is not None:
            await self._store.aclose()


class Volatile:
    """Positions in memory, which are lost at the end."""

    def __init__(self) -> None:
        self._store = MemoryCheckpoints()

    async def store(self) -> CheckpointStore:
        return self._store

    async def kept(self) -> Sequence[Kept]:
        return ()


async def open_positions(directory: Path) -> SqliteCheckpoints:
    """The store in a locked state directory. Raises UnusableState."""
    return await SqliteCheckpoints.open(directory / FILE)


@asynccontextmanager
async def by_hand(config: Config, mapping: EventSourceMapping, directory: Path) -> AsyncIterator[LanePositions | None]:
    """The positions of a mapping, while no daemon runs; None for a kind that has none. Raises ConfigError,
    UnusableState."""
    positions = Positions(directory)
    try:
        async with Clients(AwsSettings(**config.settings.aws.arguments())) as clients:
            sources = SourceFactory(
                config.settings,
                config.directory,
                clients,
                ServiceEndpoints(clients),
                positions.store,
                SystemClock(),
                system_jitter(),
                Observers(),
            )
            yield await sources.positions(mapping)
    finally:
        await positions.aclose()


def without_mapping(kept: Collection[Kept], mappings: Iterable[EventSourceMapping]) -> list[Kept]:
    """Positions that no mapping of the configuration uses. Mappings that are not enabled keep their positions."""
    by_uuid = {mapping.uuid: mapping for mapping in mappings}
    used = [
        (each.mapping, each.source)
        for each in kept
        if (mapping := by_uuid.get(each.mapping)) and mapping.profile.positions_in(mapping, each.source)
    ]
    return unused(kept, used)


def unused_line(left: Collection[Kept]) -> str:
    """One line for all of them, with what to do."""
    named = [f"{each.source} for {each.mapping}" for each in list(left)[:NAMED]]
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    return (
        f"no mapping uses the stored positions of {', '.join(named)}{more}; stop Headrace, then give them to another "
        "mapping with `headrace positions move MAPPING SOURCE TO`, or remove them with "
        "`headrace positions remove MAPPING`"
    )

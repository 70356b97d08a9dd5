"""Positions in one SQLite file of the state directory, safe against `kill -9` and loss of power.

Puts the parts together: `state_file.py` says what the file is, `rows.py` has the statements, `durable/` opens it and
runs the transactions. One daemon uses a state directory at a time (its lock is the service's), so the file has one
writer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from ...config.durable.writer import GroupWriter
from . import rows
from .state_file import POSITIONS
from .store import BEGINNING, Checkpoint, CommitAnswer, Finished, HeldLane, Kept, Key, Opened, Start, Token


class SqliteCheckpoints:
    """A `CheckpointStore`. Concurrent commits share one transaction, and so one wait for the disk."""

    def __init__(self, writer: GroupWriter) -> None:
        self._writer = writer

    @classmethod
    async def open(cls, path: Path) -> SqliteCheckpoints:
        """The store in this file; creates a missing file. Raises UnusableState for a file that is damaged, newer or not
        permitted, and leaves it unchanged."""
        return cls(await GroupWriter.open(path, POSITIONS))

    @property
    def file(self) -> GroupWriter:
        """The writer of the file, which knows whether writes are possible."""
        return self._writer

    @property
    def durable_commits(self) -> int:
        """How often this store waited for the disk since it was opened."""
        return self._writer.commits

    async def load(self, key: Key) -> Checkpoint | None:
        return await self._writer.run(partial(rows.load, key))

    async def opened(self, mapping: str, source: str) -> Opened | None:
        return await self._writer.run(partial(rows.opened, mapping, source))

    async def begin(
        self, mapping: str, source: str, created: float | None, starts: Mapping[str, Start | Finished]
    ) -> bool:
        return await self._writer.run(partial(rows.begin, mapping, source, created, dict(starts)))

    async def add(self, mapping: str, source: str, starts: Mapping[str, Start]) -> None:
        await self._writer.run(partial(rows.add, mapping, source, dict(starts)))

    async def restart(
        self, mapping: str, source: str, created: float | None, starts: Mapping[str, Start | Finished]
    ) -> None:
        await self._writer.run(partial(rows.restart, mapping, source, created, dict(starts)))

    async def confirm(self, mapping: str, source: str, created: float | None) -> None:
        await self._writer.run(partial(rows.confirm, mapping, source, created))

    async def acquire(self, key: Key, start: Start = BEGINNING) -> HeldLane:
        return await self._writer.run(partial(rows.acquire, key, start))

    async def commit(self, key: Key, token: Token, checkpoint: Checkpoint) -> CommitAnswer:
        return await self._writer.run(partial(rows.commit, key, token, checkpoint))

    async def put(self, key: Key, checkpoint: Checkpoint) -> bool:
        return await self._writer.run(partial(rows.put, key, checkpoint))

    async def compact(self, mapping: str, source: str, shards: Collection[str]) -> int:
        return await self._writer.run(partial(rows.compact, mapping, source, tuple(shards)))

    async def remove(self, mapping: str, source: str | None = None) -> int:
        return await self._writer.run(partial(rows.remove, mapping, source))

    async def move(self, mapping: str, source: str, to: str) -> bool:
        return await self._writer.run(partial(rows.move, mapping, source, to))

    async def kept(self) -> Sequence[Kept]:
        return await self._writer.run(rows.kept)

    async def aclose(self) -> None:
        await self._writer.aclose()

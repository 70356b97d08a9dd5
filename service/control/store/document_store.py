"""The store of the control plane: small JSON documents in one SQLite file of the state directory.

    open ──► all of them in memory ──write──► one durable transaction ──► in memory

Documents have a kind and a key (`function`, `orders`). The store does not know their meaning. One daemon uses a state
directory at a time, so memory and file are equal. Documents are kept as text and parsed by each
`all`: changing a returned document does not change the stored one.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from ....config.durable.files import FileFormat
from ....config.durable.writer import GroupWriter
from ....config.errors import BugError
from ..documents import Name

FILE = "control.db"

TABLES = """
BEGIN;
CREATE TABLE documents (
    kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
);
COMMIT;
"""

Row = tuple[str, str, str, int]


class Documents:
    """Every document, by kind and key. Belongs to the running event loop."""

    def __init__(self, writer: GroupWriter, bodies: dict[str, dict[str, str]]) -> None:
        self._writer = writer
        self._bodies = bodies

    @classmethod
    async def open(cls, path: Path) -> Documents:
        """The store in this file; creates the file if it is missing. Raises UnusableState: damaged, newer, foreign, no
        permissions; the file is left unchanged. Raises StoreUnavailable when it cannot be read at the moment."""
        writer = await GroupWriter.open(path, FORMAT)
        try:
            return cls(writer, await writer.run(_load))
        except BaseException:
            await writer.aclose()
            raise

    @property
    def file(self) -> GroupWriter:
        """The writer of the file, which knows whether writes are possible."""
        return self._writer

    @property
    def durable_writes(self) -> int:
        """Transactions so far; writes that come together share one."""
        return self._writer.commits

    def all(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """The documents of a kind by key, in the order of their keys: as read at the start and written since."""
        return {key: json.loads(body) for key, body in sorted(self._bodies.get(kind, {}).items())}

    async def write(
        self,
        puts: Mapping[Name, Mapping[str, Any]],
        deletes: Collection[Name] = (),
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """Store these and delete those documents, atomically; durable when this returns. Deleting a missing document is
        allowed.

        `then` is called in the step in which the documents are known to be stored and are in memory here: no other task
        runs in between. Cancellation stops neither. Raises StoreUnavailable, and then nothing was stored.
        """
        if overlap := set(puts) & set(deletes):
            raise BugError(f"documents that are both stored and deleted: {sorted(overlap)}")
        rows = [_row(name, document) for name, document in puts.items()]
        gone = tuple(deletes)
        with anyio.CancelScope(shield=True):
            await self._writer.run(partial(_write, rows, gone), lambda _: self._remember(rows, gone, then))

    def _remember(self, rows: Sequence[Row], gone: Sequence[Name], then: Callable[[], None]) -> None:
        for kind, key, body, _ in rows:
            self._bodies.setdefault(kind, {})[key] = body
        for kind, key in gone:
            self._bodies.get(kind, {}).pop(key, None)
        then()

    async def aclose(self) -> None:
        """Finish the pending writes, and close. May be called again."""
        await self._writer.aclose()


# --- in the thread ----------------------------------------------------------------------------------------------------


def _load(connection: sqlite3.Connection) -> dict[str, dict[str, str]]:
    bodies: dict[str, dict[str, str]] = {}
    for kind, key, body in connection.execute("SELECT kind, key, body FROM documents"):
        bodies.setdefault(kind, {})[key] = body
    return bodies


def _write(rows: Sequence[Row], gone: Sequence[Name], connection: sqlite3.Connection) -> None:
    connection.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)", rows)
    connection.executemany("DELETE FROM documents WHERE kind = ? AND key = ?", gone)


def _row(name: Name, document: Mapping[str, Any]) -> Row:
    body = json.dumps(document, separators=(",", ":"), allow_nan=False)  # ASCII, because SQLite refuses lone surrogates
    return (*name, body, _checksum(*name, body))


def _checksum(kind: str, key: str, body: str) -> int:
    return zlib.crc32(json.dumps([kind, key, body]).encode())


def _check(connection: sqlite3.Connection) -> None:
    """Checks that every row is unchanged. Raises ValueError or sqlite3.Error."""
    for kind, key, body, checksum in connection.execute("SELECT kind, key, body, checksum FROM documents"):
        if checksum != _checksum(kind, key, body) or not isinstance(json.loads(body), dict):
            raise ValueError(f"the {kind} {key!r} does not match its checksum")


FORMAT = FileFormat(
    what="stored functions and mappings",
    application=0x50656E63,
    schema=1,
    tables=TABLES,
    anew="without the functions and mappings that were made through the API",
    check=_check,
)

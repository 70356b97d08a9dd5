"""The queue of accepted events, in one SQLite file of the state directory. Every acknowledged event is durable.

Payloads stay in the file; memory holds only the events in flight. Every row has a checksum. A damaged file is refused
and left unchanged.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio

from ...config.durable.faults import StoreUnavailable
from ...config.durable.files import FileFormat
from ...config.durable.writer import GroupWriter
from .core.model import AsyncEvent, FunctionResponse, HeldEvent

FILE = "events.db"
MOST = 1024 * 1024 * 1024
"""Maximum bytes of waiting events for new invocations; events that follow from an accepted event are always stored."""
BESIDES = 1024
"""Bytes that an event counts in addition to its payload."""

TABLES = """
BEGIN;
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    function TEXT NOT NULL, qualifier TEXT NOT NULL, request_id TEXT NOT NULL,
    accepted REAL NOT NULL, due REAL NOT NULL, attempts INTEGER NOT NULL, refusals INTEGER NOT NULL,
    hops INTEGER NOT NULL, payload BLOB NOT NULL,
    version TEXT, response BLOB, checksum INTEGER NOT NULL
);
CREATE INDEX due_by_function ON events (function, due);
COMMIT;
"""

COLUMNS = "id, function, qualifier, request_id, accepted, due, attempts, refusals, hops, payload, version, response"
Row = tuple[Any, ...]
T = TypeVar("T")


class EventStore:
    """Belongs to the running event loop. Every method may raise StoreUnavailable. Cancellation stops no write."""

    def __init__(self, writer: GroupWriter, held: int = 0, most: int = MOST) -> None:
        self._writer = writer
        self._held = held
        self._most = most

    @classmethod
    async def open(cls, path: Path, most: int = MOST) -> EventStore:
        """The queue in this file; creates the file if it is missing. Raises UnusableState: damaged, newer, foreign, no
        permissions; the file is left unchanged."""
        writer = await GroupWriter.open(path, FORMAT)
        try:
            return cls(writer, await writer.run(_bytes), most)
        except BaseException:
            await writer.aclose()
            raise

    @property
    def file(self) -> GroupWriter:
        """The writer of the file, which knows whether writes are possible."""
        return self._writer

    def has_room(self, size: int) -> bool:
        """Whether one more payload of this size in bytes may be stored."""
        return self._held + size + BESIDES <= self._most

    async def add(self, event: AsyncEvent, payload: bytes, then: Callable[[], None] = lambda: None) -> None:
        """Store a new event and give it its `id`. `then` is called in the step in which the event is stored, also
        when the caller is cancelled meanwhile."""
        self._held += len(payload) + BESIDES
        try:
            await self._write(partial(_add, event, payload), lambda _: then())
        except StoreUnavailable:
            self._held -= len(payload) + BESIDES
            raise

    async def put_back(self, event: AsyncEvent) -> None:
        """Store the event's new due time and attempts."""
        await self._write(partial(_put_back, event))

    async def remove(self, event: AsyncEvent) -> None:
        await self._write(partial(_remove, event.id), self._make_room)

    def _make_room(self, gone: int) -> None:
        """Other events may have been added or deleted in the meantime."""
        self._held -= gone

    async def due(self, function: str, now: float, limit: int, besides: Collection[int]) -> list[HeldEvent]:
        """The due events of a function, the longest due first, without those already in flight."""
        return await self._writer.run(partial(_due, function, now, limit, tuple(besides)))

    async def next_due(self, function: str, besides: Collection[int]) -> float | None:
        """When the next event of a function is due; None when there is none."""
        return await self._writer.run(partial(_next_due, function, tuple(besides)))

    async def functions(self) -> list[str]:
        """Functions that have events."""
        return await self._writer.run(_functions)

    async def count(self) -> int:
        return await self._writer.run(_count)

    async def aclose(self) -> None:
        """Finish the pending writes, and close. May be called again."""
        await self._writer.aclose()

    async def _write(self, work: Callable[[sqlite3.Connection], T], then: Callable[[T], None] = lambda _: None) -> None:
        with anyio.CancelScope(shield=True):
            await self._writer.run(work, then)


# --- in the thread ----------------------------------------------------------------------------------------------------


def _add(event: AsyncEvent, payload: bytes, connection: sqlite3.Connection) -> None:
    cursor = connection.execute(
        f"INSERT INTO events ({COLUMNS.removeprefix('id, ')}, checksum) VALUES (?,?,?,?,?,?,?,?,?,?,?,0)",  # noqa: S608
        _values(event, payload)[1:],
    )
    _sign(connection, int(cursor.lastrowid or 0))


def _put_back(event: AsyncEvent, connection: sqlite3.Connection) -> None:
    response = event.response
    connection.execute(
        "UPDATE events SET due = ?, attempts = ?, refusals = ?, version = ?, response = ? WHERE id = ?",
        (
            event.due,
            event.attempts,
            event.refusals,
            response.version if response else None,
            response.body if response else None,
            event.id,
        ),
    )
    _sign(connection, event.id)


def _remove(number: int, connection: sqlite3.Connection) -> int:
    """The bytes that the event counted."""
    row = connection.execute("SELECT length(payload) FROM events WHERE id = ?", (number,)).fetchone()
    connection.execute("DELETE FROM events WHERE id = ?", (number,))
    return 0 if row is None else int(row[0]) + BESIDES


def _due(
    function: str, now: float, limit: int, besides: tuple[int, ...], connection: sqlite3.Connection
) -> list[HeldEvent]:
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM events WHERE function = ? AND due <= ? AND id NOT IN ({_marks(besides)}) "  # noqa: S608
        "ORDER BY due, id LIMIT ?",
        (function, now, *besides, limit),
    )
    return [_held(row) for row in rows]


def _next_due(function: str, besides: tuple[int, ...], connection: sqlite3.Connection) -> float | None:
    statement = f"SELECT min(due) FROM events WHERE function = ? AND id NOT IN ({_marks(besides)})"  # noqa: S608
    found = connection.execute(statement, (function, *besides)).fetchone()[0]
    return None if found is None else float(found)


def _functions(connection: sqlite3.Connection) -> list[str]:
    return [str(row[0]) for row in connection.execute("SELECT DISTINCT function FROM events ORDER BY function")]


def _count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])


def _bytes(connection: sqlite3.Connection) -> int:
    payloads, events = connection.execute("SELECT total(length(payload)), count(*) FROM events").fetchone()
    return int(payloads) + int(events) * BESIDES


def _marks(values: tuple[int, ...]) -> str:
    return ",".join("?" * len(values))


def _values(event: AsyncEvent, payload: bytes) -> Row:
    response = event.response
    return (
        event.id,
        event.function,
        event.qualifier,
        event.request_id,
        event.accepted,
        event.due,
        event.attempts,
        event.refusals,
        event.hops,
        payload,
        response.version if response else None,
        response.body if response else None,
    )


def _held(row: Row) -> HeldEvent:
    *columns, payload, version, response = row
    told = (
        None if version is None else FunctionResponse(version, response, failed=True)
    )  # only a failure is followed by another attempt
    return HeldEvent(replace(AsyncEvent(*columns), response=told), payload)


# --- checksums --------------------------------------------------------------------------------------------------------


def _sign(connection: sqlite3.Connection, number: int) -> None:
    row = connection.execute(f"SELECT {COLUMNS} FROM events WHERE id = ?", (number,)).fetchone()  # noqa: S608
    if row is not None:
        connection.execute("UPDATE events SET checksum = ? WHERE id = ?", (_checksum(row), number))


def _checksum(row: Row) -> int:
    sum_of = 0
    for value in row:
        sum_of = zlib.crc32(value if isinstance(value, bytes) else repr(value).encode(), sum_of)
    return sum_of


def _check(connection: sqlite3.Connection) -> None:
    """Checks that every row is unchanged. Raises ValueError or sqlite3.Error."""
    for *row, checksum in connection.execute(f"SELECT {COLUMNS}, checksum FROM events"):  # noqa: S608
        if checksum != _checksum(tuple(row)):
            raise ValueError(f"the event {row[0]} does not match its checksum")


FORMAT = FileFormat(
    what="accepted events",
    application=0x50656E65,
    schema=1,
    tables=TABLES,
    anew="without the asynchronous invocations that were still to be made",
    check=_check,
)

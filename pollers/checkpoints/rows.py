"""The rows of the state file, and each request of the store as statements: one function per request.

Runs in the store's thread, inside a transaction of `config/durable/writer.py`; the connection is always the last
argument. Whether a commit may be stored is decided by `store.judge`; here it is only read and written. Each row carries
a checksum: a position that was damaged on the disk could pass over records in silence.
"""

# ruff: noqa: S608 - what is put together below are constants of this file; every value is bound

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...dispatch.core.model import Lane, OpenWindow, Position, Window
from .store import (
    Checkpoint,
    CommitAnswer,
    Finished,
    HeldLane,
    Kept,
    Key,
    Opened,
    Place,
    Start,
    StartKind,
    Token,
    judge,
)

Row = tuple[Any, ...]

POSITION, SHARD_END = "POSITION", "SHARD_END"
"""Values of the column `place`, in addition to the names of `StartKind`."""
PLACE = "place, at, number, sub, spelled"
COLUMNS = f"{PLACE}, window_start, window_end, window_state"
ROWS = "mapping = ? AND source = ?"
ROW = f"{ROWS} AND shard = ?"


def _id(key: Key) -> Row:
    return (key.mapping, key.lane.source, key.lane.shard)


def load(key: Key, connection: sqlite3.Connection) -> Checkpoint | None:
    row = connection.execute(f"SELECT {COLUMNS} FROM lanes WHERE {ROW}", _id(key)).fetchone()
    return None if row is None else _decode(row)


def opened(mapping: str, source: str, connection: sqlite3.Connection) -> Opened | None:
    row = connection.execute(f"SELECT created FROM sources WHERE {ROWS}", (mapping, source)).fetchone()
    if row is None:
        return None
    lanes = connection.execute(f"SELECT shard, {COLUMNS} FROM lanes WHERE {ROWS} ORDER BY shard", (mapping, source))
    return Opened(row[0], {shard: _decode(columns) for shard, *columns in lanes})


def begin(
    mapping: str,
    source: str,
    created: float | None,
    starts: Mapping[str, Start | Finished],
    connection: sqlite3.Connection,
) -> bool:
    done = connection.execute("INSERT OR IGNORE INTO sources VALUES (?, ?, ?)", (mapping, source, created))
    if not done.rowcount:
        return False
    _start(connection, mapping, source, starts)
    return True


def add(mapping: str, source: str, starts: Mapping[str, Start], connection: sqlite3.Connection) -> None:
    if connection.execute(f"SELECT 1 FROM sources WHERE {ROWS}", (mapping, source)).fetchone():
        _start(connection, mapping, source, starts)


def _start(connection: sqlite3.Connection, mapping: str, source: str, starts: Mapping[str, Start | Finished]) -> None:
    _insert(connection, [(Key(mapping, Lane(source, shard)), Checkpoint(start)) for shard, start in starts.items()])


def _insert(connection: sqlite3.Connection, fresh: Iterable[tuple[Key, Checkpoint]]) -> None:
    rows = [(*_id(key), 0, *_encode(key, checkpoint)) for key, checkpoint in fresh]
    connection.executemany(f"INSERT OR IGNORE INTO lanes VALUES (?, ?, ?, ?{', ?' * 9})", rows)


def restart(
    mapping: str,
    source: str,
    created: float | None,
    starts: Mapping[str, Start | Finished],
    connection: sqlite3.Connection,
) -> None:
    remove(mapping, source, connection)
    begin(mapping, source, created, starts, connection)


def confirm(mapping: str, source: str, created: float | None, connection: sqlite3.Connection) -> None:
    connection.execute(f"UPDATE sources SET created = ? WHERE {ROWS}", (created, mapping, source))


def acquire(key: Key, start: Start, connection: sqlite3.Connection) -> HeldLane:
    _insert(connection, [(key, Checkpoint(start))])
    connection.execute("UPDATE tokens SET last = last + 1")
    token = int(connection.execute("SELECT last FROM tokens").fetchone()[0])
    connection.execute(f"UPDATE lanes SET token = ? WHERE {ROW}", (token, *_id(key)))
    row = connection.execute(f"SELECT {COLUMNS} FROM lanes WHERE {ROW}", _id(key)).fetchone()
    return HeldLane(Token(token), _decode(row))


def commit(key: Key, token: Token, checkpoint: Checkpoint, connection: sqlite3.Connection) -> CommitAnswer:
    row = connection.execute(f"SELECT token, {PLACE} FROM lanes WHERE {ROW}", _id(key)).fetchone()
    stored, holder = (None, None) if row is None else (_decode_place(row[1:]), int(row[0]))
    answer = judge(stored, holder, token, checkpoint.place)
    if answer is CommitAnswer.COMMITTED:
        values = (*_encode(key, checkpoint), *_id(key))
        connection.execute(f"UPDATE lanes SET ({COLUMNS}, checksum) = (?{', ?' * 8}) WHERE {ROW}", values)
    return answer


def put(key: Key, checkpoint: Checkpoint, connection: sqlite3.Connection) -> bool:
    if not connection.execute(f"SELECT 1 FROM sources WHERE {ROWS}", _id(key)[:2]).fetchone():
        return False
    connection.execute(f"DELETE FROM lanes WHERE {ROW}", _id(key))
    _insert(connection, [(key, checkpoint)])
    return True


def compact(mapping: str, source: str, shards: Sequence[str], connection: sqlite3.Connection) -> int:
    ids = [(mapping, source, shard, SHARD_END) for shard in shards]
    return connection.executemany(f"DELETE FROM lanes WHERE {ROW} AND place = ?", ids).rowcount if ids else 0


def remove(mapping: str, source: str | None, connection: sqlite3.Connection) -> int:
    which, values = (ROWS, (mapping, source)) if source is not None else ("mapping = ?", (mapping,))
    connection.execute(f"DELETE FROM sources WHERE {which}", values)
    return connection.execute(f"DELETE FROM lanes WHERE {which}", values).rowcount


def move(mapping: str, source: str, to: str, connection: sqlite3.Connection) -> bool:
    target = f"SELECT 1 FROM lanes WHERE {ROWS} UNION SELECT 1 FROM sources WHERE {ROWS}"
    rows = connection.execute(f"SELECT shard, {COLUMNS} FROM lanes WHERE {ROWS}", (mapping, source)).fetchall()
    if not rows or connection.execute(target, (to, source) * 2).fetchone():
        return False
    connection.execute(f"UPDATE sources SET mapping = ? WHERE {ROWS}", (to, mapping, source))
    connection.execute(f"DELETE FROM lanes WHERE {ROWS}", (mapping, source))
    _insert(connection, [(Key(to, Lane(source, shard)), _decode(columns)) for shard, *columns in rows])
    return True


def kept(connection: sqlite3.Connection) -> list[Kept]:
    rows = connection.execute("SELECT mapping, source, count(*) FROM lanes GROUP BY mapping, source ORDER BY 1, 2")
    return [Kept(*row) for row in rows]


# --- rows and values ----------------------------------------------------------------------------------------------


def _encode(key: Key, checkpoint: Checkpoint) -> Row:
    """The columns of `COLUMNS`, and their checksum."""
    window = checkpoint.window
    kept = (None, None, None) if window is None else (int(window.window.start), int(window.window.end), window.state)
    columns = (*_encode_place(checkpoint.place), *kept)
    return (*columns, _checksum(_id(key), columns))


def _checksum(key: Row, columns: Row) -> int:
    """The checksum of a row with its key; the types are those that SQLite returns."""
    *small, state = columns
    return zlib.crc32(state or b"", zlib.crc32(repr((*key, *small)).encode("utf-8", "surrogatepass")))


def _encode_place(place: Place) -> Row:
    match place:
        case Start():
            return (place.kind.value, None if place.at is None else float(place.at), None, None, None)
        case Position():
            return (POSITION, None, str(place.number), place.sub, place.text)
        case Finished(last):
            return (SHARD_END, None, None, None, None) if last is None else (SHARD_END, *_encode_place(last)[1:])


def _decode(row: Sequence[Any]) -> Checkpoint:
    *place, start, end, state = row
    return Checkpoint(_decode_place(place), None if state is None else OpenWindow(Window(start, end), state))


def _decode_place(row: Sequence[Any]) -> Place:
    place, at, number, sub, spelled = row
    position = None if number is None else Position(int(number), sub, spelled)
    if place == SHARD_END:
        return Finished(position)
    if place == POSITION and position is not None:
        return position
    return Start(StartKind(place), at)


def check(connection: sqlite3.Connection) -> None:
    """Check that every row is readable. Raises ValueError or sqlite3.Error."""
    connection.execute("SELECT mapping, source, created FROM sources LIMIT 1").fetchone()
    tokens = connection.execute("SELECT last FROM tokens").fetchall()
    if len(tokens) != 1 or not isinstance(tokens[0][0], int):
        raise ValueError("the number of acquisitions was lost")
    for row in connection.execute(f"SELECT mapping, source, shard, {COLUMNS}, checksum, token FROM lanes"):
        key, columns, (checksum, token) = row[:3], row[3:-2], row[-2:]
        if checksum != _checksum(key, columns) or not isinstance(token, int):
            raise ValueError(f"the position of {key[2]!r} does not match its checksum")

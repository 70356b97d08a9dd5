"""Creates and opens files, and refuses unusable ones before any byte is changed.

It is made whole under another name and then renamed, so a file that exists is complete: an empty or short one is
damage, never the beginning of a new one. Runs in the store's thread; what the rows mean, and whether each is readable,
its `FileFormat` knows.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ..errors import Problem
from .faults import UnusableState
from .pinned import Pinned
from .rights import denied

BUSY = 5.0
"""Seconds to wait for another program that reads the file just now."""

OF_THE_PLACE = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)


@dataclass(frozen=True, slots=True)
class FileFormat:
    """The content of a kind of file, and its identification."""

    what: str
    """Its content, as messages name it: `stored positions`."""
    application: int
    """`application_id`: tells this kind from any other SQLite file."""
    schema: int
    """`user_version`: raised with every change of the tables."""
    tables: str
    """The statements that make the tables, in a transaction."""
    anew: str
    """What is lost by a start without the file, for messages."""
    check: Callable[[sqlite3.Connection], None]
    """Reads every row; raises ValueError for one that cannot be."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A connection of the thread that opened it, and the file that it has open."""

    connection: sqlite3.Connection
    pinned: Pinned


def open_file(path: Path, form: FileFormat) -> OpenFile:
    """Creates a missing file. Raises UnusableState."""
    try:
        if not path.exists():
            _create(path, form)
        _inspect(path, form)
        return _connect(path)
    except (sqlite3.Error, ValueError) as error:
        if _of_the_place(error):
            raise _unreachable(path, form, error) from error
        raise _damaged(path, form, str(error)) from error
    except OSError as error:
        raise _unreachable(path, form, error) from error


def _of_the_place(error: Exception) -> bool:
    """Whether rights, the disk or another program are in the way, and not what the file holds."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in OF_THE_PLACE


def _create(path: Path, form: FileFormat) -> None:
    if path.with_name(f"{path.name}-wal").exists():
        raise _damaged(path, form, "it is missing, but its -wal file still exists")
    fresh = path.with_name(f"{path.name}.new")
    for left in (fresh, fresh.with_name(f"{fresh.name}-journal")):
        left.unlink(missing_ok=True)  # of a daemon that died here; nothing was ever stored in it
    fresh.touch(mode=0o600)  # SQLite gives the files beside it the same rights
    with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA application_id = {form.application}")
        connection.execute(f"PRAGMA user_version = {form.schema}")
        connection.executescript(form.tables)
    fresh.rename(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """What was renamed into this directory, or out of it, outlives a loss of power from here on."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _inspect(path: Path, form: FileFormat) -> None:
    """Look without writing: what is refused stays as it is, for the version or the person that can read it."""
    location = f"file:{quote(str(path.absolute()))}?mode=ro"
    with closing(sqlite3.connect(location, uri=True, isolation_level=None, timeout=BUSY)) as connection:
        found = int(connection.execute("PRAGMA application_id").fetchone()[0])
        if found != form.application:
            raise _damaged(path, form, f"it is not a file of {form.what}, or its header is damaged")
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > form.schema:
            raise _newer(path, form, version)
        if version < form.schema:
            raise _damaged(path, form, f"there never was a version {version} of it")
        verdict = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
        if verdict != "ok":
            raise _damaged(path, form, verdict)
        form.check(connection)


def _connect(path: Path) -> OpenFile:
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # a commit that was answered survives a loss of power too
        return OpenFile(connection, Pinned.of(path))
    except BaseException:
        connection.close()
        raise


def _unreachable(path: Path, form: FileFormat, error: Exception) -> UnusableState:
    hint = (
        "check its permissions and the disk, close other programs that use it, or name another directory with --state"
    )
    return _refused(path, f"cannot open the {form.what}: {error}{denied(path)}", hint)


def _damaged(path: Path, form: FileFormat, detail: str) -> UnusableState:
    hint = (
        f"restore a backup, or move the file and its -wal and -shm files away to start again {form.anew}; "
        "Headrace did not change it"
    )
    return _refused(path, f"the {form.what} are damaged: {detail}", hint)


def _newer(path: Path, form: FileFormat, version: int) -> UnusableState:
    hint = (
        "start that version, or name another state directory with --state or HEADRACE_STATE; Headrace did not change it"
    )
    what = f"the {form.what} are of a newer version of Headrace (format {version}, this one knows {form.schema})"
    return _refused(path, what, hint)


def _refused(path: Path, what: str, hint: str) -> UnusableState:
    return UnusableState([Problem(what, file=str(path), hint=hint)])

"""Writes that share a transaction, where the file cannot be written, or is not there any more."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from headrace.config.durable.faults import StoreUnavailable
from headrace.config.durable.files import FileFormat
from headrace.config.durable.writer import GroupWriter

FORMAT = FileFormat(
    what="things",
    application=0x50656E00,
    schema=1,
    tables="CREATE TABLE things (number INTEGER)",
    anew="without things",
    check=lambda connection: None,
)


class Locked:
    """A connection to a file that another program holds; each attempt would wait for seconds."""

    total_changes = 0
    in_transaction = False

    def __init__(self) -> None:
        self.attempts = 0

    def execute(self, statement: str) -> Any:
        self.attempts += 1
        raise sqlite3.OperationalError("database is locked")

    def close(self) -> None:
        pass


async def test_requests_that_come_together_wait_together_for_a_file_that_is_locked() -> None:
    connection = Locked()
    writer = GroupWriter(cast("sqlite3.Connection", connection), ThreadPoolExecutor(1), "f.db", FORMAT, None)
    refused: list[str] = []

    async def request() -> None:
        with pytest.raises(StoreUnavailable) as raised:
            await writer.run(lambda connection: None)
        refused.append(str(raised.value))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(request)
    assert len(refused) == 20
    assert "database is locked" in refused[0]
    assert connection.attempts == 1
    await writer.aclose()


# --- a file that goes away while it is open ---------------------------------------------------------------------------


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[GroupWriter]:
    directory = tmp_path / "state"
    directory.mkdir()
    opened = await GroupWriter.open(directory / "f.db", FORMAT)
    yield opened
    await opened.aclose()


async def put(writer: GroupWriter) -> None:
    await writer.run(lambda connection: connection.execute("INSERT INTO things VALUES (1)"))


async def kept(writer: GroupWriter) -> int:
    return int(await writer.run(lambda connection: connection.execute("SELECT count(*) FROM things").fetchone()[0]))


def taken_away(directory: Path) -> None:
    shutil.rmtree(directory)


def replaced(directory: Path) -> None:
    shutil.move(directory, directory.with_name("other"))
    directory.mkdir()
    shutil.copy(directory.with_name("other") / "f.db", directory / "f.db")


@pytest.mark.semantics("CLI-43")
@pytest.mark.parametrize(("goes", "told"), [(taken_away, "deleted or moved"), (replaced, "replaced by another")])
async def test_nothing_is_stored_in_a_file_that_its_path_does_not_lead_to(
    writer: GroupWriter, tmp_path: Path, goes: Callable[[Path], None], told: str
) -> None:
    await put(writer)
    goes(tmp_path / "state")
    with pytest.raises(StoreUnavailable, match=rf"cannot store things in .*f\.db: .*{told}.*restart the daemon"):
        await put(writer)
    assert writer.trouble is not None
    assert told in writer.trouble.text
    assert await kept(writer) == 1, "what is there can still be read, and nothing was added"


@pytest.mark.semantics("CLI-43")
async def test_a_file_that_comes_back_is_written_again(writer: GroupWriter, tmp_path: Path) -> None:
    (tmp_path / "state").rename(tmp_path / "away")
    with pytest.raises(StoreUnavailable):
        await put(writer)
    (tmp_path / "away").rename(tmp_path / "state")
    await put(writer)
    assert (writer.trouble, await kept(writer)) == (None, 1)


@pytest.mark.semantics("CLI-43")
async def test_a_file_that_is_gone_is_noticed_before_anything_is_to_be_stored(
    writer: GroupWriter, tmp_path: Path
) -> None:
    async def checked() -> str:
        await writer.check()
        return str(writer.trouble or "")

    assert await checked() == ""
    (tmp_path / "state").rename(tmp_path / "away")
    assert "deleted or moved" in await checked()
    (tmp_path / "away").rename(tmp_path / "state")
    assert await checked() == ""


@pytest.mark.semantics("OBS-22")
async def test_what_is_wrong_with_the_disk_is_known_until_something_could_be_stored_again(writer: GroupWriter) -> None:
    def fails(connection: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(StoreUnavailable, match="database or disk is full; free some disk space"):
        await writer.run(fails)
    await kept(writer)
    assert writer.trouble is not None, "a read says nothing of it"
    await writer.check()
    assert writer.trouble is None


@pytest.mark.semantics("OBS-22")
async def test_a_look_at_a_file_that_cannot_be_written_writes(writer: GroupWriter, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state" / "f.db", isolation_level=None)) as other:
        await writer.run(lambda connection: connection.execute("PRAGMA busy_timeout = 1").fetchall())
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="database is locked"):
            await put(writer)
        await writer.check()
        assert writer.trouble is not None
        other.execute("ROLLBACK")
        await writer.check()
        assert writer.trouble is None

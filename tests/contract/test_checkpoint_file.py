"""What the file of the positions must stand: restarts, load, full disks, `kill -9`; and which files are refused."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from headrace.config.durable.faults import StoreUnavailable, UnusableState
from headrace.config.errors import BugError, ConfigError
from headrace.dispatch.core.model import Lane, OpenWindow, Position, Window
from headrace.pollers.checkpoints.sqlite import SqliteCheckpoints
from headrace.pollers.checkpoints.state_file import FILE, SCHEMA
from headrace.pollers.checkpoints.store import (
    BEGINNING,
    Checkpoint,
    CommitAnswer,
    Finished,
    Key,
    Start,
    StartKind,
    Token,
)
from support.counts import count
from support.virtual_time import VirtualLoop

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
LATEST = Start(StartKind.LATEST, 1_700_000_000.0)
WINDOW = OpenWindow(Window(60, 120), b'{"sum":1}')
SAFE = {"journal_mode": "wal", "synchronous": 2}
"""2 is FULL."""


def key(shard: str = "shardId-000000000000") -> Key:
    return Key("m", Lane(STREAM, shard))


def at(number: int, sub: int = 0, window: OpenWindow | None = None) -> Checkpoint:
    return Checkpoint(Position(number, sub, str(number)), window)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE


# --- the file -------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-01")
async def test_what_was_answered_is_there_after_a_restart(path: Path) -> None:
    store = await SqliteCheckpoints.open(path)
    await store.begin("m", STREAM, 1.25, {"a": LATEST, "b": Start(StartKind.AT_TIMESTAMP, 9.5), "c": Finished()})
    held = await store.acquire(key("a"))
    await store.commit(key("a"), held.token, at(7, 1, WINDOW))
    before = await store.opened("m", STREAM)
    await store.aclose()
    await store.aclose()
    store = await SqliteCheckpoints.open(path)
    assert await store.opened("m", STREAM) == before
    assert (await store.acquire(key("a"))).token > held.token
    assert await store.commit(key("a"), held.token, at(8)) is CommitAnswer.STALE
    await store.aclose()
    with pytest.raises(BugError, match="closed"):
        await store.load(key())


@pytest.mark.semantics("STREAM-08")
async def test_commits_under_load_share_their_wait_for_the_disk(path: Path) -> None:
    store = await SqliteCheckpoints.open(path)
    lanes, rounds = 100, count(20, 200)
    held = [await store.acquire(key(str(lane))) for lane in range(lanes)]
    before = store.durable_commits

    async def work(lane: int) -> None:
        for number in range(rounds):
            for _ in range(lane % 3):
                await anyio.lowlevel.checkpoint()  # what the feed does in between
            assert await store.commit(key(str(lane)), held[lane].token, at(number)) is CommitAnswer.COMMITTED

    async with anyio.create_task_group() as tasks:
        for lane in range(lanes):
            tasks.start_soon(work, lane)
    durable = store.durable_commits - before
    await store.aclose()
    assert rounds <= durable <= lanes * rounds // 20


async def test_what_is_handed_over_in_one_turn_is_one_transaction(path: Path) -> None:
    store = await SqliteCheckpoints.open(path)
    held = {shard: await store.acquire(key(shard)) for shard in map(str, range(50))}
    before = store.durable_commits
    async with anyio.create_task_group() as tasks:
        for shard, each in held.items():
            tasks.start_soon(store.commit, key(shard), each.token, at(1))
    assert store.durable_commits - before == 1
    await store.aclose()


async def test_a_commit_waits_for_the_disk_itself(path: Path) -> None:
    store = await SqliteCheckpoints.open(path)

    def ask(connection: sqlite3.Connection) -> dict[str, object]:
        return {what: connection.execute(f"PRAGMA {what}").fetchone()[0] for what in SAFE}

    asked = await store._writer.run(ask)
    await store.aclose()
    assert asked == SAFE


async def test_reading_is_no_durable_commit(path: Path) -> None:
    store = await SqliteCheckpoints.open(path)
    await store.acquire(key())
    before = store.durable_commits
    await store.load(key())
    await store.opened("m", STREAM)
    await store.kept()
    assert await store.commit(key(), Token(99), at(1)) is CommitAnswer.STALE
    assert store.durable_commits == before == 1
    await store.aclose()


async def test_a_request_that_cannot_be_stored_is_nobody_elses(path: Path) -> None:
    store = await SqliteCheckpoints.open(path)
    held = await store.acquire(key("a"))
    failed: list[str] = []

    async def bad() -> None:
        try:
            await store.acquire(key("\udc80"))
        except BugError as error:
            failed.append(str(error))

    async def good() -> None:
        assert await store.commit(key("a"), held.token, at(5)) is CommitAnswer.COMMITTED

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bad)
        tasks.start_soon(good)
    assert len(failed) == 1
    assert await store.load(key("a")) == at(5)
    await store.aclose()


async def test_a_store_that_cannot_write_says_so_and_recovers(path: Path) -> None:
    store = await SqliteCheckpoints.open(path)
    held = await store.acquire(key())
    await store._writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchall())
    big = at(1, window=OpenWindow(Window(0, 60), b"x" * 1_000_000))
    with pytest.raises(StoreUnavailable, match=r"checkpoints\.db"):
        await store.commit(key(), held.token, big)
    assert await store.load(key()) == Checkpoint(BEGINNING)
    await store._writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 100000").fetchall())
    assert await store.commit(key(), held.token, big) is CommitAnswer.COMMITTED
    await store.aclose()


async def test_closing_waits_for_what_was_handed_over(path: Path) -> None:
    store = await SqliteCheckpoints.open(path)
    held = await store.acquire(key())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.commit, key(), held.token, at(5))
        await anyio.lowlevel.checkpoint()
        await store.aclose()
    store = await SqliteCheckpoints.open(path)
    assert await store.load(key()) == at(5)
    await store.aclose()


def test_virtual_time_waits_for_the_disk(path: Path) -> None:
    async def main() -> float:
        store = await SqliteCheckpoints.open(path)
        held = await store.acquire(key())
        with anyio.move_on_after(60):
            for number in range(50):
                await store.commit(key(), held.token, at(number))
        await store.aclose()
        return anyio.current_time()

    assert anyio.run(main, backend_options={"loop_factory": VirtualLoop}) == 0


# --- a file that is refused -----------------------------------------------------------------------------------------


async def made(path: Path) -> bytes:
    """A file with something in it."""
    store = await SqliteCheckpoints.open(path)

    async def work(shard: int) -> None:
        held = await store.acquire(key(str(shard)))
        await store.commit(key(str(shard)), held.token, at(shard, window=WINDOW))

    async with anyio.create_task_group() as tasks:
        for shard in range(200):
            tasks.start_soon(work, shard)
    await store.aclose()
    return path.read_bytes()


async def refused(path: Path) -> str:
    """What is said; the file must be left as it was."""
    before = path.read_bytes()
    with pytest.raises(UnusableState) as caught:
        await SqliteCheckpoints.open(path)
    assert path.read_bytes() == before
    assert isinstance(caught.value, ConfigError)
    assert str(path) in str(caught.value)
    return str(caught.value)


def alter(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()


@pytest.mark.semantics("STREAM-09")
async def test_a_newer_file_is_refused(path: Path) -> None:
    await made(path)
    alter(path, f"PRAGMA user_version = {SCHEMA + 1}")
    said = await refused(path)
    assert "newer" in said
    assert "--state" in said


@pytest.mark.semantics("STREAM-09")
async def test_a_newer_file_whose_version_is_still_in_its_log_is_refused(path: Path, tmp_path: Path) -> None:
    await made(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    copy = tmp_path / "killed" / FILE
    copy.parent.mkdir()
    for suffix in ("", "-wal"):
        Path(f"{copy}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    connection.close()
    log = Path(f"{copy}-wal").read_bytes()
    assert "newer" in await refused(copy)
    assert Path(f"{copy}-wal").read_bytes() == log


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA application_id = 1",
        "PRAGMA user_version = 0",
        "DROP TABLE sources",
        "DROP TABLE tokens",
        "DELETE FROM tokens",
        "ALTER TABLE lanes DROP COLUMN window_state",
        "UPDATE lanes SET place = 'HERE' WHERE shard = '7'",
        "UPDATE lanes SET number = 'x' WHERE shard = '7'",
        "UPDATE lanes SET number = NULL WHERE shard = '7'",
        "UPDATE lanes SET window_start = NULL WHERE shard = '7'",
        "UPDATE lanes SET place = 'SHARD_END' WHERE shard = '7'",
        "UPDATE lanes SET token = 'x' WHERE shard = '7'",
        "UPDATE lanes SET spelled = CAST(X'ff' AS TEXT) WHERE shard = '7'",
    ],
)
@pytest.mark.semantics("STREAM-09")
async def test_a_file_that_does_not_say_what_ours_say_is_refused(path: Path, statement: str) -> None:
    await made(path)
    alter(path, statement)
    assert "damaged" in await refused(path)


@pytest.mark.parametrize("content", [b"", b"{}\n", b"SQLite format 3\0" + b"\0" * 84, b"\0" * 8192])
@pytest.mark.semantics("STREAM-09")
async def test_another_file_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert "damaged" in await refused(path)


@pytest.mark.semantics("STREAM-09")
async def test_a_file_that_was_cut_is_refused(path: Path) -> None:
    whole = await made(path)
    path.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in await refused(path)


async def test_the_log_of_a_file_that_is_gone_is_not_passed_over(path: Path) -> None:
    left = path.with_name(f"{FILE}-wal")
    left.write_bytes(b"something")
    with pytest.raises(UnusableState, match="missing"):
        await SqliteCheckpoints.open(path)
    assert left.read_bytes() == b"something"
    assert not path.exists()


async def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableState, match="cannot open"):
        await SqliteCheckpoints.open(tmp_path / "missing" / FILE)
    (tmp_path / FILE).mkdir()
    with pytest.raises(UnusableState, match="cannot open"):
        await SqliteCheckpoints.open(tmp_path / FILE)


async def test_what_a_daemon_left_that_died_while_making_the_file_is_no_hindrance(path: Path) -> None:
    path.with_name(f"{FILE}.new").write_bytes(b"half")
    path.with_name(f"{FILE}.new-journal").write_bytes(b"half")
    store = await SqliteCheckpoints.open(path)
    await store.aclose()
    assert [each.name for each in path.parent.iterdir()] == [FILE]


# --- kill -9 --------------------------------------------------------------------------------------------------------

KILLED = """
import sys
import anyio
from pathlib import Path
from headrace.dispatch.core.model import Lane, Position, Window
from headrace.dispatch.core.model import OpenWindow
from headrace.pollers.checkpoints.sqlite import SqliteCheckpoints
from headrace.pollers.checkpoints.store import Checkpoint, Key

async def work(store, lane):
    key = Key("m", Lane("s", str(lane)))
    held = await store.acquire(key)
    number = held.checkpoint.place.number if isinstance(held.checkpoint.place, Position) else 0
    while True:
        number += 1
        window = OpenWindow(Window(0, 60), b"%d" % number)
        await store.commit(key, held.token, Checkpoint(Position(number), window))
        sys.stdout.write(f"{lane} {number}\\n")
        sys.stdout.flush()

async def main():
    store = await SqliteCheckpoints.open(Path(sys.argv[1]))
    async with anyio.create_task_group() as tasks:
        for lane in range(5):
            tasks.start_soon(work, store, lane)

anyio.run(main)
"""


KILLED_AT = """
import os, signal, sys
import anyio
from pathlib import Path
from headrace.pollers.checkpoints.sqlite import SqliteCheckpoints

def watch(event, arguments):
    if event == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    sys.addaudithook(watch)
    await SqliteCheckpoints.open(Path(sys.argv[1]))

anyio.run(main)
"""


@pytest.mark.parametrize("moment", ["sqlite3.connect", "sqlite3.connect/handle", "os.rename"])
@pytest.mark.semantics("STREAM-10")
async def test_a_kill_while_the_file_is_made_leaves_none_or_a_whole_one(path: Path, moment: str) -> None:
    """The interpreter announces each of these moments just before, or just after, it happens."""
    child = subprocess.run([sys.executable, "-c", KILLED_AT, str(path), moment], check=False)
    assert child.returncode == -signal.SIGKILL
    assert not path.exists()
    store = await SqliteCheckpoints.open(path)
    assert (await store.acquire(key())).checkpoint == Checkpoint(BEGINNING)
    await store.aclose()


@pytest.mark.semantics("STREAM-10")
async def test_a_kill_at_any_moment_leaves_every_answered_commit(path: Path) -> None:
    answered: dict[str, int] = {}
    for round_ in range(count(5, 100)):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(17 * round_ + 1)]
        child.kill()
        lines += child.stdout.readlines()
        child.stdout.close()
        child.wait()
        for line in lines:
            if line.endswith("\n"):
                lane, number = line.split()
                answered[lane] = max(answered.get(lane, 0), int(number))
        store = await SqliteCheckpoints.open(path)
        for lane in answered:
            stored = await store.load(Key("m", Lane("s", lane)))
            assert stored is not None
            assert isinstance(stored.place, Position)
            assert stored.place.number in (answered[lane], answered[lane] + 1)
            assert stored.window == OpenWindow(Window(0, 60), b"%d" % stored.place.number)
            answered[lane] = stored.place.number
        await store.aclose()
    assert len(answered) == 5

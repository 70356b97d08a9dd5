"""Packages on the disk, when the machine was started anew, when two come at once, when one is held."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import anyio
import pytest

from headrace.config.durable.faults import StoreUnavailable
from headrace.service.control.refusals import ApiError
from headrace.service.control.store import code
from headrace.service.control.store.code import CodeStore, boot_id, whole
from support.function_api import ZIP, zipped

SHA = hashlib.sha256(ZIP).hexdigest()


async def test_after_a_start_of_the_machine_code_is_unpacked_anew(tmp_path: Path) -> None:
    """What was written just before a loss of power may be there in part."""
    store = CodeStore(tmp_path, "first")
    assert await store.repair([]) == []
    async with store.adding(whole(ZIP)):
        pass
    app = store.path(SHA) / "app.py"
    content = app.read_bytes()
    app.write_bytes(b"")
    assert await CodeStore(tmp_path, "first").repair([SHA]) == []
    assert app.read_bytes() == b"", "the machine ran on: nothing is doubtful"
    again = CodeStore(tmp_path, "second")
    assert await again.repair([SHA]) == []
    assert app.read_bytes() == content
    await again.sweep(lambda: [SHA])
    app.write_bytes(b"")
    assert await CodeStore(tmp_path, "second").repair([SHA]) == []
    assert app.read_bytes() == b""


def test_a_start_of_the_machine_has_an_id() -> None:
    assert boot_id() == boot_id()


async def test_the_same_package_twice_at_once_is_there_once(tmp_path: Path) -> None:
    store = CodeStore(tmp_path)
    seen: list[str] = []

    async def add() -> None:
        async with store.adding(whole(ZIP)) as package:
            seen.append(package.sha256)
            await store.sweep(list)
            assert (store.path(SHA) / "app.py").is_file()

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(add)
    assert seen == [SHA] * 4
    assert store.zip(SHA).read_bytes() == ZIP
    await store.sweep(list)
    assert not store.path(SHA).exists()
    assert not store.zip(SHA).exists()


async def test_who_lets_go_of_a_package_is_noticed_when_he_is_the_last(tmp_path: Path) -> None:
    store = CodeStore(tmp_path)
    told: list[str] = []
    store.released = lambda: told.append("released")
    with store.held(SHA):
        with store.held(SHA):
            pass
        assert told == []
    assert told == ["released"]


async def test_a_zip_that_is_not_what_it_was_is_lost(tmp_path: Path) -> None:
    store = CodeStore(tmp_path, "first")
    async with store.adding(whole(ZIP)):
        pass
    store.zip(SHA).write_bytes(zipped({"other.py": ""}))
    assert await CodeStore(tmp_path, "second").repair([SHA]) == [SHA]


async def test_a_package_that_is_refused_is_held_no_longer(tmp_path: Path) -> None:
    store = CodeStore(tmp_path)
    with pytest.raises(ApiError):
        async with store.adding(whole(b"no zip")):
            pass
    assert [entry.name for entry in tmp_path.iterdir()] == []


async def test_a_package_that_begins_to_come_in_while_others_are_swept_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, lists = CodeStore(tmp_path), threading.Event()
    sweep, swept = code._sweep, anyio.Event()

    def later(root: Path, keeps: Callable[[str], bool]) -> None:
        lists.wait()
        sweep(root, keeps)

    async def sweep_once() -> None:
        await store.sweep(list)
        swept.set()

    async def pieces() -> AsyncGenerator[bytes]:
        lists.set()  # the file is there, and empty
        await swept.wait()
        yield ZIP

    monkeypatch.setattr(code, "_sweep", later)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sweep_once)
        await anyio.wait_all_tasks_blocked()  # what is kept is decided, the files are not listed yet
        async with store.adding(pieces()):
            assert (store.path(SHA) / "app.py").is_file()


@pytest.mark.semantics("OBS-22")
async def test_a_disk_that_is_full_while_code_comes_in_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written before it was full is written again when the file is closed, and fails again."""
    monkeypatch.setattr(code, "_create", lambda file: Path("/dev/full").open("wb"))  # noqa: SIM115
    with pytest.raises(StoreUnavailable, match=r"cannot store code in .*: No space left on device; free space"):
        async with CodeStore(tmp_path).adding(whole(ZIP)):
            pass


@pytest.mark.semantics("CLI-43")
async def test_no_code_is_stored_in_a_directory_that_was_deleted(tmp_path: Path) -> None:
    store = CodeStore(tmp_path / "state" / "code")
    await store.repair([])
    shutil.rmtree(tmp_path / "state")
    with pytest.raises(StoreUnavailable, match=r"cannot store code: .*code was deleted .*restart the daemon"):
        async with store.adding(whole(ZIP)):
            pass
    assert not (tmp_path / "state").exists()


@pytest.mark.semantics("CLI-43")
async def test_the_code_of_another_daemon_in_the_same_place_is_left_alone(tmp_path: Path) -> None:
    code = tmp_path / "code"
    store = CodeStore(code)
    await store.repair([])
    code.rename(tmp_path / "away")
    async with CodeStore(code).adding(whole(ZIP)):
        await store.sweep(tuple)
        assert CodeStore(code).zip(SHA).exists()
    with pytest.raises(StoreUnavailable, match="replaced"):
        async with store.adding(whole(ZIP)):
            pass

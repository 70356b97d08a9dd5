"""The state directory, its lock, and what is remembered in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.config.durable.rights import denied
from headrace.config.function import LocalFunction
from headrace.dispatch.core.observer import GateClosed, GateOpened
from headrace.service.control.store.code import CodeStore
from headrace.service.control.store.document_store import Documents
from headrace.service.wiring.known_starts import FILE, ForgetfulObserver, KnownStarts, fingerprint
from headrace.service.wiring.state import StateDirectory, StateError, former_directory
from support.children import child
from support.reasons import no_start


def test_the_directory_is_made_and_locked(tmp_path: Path) -> None:
    state = StateDirectory.open(tmp_path / "a" / "b")
    with pytest.raises(StateError, match=r"another daemon \(pid \d+\) uses"):
        StateDirectory.open(tmp_path / "a" / "b")
    state.close()
    StateDirectory.open(tmp_path / "a" / "b").close()


def test_a_directory_of_another_user_is_told_with_both_users_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert denied(tmp_path / "missing" / "state") == ""  # root may write everywhere, and so may the owner
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    owner, us = tmp_path.stat(), f"{os.geteuid()}:{os.getegid()}"
    told = denied(tmp_path / "missing" / "state")
    assert f"{tmp_path} belongs to {owner.st_uid}:{owner.st_gid}, mode 700, and this process is {us}" in told
    assert f"chown -R {us} {tmp_path}" in told
    assert f"--user {owner.st_uid}:{owner.st_gid}" in told


def test_a_directory_under_the_former_name_is_named_with_what_to_do(tmp_path: Path) -> None:
    assert former_directory(tmp_path / ".headrace") == ""
    former = tmp_path / ".penstock"
    former.mkdir()
    line = former_directory(tmp_path / ".headrace")
    assert line.startswith(f"{former} is a state directory with its old name")
    assert f"mv {former} {tmp_path / '.headrace'}" in line
    assert former_directory(former) == ""  # who names it uses it


@pytest.mark.semantics("FUNC-43")
async def test_what_is_stored_is_for_its_owner_alone(tmp_path: Path) -> None:
    StateDirectory.open(tmp_path / "state").close()
    documents = await Documents.open(tmp_path / "state" / "control.db")
    await documents.write({("function", "f"): {}})
    code = CodeStore(tmp_path / "state" / "code")
    await code.repair(())
    files = [tmp_path / "state", *(tmp_path / "state").iterdir()]
    shown = {file.name: oct(file.stat().st_mode & 0o077) for file in files if file.name != "lock"}
    await documents.aclose()
    assert shown == dict.fromkeys(["state", "control.db", "control.db-wal", "control.db-shm", "code"], "0o0")


def test_the_lock_is_free_the_moment_its_owner_is_killed(tmp_path: Path) -> None:
    hold = "import sys, time; from pathlib import Path; from headrace.service.wiring.state import StateDirectory\n"
    hold += "state = StateDirectory.open(Path(sys.argv[1])); print('held', flush=True); time.sleep(600)"
    with child([sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"held\n"
        with pytest.raises(StateError, match=rf"pid {owner.pid}\b"):
            StateDirectory.open(tmp_path)
        owner.kill()
        owner.wait()
        StateDirectory.open(tmp_path).close()


def test_a_place_that_cannot_be_a_directory_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="--state"):
        StateDirectory.open(tmp_path / "file" / "state")


def test_whoever_looks_for_the_owner_of_a_file_is_told_that_it_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"Not a directory.*--state"):
        StateDirectory.owner(tmp_path / "file")
    assert StateDirectory.owner(tmp_path / "nowhere") is None


def test_a_full_disk_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to("/dev/full")
    with pytest.raises(StateError, match=rf"cannot use the state directory {tmp_path}.*--state"):
        StateDirectory.open(tmp_path)


def test_on_a_full_disk_nothing_is_remembered(tmp_path: Path) -> None:
    registry = KnownStarts(tmp_path)
    registry.remember("orders", "one")
    (tmp_path / "functions.new").symlink_to("/dev/full")
    ForgetfulObserver(registry).observe(GateClosed("orders", no_start("broken"), 1.0))
    assert not KnownStarts(tmp_path).remembers("orders", "one")
    registry.remember("orders", "two")
    assert not KnownStarts(tmp_path).remembers("orders", "two")


def test_what_started_well_is_remembered_and_what_changed_is_not(tmp_path: Path) -> None:
    KnownStarts(tmp_path).remember("orders", "one")
    again = KnownStarts(tmp_path)
    assert again.remembers("orders", "one")
    assert not again.remembers("orders", "two")
    assert not again.remembers("stock", "one")


def test_a_function_that_could_not_start_is_forgotten(tmp_path: Path) -> None:
    registry = KnownStarts(tmp_path)
    registry.remember("orders", "one")
    forgetting = ForgetfulObserver(registry)
    forgetting.observe(GateOpened("orders", 0.1))
    assert KnownStarts(tmp_path).remembers("orders", "one")
    forgetting.observe(GateClosed("orders", no_start("broken"), 1.0))
    assert not KnownStarts(tmp_path).remembers("orders", "one")


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "\x00"])
def test_a_damaged_file_is_as_if_nothing_were_remembered(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    registry = KnownStarts(tmp_path)
    assert not registry.remembers("orders", "one")
    registry.remember("orders", "one")
    assert KnownStarts(tmp_path).remembers("orders", "one")


def test_nothing_remembers_a_function_without_a_fingerprint(tmp_path: Path) -> None:
    registry = KnownStarts(tmp_path)
    registry.remember("orders", "")
    assert not registry.remembers("orders", "")


def function(code: Path, **more: object) -> LocalFunction:
    return LocalFunction.model_validate(
        {"name": "f", "runtime": "python", "handler": "app.handler", "code": code, **more}
    )


def test_a_fingerprint_follows_code_and_configuration_and_nothing_else(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text("one")
    first = fingerprint(function(tmp_path), [tmp_path])
    assert fingerprint(function(tmp_path), [tmp_path]) == first
    assert fingerprint(function(tmp_path, environment={"STAGE": "dev"}), [tmp_path]) != first
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "app.pyc").write_text("compiled")
    assert fingerprint(function(tmp_path), [tmp_path]) == first
    app.write_text("three")
    assert fingerprint(function(tmp_path), [tmp_path]) != first


def test_a_link_to_nowhere_in_the_code_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert fingerprint(function(tmp_path), [tmp_path])


# --- a directory that goes away while it is ours ----------------------------------------------------------------------


@pytest.mark.semantics("CLI-43")
async def test_a_lock_that_another_daemon_could_take_is_noticed(tmp_path: Path) -> None:
    state = StateDirectory.open(tmp_path / "state")

    async def checked() -> str:
        await state.check()
        return str(state.trouble or "")

    assert await checked() == ""
    shutil.rmtree(tmp_path / "state")
    assert "another daemon may use the state directory at the same time" in await checked()
    StateDirectory.open(tmp_path / "state").close()
    assert "replaced by another" in await checked()
    state.close()


@pytest.mark.semantics("CLI-43")
def test_nothing_is_remembered_in_the_directory_of_another_daemon(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    directory.mkdir()
    registry = KnownStarts(directory)
    directory.rename(tmp_path / "away")
    directory.mkdir()
    KnownStarts(directory).remember("orders", "theirs")
    registry.remember("orders", "ours")
    assert KnownStarts(directory).remembers("orders", "theirs")

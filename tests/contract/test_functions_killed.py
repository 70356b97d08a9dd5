"""`kill -9` at any moment of any call: what was answered is there, what is there is whole, and nothing is left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.service.control.store.code import DIRECTORY
from support import function_killed
from support.counts import count
from support.function_api import FunctionApi, function_api

Said = dict[str, tuple[int, str]]
"""By function: the number and the words of its last answer."""


def child(state: Path, *moment: str) -> subprocess.Popen[str]:
    command = [sys.executable, function_killed.__file__, str(state), *moment]
    environ = {**os.environ, "PYTHONPATH": str(Path(function_killed.__file__).parent.parent)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)


def heard(lines: list[str]) -> Said:
    said: Said = {}
    for line in lines:
        if line.endswith("\n"):
            name, number, what = line.rstrip("\n").split(" ", 2)
            said[name] = (int(number), what)
    return said


async def check(state: Path, said: Said) -> None:
    """A daemon starts on what is left, and finds each function as it was answered, or one answer further."""
    async with function_api(state) as api:
        assert api.lost == []
        for name in function_killed.FUNCTIONS:
            check_answered(api, name, said.get(name))
            check_whole(api, name)
        used = {sha for function in api.plane.all().values() for sha in function.packages}
        assert {entry.name.removesuffix(".zip") for entry in (state / DIRECTORY).glob("[!.]*")} == used
        listed = await api("ListFunctions", FunctionVersion="ALL")
        assert len(listed["Functions"]) >= len(api.plane.all())


def check_answered(api: FunctionApi, name: str, said: tuple[int, str] | None) -> None:
    function = api.plane.find(name)
    match said[1].split() if said else ["deleted"]:
        case ["created"]:
            assert function is not None
        case ["updated", version]:
            assert function is not None
            assert function.last_number == int(version)
        case ["removed", version]:
            assert function is None or function.version(version) is None
        case ["deleted"]:
            assert function is None or function.last_number == 1


def check_whole(api: FunctionApi, name: str) -> None:
    function = api.plane.find(name)
    for version in (function.latest, *function.versions) if function else ():
        runnable = api.plane.runnable(name, version.number)
        assert runnable
        assert runnable.state == "Active"
        assert Path(runnable.code, "app.py").read_text().startswith(f"# {name} ")
        assert Path(runnable.code, "lib/deep/more.py").stat().st_size == 6000
        zipped = api.plane.code.zip(version.package.sha256).read_bytes()
        assert len(zipped) == version.package.size


@pytest.mark.semantics("FUNC-42")
@pytest.mark.parametrize(
    "event", ["os.mkdir", "os.chmod", "os.rename", "open", "os.remove", "os.rmdir", "shutil.rmtree", "os.scandir"]
)
async def test_a_kill_at_each_step_on_the_disk(tmp_path: Path, event: str) -> None:
    """The interpreter announces each of these just before it happens."""
    for number in range(1, count(2, 12) + 1):
        state = tmp_path / str(number)
        state.mkdir()
        process = child(state, event, str(number * 5 - 4 if event == "open" else number))
        out, _ = process.communicate()
        assert process.returncode == -signal.SIGKILL
        said = heard(out.splitlines(keepends=True))
        assert said.pop("start") == (0, "ready")
        await check(state, said)


@pytest.mark.semantics("FUNC-42")
async def test_a_kill_at_any_moment(tmp_path: Path) -> None:
    answers = 0
    for round_ in range(count(4, 40)):
        process = child(tmp_path)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(7 * round_ % 60 + 2)]
        process.kill()
        lines += process.stdout.readlines()
        process.stdout.close()
        process.wait()
        said = heard(lines)
        answers += len(lines)
        async with function_api(tmp_path) as api:
            before = {name for name in function_killed.FUNCTIONS if api.plane.find(name)}
        silent = before - said.keys()  # it said nothing of what an earlier round had left
        await check(tmp_path, {**said, **dict.fromkeys(silent, (0, "removed 0"))})
    assert answers > 4

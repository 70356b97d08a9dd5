"""`make demo` itself, small: the account balances, and nothing is left behind, not even when it is broken off."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.eventually import eventually

DEMO = [sys.executable, str(Path(__file__).parents[2] / "examples" / "demo" / "demo.py")]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def descendants(pid: int) -> set[int]:
    """Every process that came of this one, in whatever session."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


Demo = subprocess.Popen[str]


@pytest.fixture(scope="module")
def demos() -> Iterator[dict[str, Demo]]:
    """One on each server, all at once: most of a demo is waiting for orders to come again."""
    emulators = ["ministack", "moto", *(["elasticmq"] if shutil.which("java") and shutil.which("mvn") else [])]
    commands = {emulator: [*DEMO, "--emulator", emulator, "--orders", "40"] for emulator in emulators}
    with ExitStack() as stack:
        running = {}
        for emulator, command in commands.items():
            demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            running[emulator] = stack.enter_context(demo)
            stack.callback(demo.terminate)
        yield running


@pytest.mark.parametrize(
    "emulator", ["ministack", pytest.param("elasticmq", marks=pytest.mark.needs("java", "maven")), "moto"]
)
def test_every_order_stands_exactly_once(emulator: str, demos: dict[str, Demo]) -> None:
    said, _ = demos[emulator].communicate()
    assert demos[emulator].returncode == 0, said
    lines = [line.split() for line in said.splitlines()]
    counts = {line[0]: int(line[1]) for line in lines if line[1:2] and line[1].isdigit() and line[0] != "sent"}
    assert counts == {"delivered": 35, "filtered": 4, "redriven": 1}
    assert "The account balances." in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_broken_off_it_leaves_no_process(number: signal.Signals) -> None:
    demo = subprocess.Popen([*DEMO, "--orders", "200"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert demo.stdout is not None
    try:
        for line in demo.stdout:
            if "delivered" in line and " delivered 0," not in line:
                break
        started = descendants(demo.pid)
        assert len(started) >= 3, "an emulator, a daemon and a function's process"
        demo.send_signal(number)
        demo.wait()
    finally:
        demo.stdout.close()
        if demo.poll() is None:
            os.kill(demo.pid, signal.SIGKILL)
    assert demo.returncode not in (0, -number)
    eventually(lambda: not any(alive(pid) for pid in started))

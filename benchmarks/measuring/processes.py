"""Processes that a benchmark starts and ends, with the CPU time that they and their children take. Linux."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")
"""Seconds; the resolution of all CPU times here."""
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of user and system time."""

    own: float
    all: float
    """With all children, those that have ended included."""

    def __sub__(self, before: Cpu) -> Cpu:
        return Cpu(self.own - before.own, self.all - before.all)


def _times(pid: int) -> tuple[float, float]:
    """Its own seconds, and those of its children that have ended; zeros for a process that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0.0
    user, system, children_user, children_system = map(int, fields[11:15])
    return (user + system) * TICK, (children_user + children_system) * TICK


def children(pid: int) -> Iterator[int]:
    """All that descend from a process, itself aside."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield child
                yield from children(child)


def cpu(pid: int) -> Cpu:
    own, ended = _times(pid)
    return Cpu(own, own + ended + sum(sum(_times(child)) for child in children(pid)))


def resident(pid: int) -> int:
    """Bytes of memory, of this process alone."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


@contextmanager
def running(
    command: Sequence[str], log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process with its standard input and output as pipes; its whole group is gone afterwards."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[str], grace: float = 10.0) -> None:
    """Ask it to end, and end what is left of its group after `grace` seconds."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    process.wait()

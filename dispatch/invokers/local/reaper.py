"""Ends the daemon's workers when the daemon is gone, however it went. One small process per daemon.

It reads what to watch from its standard input, a line each, and kills what is left when the input ends: the kernel
closes the pipe even after `kill -9`. Two kinds are watched:

    +12345, -12345          a process group, known once it was started
    +=mark, -=mark          a text in the environment of every process that came of a worker; told before the start, so
                            that no moment is left in which the daemon can die and leave one behind (where the system
                            shows environments: Linux)

Run as a script; `Reaper` is the daemon's side of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

ROUNDS = 4
PAUSE = 0.1
"""Seconds between rounds: a process that is just being started shows its environment a moment later."""


def kill_marked(marks: list[bytes]) -> None:
    """Kill every process with one of these texts in its environment. Does nothing where the system shows none."""
    for process in list(_marked(marks)):
        _kill(process)


def _marked(marks: list[bytes]) -> Iterator[int]:
    try:
        processes = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return
    for process in processes:
        with suppress(OSError):
            with open(f"/proc/{process}/environ", "rb") as file:
                environment = file.read()
            if any(mark in environment for mark in marks):
                yield process


def _kill(target: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(target, signal.SIGKILL)


class Reaper:
    """Started with the first worker, kept as long as the daemon lives."""

    def __init__(self, kill_marked: Callable[[list[bytes]], None] = kill_marked) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._watched: set[str] = set()
        self._kill_marked = kill_marked
        self._looking = threading.Lock()
        self._asked: set[bytes] = set()

    def ready(self) -> None:
        """Start the process if it does not run; one that was killed is replaced, and told what it must know."""
        if self._process is not None and self._process.poll() is None:
            return
        self._let_go()
        self._process = self._start()
        for watched in self._watched:
            self._tell(f"+{watched}\n")

    def expect(self, mark: str) -> None:
        """A worker with this text in its environment is about to be started. One line of text, unique."""
        self._watch(f"={mark}")

    def watch(self, group: int) -> None:
        self._watch(str(group))

    def forget(self, group: int | None, mark: str = "") -> None:
        """They are gone, or never came."""
        for watched in ([str(group)] if group is not None else []) + ([f"={mark}"] if mark else []):
            self._watched.discard(watched)
            self._tell(f"-{watched}\n")

    @property
    def waiting(self) -> int:
        """Sweeps that were asked for, and not yet begun."""
        return len(self._asked)

    def sweep(self, mark: str) -> None:
        """Kill processes that came from that worker and left its group. It looks at every process of the machine, in
        the caller's thread; a caller that asks during a look shares the next look with all others that ask
        meanwhile."""
        asked = mark.encode()
        self._asked.add(asked)
        with self._looking:
            if asked not in self._asked:
                return  # a look that began after we asked has ended
            marks = list(self._asked)
            self._asked.difference_update(marks)
            self._kill_marked(marks)

    def close(self) -> None:
        """Let the process end; it kills what is still watched. A later start begins anew."""
        self._let_go()
        self._watched.clear()

    def _watch(self, watched: str) -> None:
        self._watched.add(watched)
        self._tell(f"+{watched}\n")

    def _let_go(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait()
            self._process = None

    def _tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):  # it was killed; the next start replaces it
                self._process.stdin.write(line.encode())

    @staticmethod
    def _start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", os.path.abspath(__file__)]
        return subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={},
        )


# --- in the process -------------------------------------------------------------------------------------------------


def main() -> None:
    watched: set[str] = set()
    for line in sys.stdin:
        (watched.add if line[0] == "+" else watched.discard)(line[1:].rstrip("\n"))
    if watched:
        reap(
            {int(each) for each in watched if each[0] != "="}, [each[1:].encode() for each in watched if each[0] == "="]
        )


def reap(groups: set[int], marks: list[bytes]) -> None:
    for group in groups:
        _kill(-group)
    for _ in range(ROUNDS if marks else 0):
        kill_marked(marks)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()

"""Ends the daemon's workers when the daemon is gone, however it went. One small process per daemon.

It reads process groups from its standard input, `+PGID` and `-PGID` a line, and kills all that are left when the input
ends: the kernel closes the pipe even after `kill -9`. Run as a script; `Reaper` is the daemon's side of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress


class Reaper:
    """Started with the first worker, kept as long as the daemon lives."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: set[int] = set()

    def ready(self) -> None:
        """Start the process if it does not run; one that was killed is replaced, and told what it must know."""
        if self._process is not None and self._process.poll() is None:
            return
        self._let_go()
        self._process = self._start()
        for group in self._groups:
            self._tell(f"+{group}\n")

    def watch(self, group: int) -> None:
        self._groups.add(group)
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Let the process end; it kills what is still watched. A later start begins anew."""
        self._let_go()
        self._groups.clear()

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


def main() -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()

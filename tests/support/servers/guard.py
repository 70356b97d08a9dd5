"""Runs one server and ends its whole process group as soon as whoever started it lets go of the pipe on our stdin.

A program of its own, started by `running.py`: a pipe also closes when its owner is killed with -9, and, unlike the
kernel's parent-death signal, it neither follows threads nor spares the server's own children.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

GRACE = 3.0
"""Seconds between asking a server to end and ending it."""
PR_SET_PDEATHSIG = 1


def main(command: list[str]) -> int:
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=die_with_guard)
    threading.Thread(target=end_when_alone, args=(server,), daemon=True).start()
    status = server.wait()
    send(signal.SIGKILL, server)  # what the server left behind
    return status


def die_with_guard() -> None:
    """Should the guard itself be killed: where the kernel can (Linux), the server goes too."""
    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def end_when_alone(server: subprocess.Popen[bytes]) -> None:
    while os.read(0, 4096):
        pass
    send(signal.SIGTERM, server)
    with suppress(subprocess.TimeoutExpired):
        server.wait(GRACE)
    send(signal.SIGKILL, server)


def send(number: signal.Signals, server: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(server.pid, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

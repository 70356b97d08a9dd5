"""Start a server program on a free loopback port, wait until it answers, and end it with whoever started it."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
START_TIMEOUT = 60.0
ATTEMPTS = 3
"""A free port may be taken by somebody else before the server binds it."""
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class ServerError(Exception):
    """A server did not start; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    name: str
    host: str
    port: int
    log: Path

    @property
    def endpoint_url(self) -> str:
        return f"http://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Program:
    """How a server is started on a port."""

    name: str
    command: Callable[[int], Sequence[str]]
    environment: Callable[[int], Mapping[str, str]] = lambda port: {}
    ready_path: str = "/"
    """Any HTTP answer to it means that the server is up."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(program: Program) -> Iterator[Server]:
    """The server for as long as the block runs; its whole process group ends with it, or with us."""
    with tempfile.TemporaryDirectory(prefix=f"{program.name}-") as directory:
        failure: ServerError | None = None
        for _ in range(ATTEMPTS):
            server = Server(program.name, "127.0.0.1", free_port(), Path(directory) / "log")
            process = _spawn(program, server, Path(directory))
            try:
                _wait_ready(program, server, process)
            except ServerError as error:
                _end(process)
                failure = error
                continue
            try:
                yield server
            finally:
                _end(process)
            return
        assert failure is not None
        raise failure


def _spawn(program: Program, server: Server, directory: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **program.environment(server.port)}
    with server.log.open("wb") as log:
        return subprocess.Popen(
            program.command(server.port),
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )


def _die_with_parent() -> None:
    """Ask the kernel to end the server when the process that started it dies, however it dies."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_ready(program: Program, server: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        if process.poll() is not None:
            raise ServerError(f"{program.name} ended with status {process.returncode}:\n{_tail(server.log)}")
        if _answers(server.endpoint_url + program.ready_path):
            return
        time.sleep(0.05)
    raise ServerError(f"{program.name} did not answer within {START_TIMEOUT:.0f} s:\n{_tail(server.log)}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(3)
    except ProcessLookupError:
        pass
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def emulator(name: str) -> str:
    """A program of the emulators' own environment (PENSTOCK_EMULATORS, default `.emulators` in the project)."""
    home = Path(os.environ.get("PENSTOCK_EMULATORS", ROOT / ".emulators"))
    return str(home / "bin" / name)

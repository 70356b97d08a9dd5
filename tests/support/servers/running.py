"""Start a server program on a free loopback port, wait until it answers, and end it with whoever started it."""

from __future__ import annotations

import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
START_TIMEOUT = 180.0
ATTEMPTS = 3
"""A free port may be taken by somebody else before the server binds it."""
_PORTS = range(15_000, 32_000)
"""Below those that the kernel gives to clients: between our look and the server's bind, no connection takes one."""
_GUARD = Path(__file__).with_name("guard.py")


class ServerError(Exception):
    """A server did not start; the message has the end of its log."""


class _EndedAtOnce(ServerError):
    """Perhaps because somebody else took its port."""


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


def answers_http(path: str = "/") -> Callable[[Server], bool]:
    """Whether a server gives any HTTP answer at all."""

    def ready(server: Server) -> bool:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=2)
        try:
            connection.request("GET", path)
            connection.getresponse().close()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    return ready


_ANSWERS = answers_http()


@dataclass(frozen=True, slots=True)
class Program:
    """How a server is started on a port, in a directory of its own that goes when it ends."""

    name: str
    command: Callable[[int], Sequence[str]]
    environment: Callable[[int], Mapping[str, str]] = lambda port: {}
    ready: Callable[[Server], bool] = _ANSWERS


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@contextmanager
def started(program: Program) -> Iterator[Server]:
    """The server for as long as the block runs; its whole process group ends with it, or with us."""
    with tempfile.TemporaryDirectory(prefix=f"{program.name}-", ignore_cleanup_errors=True) as directory:
        server, process = _start(program, Path(directory))
        try:
            yield server
        finally:
            _end(process)


class Restartable:
    """A server that goes away and comes back on the same port. Whoever makes it ends it."""

    def __init__(self, program: Program, directory: Path, port: int = 0) -> None:
        self.server = Server(program.name, "127.0.0.1", port or free_port(), directory / f"{program.name}.log")
        self._program = program
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        assert self._process is None
        self._process = _spawn(self._program, self.server, self._directory)
        _wait_ready(self._program, self.server, self._process)

    def stop(self) -> None:
        """As an operator would; nothing where it does not run."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)

    def pause(self) -> None:
        """As `kill -STOP`: what is sent to it arrives, and nothing comes back. Whoever pauses it resumes it."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        """To the server, not to its guard."""
        assert self._process is not None
        guard = self._process.pid
        children = Path(f"/proc/{guard}/task/{guard}/children").read_text().split()
        for child in children:
            os.killpg(int(child), number)

    def kill(self) -> None:
        """As `kill -9`: with its guard, which it does not survive."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        while _listens(self.server):
            time.sleep(0.02)


def _listens(server: Server) -> bool:
    try:
        socket.create_connection((server.host, server.port), timeout=2).close()
    except OSError:
        return False
    return True


def _start(program: Program, directory: Path) -> tuple[Server, subprocess.Popen[bytes]]:
    for attempts_left in reversed(range(ATTEMPTS)):
        server = Server(program.name, "127.0.0.1", free_port(), directory / "log")
        process = _spawn(program, server, directory)
        try:
            _wait_ready(program, server, process)
        except BaseException as error:
            _end(process)
            if isinstance(error, _EndedAtOnce) and attempts_left:
                continue
            raise
        return server, process
    raise AssertionError("unreachable: the last attempt returns or raises")


def _spawn(program: Program, server: Server, directory: Path) -> subprocess.Popen[bytes]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEADRACE_"))}
    guard = [sys.executable, "-I", "-S", str(_GUARD)]
    with server.log.open("wb") as log:
        return subprocess.Popen(
            [*guard, *program.command(server.port)],
            env={**ours, "TMPDIR": str(directory), **program.environment(server.port)},
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait_ready(program: Program, server: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        answers = program.ready(server)
        if process.poll() is not None:
            raise _EndedAtOnce(f"{program.name} ended with status {process.returncode}:\n{_tail(server.log)}")
        if answers:
            return
        time.sleep(0.05)
    raise ServerError(f"{program.name} did not answer within {START_TIMEOUT:.0f} s:\n{_tail(server.log)}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def emulator(name: str) -> str:
    """A program of the emulators' own environment (HEADRACE_EMULATORS, default `.emulators` in the project)."""
    program = Path(os.environ.get("HEADRACE_EMULATORS", ROOT / ".emulators")).resolve() / "bin" / name
    if not program.exists():
        raise ServerError(f"there is no {program}: run `make emulators`, or say where with HEADRACE_EMULATORS")
    return str(program)

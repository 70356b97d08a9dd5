"""The daemon as a process whose standard output and standard error nobody reads, or whose reader went away."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from support import daemons
from support.daemons import Queues
from support.eventually import eventually
from support.servers.running import free_port

LINES = 20_000
HANDLER = f"""
def handler(event, context):
    for number in range({LINES}):
        print(number, "x" * 80)
    return None
"""
PIPE = 64 * 1024
"""Bytes that a pipe takes without a reader."""


class Unread:
    """A daemon at an address that is known beforehand, for it says nothing."""

    def __init__(self, directory: Path, queues: Queues, queue: str) -> None:
        (directory / "app.py").write_text(HANDLER)
        printing = {"runtime": "python", "handler": "app.handler", "code": str(directory), "timeout": 60}
        self.port = free_port()
        config = daemons.write_config(
            directory,
            queues.endpoint_url,
            "http://127.0.0.1:9/",
            {"m": {"source": queues.arn(queue), "function": "printing", "batch_size": 1}},
            functions={"printing": printing},
            listen=f"127.0.0.1:{self.port}",
        )
        self.command = [*daemons.command(), "run", str(config), "--stop-timeout=20"]
        self.directory = directory

    @contextmanager
    def running(self, stdout: int, stderr: int) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(
            self.command,
            cwd=self.directory,
            env=daemons.environment(),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=daemons.PATIENCE) as answer:
            body: bytes = answer.read()
            return body

    def delivered(self) -> int:
        with suppress(OSError):  # it does not listen yet
            status: dict[str, Any] = json.loads(self.get("/status"))
            return int(status["mappings"][0]["counts"]["delivered"])
        return 0


@pytest.mark.semantics("OBS-18")
def test_a_daemon_that_nobody_reads_goes_on_and_says_later_what_is_missing(queues: Queues, tmp_path: Path) -> None:
    name = queues.create()
    unread = Unread(tmp_path, queues, name)
    queues.send(name, *(str(number) for number in range(5)))
    with unread.running(subprocess.PIPE, subprocess.PIPE) as process:
        eventually(lambda: unread.delivered() == 5, "all are delivered")
        assert unread.get("/livez") == b"ok\n"
        process.terminate()
        said, log = process.communicate(timeout=daemons.PATIENCE)  # reads from now on
        assert process.returncode == 0
    assert said.decode().splitlines()[-1] == "Ready."
    lines = [json.loads(line) for line in log.decode().splitlines()]
    assert len(log) > PIPE
    assert lines[-1]["action"] == "account"


@pytest.mark.semantics("OBS-18")
def test_a_daemon_whose_reader_went_away_goes_on_and_ends_with_0(queues: Queues, tmp_path: Path) -> None:
    name = queues.create()
    unread = Unread(tmp_path, queues, name)
    reader, writer = os.pipe()
    os.close(reader)
    with unread.running(writer, writer) as process:
        os.close(writer)
        queues.send(name, *(str(number) for number in range(3)))
        eventually(lambda: unread.delivered() == 3, "all are delivered")
        process.terminate()
        assert process.wait(daemons.PATIENCE) == 0


def test_a_daemon_without_standard_output_and_error_runs(queues: Queues, tmp_path: Path) -> None:
    name = queues.create()
    unread = Unread(tmp_path, queues, name)
    unread.command = ["/bin/sh", "-c", 'exec "$0" "$@" >&- 2>&-', *unread.command]
    queues.send(name, "one")
    with unread.running(subprocess.DEVNULL, subprocess.DEVNULL) as process:
        eventually(lambda: unread.delivered() == 1, "it is delivered")
        process.terminate()
        assert process.wait(daemons.PATIENCE) == 0

"""The users' tools (boto3, the AWS CLI and the SDK for JavaScript) deploy functions and mappings to Headrace, which is
killed and started again in between."""

from __future__ import annotations

import contextlib
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.daemons import Daemon
from support.sdks.aws_cli import AwsCli
from support.sdks.boto import Boto
from support.sdks.clients import Client
from support.sdks.javascript import JavaScript
from support.sdks.script import Script
from support.servers.running import Server, free_port

CALLS = 40
"""To Headrace at least, as one script of a deployment makes them."""


class Restarted:
    """Headrace at one address, beside an emulator, through several lives."""

    def __init__(self, directory: Path, emulator: str) -> None:
        self._directory = directory
        self._emulator = emulator
        self._address = f"127.0.0.1:{free_port()}"
        self.lives: list[Daemon] = []
        self.start()

    @property
    def url(self) -> str:
        return f"http://{self._address}"

    def start(self) -> None:
        arguments = ("--listen", self._address, "--endpoint-url", self._emulator, "--region", "us-east-1")
        self.lives.append(Daemon(*arguments, cwd=self._directory))
        self.lives[-1].ready()

    def restart(self) -> None:
        self.lives[-1].signal(signal.SIGKILL)
        self.lives[-1].wait()
        self.start()


@pytest.fixture
def headrace(ministack: Server, tmp_path: Path) -> Iterator[Restarted]:
    restarted = Restarted(tmp_path, ministack.endpoint_url)
    yield restarted
    assert restarted.lives[-1].stop() == 0, restarted.lives[-1].everything


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(Boto, id="boto3"),
        pytest.param(AwsCli, id="aws-cli"),
        pytest.param(JavaScript, id="javascript", marks=pytest.mark.needs("node", "npm")),
    ],
)
def test_a_script_of_a_deployment(headrace: Restarted, ministack: Server, make: Callable[[str, str], Client]) -> None:
    with contextlib.closing(make(headrace.url, ministack.endpoint_url)) as client:
        script = Script(client, headrace.restart, f"orders-{uuid.uuid4().hex[:8]}")
        script.run()
    assert len(script.made) >= CALLS
    assert len(headrace.lives) == 3
    crashes = [line for life in headrace.lives for line in life.logged("crash")]
    assert not crashes

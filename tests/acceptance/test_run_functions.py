"""The daemon with functions in processes of its own: started once, ended with the daemon, and reported when they cannot
start."""

from __future__ import annotations

import json
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from support import daemons
from support.daemons import Queues

HANDLER = """
import os, time

with open(os.environ["JOURNAL"], "a") as journal:
    journal.write(f"init {os.getpid()}\\n")

def handler(event, context):
    with open(os.environ["JOURNAL"], "a") as journal:
        for record in event["Records"]:
            journal.write(f"{record['body']} {os.getpid()}\\n")
            journal.flush()
            if record["body"] == "sleep":
                time.sleep(600)
            print("the body is", record["body"])
"""


class Project:
    """A directory with one Python function and a mapping to it."""

    def __init__(self, directory: Path, queues: Queues, queue: str, **function: object) -> None:
        self.directory = directory
        self.code = directory / "code"
        self.code.mkdir()
        self.app = self.code / "app.py"
        self.app.write_text(HANDLER)
        self.journal = directory / "journal"
        hello = {
            "runtime": "python",
            "handler": "app.handler",
            "code": str(self.code),
            "timeout": 900,
            "environment": {"JOURNAL": str(self.journal)},
            **function,
        }
        self.config = daemons.write_config(
            directory,
            queues.endpoint_url,
            "",
            {"m": {"source": queues.arn(queue), "function": "hello"}},
            functions={"hello": hello},
        )

    def lines(self, word: str) -> list[str]:
        return (
            [line for line in self.journal.read_text().splitlines() if line.startswith(word)]
            if self.journal.exists()
            else []
        )

    def pid(self, word: str) -> int:
        return int(self.lines(word)[-1].split()[1])


def ended(pid: int) -> None:
    """Wait until a process is gone (or only waits to be buried)."""
    end = time.monotonic() + daemons.PATIENCE
    while time.monotonic() < end:
        with suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.05)
                continue
        return
    raise AssertionError(f"process {pid} lives on")


@pytest.mark.semantics("CLI-24", "OBS-12")
def test_a_function_is_tried_before_the_first_fetch_and_not_again_after_a_restart(
    queues: Queues, tmp_path: Path
) -> None:
    name = queues.create()
    project = Project(tmp_path, queues, name)
    with daemons.running(str(project.config), cwd=tmp_path) as daemon:
        daemon.ready()
        daemon.wait_logged("function_up")
        assert len(project.lines("init")) == 1
        queues.send(name, "hello")
        line = daemon.wait_logged("function_log", stream="stdout")
        assert (line["event"], line["function"]) == ("the body is hello", "hello")
        assert (
            line["request_id"]
            in daemon.wait_logged("function_log", event=f"END RequestId: {line['request_id']}")["event"]
        )
        assert daemon.stop() == 0
    ended(project.pid("init"))
    with daemons.running(str(project.config), cwd=tmp_path) as daemon:
        daemon.ready()
        assert daemon.get("/readyz?strict")[0] == 200
        daemon.stop()
    assert len(project.lines("init")) == 1
    project.app.write_text(HANDLER + "\n# changed\n")
    with daemons.running(str(project.config), cwd=tmp_path) as daemon:
        daemon.ready()
        daemon.stop()
    assert len(project.lines("init")) == 2


@pytest.mark.semantics("CLI-25")
def test_a_function_that_cannot_start_keeps_its_messages_and_says_why_in_one_line(
    queues: Queues, tmp_path: Path
) -> None:
    dead = queues.create()
    policy = json.dumps({"deadLetterTargetArn": queues.arn(dead), "maxReceiveCount": "1"})
    name = queues.create(RedrivePolicy=policy)
    queues.send(name, "waits")
    project = Project(tmp_path, queues, name)
    project.app.write_text("import no_such_package\n")
    with daemons.running(str(project.config), cwd=tmp_path) as daemon:
        daemon.ready()
        daemon.wait_logged("function_down")
        (line,) = daemon.logged("function_down")
        assert "no_such_package" in line["event"]
        assert queues.depth(name) == (1, 0)
        project.app.write_text(HANDLER)
        daemon.wait_until(lambda: bool(project.lines("waits")))
        daemon.stop()
    assert queues.depth(name) == (0, 0)
    assert queues.depth(dead) == (0, 0)


@pytest.mark.semantics("CLI-10")
@pytest.mark.parametrize("how", ["second signal", "kill -9"])
def test_functions_end_with_the_daemon_however_it_ends(queues: Queues, tmp_path: Path, how: str) -> None:
    name = queues.create()
    queues.send(name, "sleep")
    project = Project(tmp_path, queues, name)
    with daemons.running(str(project.config), "--stop-timeout=600", cwd=tmp_path) as daemon:
        daemon.ready()
        daemon.wait_until(lambda: bool(project.lines("sleep")))
        if how == "kill -9":
            daemon.signal(signal.SIGKILL)
            assert daemon.wait() == -signal.SIGKILL
        else:
            daemon.signal()
            daemon.wait_logged("stop")
            daemon.signal()
            assert daemon.wait() == 143
    ended(project.pid("sleep"))
    assert queues.depth(name) == (0, 1)


@pytest.mark.semantics("CLI-09")
def test_what_does_not_end_by_itself_is_ended_and_its_message_given_back(queues: Queues, tmp_path: Path) -> None:
    name = queues.create(VisibilityTimeout="600")
    queues.send(name, "sleep")
    project = Project(tmp_path, queues, name)
    with daemons.running(str(project.config), "--stop-timeout=3", cwd=tmp_path) as daemon:
        daemon.ready()
        daemon.wait_until(lambda: bool(project.lines("sleep")))
        assert daemon.stop() == 0
    ended(project.pid("sleep"))
    account: dict[str, Any] = daemon.logged("account")[0]
    assert account["abandoned"] == 1


def test_no_function_of_the_daemon_is_left_in_the_process_table(queues: Queues, tmp_path: Path) -> None:
    name = queues.create()
    project = Project(tmp_path, queues, name)
    with daemons.running(str(project.config), cwd=tmp_path) as daemon:
        daemon.ready()
        children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children").read_text().split()
        daemon.stop()
    for child in children:
        ended(int(child))

"""docs/mend-what-went-wrong.md: each of its commands is run, and does what the page says."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from support import daemons
from support.daemons import headrace
from support.servers.running import Server
from support.streams import Streams

PAGE = Path(__file__).parents[2] / "docs" / "mend-what-went-wrong.md"
COMMANDS = [
    line.removeprefix("$ headrace ")
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for line in block.splitlines()
]
FAILED = "orders-failed"
HANDLER = """
import pathlib

def handler(event, context):
    if not pathlib.Path(__file__).with_name("repaired").exists():
        raise ValueError("not repaired yet")
    return {}
"""
SHOWN = {
    "doctor": "BAD  timeouts mails: ",
    f"replay orders --document arn:aws:sqs:us-east-1:000000000000:{FAILED} --yes": "replayed 2 records: 2 delivered",
    f"replay orders --document s3://{FAILED}/aws/lambda/ --yes": "replayed 1 record: 1 delivered",
    "replay orders --from 1h --dry-run": "WOULD DELIVER to resize",
    "replay orders --from 1h --rate 100 --yes": "replayed 3 records: 3 delivered",
    "replay orders --from 1h --function resize-next --yes": "replayed 3 records: 3 delivered",
    "replay": "broken off",
    "replay --resume ID": "goes on behind them",
    "redrive mails-dead --yes": "moved 1 message of",
    "status --watch": "orders",
}
"""What each command shows here. A command of the page without one fails the test."""


@pytest.fixture
def streams(ministack: Server) -> Iterator[Streams]:
    found = Streams(ministack.endpoint_url)
    yield found
    for name in (FAILED, "mails", "mails-dead"):
        found.queues.client.delete_queue(QueueUrl=found.queues.url(name))
    found.close()


def made(streams: Streams, directory: Path) -> tuple[str, Path]:
    """The stream, and the configuration of the page."""
    queues, stream = streams.queues, streams.create()
    queues.create(FAILED)
    queues.create("mails-dead")
    policy = json.dumps({"deadLetterTargetArn": queues.arn("mails-dead"), "maxReceiveCount": "3"})
    queues.create("mails", RedrivePolicy=policy, VisibilityTimeout="2")
    queues.send("mails-dead", "a mail")
    (directory / "code").mkdir()
    (directory / "code" / "app.py").write_text(HANDLER)
    local = {"handler": "app.handler", "code": "code", "runtime": "python"}
    failure = {"on_failure": {"destination": queues.arn(FAILED)}}
    orders = {
        "source": streams.arn(stream),
        "function": "resize",
        "starting_position": "TRIM_HORIZON",
        "batch_size": 1,
        "maximum_retry_attempts": 0,
        "destination_config": failure,
    }
    mails = {"source": queues.arn("mails"), "function": "resize", "enabled": False}
    config = daemons.write_config(
        directory,
        streams.endpoint_url,
        "",
        {"orders": orders, "mails": mails},
        functions={"resize": local, "resize-next": local},
    )
    return stream, config


@pytest.mark.semantics("REPLAY-02", "REPLAY-03", "REPLAY-04", "REPLAY-06", "REPLAY-07", "REDRIVE-02", "SEE-33")
def test_each_command_of_the_page_does_what_the_page_says(streams: Streams, tmp_path: Path) -> None:
    assert set(COMMANDS) == SHOWN.keys()
    stream, config = made(streams, tmp_path)
    with daemons.running(str(config), cwd=tmp_path) as daemon:
        daemon.ready()
        streams.put(stream, "one", "two")
        daemon.wait_until(lambda: daemon.status()["mappings"][0]["counts"]["discarded"] == 2)
        in_s3(streams)
        (tmp_path / "code" / "repaired").write_text("")
        streams.put(stream, "three")
        daemon.wait_until(lambda: daemon.status()["mappings"][0]["counts"]["delivered"] == 1)
        run_all(daemon, tmp_path)
    assert streams.queues.depth(FAILED) == (0, 0)
    assert streams.queues.depth("mails")[0] == 1


def in_s3(streams: Streams) -> None:
    """One of the documents, as an object."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client: Any = boto3.client("s3", region_name="us-east-1", endpoint_url=streams.endpoint_url, **keys)
    queue = streams.queues
    answer = queue.client.receive_message(QueueUrl=queue.url(FAILED), VisibilityTimeout=0, WaitTimeSeconds=5)
    client.create_bucket(Bucket=FAILED)
    client.put_object(Bucket=FAILED, Key="aws/lambda/one", Body=answer["Messages"][0]["Body"].encode())
    client.close()


def run_all(daemon: daemons.Daemon, directory: Path) -> None:
    listen = {"HEADRACE_LISTEN": daemon.url.removeprefix("http://")}
    name = ""
    for command in COMMANDS:
        if command == "status --watch":
            watch(daemon, directory, listen)
            continue
        if command == "replay":
            name = broken_off(directory, listen)
        words = [name if word == "ID" else word for word in shlex.split(command)]
        found = headrace(*words, cwd=directory, env=listen)
        shown, wanted = found.stdout + found.stderr, SHOWN[command]
        assert wanted in shown, f"{command} shows\n{shown}"
        assert found.returncode == (1 if command == "doctor" else 0), f"{command} shows\n{shown}"


def broken_off(directory: Path, listen: dict[str, str]) -> str:
    """The id of a replay that was killed."""
    command = [*daemons.command(), "replay", "orders", "--from", "1h", "--rate", "2", "--yes"]
    process = subprocess.Popen(
        command, cwd=directory, env=daemons.environment(**listen), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.match(r"replay (\w+); where", line):
            process.kill()
            process.communicate()
            return found[1]
    raise AssertionError("it did not begin")


def watch(daemon: daemons.Daemon, directory: Path, listen: dict[str, str]) -> None:
    """The live view on a terminal: it shows the mapping, and its keys pull levers."""
    ours, theirs = pty.openpty()
    env = {**daemons.environment(**listen), "TERM": "xterm", "LINES": "24", "COLUMNS": "100"}
    with subprocess.Popen(
        [*daemons.command(), "status", "--watch"], cwd=directory, env=env, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        try:
            until_shown(ours, SHOWN["status --watch"])
            os.write(ours, b"jp")  # the second one is `orders`
            daemon.wait_until(lambda: state_of(daemon, "orders") == "paused")
            until_shown(ours, "orders is paused")
            os.write(ours, b"c")
            daemon.wait_until(lambda: state_of(daemon, "orders") == "polling")
            os.write(ours, b"\nqq")
            assert process.wait(daemons.PATIENCE) == 0
        finally:
            process.kill()
            os.close(ours)


def state_of(daemon: daemons.Daemon, name: str) -> str:
    (found,) = [each for each in daemon.status()["mappings"] if each["name"] == name]
    return str(found["state"])


def until_shown(terminal: int, text: str) -> None:
    """Read what is written to the terminal until this text stands in it."""
    written, end = b"", time.monotonic() + daemons.PATIENCE
    while text.encode() not in written:
        assert time.monotonic() < end, written
        if select.select([terminal], [], [], 0.5)[0]:
            written += os.read(terminal, 65536)

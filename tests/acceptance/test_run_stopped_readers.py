"""Who looks at a daemon and does not read holds up nothing, and is told how much was missed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support import daemons
from support.servers.running import Server
from support.streams import Streams

NUMBER = 8000
HANDLER = """
import time

def handler(event, context):
    for record in event["Records"]:
        print("y" * 1900, flush=True)
        time.sleep(0.0005)
"""
"""Long lines; how many of them a function may print in a second is limited …"""
FUNCTIONS = ("f", "g", "h", "i")
"""… so there are several."""


@contextmanager
def reading(daemon: daemons.Daemon, directory: Path, *verb: str) -> Iterator[subprocess.Popen[bytes]]:
    """A verb that looks; what it says is in a file of its name."""
    with (directory / f"{verb[0]}.err").open("wb") as said, (directory / f"{verb[0]}.out").open("wb") as shown:
        process = subprocess.Popen(
            [*daemons.command(), *verb, "--url", daemon.url],
            cwd=directory,
            env=daemons.environment(),
            stdout=shown,
            stderr=said,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.mark.semantics("SEE-05", "SEE-06", "SEE-32")
def test_stopped_readers_hold_up_nothing_and_are_told_what_they_missed(ministack: Server, tmp_path: Path) -> None:
    streams = Streams(ministack.endpoint_url)
    name = streams.create()
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text(HANDLER)
    local = {"handler": "app.handler", "code": "code", "runtime": "python", "timeout": 60}
    mapping = {"source": streams.arn(name), "starting_position": "TRIM_HORIZON", "batch_size": 500}
    config = daemons.write_config(
        tmp_path,
        streams.endpoint_url,
        "",
        {each: {**mapping, "function": each} for each in FUNCTIONS},
        functions=dict.fromkeys(FUNCTIONS, local),
    )
    with daemons.running(str(config), cwd=tmp_path) as daemon:
        daemon.ready()

        def delivered() -> Any:
            return min(each["counts"]["delivered"] for each in daemon.status()["mappings"])

        with reading(daemon, tmp_path, "tap", "f", "--payload") as tap, reading(daemon, tmp_path, "logs", "-f") as logs:

            def are_there() -> bool:
                put(streams, name, 1)
                return all((tmp_path / f"{verb}.out").stat().st_size for verb in ("tap", "logs"))

            daemon.wait_until(are_there)
            before = delivered()
            for reader in (tap, logs):
                reader.send_signal(signal.SIGSTOP)
            put(streams, name, NUMBER)
            daemon.wait_until(lambda: delivered() >= before + NUMBER)
            for reader in (tap, logs):
                reader.send_signal(signal.SIGCONT)
            put(streams, name, 1)
            daemon.wait_until(partial(told_of_all, tmp_path, "tap", NUMBER + 2))
            lines = len(daemon.logged("function_log", stream="stdout"))
            daemon.wait_until(partial(told_of_all, tmp_path, "logs", lines))
    assert 0 < missed(tmp_path, "tap") < NUMBER
    assert 0 < missed(tmp_path, "logs") < NUMBER * len(FUNCTIONS)
    streams.close()


def put(streams: Streams, name: str, number: int) -> None:
    data = json.dumps({"note": "y" * 700}).encode()
    for start in range(0, number, 500):
        records = [{"Data": data, "PartitionKey": str(each)} for each in range(start, min(number, start + 500))]
        streams.kinesis.put_records(StreamName=name, Records=records)


def told_of_all(directory: Path, verb: str, number: int) -> bool:
    """Whether a reader has, or knows that it missed, so many lines."""
    missing = missed(directory, verb)
    return missing > 0 and (directory / f"{verb}.out").read_bytes().count(b"\n") + missing >= number


def missed(directory: Path, verb: str) -> int:
    said = (directory / f"{verb}.err").read_text()
    return sum(map(int, re.findall(r"^(\d+) (?:records passed|lines are not shown)", said, re.MULTILINE)))

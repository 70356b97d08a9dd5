"""Killed (`-9`) at each named point of taking a mapping over and of giving it back: after the next start somebody
delivers, and what is switched off at the emulator is remembered."""

from __future__ import annotations

import base64
import json
import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from support.daemons import Queues
from support.emulator_lab import EmulatorLab, client_of, emulator_lab
from support.eventually import eventually
from support.servers.running import Server
from support.take_over_kill_daemon import GIVING, TAKING

TESTS = Path(__file__).resolve().parents[1]


@contextmanager
def start(config: Path, kill_at: str = "", verb: str = "run") -> Iterator[subprocess.Popen[str]]:
    with (config.parent / "daemon.log").open("ab") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "support.take_over_kill_daemon", verb, str(config)],
            env={**os.environ, "KILL_AT": kill_at, "PYTHONPATH": str(TESTS)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with daemon:
        try:
            yield daemon
        finally:
            daemon.kill()  # nothing, where it ended


def until_ready(daemon: subprocess.Popen[str]) -> None:
    assert daemon.stdout is not None
    assert any(line.startswith("Ready.") for line in daemon.stdout)


def killed(config: Path, point: str, verb: str = "run") -> None:
    """A daemon, or `release`, that died at this point."""
    with start(config, point, verb) as daemon:
        if point in GIVING and verb == "run":
            until_ready(daemon)
            daemon.send_signal(signal.SIGTERM)
        assert daemon.wait() == -signal.SIGKILL


@contextmanager
def running(config: Path) -> Iterator[None]:
    """A daemon that is ready, and ends well after the block."""
    with start(config) as daemon:
        until_ready(daemon)
        yield
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait() == 0


def remembered(state: Path) -> bool:
    """As the next start would find it."""
    with closing(sqlite3.connect(state / "control.db")) as connection:
        kept = connection.execute("SELECT count(*) FROM documents WHERE kind = 'taken_mapping'").fetchone()
    return bool(kept[0])


@pytest.fixture
def lab(ministack: Server, tmp_path: Path) -> Iterator[EmulatorLab]:
    with emulator_lab(ministack.endpoint_url, tmp_path) as found:
        yield found


@pytest.fixture
def config(ministack: Server, tmp_path: Path) -> Path:
    path = tmp_path / "headrace.json"
    settings = {
        "aws": {"endpoint_url": ministack.endpoint_url, "region": "us-east-1"},
        "listen": "127.0.0.1:0",
        "state": str(tmp_path / "state"),
        "function_logs": "off",
        "take_over": {"enabled": True, "interval": 0.2},
    }
    path.write_text(json.dumps(settings))
    return path


def fresh() -> str:
    return f"f-{uuid.uuid4().hex[:10]}"


@pytest.mark.semantics("TAKE-19")
@pytest.mark.parametrize("point", [*TAKING, *GIVING])
def test_killed_at_each_point_nothing_is_delivered_by_nobody(
    lab: EmulatorLab, queues: Queues, config: Path, point: str
) -> None:
    name, queue = fresh(), queues.create()
    lab.function(name)
    mapped = lab.mapping(name, queues.arn(queue))
    sent = [f"{point} {number}" for number in range(10)]
    queues.send(queue, *sent[:5])
    killed(config, point)
    off = lab.state(mapped) == "Disabled"
    assert off is (point in ("SwitchedOff", "Held", "Stopped"))
    assert not off or remembered(config.parent / "state")
    queues.send(queue, *sent[5:])
    with running(config):
        assert lab.state(mapped) == "Disabled"
        eventually(lambda: set(lab.bodies(name)) == set(sent), "everything is delivered")
    assert lab.state(mapped) == "Enabled"


@pytest.mark.semantics("TAKE-13", "TAKE-19")
@pytest.mark.parametrize("point", TAKING)
def test_killed_while_a_stream_that_begins_at_latest_changes_hands(lab: EmulatorLab, config: Path, point: str) -> None:
    """It runs here before it is switched off there. What comes while nobody delivers is delivered by the next start."""
    name, kinesis = fresh(), client_of("kinesis", lab.endpoint)
    lab.function(name)
    kinesis.create_stream(StreamName=name, ShardCount=1)
    arn = kinesis.describe_stream(StreamName=name)["StreamDescription"]["StreamARN"]
    mapped = lab.mapping(name, arn, StartingPosition="LATEST")

    def seen() -> set[str]:
        return {record["kinesis"]["data"] for event in lab.events(name) for record in event["Records"]}

    def put(*words: str) -> set[str]:
        for word in words:
            kinesis.put_record(StreamName=name, Data=word.encode(), PartitionKey="k")
        return {base64.b64encode(word.encode()).decode() for word in words}

    killed(config, point)
    assert (lab.state(mapped) == "Disabled") is (point == "SwitchedOff")
    assert remembered(config.parent / "state")
    sent = put("1", "2")
    if point != "SwitchedOff":  # the emulator's, which starts at the end with its own first look
        eventually(lambda: bool(put("more")) and bool(seen()), "the emulator delivers")
        sent = set()
    with running(config):
        eventually(lambda: lab.state(mapped) == "Disabled", "it is switched off there")
        sent |= put("3", "4")
        eventually(lambda: seen() >= sent, "everything is delivered")
    assert lab.state(mapped) == "Enabled"
    kinesis.delete_stream(StreamName=name)
    kinesis.close()


@pytest.mark.semantics("TAKE-11", "TAKE-19")
@pytest.mark.parametrize("point", GIVING)
def test_killed_while_it_is_released(lab: EmulatorLab, queues: Queues, config: Path, point: str) -> None:
    name, queue = fresh(), queues.create()
    lab.function(name)
    mapped = lab.mapping(name, queues.arn(queue))
    killed(config, "Held")
    killed(config, point, "release")
    off = lab.state(mapped) == "Disabled"
    assert off is (point == "Stopped")
    assert remembered(config.parent / "state") is (point != "LetGo")
    with start(config, verb="release") as again:
        assert again.wait() == 0
    assert lab.state(mapped) == "Enabled"
    assert not remembered(config.parent / "state")


@pytest.mark.semantics("TAKE-14", "TAKE-19")
@pytest.mark.parametrize("point", ["Stopped", "SwitchedOn"])
def test_killed_while_one_that_cannot_be_run_here_any_more_is_given_back(
    lab: EmulatorLab, queues: Queues, config: Path, point: str
) -> None:
    name, queue = fresh(), queues.create()
    lab.function(name)
    mapped = lab.mapping(name, queues.arn(queue))
    with start(config, point) as daemon:
        until_ready(daemon)
        unfit = {"Filters": [{"Pattern": '{"body": {"type": [{"unknown": 1}]}}'}]}
        lab.lambda_.update_event_source_mapping(UUID=mapped, FilterCriteria=unfit)
        assert daemon.wait() == -signal.SIGKILL
    assert (lab.state(mapped) == "Disabled") is (point == "Stopped")
    assert remembered(config.parent / "state")
    with running(config):
        eventually(lambda: lab.state(mapped) == "Enabled", "it is the emulator's again")
        eventually(lambda: not remembered(config.parent / "state"), "it is forgotten")
    assert lab.state(mapped) == "Enabled"

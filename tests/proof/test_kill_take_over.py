"""Killed (`-9`) at each named point of taking a mapping over and of giving it back: after the next start somebody
delivers, and what is switched off at the emulator is remembered."""

from __future__ import annotations

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
from support.emulator_lab import emulator_lab
from support.eventually import eventually
from support.servers.running import Server
from support.take_over_kill_daemon import GIVING, TAKING

TESTS = Path(__file__).resolve().parents[1]


@contextmanager
def start(config: Path, kill_at: str = "") -> Iterator[subprocess.Popen[str]]:
    with (config.parent / "daemon.log").open("ab") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "support.take_over_kill_daemon", "run", str(config)],
            env={**os.environ, "KILL_AT": kill_at, "PYTHONPATH": str(TESTS)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with daemon:
        yield daemon


def until_ready(daemon: subprocess.Popen[str]) -> None:
    assert daemon.stdout is not None
    assert any(line.startswith("Ready.") for line in daemon.stdout)


def remembered(state: Path) -> bool:
    """As the next start would find it."""
    with closing(sqlite3.connect(state / "control.db")) as connection:
        kept = connection.execute("SELECT count(*) FROM documents WHERE kind = 'taken_mapping'").fetchone()
    return bool(kept[0])


@pytest.mark.semantics("TAKE-19")
@pytest.mark.parametrize("point", [*TAKING, *GIVING])
def test_killed_at_each_point_nothing_is_delivered_by_nobody(ministack: Server, tmp_path: Path, point: str) -> None:
    queues = Queues(ministack.endpoint_url)
    config, queue, name = tmp_path / "headrace.json", queues.create(), f"f-{uuid.uuid4().hex[:10]}"
    settings = {
        "aws": {"endpoint_url": ministack.endpoint_url, "region": "us-east-1"},
        "listen": "127.0.0.1:0",
        "state": str(tmp_path / "state"),
        "function_logs": "off",
        "take_over": {"enabled": True, "interval": 0.2},
    }
    config.write_text(json.dumps(settings))
    with emulator_lab(ministack.endpoint_url, tmp_path) as lab:
        lab.function(name)
        mapped = lab.mapping(name, queues.arn(queue))
        sent = [f"{point} {number}" for number in range(10)]
        queues.send(queue, *sent[:5])
        with start(config, point) as daemon:
            if point in GIVING:
                until_ready(daemon)
                daemon.send_signal(signal.SIGTERM)
            assert daemon.wait() == -signal.SIGKILL
        off = lab.state(mapped) == "Disabled"
        assert off is (point in ("SwitchedOff", "Held", "Stopped"))
        assert not off or remembered(tmp_path / "state")
        queues.send(queue, *sent[5:])
        with start(config) as daemon:
            until_ready(daemon)
            assert lab.state(mapped) == "Disabled"
            eventually(lambda: set(lab.bodies(name)) == set(sent), "everything is delivered")
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait() == 0
        assert lab.state(mapped) == "Enabled"
    queues.close()

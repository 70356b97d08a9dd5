"""Signals to the daemon as a process, from its first moment on."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from support import daemons
from support.children import child
from support.eventually import eventually
from support.servers.running import free_port

STOPS = [signal.SIGTERM, signal.SIGINT]


def hears(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for the signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def config_of(directory: Path) -> Path:
    source = f"arn:aws:sqs:us-east-1:{daemons.ACCOUNT}:orders"
    return daemons.write_config(
        directory, f"http://127.0.0.1:{free_port()}", "http://127.0.0.1:9/", {"m": {"source": source}}
    )


@pytest.mark.semantics("CLI-32")
@pytest.mark.parametrize("number", STOPS)
def test_a_signal_while_libraries_are_imported_ends_with_0_and_a_line(tmp_path: Path, number: signal.Signals) -> None:
    with child(
        [*daemons.command(), "run", str(config_of(tmp_path))],
        cwd=tmp_path,
        env=daemons.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        eventually(lambda: hears(process.pid, signal.SIGTERM), "it hears signals")
        eventually(lambda: hears(process.pid, number), "it hears signals")
        process.send_signal(number)
        out, err = process.communicate(timeout=daemons.PATIENCE)
    assert (process.returncode, out) == (0, "")
    assert err == f"headrace: {number.name}: stopped, nothing was running\n"


@pytest.mark.semantics("CLI-09")
@pytest.mark.parametrize("number", STOPS)
def test_a_signal_stops_a_daemon_that_waits(tmp_path: Path, number: signal.Signals) -> None:
    with daemons.running(str(config_of(tmp_path)), cwd=tmp_path) as daemon:
        daemon.ready()
        daemon.signal(number)
        assert daemon.wait() == 0
        assert daemon.logged("signal")[0]["signal"] == number.name


@pytest.mark.semantics("CLI-32")
def test_a_signal_while_functions_are_looked_at_ends_the_start(tmp_path: Path) -> None:
    """An interpreter that does not answer keeps the start from going on."""
    slow = tmp_path / "slow"
    began = tmp_path / "began"
    slow.write_text(f"#!/bin/sh\ntouch {began}\nexec sleep 600\n")
    slow.chmod(0o755)
    (tmp_path / "app.py").write_text("def handler(event, context): pass\n")
    function = {"runtime": "python", "handler": "app.handler", "code": str(tmp_path), "interpreter": str(slow)}
    source = f"arn:aws:sqs:us-east-1:{daemons.ACCOUNT}:orders"
    config = daemons.write_config(
        tmp_path, "http://127.0.0.1:9", "http://127.0.0.1:9/", {"m": {"source": source}}, functions={"f": function}
    )
    with daemons.running(str(config), cwd=tmp_path) as daemon:
        eventually(began.exists, "the interpreter is asked")
        daemon.signal()
        assert daemon.wait() == 0
        assert "Ready." not in daemon.stdout
        assert [line["signal"] for line in daemon.logged("signal")] == ["SIGTERM"]


@pytest.mark.semantics("CLI-31")
def test_a_daemon_outlives_its_terminal_under_nohup(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", 'trap "" HUP; exec "$0" "$@"', *daemons.command(), "run", str(config_of(tmp_path))]
    with child(command, cwd=tmp_path, env=daemons.environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "Ready.\n" in iter(process.stdout.readline, "")
        os.kill(process.pid, signal.SIGHUP)
        process.terminate()
        assert process.wait(daemons.PATIENCE) == 0

"""A daemon that reads its configuration again: by a signal, by its verb, by its files; and a terminal that closes."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest

from support import daemons
from support.children import child
from support.daemons import headrace
from support.servers.running import Server, free_port


@pytest.mark.semantics("RELOAD-01", "RELOAD-02", "RELOAD-03", "RELOAD-06")
def test_a_configuration_is_read_again_by_a_signal_by_the_verb_and_by_its_files(
    ministack: Server, tmp_path: Path
) -> None:
    queues = daemons.Queues(ministack.endpoint_url)
    first, second = queues.create(), queues.create()
    (tmp_path / "app.py").write_text("import os\ndef handler(event, context):\n    print('says', os.environ['WORD'])\n")

    def write(word: str, *names: str) -> Path:
        local = {"handler": "app.handler", "code": str(tmp_path), "runtime": "python", "environment": {"WORD": word}}
        mappings = {name: {"source": queues.arn(name)} for name in names}
        return daemons.write_config(tmp_path, queues.endpoint_url, "", mappings, functions={"f": local})

    config = write("one", first)
    with daemons.running(str(config), "--watch", cwd=tmp_path) as daemon:
        daemon.ready()
        queues.send(first, "x")
        daemon.wait_until(lambda: "says one" in daemon.everything)
        unchanged = headrace("reload", "--url", daemon.url, cwd=tmp_path)
        assert (unchanged.returncode, unchanged.stdout) == (
            0,
            "read again: mappings 1 kept; functions 1 kept\n",
        )
        config.write_text("mappings: [")
        daemon.wait_until(lambda: "headrace" in daemon.status()["configuration"]["trouble"])
        refused = headrace("reload", "--url", daemon.url, cwd=tmp_path)
        assert (refused.returncode, "everything stays as it is" in refused.stderr) == (1, True)
        assert "is not taken" in headrace("status", "--url", daemon.url, cwd=tmp_path).stdout
        assert re.search(r"^headrace_config_last_reload_successful 0", daemon.get("/metrics")[1], re.MULTILINE)
        assert [each["state"] for each in daemon.status()["mappings"]] == ["polling"]
        write("two", first, second)
        daemon.wait_until(lambda: len(daemon.status()["mappings"]) == 2)
        queues.send(second, "x")
        daemon.wait_until(lambda: "says two" in daemon.everything)
        write("two", second)
        daemon.signal(signal.SIGHUP)
        daemon.wait_logged("signal", signal="SIGHUP")
        daemon.wait_until(lambda: [each["name"] for each in daemon.status()["mappings"]] == [second])
        queues.send(second, "x")
        daemon.wait_until(lambda: daemon.everything.count("says two") == 2)
        assert daemon.stop() == 0
    queues.close()


@pytest.mark.semantics("CLI-31")
def test_a_daemon_whose_terminal_closes_stops(tmp_path: Path) -> None:
    source = f"arn:aws:sqs:us-east-1:{daemons.ACCOUNT}:orders"
    nowhere = f"http://127.0.0.1:{free_port()}"
    config = daemons.write_config(tmp_path, nowhere, "http://127.0.0.1:9/", {"m": {"source": source}})
    log = tmp_path / "log"
    ours, theirs = pty.openpty()
    with (
        log.open("wb") as stderr,
        child(
            [*daemons.command(), "run", str(config), "--log-format=json"],
            cwd=tmp_path,
            env=daemons.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            preexec_fn=lambda: _of_terminal(theirs),
        ) as process,
    ):
        os.close(theirs)
        assert process.stdout is not None
        assert "Ready.\n" in iter(process.stdout.readline, "")
        os.close(ours)
        assert process.wait(daemons.PATIENCE) == 0
    assert '"SIGHUP: stopping' in log.read_text()


def _of_terminal(descriptor: int) -> None:
    """Make it the terminal that controls this process, in a session of its own."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)

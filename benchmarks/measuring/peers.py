"""Programs that a benchmark compares us with, set up once into the git-ignored `.servers/`.

What is needed to set one up (Go, a package index) may be missing: `Unavailable` then says what.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.servers.fetched import fetched
from support.servers.running import free_port

from . import ROOT
from .daemons import KEYS
from .processes import Cpu, cpu, running
from .report import Unavailable, wait

PEERS = ROOT / "benchmarks" / "peers"
BENTHOS = "benthos 4.27.0"


def _tool(command: list[str], what: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    """Raises Unavailable, with what the tool said."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise Unavailable(f"{what}: {command[0]}: {error.strerror}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(f"{what}: {' '.join(command[:3])} failed: {said[-1] if said else done.returncode}")


def benthos_program() -> Path:
    """Built from the Go module proxy, with the parts alone that are used here. Takes minutes the first time."""

    def build(directory: Path) -> Path:
        target = directory / "benthos"
        shutil.copytree(PEERS / "benthos", target)
        env = {"GOFLAGS": "-mod=mod -buildvcs=false"}
        _tool(["go", "mod", "tidy"], BENTHOS, target, env)
        _tool(["go", "build", "-o", "benthos", "."], BENTHOS, target, env)
        return target

    return fetched(PEERS / "benthos" / "go.mod", build) / "benthos"


def python_with(name: str) -> str:
    """The interpreter of an environment that holds `benchmarks/peers/NAME/requirements.txt`."""
    requirements = PEERS / name / "requirements.txt"

    def install(directory: Path) -> Path:
        target = directory / "environment"
        _tool([sys.executable, "-m", "venv", str(target)], name)
        pip = [str(target / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(requirements)]
        _tool(pip, name)
        return target

    return str(fetched(requirements, install) / "bin" / "python")


# --- benthos ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Benthos:
    """A benthos that runs and has no stream yet."""

    url: str
    pid: int

    def start(self, config: Mapping[str, object]) -> None:
        """Begin a stream."""
        body = json.dumps(config).encode()
        request = urllib.request.Request(
            f"{self.url}/streams/bench", body, {"Content-Type": "application/json"}, method="POST"
        )
        urllib.request.urlopen(request, timeout=30).close()

    def cpu(self) -> Cpu:
        return cpu(self.pid)


def to_http(sink: str) -> dict[str, object]:
    """An output that posts a batch as lines."""
    archive = {"archive": {"format": "lines"}}
    return {"http_client": {"url": sink, "verb": "POST", "max_in_flight": 64}, "processors": [archive]}


@contextmanager
def benthos(directory: Path) -> Iterator[Benthos]:
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = directory / "benthos.json"
    config.write_text(json.dumps({"http": {"address": f"127.0.0.1:{port}"}, "logger": {"level": "ERROR"}}))
    url = f"http://127.0.0.1:{port}"
    command = [str(benthos_program()), "-c", str(config), "streams"]

    def answers() -> bool:
        try:
            urllib.request.urlopen(f"{url}/ready", timeout=2).close()
        except OSError:
            return False
        return True

    with running(command, directory / "benthos.log", env=KEYS) as process:
        wait(lambda: answers() or process.poll() is not None, "benthos", 30)
        if process.poll() is not None:
            raise Unavailable(f"{BENTHOS} ended: {(directory / 'benthos.log').read_text()[-300:]}")
        yield Benthos(url, process.pid)


@contextmanager
def http_sink(directory: Path, journal: Path) -> Iterator[str]:
    """The URL of an endpoint that forgets what it is sent."""
    with running([sys.executable, str(PEERS / "http_sink.py"), str(journal)], directory / "sink.log") as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()

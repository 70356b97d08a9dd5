"""Our daemon as a process, from the working tree, and what a benchmark asks of it."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import ROOT
from .processes import Cpu, cpu, resident, running

FUNCTIONS = ROOT / "benchmarks" / "functions"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True, slots=True)
class Daemon:
    pid: int
    url: str

    def cpu(self) -> Cpu:
        return cpu(self.pid)

    def resident(self) -> int:
        return resident(self.pid)

    def enable(self, uuid: str, enabled: bool = True) -> None:
        """A mapping that the Lambda API may change, by its identifier."""
        self.ask("PUT", f"/2015-03-31/event-source-mappings/{uuid}", {"Enabled": enabled})

    def mappings(self) -> dict[str, str]:
        """The identifiers by the ARN of the source, or for Kafka by the topic."""
        found = self.ask("GET", "/2015-03-31/event-source-mappings/")["EventSourceMappings"]
        return {(each.get("Topics") or [each.get("EventSourceArn")])[0]: each["UUID"] for each in found}

    def ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code}: {error.read().decode()}") from error


def counting(journal: Path, **more: object) -> dict[str, object]:
    """A function that takes everything and writes into a journal."""
    return {
        "runtime": "python",
        "handler": "journal.handler",
        "code": str(FUNCTIONS),
        "environment": {"JOURNAL": str(journal)},
        "timeout": 60,
        "isolation": "env",
        "reload": False,
        **more,
    }


@contextmanager
def daemon(
    directory: Path,
    endpoint: str,
    functions: Mapping[str, object],
    mappings: Mapping[str, object],
    program: tuple[str, ...] = ("-m", "headrace.service.cli.main"),
    environment: Mapping[str, str] | None = None,
    **settings: object,
) -> Iterator[Daemon]:
    """One that is ready. What it logs stands in `directory`, in `daemon.log`."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "headrace.json"
    config = {
        "aws": {"endpoint_url": endpoint, "region": "us-east-1"},
        "api": {"adopt": True},
        "listen": "127.0.0.1:0",
        "state": str(directory / "state"),
        "functions": functions,
        "mappings": mappings,
        **settings,
    }
    file.write_text(json.dumps(config))
    log = directory / "daemon.log"
    with running([sys.executable, *program, "run", str(file)], log, env={**KEYS, **(environment or {})}) as process:
        assert process.stdout is not None
        url = ""
        for line in process.stdout:
            if line.startswith("Listening on "):
                url = line.split()[-1]
            if line.strip() == "Ready.":
                break
        else:
            raise RuntimeError(f"the daemon did not start:\n{log.read_text()[-2000:]}")
        yield Daemon(process.pid, url)

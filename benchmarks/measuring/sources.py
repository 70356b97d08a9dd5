"""The fast source as a process, and what a benchmark asks of it."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .processes import Cpu, cpu, running

PROGRAM = Path(__file__).with_name("wire_source.py")


@dataclass(frozen=True, slots=True)
class Source:
    url: str
    pid: int

    def queue(self, name: str, count: int) -> None:
        """With so many messages, which nobody gets before it is opened."""
        self._post(f"/_queue?name={name}&count={count}")

    def stream(self, name: str, count: int, shards: int) -> None:
        self._post(f"/_stream?name={name}&count={count}&shards={shards}")

    def open(self, name: str) -> None:
        self._post(f"/_open?name={name}")

    def send(self, queue: str) -> None:
        """A message that says when it was taken: `{"sent": monotonic}`."""
        self._post(f"/_send?name={queue}")

    def state(self, name: str) -> dict[str, Any]:
        return self._get(f"/_state?name={name}")

    def calls(self) -> dict[str, int]:
        return self._get("/_calls")

    def cpu(self) -> Cpu:
        return cpu(self.pid)

    def _post(self, path: str) -> None:
        urllib.request.urlopen(urllib.request.Request(self.url + path, b"", method="POST"), timeout=120).close()

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self.url + path, timeout=30) as reply:
            found: dict[str, Any] = json.loads(reply.read())
        return found


@contextmanager
def source(directory: Path) -> Iterator[Source]:
    with running([sys.executable, str(PROGRAM)], directory / "source.log") as process:
        assert process.stdout is not None
        yield Source(process.stdout.readline().strip(), process.pid)

"""A daemon with many functions and mappings of the Lambda API: how long it takes to start again, to list, what an idle
function costs in memory, and how many first inits run at a time.

    python benchmarks/lambda_api.py [--count 1000]

The source is the stub server with a queue for each mapping. Goals: ready within 10 s of its start, at most 100 KB for
an idle function, at most 4 first inits at a time.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from isolation import ARN, ROOT, Source, source

START_GOAL = 10.0
"""Seconds."""
MEMORY_GOAL = 100.0
"""KB for an idle function."""
INITS_GOAL = 4
RUNTIME = "python{}.{}".format(*sys.version_info[:2])
ROLE = "arn:aws:iam::000000000000:role/lambda"
SETTLE = 3.0
"""Seconds after which memory is read: what the start left behind is gone."""


class Daemon:
    """A daemon that is ready, and the seconds that this took."""

    def __init__(self, directory: Path, endpoint: str) -> None:
        state, listen = str(directory / "state"), "127.0.0.1:0"
        command = [sys.executable, "-m", "headrace.service.cli.main", "run", "--endpoint-url", endpoint]
        command += ["--region", "us-east-1", "--state", state, "--listen", listen]
        self._log = (directory / "log").open("ab")
        began = time.monotonic()
        self._process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=self._log, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("Listening on "):
                self.url = line.split()[-1]
            if line.strip() == "Ready.":
                break
        self.seconds = time.monotonic() - began
        self.api = boto3.client(
            "lambda",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 1}, read_timeout=600),
        )

    @property
    def kilobytes(self) -> int:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()


@contextmanager
def daemon(directory: Path, server: Source) -> Iterator[Daemon]:
    running = Daemon(directory, server.url)
    try:
        yield running
    finally:
        running.close()


def package() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.write(ROOT / "benchmarks" / "functions" / "counted.py", "counted.py")
    return file.getvalue()


def create_functions(api: Any, count: int, journal: Path) -> None:
    code = package()
    for number in range(count):
        api.create_function(
            FunctionName=f"f{number}",
            Runtime=RUNTIME,
            Role=ROLE,
            Handler="counted.handler",
            Code={"ZipFile": code},
            Timeout=20,
            Environment={"Variables": {"JOURNAL": str(journal)}},
        )


def create_mappings(api: Any, server: Source, count: int) -> None:
    for number in range(count):
        server.post(f"/_create?queue=q{number}&visibility=60")
        api.create_event_source_mapping(FunctionName=f"f{number}", EventSourceArn=f"{ARN}q{number}")


def wait(found: Callable[[], bool], seconds: float = 1200.0) -> None:
    end = time.monotonic() + seconds
    while not found():
        if time.monotonic() > end:
            raise SystemExit("it never came")
        time.sleep(0.5)


def inits(journal: Path) -> int:
    return journal.read_text().count("end ") if journal.exists() else 0


def inits_at_a_time(journal: Path) -> int:
    """The most that were under way at one moment."""
    moments = sorted((float(line.split()[1]), line.startswith("begin")) for line in journal.read_text().splitlines())
    most = running = 0
    for _, begins in moments:
        running += 1 if begins else -1
        most = max(most, running)
    return most


def list_all(api: Any, operation: str, key: str) -> tuple[int, float]:
    began = time.monotonic()
    found = sum(len(page[key]) for page in api.get_paginator(operation).paginate())
    return found, time.monotonic() - began


def measure(directory: Path, server: Source, count: int) -> bool:
    journal = directory / "journal"
    with daemon(directory, server) as running:
        time.sleep(SETTLE)
        empty = running.kilobytes
        create_functions(running.api, count, journal)
    with daemon(directory, server) as running:
        list_all(running.api, "list_functions", "Functions")  # the API itself is loaded by now
        time.sleep(SETTLE)
        each = (running.kilobytes - empty) / count
        create_mappings(running.api, server, count)
        wait(lambda: inits(journal) >= count)
    most = inits_at_a_time(journal)
    with daemon(directory, server) as running:
        seconds = running.seconds
        again = inits(journal) - count
        functions, functions_seconds = list_all(running.api, "list_functions", "Functions")
        mappings, mappings_seconds = list_all(running.api, "list_event_source_mappings", "EventSourceMappings")
    print(f"ready {seconds:.1f} s after its start, with {again} inits, goal {START_GOAL:g} s")
    print(f"{functions} functions listed in {functions_seconds:.2f} s, {mappings} mappings in {mappings_seconds:.2f} s")
    print(f"{each:.1f} KB for each idle function, the API's own memory included, goal {MEMORY_GOAL:g} KB")
    print(f"{most} first inits at a time, goal {INITS_GOAL}")
    complete = functions == mappings == count and again == 0
    return complete and seconds <= START_GOAL and each <= MEMORY_GOAL and most <= INITS_GOAL


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as name, source() as server:
        return 0 if measure(Path(name), server, options.count) else 1


if __name__ == "__main__":
    sys.exit(main())

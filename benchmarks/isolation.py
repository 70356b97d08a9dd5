"""How much one bad mapping costs another: the 99th percentile of B's latency beside each kind of A, against B alone.

    python benchmarks/isolation.py [--rounds 5] [--seconds 6]

Latency is from the moment a message is sent to the moment its handler starts, on the machine's monotonic clock. Every
round measures B alone and then beside each A, in one daemon's life each; the ratio is taken inside the round, and the
median over the rounds is what counts (goal: at most 3). The source is the stub server, so that the emulator's own speed
is not what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ARN = "arn:aws:sqs:us-east-1:000000000000:"
GOAL = 3.0
PACE = 0.01
"""Seconds between B's messages."""


class Source:
    """The stub server as a process, and what can be asked of it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, path: str, body: bytes = b"") -> None:
        urllib.request.urlopen(urllib.request.Request(self.url + path, data=body, method="POST")).close()

    def send(self, queue: str, body: bytes) -> None:
        self.post(f"/_send?queue={queue}", body)


@contextmanager
def source() -> Iterator[Source]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    command = [sys.executable, str(ROOT / "tests" / "support" / "sqs_stub.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        try:
            yield Source(server.stdout.readline().strip())
        finally:
            server.terminate()


@contextmanager
def daemon(directory: Path, endpoint: str, functions: dict[str, Any], mappings: dict[str, Any]) -> Iterator[None]:
    """A daemon that is ready."""
    config = directory / "headrace.json"
    config.write_text(
        json.dumps(
            {
                "aws": {"endpoint_url": endpoint, "region": "us-east-1"},
                "listen": "127.0.0.1:0",
                "state": str(directory / "state"),
                "functions": functions,
                "mappings": mappings,
            }
        )
    )
    command = [sys.executable, "-m", "headrace.service.cli.main", "run", str(config)]
    with (
        (directory / "log").open("ab") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as running,
    ):
        assert running.stdout is not None
        for line in running.stdout:
            if line.strip() == "Ready.":
                break
        try:
            yield
        finally:
            running.terminate()
            try:
                running.wait(15)
            except subprocess.TimeoutExpired:
                running.kill()


def function(handler: str, journal: Path, **more: object) -> dict[str, object]:
    return {
        "runtime": "python",
        "handler": handler,
        "code": str(ROOT / "benchmarks" / "functions"),
        "environment": {"JOURNAL": str(journal)},
        "timeout": 60,
        "isolation": "env",
        "concurrency": 2,
        **more,
    }


def mapping(queue: str, name: str) -> dict[str, object]:
    return {"source": ARN + queue, "function": name}


def sleeping(server: Source) -> None:
    for _ in range(60):
        server.send("a", b"sleep")


def silent(server: Source) -> None:
    server.post("/_faults?queue=a", b'{"silent": true}')


def one_message(server: Source) -> None:
    server.send("a", b"go")


def megabytes(server: Source) -> None:
    for _ in range(20):
        server.send("a", b"x" * 600_000)


def nothing(server: Source) -> None:
    """A is idle."""


CASES: dict[str, tuple[str, Callable[[Source], None]]] = {
    "sleeps with its concurrency full": ("app.sleeps", sleeping),
    "has a source that never answers": ("app.takes", silent),
    "crashes at init in a loop": ("crashes.handler", one_message),
    "prints 50 MB/s": ("app.prints", one_message),
    "gets 6 MB batches": ("app.takes", megabytes),
    "shares B's function": ("", nothing),
}


def p99(case: str | None, seconds: float) -> float:
    """B's 99th percentile in seconds, beside one kind of A or alone."""
    with tempfile.TemporaryDirectory() as name, source() as server:
        directory = Path(name)
        journal = directory / "journal"
        handler, trouble = CASES[case] if case else ("", nothing)
        alone = {"b": function("app.measured", journal, concurrency=1 if case == "shares B's function" else 2)}
        functions, mappings = alone, {"b": mapping("b", "b")}
        for queue in ("a", "b"):
            server.post(f"/_create?queue={queue}")
        if case:
            functions = {**alone, "a": function(handler, journal)} if handler else alone
            mappings = {**mappings, "a": {**mapping("a", "a" if handler else "b"), **extra(case)}}
        with daemon(directory, server.url, functions, mappings):
            warm_up(server)
            journal.write_text("")
            trouble(server)
            refill = (lambda: trouble(server)) if case == "gets 6 MB batches" else (lambda: None)
            measure(server, seconds, refill)
        return percentile(journal)


def extra(case: str) -> dict[str, object]:
    return (
        {"batch_size": 10, "maximum_batching_window_in_seconds": 1, "scaling_config": {"maximum_concurrency": 2}}
        if case == "gets 6 MB batches"
        else {}
    )


def warm_up(server: Source) -> None:
    """Bursts, so that every environment of B has had its cold start."""
    for _ in range(20):
        for _ in range(30):
            server.send("b", json.dumps({"sent": time.monotonic()}).encode())
        time.sleep(PACE)
    time.sleep(0.5)


def measure(server: Source, seconds: float, refill: Callable[[], None]) -> None:
    """Send to B at an even pace."""
    end = time.monotonic() + seconds
    next_refill = time.monotonic() + 1
    while time.monotonic() < end:
        server.send("b", json.dumps({"sent": time.monotonic()}).encode())
        if time.monotonic() > next_refill:
            refill()
            next_refill = time.monotonic() + 1
        time.sleep(PACE)
    time.sleep(0.5)  # the last ones arrive


def percentile(journal: Path) -> float:
    latencies = sorted(float(line) for line in journal.read_text().split())
    assert len(latencies) >= 100, f"only {len(latencies)} messages were measured"
    return latencies[int(len(latencies) * 0.99)]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--case", action="append", choices=list(CASES))
    options = parser.parse_args()
    ratios: dict[str, list[float]] = {}
    for number in range(options.rounds):
        alone = p99(None, options.seconds)
        print(f"round {number + 1}: B alone p99 {alone * 1000:.1f} ms", flush=True)
        for case in options.case or CASES:
            beside = p99(case, options.seconds)
            ratios.setdefault(case, []).append(beside / alone)
            print(f"    A {case}: p99 {beside * 1000:.1f} ms, {beside / alone:.2f}x", flush=True)
    worst = 0.0
    for case, values in ratios.items():
        median = statistics.median(values)
        worst = max(worst, median)
        print(f"A {case}: median {median:.2f}x ({min(values):.2f} to {max(values):.2f})")
    print(f"worst median {worst:.2f}x, goal at most {GOAL:.1f}x")
    return 0 if worst <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())

"""What it costs when nobody reads what the daemon says: the rate of a daemon whose standard output and standard error
are read, and of one whose are not; and whether /livez answers all the time.

    python benchmarks/unread.py [--messages 100000] [--rounds 3]

Both log at `debug`, so that each message makes lines. Rounds alternate, each daemon has a stub of SQS of its own, and
the median of the rounds' ratios counts. Goals: within 10 %, and every /livez answered. The time of the processor that
the daemon took for a message is printed beside it: on a machine that does other things too, it says more than the rate.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from isolation import Source, function, mapping, source

GOAL = 0.1
LIVE = 0.25
"""Seconds between two questions whether it lives."""
ANSWERS_WITHIN = 5.0
"""Seconds in which it must say so."""
QUEUES = 8
PORTION = 250
"""Messages that a queue gets at a time: the stub looks at all of them for each that is deleted."""
AHEAD = 2 * QUEUES * PORTION
"""Messages that wait at most."""
PAUSE = 0.1
"""Seconds between two looks at what is delivered."""


class Running:
    """A daemon at a known address."""

    def __init__(self, directory: Path, endpoint: str, port: int, *, read: bool) -> None:
        queues = [f"q{number}" for number in range(QUEUES)]
        config = directory / "headrace.json"
        config.write_text(
            json.dumps(
                {
                    "aws": {"endpoint_url": endpoint, "region": "us-east-1"},
                    "listen": f"127.0.0.1:{port}",
                    "state": str(directory / "state"),
                    "log": {"level": "debug", "format": "json"},
                    "functions": {"takes": function("app.takes", directory / "journal", concurrency=4)},
                    "mappings": {queue: mapping(queue, "takes") for queue in queues},
                }
            )
        )
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "headrace.service.cli.main", "run", str(config)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.bytes_read = 0
        if read:
            for stream in (self.process.stdout, self.process.stderr):
                assert stream is not None
                threading.Thread(target=self._read, args=(stream.fileno(),), daemon=True).start()

    def _read(self, descriptor: int) -> None:
        while data := os.read(descriptor, 1 << 20):
            self.bytes_read += len(data)

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=ANSWERS_WITHIN) as answer:
            body: bytes = answer.read()
            return body

    def delivered(self) -> int:
        return sum(each["counts"]["delivered"] for each in json.loads(self.get("/status"))["mappings"])

    def processor(self) -> float:
        """Seconds of the processor that the daemon took so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Heartbeat:
    """Asks whether the daemon lives, for as long as the block runs."""

    def __init__(self, daemon: Running) -> None:
        self._daemon = daemon
        self._over = threading.Event()
        self.answered = self.missed = 0
        self.slowest = 0.0
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.wait(LIVE):
            began = time.monotonic()
            try:
                self._daemon.get("/livez")
            except OSError:
                self.missed += 1
            else:
                self.answered += 1
            self.slowest = max(self.slowest, time.monotonic() - began)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        self._thread.join()


def wait_until(condition: Callable[[], bool], pause: float) -> None:
    while not condition():
        time.sleep(pause)


@contextmanager
def running(directory: Path, server: Source, *, read: bool) -> Iterator[Running]:
    daemon = Running(directory, server.url, free_port(), read=read)
    try:
        wait_until(lambda: polls(daemon), 0.1)
        yield daemon
    finally:
        daemon.close()


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def polls(daemon: Running) -> bool:
    try:
        return all(each["state"] == "polling" for each in json.loads(daemon.get("/status"))["mappings"])
    except OSError:
        return False


def rate(messages: int, *, read: bool) -> tuple[float, float, Heartbeat]:
    """Messages a second, from the first to the last, and milliseconds of the processor for each."""
    with tempfile.TemporaryDirectory() as name, source() as server:
        for number in range(QUEUES):
            server.post(f"/_create?queue=q{number}")
        with running(Path(name), server, read=read) as daemon, Heartbeat(daemon) as heartbeat:
            began, sent, took = time.monotonic(), 0, daemon.processor()
            while (delivered := daemon.delivered()) < messages:
                for number in range(QUEUES if sent < messages and sent - delivered < AHEAD else 0):
                    server.post(f"/_fill?queue=q{number}&count={PORTION}")
                    sent += PORTION
                time.sleep(PAUSE)
            took = daemon.processor() - took
            return delivered / (time.monotonic() - began), took / delivered * 1000, heartbeat


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ratios: list[float] = []
    missed = 0
    for number in range(options.rounds):
        found: dict[bool, float] = {}
        for read in (True, False) if number % 2 == 0 else (False, True):
            found[read], took, heartbeat = rate(options.messages, read=read)
            missed += heartbeat.missed
            print(
                f"round {number + 1}, {'read' if read else 'unread':6}: {found[read]:7.0f} messages a second, "
                f"{took:.3f} ms each; /livez answered {heartbeat.answered} times, missed {heartbeat.missed}, slowest "
                f"{heartbeat.slowest:.3f} s",
                flush=True,
            )
        ratios.append(found[False] / found[True])
    ratio = statistics.median(ratios)
    print(f"unread to read: {ratio:.3f} (goal {1 - GOAL:.2f} to {1 + GOAL:.2f}); /livez missed {missed}, goal 0")
    return 0 if ratio >= 1 - GOAL and not missed else 1


if __name__ == "__main__":
    sys.exit(main())

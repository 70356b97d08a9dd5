"""Whether memory grows without end where records fail all the time: a stream of which 5 % of the records fail, reported
one by one, and more comes than can be taken.

    python benchmarks/soak.py [--seconds 600] [--every 60] [--shards 4] [--rate 400]

Prints, for each interval: the daemon's resident memory; the records and bytes that it holds, beside their bound; and
the kinds of objects that became more. Goal: from the moment at which the bound is reached, less than a tenth more.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from isolation import ROOT, function
from measuring.meanwhile import meanwhile

GOAL = 1.1
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
DATA = b'{"order": "' + b"x" * 480 + b'"}'
SHOWN = 5
"""Kinds of objects in a line."""
LEAST = 500
"""More objects of a kind that are worth a word."""


# --- inside of the daemon ---------------------------------------------------------------------------------------------


def watched(config: str, every: float) -> int:
    """The daemon, and a thread that says how much it holds."""
    from headrace.service.cli.main import main

    threading.Thread(target=_watch, args=(every,), daemon=True).start()
    return main(["run", config])


def _watch(every: float) -> None:
    from headrace.dispatch.core.watermark import Watermark
    from headrace.pollers.core.pool import Pool

    before: Counter[str] = Counter()
    while True:
        time.sleep(every)
        gc.collect()
        objects = gc.get_objects()
        kinds = Counter(type(each).__name__ for each in objects)
        held = sum(each._bytes for each in objects if type(each) is Pool)
        records = sum(each.pending for each in objects if type(each) is Watermark)
        del objects
        more = [(name, number) for name, number in (kinds - before).most_common(SHOWN) if number >= LEAST]
        before = kinds
        sample = {"resident": _resident(), "held": held, "records": records, "more": more}
        print(json.dumps(sample), flush=True)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


# --- around it --------------------------------------------------------------------------------------------------------


@contextmanager
def program(command: list[str], log: TextIO) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment) as running:
        try:
            yield running
        finally:
            running.terminate()


def post(url: str, body: bytes = b"") -> None:
    urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST")).close()


def fill(url: str, rate: int, over: threading.Event) -> None:
    """So many records a second, until it is over."""
    number = 0
    began = time.monotonic()
    while not over.wait(0.25):
        due = int((time.monotonic() - began) * rate)
        if due > number:
            post(f"{url}/_put?stream=orders&key=k{number}&count={due - number}", DATA)
        number = due


def configured(directory: Path, url: str) -> Path:
    config = directory / "headrace.json"
    mapping = {
        "source": STREAM,
        "function": "takes",
        "starting_position": "TRIM_HORIZON",
        "function_response_types": ["ReportBatchItemFailures"],
    }
    parts: dict[str, Any] = {
        "aws": {"endpoint_url": url, "region": "us-east-1", "access_key_id": "test", "secret_access_key": "test"},
        "listen": "127.0.0.1:0",
        "state": str(directory / "state"),
        "functions": {"takes": function("app.fails_some", directory / "journal", concurrency=8)},
        "mappings": {"orders": mapping},
    }
    config.write_text(json.dumps(parts))
    return config


def soaked(options: argparse.Namespace) -> list[dict[str, Any]]:
    from headrace.pollers.feed_settings import AHEAD_RECORDS

    samples: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name, (Path(name) / "log").open("w") as log, stub(log) as url:
        post(f"{url}/_kinesis?stream=orders&shards={options.shards}")
        post(f"{url}/_unlimited")
        config = configured(Path(name), url)
        command = [sys.executable, __file__, "--inside", str(config), "--every", str(options.every)]
        with program(command, log) as daemon, meanwhile(fill, url, options.rate):
            assert daemon.stdout is not None
            for line in daemon.stdout:
                if line.startswith("{"):
                    samples.append(json.loads(line))
                    show(len(samples) * options.every, samples[-1], options.shards * AHEAD_RECORDS)
                if len(samples) * options.every >= options.seconds:
                    break
    return samples


@contextmanager
def stub(log: TextIO) -> Iterator[str]:
    with program([sys.executable, "-m", "support.stream_stub"], log) as running:
        assert running.stdout is not None
        yield running.stdout.readline().strip()


def show(seconds: float, sample: dict[str, Any], most: int) -> None:
    """`most` records are held at most; the same part of it in bytes follows from the size of one."""
    records, held = sample["records"], sample["held"] / 1e6
    bound = held / records * most if records else 0.0
    more = ", ".join(f"{name} +{number}" for name, number in sample["more"])
    print(
        f"{seconds:5.0f} s: {sample['resident'] / 1e6:6.1f} MB resident; {records} of {most} records held, "
        f"{held:.1f} of {bound:.1f} MB; more: {more or 'nothing'}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--every", type=float, default=60)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--rate", type=int, default=400, help="records a second, over all shards")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return watched(options.inside, options.every)
    samples = soaked(options)
    full = max(sample["records"] for sample in samples) * 0.95
    reached = next(index for index, sample in enumerate(samples) if sample["records"] >= full)
    growth = samples[-1]["resident"] / samples[reached]["resident"]
    minutes = (len(samples) - 1 - reached) * options.every / 60
    print(f"in the {minutes:.1f} minutes since it held the most: {growth:.3f} times the memory (goal {GOAL})")
    return 0 if growth < GOAL else 1


if __name__ == "__main__":
    sys.exit(main())

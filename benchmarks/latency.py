"""G11: how long a single record is under way, where nothing else happens: from the moment when its source has it to the
start of the handler.

    python benchmarks/latency.py [--rounds 5] [--quick]

Queue: the fast source, one message every 20 ms at most; beside it the bare round trip of an invocation over the Runtime
API (awslambdaric behind aiohttp). Shard: MiniStack's stream, records at random moments; nothing stands beside it.
Medians, by the clock.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import orjson
from measuring import ministack
from measuring.daemons import counting, daemon
from measuring.journals import Journal
from measuring.payloads import bodies
from measuring.ratios import Spread, ratio
from measuring.report import FAILURES, Report, reason
from measuring.results import Side
from measuring.runtimes import by_aiohttp
from measuring.sources import source

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
PACE = 0.02
WARM = 10


def latencies(file: Path) -> list[float]:
    """Seconds, in the order in which they were written."""
    return [float(line.split()[0]) for line in file.read_text().splitlines()]


def of_queue(count: int, directory: Path) -> float:
    journal = Journal(directory / "journal")
    function = counting(journal.path, handler="latency.handler")
    mapping = {"source": QUEUE, "function": "f"}
    with source(directory) as stub:
        stub.queue("q", 0)
        stub.open("q")
        with daemon(directory, stub.url, {"f": function}, {"q": mapping}):
            for number in range(count + WARM):
                stub.send("q")
                journal.wait(number + 1, "a message", 60)
                time.sleep(PACE)
    return statistics.median(latencies(journal.path)[WARM:])


async def of_round_trip(count: int) -> float:
    (text,) = bodies(1)
    event, found = orjson.dumps({"Records": [{"body": text}]}), []
    async with by_aiohttp() as invoke:
        for _ in range(count + WARM):
            started = time.monotonic()
            await invoke(event)
            found.append(time.monotonic() - started)
            await asyncio.sleep(PACE)
    return statistics.median(found[WARM:])


def of_shard(count: int, directory: Path) -> float:
    journal = Journal(directory / "journal")
    function = counting(journal.path, handler="latency.handler")
    mapping = {"source": STREAM, "function": "f", "starting_position": "TRIM_HORIZON"}
    with ministack.started() as server:
        kinesis = server.client("kinesis")
        kinesis.create_stream(StreamName="s", ShardCount=1)
        kinesis.get_waiter("stream_exists").wait(StreamName="s", WaiterConfig={"Delay": 1})
        with daemon(directory, server.server.endpoint_url, {"f": function}, {"s": mapping}):
            for number in range(count + 2):
                data = json.dumps({"sent": time.monotonic()}).encode()
                kinesis.put_record(StreamName="s", Data=data, PartitionKey="p")
                journal.wait(number + 1, "a record", 60)
                time.sleep(random.uniform(0.1, 1.1))
    return statistics.median(latencies(journal.path)[2:])


def main() -> int:
    report = Report.from_arguments(__doc__)
    messages, records = report.size(20, 150), report.size(3, 10)
    queue, bare, shard = [], [], []
    missing = ""
    for number in range(report.options.rounds):
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            queue.append(of_queue(messages, Path(directory)))
        bare.append(asyncio.run(of_round_trip(messages)))
        try:
            with tempfile.TemporaryDirectory(prefix="bench-") as directory:
                shard.append(of_shard(records, Path(directory)))
        except FAILURES as error:
            missing = reason(error)
        shown = f"{shard[-1] * 1000:.0f} ms" if shard else missing
        what = f"queue {queue[-1] * 1000:.2f} ms, round trip {bare[-1] * 1000:.2f} ms, shard {shown}"
        print(f"  round {number + 1}: {what}", flush=True)
    ric = f"awslambdaric {version('awslambdaric')}, aiohttp {version('aiohttp')}"
    ours = report.versions["ours"]
    sides = (
        Side(ours, statistics.median(queue) * 1000, "ms"),
        Side(ric, statistics.median(bare) * 1000, "ms"),
    )
    report.keep("G11", "queue", ratio(queue, bare), *sides)
    if shard:
        spread = Spread.of(each * 1000 for each in shard)
        report.keep("G11", "shard", spread, Side(f"{ours}, {ministack.version()}", spread.median, "ms"))
    else:
        report.not_measured("G11", "shard", missing)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

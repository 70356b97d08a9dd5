"""G8: Kinesis end to end. Records of 1 KB from a stream of four shards to a local function that does nothing, in
hundreds.

    python benchmarks/kinesis_pipe.py [--rounds 5] [--quick]

Beside it: MiniStack's own mapping from its own stream to the same function. Our source is `measuring/wire_source.py`.
The clock begins with the first GetRecords that gets records (for MiniStack: with its mapping) and ends when the
function took the last. "CPU of all processes" is the functions' too, and MiniStack's holds the stream.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from measuring import ministack
from measuring.daemons import Daemon, counting, daemon
from measuring.journals import Journal
from measuring.payloads import bodies
from measuring.ratios import Sample
from measuring.report import Report
from measuring.sources import source

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/"
SHARDS = 4
BATCH = 100


def mapping(stream: str) -> dict[str, object]:
    return {"source": ARN + stream, "function": "f", "batch_size": BATCH, "starting_position": "TRIM_HORIZON"}


def nobody(running_daemon: Daemon) -> AbstractContextManager[object]:
    """Who looks at the daemon meanwhile."""
    return nullcontext()


def ours(
    count: int,
    directory: Path,
    shards: int = SHARDS,
    beside: Callable[[Daemon], AbstractContextManager[object]] = nobody,
    **settings: Any,
) -> Sample:
    """`beside` runs while it is measured; `settings`: of the daemon, besides the usual ones."""
    journal = Journal(directory / "journal")
    mappings = {"full": mapping("full"), "warm": mapping("warm")}
    with source(directory) as stub:
        stub.stream("full", count, shards)
        stub.stream("warm", 10 * BATCH, SHARDS)
        stub.open("warm")
        with daemon(directory, stub.url, {"f": counting(journal.path)}, mappings, **settings) as running_daemon:
            journal.wait(10 * BATCH, "the warm-up")
            running_daemon.enable(running_daemon.mappings()[ARN + "warm"], enabled=False)
            time.sleep(1.5)  # every shard has been looked at
            journal.begin()
            with beside(running_daemon):
                before, busy = running_daemon.cpu(), stub.cpu()
                stub.open("full")
                ended = journal.wait(count, "our daemon")
                taken, served = running_daemon.cpu() - before, stub.cpu() - busy
            wall = ended - stub.state("full")["first"]
    print(f"           the source was busy for {served.own / wall:.0%} of the time", flush=True)
    return Sample(count, wall, taken.own, taken.all)


def by_ministack(count: int, directory: Path) -> Sample:
    journal = Journal(directory / "journal")
    with ministack.started() as server:
        kinesis = server.client("kinesis")
        server.function(journal.path)
        for stream, number in (("warm", BATCH), ("full", count)):
            kinesis.create_stream(StreamName=stream, ShardCount=SHARDS)
            kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
            texts = bodies(number)
            for start in range(0, number, 500):
                records = [
                    {"Data": text.encode(), "PartitionKey": f"p{start + at}"}
                    for at, text in enumerate(texts[start : start + 500])
                ]
                kinesis.put_records(StreamName=stream, Records=records)
        server.map(ARN + "warm", BATCH, StartingPosition="TRIM_HORIZON")
        journal.wait(BATCH, "MiniStack's warm-up")
        journal.begin()
        before, started = server.cpu(), time.monotonic()
        server.map(ARN + "full", BATCH, StartingPosition="TRIM_HORIZON")
        ended = journal.wait(count, "MiniStack's mapping")
        taken = server.cpu() - before
    return Sample(count, ended - started, taken.own, taken.all)


def main() -> int:
    report = Report.from_arguments(__doc__)
    report.versions["ministack"] = ministack.version()

    def here(run: Callable[[Path], Sample]) -> Sample:
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            return run(Path(directory))

    rounds = report.rounds(
        {
            "ours": partial(here, partial(ours, report.size(2_000, 60_000))),
            "ministack": partial(here, partial(by_ministack, report.size(500, 6_000))),
        }
    )
    report.compare("G8", "ministack_wall", rounds, "ministack", lambda sample: sample.rate, "records/s")
    report.compare(
        "G8", "ministack_cpu", rounds, "ministack", lambda sample: sample.all_cpu_rate, "records/s of all CPU"
    )
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

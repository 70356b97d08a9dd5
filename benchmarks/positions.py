"""G10: how often positions are made durable: a stream of 100 shards in batches of ten, as fast as it goes.

    python benchmarks/positions.py [--rounds 3] [--quick]

The daemon notes each durable commit (`measuring/counted_daemon.py`), the function each invocation. These are counts, so
nothing stands beside them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from measuring.daemons import counting, daemon
from measuring.journals import Journal
from measuring.ratios import Spread
from measuring.report import Report
from measuring.results import Side
from measuring.sources import source

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/full"
SHARDS = 100
BATCH = 10
PROGRAM = str(Path(__file__).with_name("measuring") / "counted_daemon.py")


def one_round(count: int, directory: Path) -> tuple[int, int, float]:
    """Invocations, commits, seconds."""
    journal, commits = Journal(directory / "journal"), Journal(directory / "commits")
    mapping = {"source": ARN, "function": "f", "batch_size": BATCH, "starting_position": "TRIM_HORIZON"}
    with source(directory) as stub:
        stub.stream("full", count, SHARDS)
        environment = {"COMMITS": str(commits.path)}
        with daemon(
            directory, stub.url, {"f": counting(journal.path)}, {"full": mapping}, (PROGRAM,), environment=environment
        ):
            time.sleep(2)  # the positions where it begins are stored
            commits.begin()
            stub.open("full")
            ended = journal.wait(count, "our daemon")
    if not commits.read():
        raise RuntimeError("the daemon noted no commit: does measuring/counted_daemon.py still fit the store?")
    return journal.lines, commits.count, ended - journal.first


def main() -> int:
    report = Report.from_arguments(__doc__, rounds=3)
    count = report.size(SHARDS * BATCH, SHARDS * BATCH * 20)
    found = []
    for number in range(report.options.rounds):
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            invocations, commits, seconds = one_round(count, Path(directory))
        print(f"  round {number + 1}: {invocations} invocations, {commits} commits in {seconds:.2f} s", flush=True)
        found.append((invocations / max(1, commits), commits / seconds))
    ours = report.versions["ours"]
    for key, at, unit in (("invocations", 0, "invocations a commit"), ("a_second", 1, "commits/s")):
        spread = Spread.of(each[at] for each in found)
        report.keep("G10", key, spread, Side(ours, spread.median, unit))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

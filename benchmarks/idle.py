"""G12: what 100 mappings cost that have nothing to do: memory and CPU, for queues and for streams of one shard.

    python benchmarks/idle.py [--rounds 3] [--quick]

Beside it, in the same round: a bare aiobotocore process with the same polls of such a source, which counts the polls.
"""

from __future__ import annotations

import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from measuring.daemons import KEYS, counting, daemon
from measuring.peers import PEERS
from measuring.processes import TICK, cpu, resident, running
from measuring.ratios import Spread, ratio
from measuring.report import Report
from measuring.results import Side
from measuring.sources import Source, source

COUNT = 100
PREFIX = {"sqs": "arn:aws:sqs:us-east-1:000000000000:q", "kinesis": "arn:aws:kinesis:us-east-1:000000000000:stream/s"}
SECONDS = {"sqs": 5, "kinesis": 1}
"""Of a long poll at an emulator; between two looks at an idle shard."""
CALLS = {"sqs": "ReceiveMessage", "kinesis": "GetRecords"}
SETTLED = 6.0
"""Seconds after which nothing of the start is left."""

Idle = tuple[float, float, float]
"""Bytes of memory, share of a core, polls a second."""


def idle(pid: int, stub: Source, call: str, seconds: float) -> Idle:
    before, calls, started = cpu(pid), stub.calls().get(call, 0), time.monotonic()
    time.sleep(seconds)
    taken, asked = cpu(pid) - before, stub.calls()[call] - calls
    passed = time.monotonic() - started
    return float(resident(pid)), max(taken.own, TICK) / passed, asked / passed


def made(service: str, stub: Source) -> None:
    for number in range(COUNT):
        if service == "sqs":
            stub.queue(f"q{number}", 0)
        else:
            stub.stream(f"s{number}", 0, 1)


def ours(service: str, seconds: float, directory: Path) -> Idle:
    mappings = {f"m{at}": {"source": f"{PREFIX[service]}{at}", "function": "f"} for at in range(COUNT)}
    if service == "kinesis":
        mappings = {name: {**each, "starting_position": "TRIM_HORIZON"} for name, each in mappings.items()}
    with source(directory) as stub:
        made(service, stub)
        with daemon(directory, stub.url, {"f": counting(directory / "journal")}, mappings) as it:
            time.sleep(SETTLED)
            return idle(it.pid, stub, CALLS[service], seconds)


def bare(service: str, seconds: float, directory: Path) -> Idle:
    with source(directory) as stub:
        made(service, stub)
        program = [sys.executable, str(PEERS / "idle_polls.py"), service, stub.url, str(COUNT), str(SECONDS[service])]
        with running(program, directory / "log", env=KEYS) as it:
            assert it.stdout is not None
            assert it.stdout.readline() == "ready\n"
            time.sleep(SETTLED)
            return idle(it.pid, stub, CALLS[service], seconds)


def main() -> int:
    report = Report.from_arguments(__doc__, rounds=3)
    seconds = float(report.size(4, 15))
    peer = f"aiobotocore {version('aiobotocore')}"
    for service in ("sqs", "kinesis"):
        found: dict[str, list[Idle]] = {"ours": [], "bare": []}
        for number in range(report.options.rounds):
            for name, side in (("ours", ours), ("bare", bare)):
                with tempfile.TemporaryDirectory(prefix="bench-") as directory:
                    memory, share, asked = side(service, seconds, Path(directory))
                found[name].append((memory, share, asked))
                what = f"{memory / 2**20:.0f} MiB, {share:.2%} of a core, {asked:.1f} polls/s"
                print(f"  round {number + 1}: {service} {name}: {what}", flush=True)
        for key, at, unit, factor in (("memory", 0, "MiB", 2**20), ("cpu", 1, "% of a core", 0.01)):
            mine, theirs = ([each[at] / factor for each in found[name]] for name in ("ours", "bare"))
            polls = [f"{Spread.of(each[2] for each in found[name]).median:.0f} polls/s" for name in ("ours", "bare")]
            sides = (
                Side(f"{report.versions['ours']}, {polls[0]}", Spread.of(mine).median, unit),
                Side(f"{peer}, {polls[1]}", Spread.of(theirs).median, unit),
            )
            report.keep("G12", f"{service}_{key}", ratio(mine, theirs), *sides)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

"""What somebody who looks and does not read costs the pipe: `headrace tap --payload` and `headrace logs -f`, both
stopped (SIGSTOP), beside records of 1 KB from a stream of four shards to a local function, in hundreds.

    python benchmarks/stopped_readers.py [--rounds 5] [--quick]

Two sides in each round: the pipe alone, and with the stopped readers. The load is as much as the pipe takes, which is
more than 5,000 records a second.

Goal: the rate with stopped readers is at least 0.95 of the rate without, in the median.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import kinesis_pipe
from measuring.daemons import Daemon
from measuring.ratios import Sample, ratio
from measuring.report import wait

GOAL = 0.95
VERBS = (("tap", "--payload"), ("logs", "-f"))


@contextmanager
def stopped_readers(running_daemon: Daemon) -> Iterator[None]:
    """Those who look are there, and then do nothing."""
    program = [sys.executable, "-m", "headrace.service.cli.main"]
    readers = [
        subprocess.Popen([*program, *verb, "--url", running_daemon.url], stdout=subprocess.DEVNULL) for verb in VERBS
    ]
    try:
        port = int(running_daemon.url.rpartition(":")[2])
        wait(lambda: connections(port) >= len(readers), "the readers' connections")
        for reader in readers:
            reader.send_signal(signal.SIGSTOP)
        yield
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()


def connections(port: int) -> int:
    """How many established connections lead to this port of this machine."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(1 for line in lines if line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "01")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few records: shows that it runs, measures nothing")
    options = parser.parse_args()
    count = 4_000 if options.quick else 60_000
    alone: list[Sample] = []
    beside: list[Sample] = []
    for number in range(options.rounds):
        for side, samples in ((kinesis_pipe.nobody, alone), (stopped_readers, beside)):
            samples.append(here(partial(kinesis_pipe.ours, count, beside=side)))
        one, other = alone[-1].rate, beside[-1].rate
        print(f"round {number + 1}: {one:.0f} records/s alone, {other:.0f} with stopped readers", flush=True)
    found = ratio([each.rate for each in beside], [each.rate for each in alone])
    cpu = ratio([each.cpu_rate for each in beside], [each.cpu_rate for each in alone])
    print(
        f"stopped readers: {found.median:.3f} ({found.least:.3f} to {found.most:.3f}), goal at least {GOAL}; by the "
        f"daemon's CPU {cpu.median:.3f} ({cpu.least:.3f} to {cpu.most:.3f})"
    )
    return 0 if found.median >= GOAL else 1


def here(run: partial[Sample]) -> Sample:
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        return run(Path(directory))


if __name__ == "__main__":
    sys.exit(main())

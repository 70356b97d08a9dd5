"""How long a stop takes when something hangs: from the signal to the end of the process, of `stop_timeout`.

    python benchmarks/stop.py [--part "Kafka, half-open"]

A daemon with a queue, streams, a table, a topic, functions over HTTP and in processes, a failure destination and a log
endpoint; each part hangs alone, then all at once. Goal: nothing takes longer than `stop_timeout`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
os.environ.setdefault("HEADRACE_TREE", "1")

from support import stop_lab


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", action="append")
    options = parser.parse_args()
    worst = 0.0
    with stop_lab.servers() as servers:
        print(f"{'what hangs':26} seconds   of stop_timeout ({stop_lab.STOP_TIMEOUT:g} s)")
        for part in options.part or stop_lab.parts(servers):
            seconds = stop_lab.measure(servers, part)
            worst = max(worst, seconds / stop_lab.STOP_TIMEOUT)
            print(f"{part:26} {seconds:7.2f}   {seconds / stop_lab.STOP_TIMEOUT:.2f}", flush=True)
    print(f"longest {worst:.2f} of stop_timeout, goal at most 1.00")
    return 0 if worst <= 1.0 else 1


if __name__ == "__main__":
    sys.exit(main())

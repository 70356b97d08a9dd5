"""What a scrape of a daemon with many mappings costs the others: the longest time for which the event loop does nothing
else, beside the time that it takes on the loop.

    python benchmarks/metrics.py [--mappings 1000] [--rounds 5]

Goal: at most a tenth of the time that the text takes where it is made on the loop, in the median.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import anyio

from headrace.service.telemetry.metrics import Labels, Metrics

GOAL = 0.1
KINDS = ("sqs", "kinesis", "kafka")


class Pulse:
    """The longest time between two turns of the loop."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        before = time.monotonic()
        while True:
            await anyio.sleep(0.001)
            now = time.monotonic()
            self.longest, before = max(self.longest, now - before), now


async def beside(metrics: Metrics) -> tuple[float, float]:
    """Seconds that a scrape takes, and the longest for which the loop stood still."""
    pulse = Pulse()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pulse.run)
        await anyio.sleep(0.05)
        pulse.longest, began = 0.0, time.monotonic()
        await metrics.scrape()
        took = time.monotonic() - began
        tasks.cancel_scope.cancel()
    return took, pulse.longest


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mappings", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    metrics = Metrics(
        Labels(f"mapping-{number}", KINDS[number % 3], f"function-{number % 50}") for number in range(options.mappings)
    )
    parts: list[float] = []
    for number in range(options.rounds):
        began = time.monotonic()
        size = len(metrics.render())
        alone = time.monotonic() - began
        took, stood = anyio.run(beside, metrics)
        parts.append(stood / alone)
        print(
            f"round {number + 1}: {size / 1e6:.1f} MB, {alone:.2f} s on the loop; beside it {took:.2f} s, of which the "
            f"loop stood still for {stood:.3f} s at most",
            flush=True,
        )
    part = statistics.median(parts)
    print(f"standing still: {part:.3f} of the time on the loop, goal at most {GOAL}")
    return 0 if part <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())

"""What the journal of fates costs a batch: of ten messages from SQS, of a hundred records from Kinesis.

    python benchmarks/journal.py [--rounds 5] [--quick]

Three sides in each round, all in CPU time of our own process: the whole daemon with and without a journal
(`journal.records`), from the same source as the benchmarks of the whole pipe, and the journal alone: what it does with
the events of as many batches. The share is the journal alone divided by the daemon without one: it moves less than the
machine does, which the two daemons beside each other show.

Goal: at most 0.02 of a batch's time, in the median.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import kinesis_pipe
import sqs_pipe
from measuring.ratios import Sample, ratio

from headrace.dispatch.core.model import DELIVERED, Attempt, Lane, Record, Settlement, Succeeded
from headrace.dispatch.core.observer import Event, Invoked, Settled
from headrace.dispatch.core.pages import Page, Records
from headrace.dispatch.kinds.kinesis import KinesisSheet, ShardElement
from headrace.service.telemetry.core.mapping_model import Instant
from headrace.service.telemetry.sight import RECORDS, Sight

GOAL = 0.02
MAPPING = "m"
REPEATS = 7
"""Of the journal alone, whose median counts."""
Events = tuple[Event, Event]


def sqs_events(number: int) -> Events:
    lane = Lane("arn:aws:sqs:us-east-1:000000000000:full")
    ids = (f"3f2504e0-4f89-41d3-9a0c-{number:06}{index:06}" for index in range(10))
    return events_of(Records.of([Record(lane, each, {"body": "x"}, 0.0) for each in ids]))


def kinesis_events(number: int) -> Events:
    shard = f"shardId-{number % 4:012}"
    element = ShardElement(Lane(kinesis_pipe.ARN + "full", shard), kinesis_pipe.ARN + "full", "us-east-1", "r")
    raws = [
        {
            "SequenceNumber": f"4964{number:040}{index:012}",
            "PartitionKey": f"p{index}",
            "Data": "eA==",
            "ApproximateArrivalTimestamp": 0.0,
        }
        for index in range(100)
    ]
    return events_of(Records([Page(KinesisSheet(element, raws))]))


def events_of(records: Records) -> Events:
    """What the journal sees of a batch that goes well."""
    attempt = Attempt("3f2504e0-4f89-41d3-9a0c-0305e82c3301", 0.0, 0.001, 200)
    settlement = Settlement(records, DELIVERED)
    return Invoked(MAPPING, "f", records, Succeeded(attempt), 0.001), Settled(MAPPING, (settlement,))


def journal_alone(make: Callable[[int], Events], batches: int, size: int, records: int) -> Sample:
    """CPU of an observer with a journal of so many records, for these batches; without the journal it is what the
    observer costs anyhow."""
    taken: dict[int, list[float]] = {0: [], records: []}
    for _ in range(REPEATS):
        for kept, times in taken.items():
            events = [make(number) for number in range(batches)]
            times.append(observed(Sight(lambda: Instant(0.0, 0.0), kept), events))
    cost = max(0.0, statistics.median(taken[records]) - statistics.median(taken[0]))
    return Sample(batches * size, cost, cost, cost)


def observed(sight: Sight, events: Sequence[Events]) -> float:
    """Seconds of CPU. Garbage is collected at other times: a daemon never has the events of a whole run at once."""
    gc.collect()
    gc.disable()
    try:
        before = time.process_time()
        for pair in events:
            for event in pair:
                sight.observe(event)
        return time.process_time() - before
    finally:
        gc.enable()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few records: shows that it runs, measures nothing")
    options = parser.parse_args()
    met = [
        measured("sqs", 10, sqs_pipe.ours, sqs_events, 2_000 if options.quick else 40_000, options.rounds),
        measured("kinesis", 100, kinesis_pipe.ours, kinesis_events, 2_000 if options.quick else 60_000, options.rounds),
    ]
    return 0 if all(met) else 1


def measured(
    name: str, size: int, pipe: Callable[..., Sample], make: Callable[[int], Events], count: int, rounds: int
) -> bool:
    shares, daemons = [], []
    for number in range(rounds):
        without = here(partial(pipe, count, journal={"records": 0}))
        kept = here(partial(pipe, count))
        alone = journal_alone(make, count // size, size, RECORDS)
        cost, batch = alone.cpu / alone.count * size, without.cpu / without.count * size
        shares.append((cost, batch))
        daemons.append((kept.cpu / kept.count, without.cpu / without.count))
        print(
            f"{name} round {number + 1}: a batch of {size} takes {batch * 1e6:.0f} us, its journal {cost * 1e6:.1f} us "
            f"({cost / batch:.2%}); the daemons beside each other: {daemons[-1][0] / daemons[-1][1]:.3f}",
            flush=True,
        )
    share = ratio([cost for cost, _ in shares], [batch for _, batch in shares])
    beside = ratio([with_it for with_it, _ in daemons], [without_it for _, without_it in daemons])
    print(
        f"{name}: a journal takes {share.median:.4f} of a batch ({share.least:.4f} to {share.most:.4f}), goal at most "
        f"{GOAL}; with one the daemon takes {beside.median:.3f} of its time without ({beside.least:.3f} to "
        f"{beside.most:.3f})",
        flush=True,
    )
    return share.median <= GOAL


def here(run: Callable[[Path], Sample]) -> Sample:
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        return run(Path(directory))


if __name__ == "__main__":
    sys.exit(main())

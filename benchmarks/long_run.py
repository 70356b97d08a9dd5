"""The daemon's memory over a long run: Kafka records in batches of 1,000, and SQS messages as fast as they go.

    python benchmarks/long_run.py kafka [--records 10000000] [--plot docs/pictures/memory-kafka.svg]
    python benchmarks/long_run.py sqs   [--minutes 60]       [--plot docs/pictures/memory-sqs.svg]

Not part of `make bench`: it takes as long as it says. Prints twenty samples of the resident memory, and the most of the
second half beside the most of the first. Goal: at most 1.1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from kafka_pipe import mapping as of_topic
from measuring.daemons import Daemon, counting, daemon
from measuring.journals import Journal
from measuring.meanwhile import meanwhile
from measuring.payloads import bodies
from measuring.plots import Plot, svg
from measuring.sources import Source, source
from sqs_pipe import mapping as of_queue

from support.servers import kafka
from support.topics import Topics

GOAL = 1.1
SAMPLES = 20
PARTITIONS = 4
KEPT = {"segment_bytes": "16777216", "retention_bytes": "134217728"}
"""Of a partition: what was read need not stay on the disk. More than may wait in it."""
AHEAD = 200_000
"""Records that may wait in the topic."""
DIFFERENT = 10_000
ROUND = 50_000
"""Messages in a queue; of two queues one is filled while the other is read."""

Sample = tuple[str, float]
"""Where on the x axis, and MB of resident memory."""


def say(place: str, it: Daemon, count: int) -> Sample:
    resident = it.resident() / 1e6
    print(f"{place}: {count:,} records, {resident:.1f} MB", flush=True)
    return place, resident


# --- Kafka ------------------------------------------------------------------------------------------------------------


def produce(topics: Topics, topic: str, count: int, journal: Journal, over: threading.Event) -> None:
    producer, texts = topics.producer(linger_ms=20), [body.encode() for body in bodies(DIFFERENT)]
    for at in range(0, count, DIFFERENT):
        while at - journal.count > AHEAD:
            if over.wait(0.1):
                return
        for number, text in enumerate(texts[: count - at]):
            producer.produce(topic, text, partition=number % PARTITIONS)
        producer.flush()


def of_records(count: int) -> list[Sample]:
    with kafka.start() as server, tempfile.TemporaryDirectory(prefix="bench-") as name:
        topics, journal = Topics(f"{server.host}:{server.port}"), Journal(Path(name) / "journal")
        topic = topics.create(partitions=PARTITIONS, **KEPT)
        mappings = {"m": of_topic(topics.server, topic, enabled=True)}
        functions = {"f": counting(journal.path)}
        with (
            daemon(Path(name), "http://127.0.0.1:9", functions, mappings) as it,
            meanwhile(produce, topics, topic, count, journal),
        ):
            return list(_each(count, journal, it))


def _each(count: int, journal: Journal, it: Daemon) -> Iterator[Sample]:
    for number in range(1, SAMPLES + 1):
        due = count * number // SAMPLES
        journal.wait(due, "the daemon", 3600.0)
        yield say(f"{due / 1e6:g} M", it, journal.count)


# --- SQS --------------------------------------------------------------------------------------------------------------


def _fill(stub: Source, over: threading.Event) -> None:
    """Two queues, in turns."""
    at = 0
    while not over.is_set():
        queue, other = ("a", "b") if at % 2 == 0 else ("b", "a")
        stub.queue(queue, ROUND)
        while at and stub.state(other)["left"] and not over.wait(0.05):
            pass
        stub.open(queue)
        at += 1


def of_minutes(minutes: float) -> list[Sample]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name, source(Path(name)) as stub:
        journal = Journal(Path(name) / "journal")
        stub.queue("a", 0)
        stub.queue("b", 0)
        mappings = {queue: of_queue(queue) for queue in ("a", "b")}
        with daemon(Path(name), stub.url, {"f": counting(journal.path)}, mappings) as it, meanwhile(_fill, stub):
            begun, samples = time.monotonic(), list[Sample]()
            for number in range(1, SAMPLES + 1):
                due = minutes * number / SAMPLES
                time.sleep(max(0.0, begun + due * 60 - time.monotonic()))
                samples.append(say(f"{due:g}", it, journal.read()))
            return samples


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("kafka", "sqs"))
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    samples = of_records(given.records) if given.what == "kafka" else of_minutes(given.minutes)
    values = [value for _, value in samples]
    half = len(values) // 2
    growth = max(values[half:]) / max(values[:half])
    print(f"the most of the second half beside that of the first: {growth:.3f} (goal {GOAL})")
    if given.plot:
        over = "millions of records" if given.what == "kafka" else "minutes"
        title = f"Resident memory of the daemon in MB, over {over} ({given.what})"
        places = [place.removesuffix(" M") if at % 2 else "" for at, (place, _) in enumerate(samples)]
        given.plot.write_text(svg(Plot(title, places, {given.what: values}, {}, logarithmic=False)))
    return growth > GOAL


if __name__ == "__main__":
    sys.exit(main())

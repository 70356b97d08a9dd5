"""G13: what a record costs of the daemon's CPU as things grow: records of a run, shards, partitions, mappings; and the
memory of the longest run.

    python benchmarks/curves.py [--rounds 2] [--quick] [--most 10000000]

Ours alone. A curve's number is its most divided by its least. The CPU time is counted from the first record that the
function takes. A run has so many of them that the start of a hundred mappings or a thousand partitions, a few
milliseconds each, is not what is measured. `--most`: records of the longest run (10^6); its memory at the end stands
beside that at a tenth of it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from kafka_pipe import fill
from kafka_pipe import mapping as of_topic
from kinesis_pipe import ARN as STREAM
from measuring.daemons import Daemon, counting, daemon
from measuring.journals import Journal
from measuring.ratios import Spread
from measuring.report import Report, wait
from measuring.results import Side
from measuring.sources import source
from sqs_pipe import ARN as QUEUE

from support.servers import kafka
from support.topics import Topics

PATIENCE = 1800.0


def cost(it: Daemon, journal: Journal, count: int) -> float:
    """Microseconds of CPU for each record, from the first that is taken on."""
    wait(lambda: journal.read() > 0, "a record")
    before, begun = it.cpu(), journal.count
    journal.wait(count, "the daemon", PATIENCE)
    return (it.cpu() - before).own / (count - begun) * 1e6


# --- Kafka ------------------------------------------------------------------------------------------------------------


def of_records(topics: Topics, count: int, grown: list[float]) -> float:
    """A topic of four partitions in batches of 1,000. Appends to `grown` what memory became from a tenth on."""
    topic = topics.create(partitions=4)
    fill(topics, topic, count)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        journal = Journal(Path(name) / "journal")
        mappings = {"m": of_topic(topics.server, topic, enabled=True)}
        with daemon(Path(name), "http://127.0.0.1:9", {"f": counting(journal.path)}, mappings) as it:
            wait(lambda: journal.read() > 0, "a record")
            before, begun = it.cpu(), journal.count
            journal.wait(count // 10, "the daemon", PATIENCE)
            memory = it.resident()
            journal.wait(count, "the daemon", PATIENCE)
            grown.append(it.resident() / memory)
            taken = it.cpu() - before
    topics.delete(topic)
    return taken.own / (count - begun) * 1e6


def of_partitions(topics: Topics, count: int, partitions: int) -> float:
    """In batches of 100."""
    topic = topics.create(partitions=partitions)
    fill(topics, topic, count, partitions)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        journal = Journal(Path(name) / "journal")
        mappings = {"m": of_topic(topics.server, topic, enabled=True, batch=100)}
        with daemon(Path(name), "http://127.0.0.1:9", {"f": counting(journal.path)}, mappings) as it:
            found = cost(it, journal, count)
    topics.delete(topic)
    return found


# --- the fast source --------------------------------------------------------------------------------------------------


def of_shards(count: int, shards: int) -> float:
    """In batches of 100."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        journal, stub = Journal(directory / "journal"), stack.enter_context(source(directory))
        stub.stream("s", count, shards)
        stub.open("s")
        mapping = {
            "source": f"{STREAM}s",
            "function": "f",
            "batch_size": 100,
            "starting_position": "TRIM_HORIZON",
        }
        it = stack.enter_context(daemon(directory, stub.url, {"f": counting(journal.path)}, {"m": mapping}))
        return cost(it, journal, count)


def of_mappings(count: int, mappings: int) -> float:
    """Queues in tens, all to one function."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        journal, stub = Journal(directory / "journal"), stack.enter_context(source(directory))
        names = [f"q{at}" for at in range(mappings)]
        for name in names:
            stub.queue(name, count // mappings)
        configured = {name: {"source": QUEUE + name, "function": "f", "batch_size": 10} for name in names}
        it = stack.enter_context(daemon(directory, stub.url, {"f": counting(journal.path)}, configured))
        wait(lambda: stub.state(names[-1])["waiting"] > 0, "a receive of the last queue")
        for name in names:
            stub.open(name)
        return cost(it, journal, count)


# --- the curves -------------------------------------------------------------------------------------------------------


def curve(report: Report, key: str, what: str, points: Sequence[int], run: Callable[[int], float], rounds: int) -> None:
    found: dict[int, list[float]] = {point: [] for point in points}
    for number in range(rounds):
        for point in points:
            found[point].append(run(point))
            print(f"  round {number + 1}: {point:>9,} {what}: {found[point][-1]:.1f} us a record", flush=True)
    ratios = [max(each) / min(each) for each in zip(*found.values(), strict=True)]
    medians = {str(point): statistics.median(values) for point, values in found.items()}
    ours = Side(report.versions["ours"], max(medians.values()), "us a record at most")
    report.keep("G13", key, Spread.of(ratios), ours, curve=medians)


def main() -> int:
    report = Report.from_arguments(__doc__, rounds=2, most=int)
    rounds, most = report.options.rounds, report.options.most or report.size(10_000, 1_000_000)
    few = report.size(2_000, 30_000)
    curve(report, "shards", "shards", (1, 10, 100), lambda shards: of_shards(few, shards), rounds)
    messages = report.size(1_000, 30_000)
    curve(report, "mappings", "mappings", (1, 10, 100), lambda number: of_mappings(messages, number), rounds)
    with report.every("G13"), kafka.start() as server:
        topics, grown = Topics(f"{server.host}:{server.port}"), list[float]()
        records = report.size(5_000, 300_000)
        sizes = (10, 100) if report.quick else (10, 100, 1000)
        curve(report, "partitions", "partitions", sizes, lambda n: of_partitions(topics, records, n), rounds)
        lengths = [10**power for power in range(4, 8) if 10**power <= most]
        curve(report, "records", "records", lengths, lambda count: of_records(topics, count, grown), 1)
        longest = Side(report.versions["ours"], most, "records in the longest run")
        report.keep("G13", "memory", Spread.of(grown[-1:]), longest)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

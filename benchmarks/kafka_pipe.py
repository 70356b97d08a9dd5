"""G9: Kafka end to end. Records of 1 KB from a real broker to a local function that does nothing, in batches of 1,000.

    python benchmarks/kafka_pipe.py [--rounds 5] [--quick]

Beside it, from the same topic: benthos to HTTP, FastStream's batches with JSON decoding, bare aiokafka (getmany and
commit), bare confluent-kafka (consume and commit). Every side reads the whole topic as a new group. The clock begins
when the mapping or the consumer is made, in a process that is ready and warm, and ends with the last record. Only that
of benthos, whose group takes seconds to form, begins with the first batch that it posts.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

from measuring.daemons import counting, daemon
from measuring.journals import Journal
from measuring.payloads import bodies
from measuring.peers import BENTHOS, PEERS, benthos, http_sink, python_with, to_http
from measuring.processes import cpu, running
from measuring.ratios import Sample
from measuring.report import Report, Unavailable

from support.servers import kafka
from support.servers.running import Server
from support.topics import Topics

BATCH = 1000
PARTITIONS = 4


class Topic:
    """A full topic, and a small one to warm up with."""

    def __init__(self, server: str, count: int) -> None:
        self.server = server
        self.count = count
        topics = Topics(server)
        self.full, self.warm = topics.create(partitions=PARTITIONS), topics.create(partitions=PARTITIONS)
        fill(topics, self.full, count)
        fill(topics, self.warm, 4 * BATCH)


def fill(topics: Topics, topic: str, count: int, partitions: int = PARTITIONS) -> None:
    producer = topics.producer(linger_ms=20)
    for at, body in enumerate(bodies(count)):
        producer.produce(topic, body.encode(), partition=at % partitions)
        if at % 10_000 == 0:
            producer.flush()
    producer.flush()


def mapping(server: str, topic: str, *, enabled: bool, batch: int = BATCH) -> dict[str, object]:
    return {
        "self_managed_event_source": {"endpoints": {"kafka_bootstrap_servers": [server]}},
        "self_managed_kafka_event_source_config": {"consumer_group_id": uuid.uuid4().hex},
        "topics": [topic],
        "source_access_configurations": [{"type": "VPC_SUBNET", "uri": "subnet:subnet-1"}],  # the API wants one
        "starting_position": "TRIM_HORIZON",
        "batch_size": batch,
        "function": "f",
        "enabled": enabled,
    }


def ours(directory: Path, topic: Topic) -> Sample:
    journal = Journal(directory / "journal")
    mappings = {
        "warm": mapping(topic.server, topic.warm, enabled=True),
        "full": mapping(topic.server, topic.full, enabled=False),
    }
    with daemon(directory, "http://127.0.0.1:9", {"f": counting(journal.path)}, mappings) as running_daemon:
        uuids = running_daemon.mappings()
        journal.wait(4 * BATCH, "the warm-up")
        running_daemon.enable(uuids[topic.warm], enabled=False)
        time.sleep(0.5)  # its consumer has left
        journal.begin()
        before, started = running_daemon.cpu(), time.monotonic()
        running_daemon.enable(uuids[topic.full])
        ended = journal.wait(topic.count, "our daemon")
        taken = running_daemon.cpu() - before
    return Sample(topic.count, ended - started, taken.own, taken.all)


def by_benthos(directory: Path, topic: Topic) -> Sample:
    journal = Journal(directory / "journal")
    with http_sink(directory, journal.path) as sink, benthos(directory) as running_benthos:
        before = running_benthos.cpu()
        running_benthos.start(
            {
                "input": {
                    "kafka_franz": {
                        "seed_brokers": [topic.server],
                        "topics": [topic.full],
                        "consumer_group": uuid.uuid4().hex,
                        "start_from_oldest": True,
                        "batching": {"count": BATCH, "period": "500ms"},
                    }
                },
                "output": to_http(sink),
            }
        )
        ended = journal.wait(topic.count, "benthos")
        taken = running_benthos.cpu() - before
    return Sample(topic.count, ended - journal.first, taken.own)


@contextmanager
def consumer(kind: str, interpreter: str, directory: Path, topic: Topic) -> Iterator[tuple[str, Sample]]:
    """Its version, and what it took."""
    command = [interpreter, str(PEERS / "kafka_consumers.py"), kind, topic.server, str(topic.count)]
    with running(command, directory / f"{kind}.log") as process:
        assert process.stdout is not None
        assert process.stdin is not None
        if not (ready := process.stdout.readline().split()):
            raise Unavailable(f"{kind} did not start: {(directory / f'{kind}.log').read_text()[-300:]}")
        before = cpu(process.pid)
        process.stdin.write(f"{topic.full}\n")
        process.stdin.flush()
        answer = process.stdout.readline().split()
        if len(answer) != 2:
            raise Unavailable(f"{kind} ended: {(directory / f'{kind}.log').read_text()[-300:]}")
        taken = cpu(process.pid) - before
        yield ready[1], Sample(topic.count, float(answer[1]) - float(answer[0]), taken.own, taken.all)


def measured(report: Report, server: Server) -> None:
    topic = Topic(f"{server.host}:{server.port}", report.size(10_000, 200_000))

    def in_a_directory(run: object, *arguments: object) -> Sample:
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            return run(Path(directory), *arguments)  # type: ignore[operator, no-any-return]

    def by_consumer(kind: str) -> Sample:
        interpreter = python_with("faststream") if kind == "faststream" else sys.executable
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            found, sample = stack.enter_context(consumer(kind, interpreter, directory, topic))
            report.versions[kind] = f"{kind} {found}"
        return sample

    report.versions["benthos"] = BENTHOS
    rounds = report.rounds(
        {
            "ours": lambda: in_a_directory(ours, topic),
            "benthos": lambda: in_a_directory(by_benthos, topic),
            "faststream": lambda: by_consumer("faststream"),
            "aiokafka": lambda: by_consumer("aiokafka"),
            "confluent": lambda: by_consumer("confluent"),
        }
    )
    for kind in ("benthos", "faststream", "aiokafka", "confluent"):
        report.compare("G9", f"{kind}_wall", rounds, kind, lambda sample: sample.rate, "records/s")
    for kind in ("benthos", "faststream"):
        report.compare("G9", f"{kind}_cpu", rounds, kind, lambda sample: sample.cpu_rate, "records/s of CPU")


def main() -> int:
    report = Report.from_arguments(__doc__)
    report.versions["ours"] += f", aiokafka {version('aiokafka')}"
    with report.every("G9"), kafka.start() as server:
        measured(report, server)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

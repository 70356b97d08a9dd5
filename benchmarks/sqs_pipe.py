"""G7: SQS end to end. Messages of 1 KB from a queue through a filter to a local function that does nothing, in tens;
then they are deleted.

    python benchmarks/sqs_pipe.py [--rounds 5] [--quick]

Beside it: benthos, which posts them to HTTP in tens, from the same source; MiniStack's own mapping from its own queue
to the same function. The source is `measuring/wire_source.py`, and once more ElasticMQ. The clock begins with the first
receive that gets messages and ends when 95 % of them are deleted: benthos now and then loses a reply, whose messages
would only come again when their visibility timeout passes. MiniStack's clock begins with its mapping and ends when its
function took the last. "CPU of all processes" is the functions' too, and MiniStack's holds the queue.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from measuring import ministack
from measuring.daemons import Daemon, counting, daemon
from measuring.journals import Journal
from measuring.payloads import ORDERS, bodies
from measuring.peers import BENTHOS, Benthos, benthos, http_sink, to_http
from measuring.ratios import Sample
from measuring.report import Report, wait
from measuring.sources import Source, source
from measuring.wire_source import ENOUGH

from support.servers import elasticmq

ARN = "arn:aws:sqs:us-east-1:000000000000:"
WARM = 500


def mapping(queue: str) -> dict[str, object]:
    return {
        "source": ARN + queue,
        "function": "f",
        "batch_size": 10,
        "filter_criteria": {"filters": [{"pattern": ORDERS}]},
    }


def input_of(url: str, queue: str) -> dict[str, object]:
    return {
        "aws_sqs": {
            "url": f"{url}/000000000000/{queue}",
            "endpoint": url,
            "region": "us-east-1",
            "max_number_of_messages": 10,
            "wait_time_seconds": 5,
            "credentials": {"id": "test", "secret": "test"},
        }
    }


# --- from the fast source -------------------------------------------------------------------------------------------


def drained(stub: Source, queue: str, count: int) -> None:
    wait(lambda: stub.state(queue)["deleted"] >= count, f"the deletion of {count} messages of {queue}", pause=0.05)


def ours(count: int, directory: Path, **settings: Any) -> Sample:
    """`settings`: of the daemon, besides the usual ones."""
    journal = Journal(directory / "journal")
    mappings = {"full": mapping("full"), "warm": mapping("warm")}
    with source(directory) as stub:
        stub.queue("full", count)
        stub.queue("warm", WARM)
        stub.open("warm")
        with daemon(directory, stub.url, {"f": counting(journal.path)}, mappings, **settings) as running_daemon:
            drained(stub, "warm", WARM)
            running_daemon.enable(running_daemon.mappings()[ARN + "warm"], enabled=False)
            return timed(stub, count, running_daemon)


def by_benthos(count: int, directory: Path) -> Sample:
    journal = Journal(directory / "journal")
    with source(directory) as stub, http_sink(directory, journal.path) as sink, benthos(directory) as running_benthos:
        stub.queue("full", count)
        running_benthos.start({"input": input_of(stub.url, "full"), "output": to_http(sink)})
        wait(lambda: stub.state("full")["waiting"] > 0, "benthos' first receive")
        return timed(stub, count, running_benthos)


def timed(stub: Source, count: int, process: Daemon | Benthos) -> Sample:
    """Of a reader that waits at the queue `full`."""
    wait(lambda: stub.state("full")["waiting"] > 0, "a receive")
    before, busy = process.cpu(), stub.cpu()
    stub.open("full")
    wait(lambda: bool(stub.state("full")["enough"]), f"the deletion of {count} messages", pause=0.05)
    taken, served = process.cpu() - before, stub.cpu() - busy
    state = stub.state("full")
    wall = state["enough"] - state["first"]
    print(f"           the source was busy for {served.own / wall:.0%} of the time", flush=True)
    return Sample(int(count * ENOUGH), wall, taken.own, taken.all)


# --- MiniStack's own --------------------------------------------------------------------------------------------------


def by_ministack(count: int, directory: Path) -> Sample:
    journal = Journal(directory / "journal")
    with ministack.started() as server:
        sqs = server.client("sqs")
        server.function(journal.path)
        for queue, number in (("warm", 100), ("full", count)):
            fill(sqs, sqs.create_queue(QueueName=queue)["QueueUrl"], number)
        server.map(ARN + "warm", 10)
        journal.wait(100, "MiniStack's warm-up")
        journal.begin()
        before, started = server.cpu(), time.monotonic()
        server.map(ARN + "full", 10, FilterCriteria={"Filters": [{"Pattern": ORDERS}]})
        ended = journal.wait(count, "MiniStack's mapping")
        taken = server.cpu() - before
    return Sample(count, ended - started, taken.own, taken.all)


def fill(sqs: object, url: str, count: int) -> None:
    texts = bodies(count)
    for start in range(0, count, 10):
        entries = [{"Id": str(at), "MessageBody": text} for at, text in enumerate(texts[start : start + 10])]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)  # type: ignore[attr-defined]


# --- from ElasticMQ ---------------------------------------------------------------------------------------------------


def from_elasticmq(kind: str, count: int, directory: Path) -> Sample:
    """Messages are sent before the reader starts; the clock runs from the first that was taken until nearly all were:
    a reply that got lost keeps ten of them for as long as their visibility timeout."""
    journal, enough = Journal(directory / "journal"), int(count * ENOUGH)
    with elasticmq.start() as server:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        sqs = boto3.client("sqs", endpoint_url=server.endpoint_url, **keys)
        fill(sqs, sqs.create_queue(QueueName="full", Attributes={"VisibilityTimeout": "300"})["QueueUrl"], count)
        if kind == "ours":
            with daemon(directory, server.endpoint_url, {"f": counting(journal.path)}, {"full": mapping("full")}) as it:
                ended = journal.wait(enough, "our daemon")
                taken = it.cpu()
        else:
            with http_sink(directory, journal.path) as sink, benthos(directory) as it_too:
                it_too.start({"input": input_of(server.endpoint_url, "full"), "output": to_http(sink)})
                ended = journal.wait(enough, "benthos")
                taken = it_too.cpu()
    return Sample(enough, ended - journal.first, taken.own, taken.all)


def main() -> int:
    report = Report.from_arguments(__doc__)
    report.versions |= {"benthos": BENTHOS, "ministack": ministack.version()}
    report.versions |= {"ours_elasticmq": report.versions["ours"], "benthos_elasticmq": BENTHOS}

    def here(run: Callable[[Path], Sample]) -> Sample:
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            return run(Path(directory))

    sides: dict[str, Callable[[Path], Sample]] = {
        "ours": partial(ours, report.size(1_000, 20_000)),
        "benthos": partial(by_benthos, report.size(1_000, 20_000)),
        "ministack": partial(by_ministack, report.size(300, 2_000)),
        "ours_elasticmq": partial(from_elasticmq, "ours", report.size(300, 4_000)),
        "benthos_elasticmq": partial(from_elasticmq, "benthos", report.size(300, 4_000)),
    }
    rounds = report.rounds({name: partial(here, run) for name, run in sides.items()})
    report.compare("G7", "ministack_wall", rounds, "ministack", lambda sample: sample.rate, "messages/s")
    report.compare(
        "G7", "ministack_cpu", rounds, "ministack", lambda sample: sample.all_cpu_rate, "messages/s of all CPU"
    )
    report.compare("G7", "benthos_wall", rounds, "benthos", lambda sample: sample.rate, "messages/s")
    report.compare("G7", "benthos_cpu", rounds, "benthos", lambda sample: sample.cpu_rate, "messages/s of CPU")
    report.compare(
        "G7",
        "elasticmq_wall",
        rounds,
        "benthos_elasticmq",
        lambda sample: sample.rate,
        "messages/s",
        ours="ours_elasticmq",
    )
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

"""The daemon and its workers are killed, again and again, at named points and at random: no message is lost, no group
loses its order, no worker is left behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import orjson
import pytest

from support import killable
from support.counts import count
from support.eventually import eventually
from support.marked import marked

GROUPS = ("a", "b", "c")
POINTS = {"after fetch": "Fetched", "after invoke": "Invoked", "before delete": "Settling", "after delete": "Settled"}
FUNCTION = Path(__file__).parent.parent / "support" / "kill_function"
MAX_RECEIVES = 8
"""Of good messages, kills cost some receives; of poison, every invocation does."""


@dataclass
class Bench:
    """One server, two queues with dead-letter queues, and the files that stay when everything else was killed."""

    endpoint: str
    directory: Path
    random: random.Random
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What was sent, by id: kind, group and number."""

    def __post_init__(self) -> None:
        self.sqs = boto3.client(
            "sqs", "us-east-1", endpoint_url=self.endpoint, aws_access_key_id="test", aws_secret_access_key="test"
        )
        self.standard = self._queue("orders", fifo=False)
        self.fifo = self._queue("orders", fifo=True)
        self._write_config()

    def _queue(self, name: str, *, fifo: bool) -> tuple[str, str]:
        """A queue and its dead-letter queue; their URLs."""
        suffix, attributes = ("-" + self.mark[:8], {})
        if fifo:
            suffix, attributes = suffix + ".fifo", {"FifoQueue": "true"}
        dead = self.sqs.create_queue(QueueName=f"{name}-dead{suffix}", Attributes=attributes)["QueueUrl"]
        reply = self.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
        redrive = {"deadLetterTargetArn": reply["Attributes"]["QueueArn"], "maxReceiveCount": str(MAX_RECEIVES)}
        attributes |= {"VisibilityTimeout": "1", "RedrivePolicy": orjson.dumps(redrive).decode()}
        return self.sqs.create_queue(QueueName=f"{name}{suffix}", Attributes=attributes)["QueueUrl"], dead

    @property
    def config(self) -> Path:
        return self.directory / "headrace.json"

    def _write_config(self) -> None:
        function = {
            "runtime": "python",
            "handler": "app.handler",
            "code": str(FUNCTION),
            "timeout": 10,
            "concurrency": 2,
            "isolation": "env",
            "environment": {"JOURNAL": str(self.directory / "journal"), "MARK": self.mark},
        }
        mapping = {
            "function": "take",
            "function_response_types": ["ReportBatchItemFailures"],
            "filter_criteria": {"filters": [{"pattern": {"body": {"kind": ["good", "poison"]}}}]},
        }
        arn = "arn:aws:sqs:us-east-1:000000000000:"
        names = [url.rpartition("/")[2] for url, _ in (self.standard, self.fifo)]
        config = {
            "aws": {"endpoint_url": self.endpoint, "region": "us-east-1"},
            "listen": "127.0.0.1:0",
            "state": str(self.directory / "state"),
            "functions": {"take": function},
            "mappings": {
                "standard": {"source": arn + names[0], **mapping},
                "fifo": {"source": arn + names[1], "batch_size": 5, **mapping},
            },
        }
        self.config.write_bytes(orjson.dumps(config))

    def send(self, number: int) -> None:
        """One message to each queue; now and then noise, now and then poison."""
        for url, _ in (self.standard, self.fifo):
            kind = self.random.choices(["good", "noise", "poison"], [91, 7, 2])[0]
            order: dict[str, Any] = {"id": uuid.uuid4().hex, "kind": kind, "number": number}
            more: dict[str, str] = {}
            if url == self.fifo[0]:
                order["group"] = self.random.choice(GROUPS)
                more = {"MessageGroupId": order["group"], "MessageDeduplicationId": order["id"]}
            self.sqs.send_message(QueueUrl=url, MessageBody=orjson.dumps(order).decode(), **more)
            self.sent[order["id"]] = order

    # --- lives ------------------------------------------------------------------------------------------------------

    def start(self, *more: str, kill_at: str = "") -> subprocess.Popen[bytes]:
        environment = {**os.environ, "KILL_AT": kill_at, "WITNESS": str(self.directory / "witness")}
        with (self.directory / "daemon.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, killable.__file__, "run", str(self.config), *more],
                env=environment,
                stdout=log,
                stderr=log,
            )

    def workers(self) -> list[int]:
        """Processes of the function."""
        return marked(self.mark)

    # --- evidence ---------------------------------------------------------------------------------------------------

    def lines(self, name: str) -> list[str]:
        path = self.directory / name
        return path.read_text().splitlines() if path.exists() else []

    def taken(self) -> list[str]:
        return [line.split()[1] for line in self.lines("journal")]

    def dead(self) -> list[str]:
        ids: list[str] = []
        for _, url in (self.standard, self.fifo):
            while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                ids += [orjson.loads(message["Body"])["id"] for message in messages]
                for message in messages:
                    self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return ids


@pytest.fixture(params=["ministack", pytest.param("elasticmq", marks=pytest.mark.needs("java", "maven"))])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    seed = int(os.environ.get("HEADRACE_SEED", random.randrange(2**32)))
    print(f"HEADRACE_SEED={seed}")
    bench = Bench(request.getfixturevalue(request.param).endpoint_url, tmp_path, random.Random(seed))
    yield bench
    for pid in bench.workers():
        os.kill(pid, signal.SIGKILL)


def die(bench: Bench, point: str, nth: int) -> None:
    """One life that ends at a named point. Messages are sent as long as it lasts, so the point is reached."""
    daemon = bench.start(kill_at=f"{point}:{nth}")
    number = len(bench.sent)
    while daemon.poll() is None:
        bench.send(number)
        number += 1
        time.sleep(0.02)  # the pace of the producer, not a wait for anything
    assert daemon.returncode == -signal.SIGKILL, "\n".join(bench.lines("daemon.log")[-20:])


def die_at_random(bench: Bench) -> None:
    """One life in which a worker is killed, and then the daemon, each at some moment."""
    daemon = bench.start()
    for victim in ("worker", "daemon"):
        end = time.monotonic() + bench.random.uniform(0.2, 2.0)
        while time.monotonic() < end:
            bench.send(len(bench.sent))
            time.sleep(0.02)
        workers = bench.workers()
        if victim == "worker" and workers:
            os.kill(bench.random.choice(workers), signal.SIGKILL)
    assert daemon.poll() is None, "\n".join(bench.lines("daemon.log")[-20:])
    daemon.kill()
    daemon.wait()


def without_replays(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))


@pytest.mark.semantics("SQS-01", "SQS-10", "SQS-13")
def test_no_message_is_lost_however_often_we_are_killed(bench: Bench) -> None:
    for point in POINTS.values():
        for _ in range(count(1, 2)):
            die(bench, point, bench.random.randint(1, 8))
    for _ in range(count(2, 20)):
        die_at_random(bench)
    eventually(lambda: not bench.workers(), "workers outlived their daemon")

    last = bench.start("--until-idle=600")
    assert last.wait() == 0, "\n".join(bench.lines("daemon.log")[-20:])
    eventually(lambda: not bench.workers(), "workers outlived a daemon that ended by itself")

    taken, filtered, dead = bench.taken(), set(bench.lines("witness")), set(bench.dead())
    of_kind = {
        kind: {each for each, order in bench.sent.items() if order["kind"] == kind}
        for kind in ("good", "noise", "poison")
    }
    assert of_kind["noise"] == filtered
    assert of_kind["poison"] == dead - of_kind["good"]
    assert of_kind["good"] <= set(taken) | dead
    assert set(taken) <= of_kind["good"]
    for group in GROUPS:
        numbers = [
            bench.sent[each]["number"] for each in without_replays(taken) if bench.sent[each].get("group") == group
        ]
        assert numbers == sorted(numbers), f"group {group} lost its order"
    print(
        f"{len(bench.sent)} sent, {len(set(taken))} taken ({len(taken) - len(set(taken))} again), "
        f"{len(filtered)} filtered, {len(dead)} redriven"
    )

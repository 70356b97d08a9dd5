"""A broker that is restarted, a topic, and the members of its group: daemons that are killed; and what stays."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import confluent_kafka
import orjson

from support.eventually import eventually
from support.kafka_kill_account import Commit, Taken
from support.servers.running import Restartable
from support.topics import Topics

TESTS = Path(__file__).resolve().parents[1]
FUNCTION = TESTS / "support" / "kafka_kill_function"
PARTITIONS = 6
NOISE = 0.1
"""The part of what is sent that a filter refuses."""


@dataclass(slots=True)
class Member:
    """One daemon."""

    life: str
    process: subprocess.Popen[bytes]
    log: Path


@dataclass
class Bench:
    topics: Topics
    broker: Restartable
    directory: Path
    random: random.Random
    topic: str = ""
    members: list[Member] = field(default_factory=list)
    lives: int = 0
    samples: int = 0
    ahead: list[Commit] = field(default_factory=list)
    """What was seen during the run: an offset that was stored, and what is below it was not taken."""

    def __post_init__(self) -> None:
        self.topic = self.topics.create(partitions=PARTITIONS)
        settings = {"linger.ms": 5, "enable.idempotence": True, "message.timeout.ms": 120_000}
        self._producer = self.topics.producer(**settings)

    # --- members ----------------------------------------------------------------------------------------------------

    def start(self, kill_at: str = "") -> Member:
        self.lives += 1
        life = f"life-{self.lives}"
        home = self.directory / life
        home.mkdir()
        config = home / "headrace.json"
        config.write_bytes(orjson.dumps(self._config(life, home)))
        environment = {**os.environ, "KILL_AT": kill_at, "WITNESS": str(self.directory / "witness")}
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "support.stream_kill_daemon", "run", str(config)],
                cwd=TESTS,
                env=environment,
                stdout=log,
                stderr=log,
            )
        member = Member(life, process, home / "log")
        self.members.append(member)
        return member

    def _config(self, life: str, home: Path) -> dict[str, Any]:
        function = {
            "runtime": "python",
            "handler": "app.handler",
            "code": str(FUNCTION),
            "timeout": 10,
            "concurrency": 3,
            "environment": {"DIRECTORY": str(self.directory), "MARK": life},
        }
        mapping = {
            "self_managed_event_source": {"endpoints": {"kafka_bootstrap_servers": [self.topics.server]}},
            "topics": [self.topic],
            "function": "take",
            "batch_size": 20,
            "filter_criteria": {"filters": [{"pattern": {"value": {"kind": ["good"]}}}]},
            "self_managed_kafka_event_source_config": {"consumer_group_id": self.topic},
        }
        return {
            "aws": {"endpoint_url": "http://127.0.0.1:9", "region": "us-east-1"},
            "listen": "127.0.0.1:0",
            "log": {"format": "json"},
            "state": str(home / "state"),
            "functions": {"take": function},
            "mappings": {"orders": mapping},
        }

    def start_to_die(self, kill_at: str) -> str:
        """One more, which dies at a named point; orders are sent as long as it lasts, so the point is reached."""
        member = self.start(kill_at)
        eventually(lambda: self._died(member), f"{kill_at}\n{self.log_end(member)}")
        self.members.remove(member)
        return member.life

    def _died(self, member: Member) -> bool:
        self.produce(0.1)
        return member.process.poll() is not None

    def kill(self) -> str:
        """One of them, with -9."""
        member = self._chosen()
        member.process.kill()
        member.process.wait()
        return member.life

    def stop(self) -> str:
        """One of them, as an operator would."""
        member = self._chosen()
        eventually(lambda: "Ready." in member.log.read_text(), self.log_end(member))  # until then a signal ends it
        member.process.terminate()
        assert member.process.wait(60) == 0, self.log_end(member)
        return member.life

    def _chosen(self) -> Member:
        member = self.members.pop(self.random.randrange(len(self.members)))
        assert member.process.poll() is None, self.log_end(member)
        return member

    def log_end(self, member: Member) -> str:
        return f"{member.life}\n" + "\n".join(member.log.read_text().splitlines()[-20:])

    def close(self) -> None:
        """Leave nothing running, however the test ended."""
        for member in self.members:
            member.process.kill()
            member.process.wait()

    # --- load -------------------------------------------------------------------------------------------------------

    def produce(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            kind = "noise" if self.random.random() < NOISE else "good"
            value = orjson.dumps({"kind": kind, "id": uuid.uuid4().hex})
            self._producer.produce(self.topic, value, partition=self.random.randrange(PARTITIONS))
            self._producer.poll(0)
            time.sleep(0.004)  # the pace of the producer, not a wait for anything

    def flush(self) -> None:
        assert self._producer.flush(120) == 0

    # --- evidence ---------------------------------------------------------------------------------------------------

    def placed(self) -> dict[str, list[int]]:
        """Of each shard, the offsets of what is good."""
        found: dict[str, list[int]] = {f"{self.topic}-{number}": [] for number in range(PARTITIONS)}
        for partition, offset, value in self._all(self.topic):
            if orjson.loads(value)["kind"] == "good":
                found[f"{self.topic}-{partition}"].append(offset)
        return found

    def filtered(self) -> set[tuple[str, int]]:
        lines = [line.split() for line in self._lines("witness")]
        return {(shard, int(number)) for shard, number in lines}

    def journal(self) -> list[Taken]:
        found = []
        for line in self._lines("journal"):
            at, life, shard, offset = line.split()
            found.append(Taken(float(at), life, shard, int(offset)))
        return found

    def _lines(self, name: str) -> list[str]:
        """Those that are whole: somebody may be writing the last one."""
        path = self.directory / name
        return path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []

    def commits(self) -> list[Commit]:
        """All that the group ever stored: the brokers keep it in a topic of their own."""
        found = []
        for _, _, value, key, at in self._raw("__consumer_offsets"):
            if value is not None and struct.unpack_from(">h", key)[0] in (0, 1):
                group, topic, partition = _key(key)
                if (group, topic) == (self.topic, self.topic):
                    (offset,) = struct.unpack_from(">q", value, 2)
                    found.append(Commit(at / 1000, f"{topic}-{partition}", offset))
        return found

    def _all(self, topic: str) -> Iterator[tuple[int, int, bytes]]:
        for partition, offset, value, _, _ in self._raw(topic):
            assert value is not None
            yield partition, offset, value

    def _raw(self, topic: str) -> Iterator[tuple[int, int, bytes | None, bytes, int]]:
        """Everything in a topic: partition, offset, value, key, milliseconds."""
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.topics.server, "group.id": "reader", "enable.partition.eof": True}
        )
        partitions = list(consumer.list_topics(topic, timeout=60).topics[topic].partitions)
        consumer.assign([confluent_kafka.TopicPartition(topic, each, 0) for each in partitions])
        left = len(partitions)
        try:
            while left:
                for each in consumer.consume(1000, 1.0):
                    error = each.error()
                    if error is None:
                        place = each.partition() or 0, each.offset() or 0
                        yield *place, each.value(), each.key() or b"", each.timestamp()[1]
                    else:
                        assert error.code() == confluent_kafka.KafkaError._PARTITION_EOF, error
                        left -= 1
        finally:
            consumer.close()

    # --- while it runs ----------------------------------------------------------------------------------------------

    @contextmanager
    def sampled(self) -> Iterator[None]:
        """Again and again: what the group has stored, and after that what was taken."""
        over = threading.Event()
        thread = threading.Thread(target=self._sample, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _sample(self, over: threading.Event) -> None:
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.topics.server, "group.id": self.topic, "log_level": 0}
        )
        partitions = [confluent_kafka.TopicPartition(self.topic, each) for each in range(PARTITIONS)]
        while not over.wait(0.2):
            with suppress(confluent_kafka.KafkaException):  # the broker is away
                stored = {each.partition: each.offset for each in consumer.committed(partitions, timeout=2)}
                self._compare({part: offset for part, offset in stored.items() if offset >= 0})
        consumer.close()

    def _compare(self, stored: Mapping[int, int]) -> None:
        """Everything below what is stored was taken, or refused by a filter."""
        known = {(each.shard, each.offset) for each in self.journal()} | self.filtered()
        self.samples += 1
        for partition, offset in stored.items():
            shard = f"{self.topic}-{partition}"
            if any((shard, below) not in known for below in range(offset)):
                self.ahead.append(Commit(time.time(), shard, offset))

    def wait_done(self) -> None:
        """Everything that was sent is done."""
        ends = self.topics.ends(self.topic)
        ends = {partition: end for partition, end in ends.items() if end}

        def done() -> bool:
            stored = self.topics.committed(self.topic, self.topic)
            return all(stored.get(partition) == end for partition, end in ends.items())

        eventually(done, "\n".join(self.log_end(member) for member in self.members), patience=180)


def _key(key: bytes) -> tuple[str, str, int]:
    """Of a record of offsets: group, topic and partition."""
    at, texts = 2, []
    for _ in range(2):
        (length,) = struct.unpack_from(">h", key, at)
        texts.append(key[at + 2 : at + 2 + length].decode())
        at += 2 + length
    (partition,) = struct.unpack_from(">i", key, at)
    return texts[0], texts[1], partition

"""Positions beside a daemon that runs, and of one that is stopped, by the installed program."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support import daemons
from support.daemons import headrace
from support.replay_bench import values_of
from support.servers import kafka
from support.servers.running import Server
from support.streams import Streams
from support.topics import Topics


@pytest.fixture
def streams(ministack: Server) -> Iterator[Streams]:
    found = Streams(ministack.endpoint_url)
    yield found
    found.close()


def data(event: dict[str, Any]) -> list[str]:
    return [json.loads(base64.b64decode(record["kinesis"]["data"])) for record in event["Records"]]


def refuse_poison(event: dict[str, Any]) -> object:
    if any("poison" in each for each in data(event)):
        raise ValueError("this record is poison")
    return {}


@pytest.mark.semantics("STEER-10", "STEER-12", "STEER-14")
def test_positions_are_listed_set_and_skipped_beside_the_daemon_and_set_without_one(
    streams: Streams, ministack: Server, tmp_path: Path
) -> None:
    queues = daemons.Queues(ministack.endpoint_url)
    failed, name = queues.create(), streams.create()
    streams.put(name, "poison", "good")
    mapping = {
        "source": streams.arn(name),
        "starting_position": "TRIM_HORIZON",
        "batch_size": 1,
        "destination_config": {"on_failure": {"destination": queues.arn(failed)}},
    }
    with daemons.function(refuse_poison) as function:

        def taken() -> list[str]:
            return [each for event in function.events for each in data(event) if "good" in each]

        config = daemons.write_config(tmp_path, streams.endpoint_url, function.url, {"m": mapping})
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            daemon.wait_until(lambda: daemon.status()["mappings"][0]["state"] == "failing")

            def positions(*arguments: str) -> subprocess.CompletedProcess[str]:
                return headrace("positions", *arguments, "--url", daemon.url, cwd=tmp_path)

            (kept,) = json.loads(positions("--output", "json").stdout)
            (shard,) = kept["shards"]
            assert (kept["mapping"], shard["place"]) == ("m", "start")
            asked = positions("skip", "m", shard["shard"])
            assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
            skipped = positions("skip", "m", shard["shard"], "--yes")
            assert (skipped.returncode, skipped.stdout.startswith("m gives up on ")) == (0, True)
            daemon.wait_until(lambda: bool(taken()))
            (message,) = queues.client.receive_message(QueueUrl=queues.url(failed))["Messages"]
            document = json.loads(message["Body"])
            assert document["requestContext"]["condition"] == "Skipped"
            assert document["KinesisBatchInfo"]["batchSize"] == 1
            nothing = positions("skip", "m", shard["shard"], "--yes")
            assert (nothing.returncode, "can be skipped" in nothing.stderr) == (1, True)
            streams.put(name, "good too")
            daemon.wait_until(lambda: len(taken()) == 2)
            moved = positions("set", "m", shard["shard"], function_number(function), "--yes")
            assert (moved.returncode, moved.stdout.startswith("m goes on there")) == (0, True)
            daemon.wait_until(lambda: taken() == ["good", "good too", "good too"])
            assert daemon.stop() == 0
        moved = headrace("positions", "set", "m", "LATEST", "--yes", cwd=tmp_path)
        assert (moved.returncode, "starts at " in moved.stdout) == (0, True)
        removed = headrace("positions", "remove", "m", "--yes", cwd=tmp_path)
        assert removed.stdout == "removed 1 position of m\n"
    queues.close()


def function_number(function: daemons.Function) -> str:
    """The sequence number of the first record that the function took."""
    first = next(event for event in function.events if data(event) == ["good"])
    return str(first["Records"][0]["kinesis"]["sequenceNumber"])


# --- of each kind ---------------------------------------------------------------------------------------------------

KINDS = ("stream", "table", "topic")


@dataclass
class Three:
    """A source of each kind that has positions, with a poison record before a good one, and a queue."""

    streams: Streams
    topics: Topics
    directory: Path
    healed: threading.Event = field(default_factory=threading.Event)
    """From then on the function takes poison."""

    def __post_init__(self) -> None:
        streams, queues = self.streams, self.streams.queues
        self.stream, self.table, self.topic = streams.create(), streams.table(), self.topics.create()
        self.failed, self.queue = queues.create(), queues.create()
        self.lanes: dict[str, str] = {}

    def put(self) -> None:
        for each in ("poison", "good"):
            self.streams.kinesis.put_record(StreamName=self.stream, PartitionKey="k", Data=each.encode())
            self.streams.dynamodb.put_item(TableName=self.table, Item={"id": {"S": each}})
            self.topics.send(self.topic, each.encode())

    def handle(self, event: dict[str, Any]) -> object:
        if not self.healed.is_set() and "poison" in values_of(event):
            raise ValueError("this record is poison")
        return {}

    def config(self, url: str) -> Path:
        queues = self.streams.queues
        table = self.streams.dynamodb.describe_table(TableName=self.table)["Table"]["LatestStreamArn"]
        own = {"endpoints": {"kafka_bootstrap_servers": [self.topics.server]}}
        group = {"consumer_group_id": self.topic}
        sources: dict[str, dict[str, object]] = {
            "stream": {"source": self.streams.arn(self.stream)},
            "table": {"source": table},
            "topic": {
                "self_managed_event_source": own,
                "topics": [self.topic],
                "self_managed_kafka_event_source_config": group,
            },
        }
        more = {
            "starting_position": "TRIM_HORIZON",
            "batch_size": 1,
            "destination_config": {"on_failure": {"destination": queues.arn(self.failed)}},
        }
        mappings = {name: {**source, **more, "function": name} for name, source in sources.items()}
        mappings["queue"] = {"source": queues.arn(self.queue), "function": "stream"}
        functions = {name: {"http": url} for name in KINDS}
        return daemons.write_config(self.directory, self.streams.endpoint_url, url, mappings, functions=functions)


@contextmanager
def three(ministack: Server, directory: Path) -> Iterator[Three]:
    streams = Streams(ministack.endpoint_url)
    with kafka.start() as broker:
        yield Three(streams, Topics(f"{broker.host}:{broker.port}"), directory)
    streams.close()


@pytest.mark.needs("java", "maven")
@pytest.mark.semantics("STEER-10", "STEER-12", "STEER-13", "STEER-14")
def test_positions_of_every_kind_are_skipped_and_set_beside_the_daemon_and_without_one(
    ministack: Server, tmp_path: Path
) -> None:
    with three(ministack, tmp_path) as found, daemons.function(found.handle) as function:
        config = str(found.config(function.url))
        found.put()
        with daemons.running(config, cwd=tmp_path) as daemon:
            daemon.ready()
            skip_the_poison(daemon, found)
            check_documents(found)
            from_the_beginning(daemon, found)
            for verb in (("set", "queue", "LATEST"), ("skip", "queue", "any")):
                refused = headrace("positions", *verb, "--yes", "--url", daemon.url, cwd=tmp_path)
                assert (refused.returncode, "a queue has no positions" in refused.stderr) == (1, True)
            assert daemon.stop() == 0
        without_a_daemon(config, found)


def at_work(daemon: daemons.Daemon) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in daemon.status()["mappings"] if each["name"] in KINDS}


def skip_the_poison(daemon: daemons.Daemon, found: Three) -> None:
    """Of each kind the record that holds up its lane; what is behind it goes on."""
    daemon.wait_until(lambda: {each["state"] for each in at_work(daemon).values()} == {"failing"})
    for name, seen in at_work(daemon).items():
        (lane,) = [each["lane"] for each in seen["flow"]["lanes"]]
        found.lanes[name] = lane
        skipped = headrace("positions", "skip", name, lane, "--yes", "--url", daemon.url, cwd=found.directory)
        assert (skipped.returncode, skipped.stdout.startswith(f"{name} gives up on ")) == (0, True), skipped.stderr
    counts = {"discarded": 1, "delivered": 1}
    daemon.wait_until(
        lambda: all(counts.items() <= each["counts"].items() for each in at_work(daemon).values()),
    )


def check_documents(found: Three) -> None:
    """One of each kind says that somebody gave it up."""
    queues = found.streams.queues
    documents: list[dict[str, Any]] = []
    while len(documents) < len(KINDS):
        answer = queues.client.receive_message(
            QueueUrl=queues.url(found.failed), MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        documents += [json.loads(message["Body"]) for message in answer.get("Messages", [])]
    assert [each["requestContext"]["condition"] for each in documents] == ["Skipped"] * len(KINDS)
    assert {name for each in documents for name in each if name.endswith("BatchInfo")} == {
        "KinesisBatchInfo",
        "DDBStreamBatchInfo",
        "KafkaBatchInfo",
    }


def from_the_beginning(daemon: daemons.Daemon, found: Three) -> None:
    """Each goes on at its oldest record: one in its shard or partition, the others as a whole."""
    found.healed.set()
    for name in KINDS:
        lane = [found.lanes[name]] if name == "stream" else []
        moved = headrace(
            "positions", "set", name, *lane, "TRIM_HORIZON", "--yes", "--url", daemon.url, cwd=found.directory
        )
        assert (moved.returncode, moved.stdout.startswith(f"{name} goes on there")) == (0, True), moved.stderr
    daemon.wait_until(lambda: all(each["counts"]["delivered"] == 3 for each in at_work(daemon).values()))


def without_a_daemon(config: str, found: Three) -> None:
    def positions(*arguments: str) -> str:
        ended = headrace("positions", "--config", config, *arguments, cwd=found.directory)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    listed = {each["mapping"]: each["shards"] for each in json.loads(positions("--output", "json"))}
    assert listed.keys() == set(KINDS)
    assert {each["place"] for each in listed["stream"] + listed["table"]} == {"position"}
    assert listed["topic"] == [{"shard": found.lanes["topic"], "place": "offset", "offset": 2, "end": 2}]
    for name in KINDS:
        assert positions("set", name, "TRIM_HORIZON", "--yes").startswith(f"{name} goes on there")
    assert found.topics.committed(found.topic, found.topic) == {0: 0}
    assert positions().count("starts at TRIM_HORIZON") == 2
    assert "from offset 0 on, the end is 2" in positions()

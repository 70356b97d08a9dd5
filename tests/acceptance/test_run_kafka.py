"""The daemon as a process beside a real broker: what it delivers, what it commits, and what it says."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import daemons
from support.daemons import headrace
from support.eventually import eventually
from support.servers import kafka
from support.servers.running import Server
from support.topics import Topics

pytestmark = pytest.mark.needs("java", "maven")

FILTER = {"filter_criteria": {"filters": [{"pattern": {"value": {"type": ["created"]}}}]}}


@pytest.fixture(scope="module")
def broker() -> Iterator[Server]:
    with kafka.start() as server:
        yield server


@pytest.fixture
def topics(broker: Server) -> Topics:
    return Topics(f"{broker.host}:{broker.port}")


def reading(topics: Topics, topic: str, **more: object) -> dict[str, dict[str, object]]:
    own = {"endpoints": {"kafka_bootstrap_servers": [topics.server]}}
    return {"m": {"self_managed_event_source": own, "topics": [topic], **more}}


def group(name: str) -> dict[str, object]:
    return {"self_managed_kafka_event_source_config": {"consumer_group_id": name}}


def configured(directory: Path, url: str, mappings: dict[str, dict[str, object]], **more: object) -> str:
    return str(daemons.write_config(directory, "http://127.0.0.1:9", url, mappings, **more))


def values(function: daemons.Function) -> list[bytes]:
    """What the function was given, in order, repetitions included."""
    return [
        base64.b64decode(record["value"])
        for event in function.events
        for records in event["records"].values()
        for record in records
    ]


def order(number: int, kind: str = "created") -> bytes:
    return json.dumps({"type": kind, "n": number}).encode()


def counts(daemon: daemons.Daemon) -> dict[str, int]:
    found: dict[str, int] = daemon.status()["mappings"][0]["counts"]
    return found


def metric(daemon: daemons.Daemon, name: str) -> float:
    labels = '{function="f",mapping="m",source="kafka"}'
    (line,) = [line for line in daemon.get("/metrics")[1].splitlines() if line.startswith(f"headrace_{name}{labels}")]
    return float(line.rpartition(" ")[2])


@pytest.mark.semantics("KAFKA-05", "KAFKA-06", "STEER-10")
def test_from_a_topic_to_a_function_and_on_after_a_restart(topics: Topics, tmp_path: Path) -> None:
    topic = topics.create()
    topics.send(topic, order(0), order(1), order(2, "other"))
    with daemons.function() as function:
        config = configured(tmp_path, function.url, reading(topics, topic, **FILTER, **group(topic)))
        with daemons.running(config, cwd=tmp_path) as daemon:
            daemon.ready()
            daemon.wait_until(lambda: counts(daemon)["delivered"] == 2)
            daemon.wait_until(lambda: topics.committed(topic, topic) == {0: 3})
            daemon.wait_until(lambda: metric(daemon, "offset_lag_sum") == metric(daemon, "offset_lag_max") == 0)
            assert metric(daemon, "offsets_committed_total") == 3
            moved = headrace("positions", "set", "m", f"{topic}-0", "1", "--yes", "--url", daemon.url, cwd=tmp_path)
            assert (moved.returncode, "from offset 1 on, the end is 3" in moved.stdout) == (0, True)
            daemon.wait_until(lambda: topics.committed(topic, topic) == {0: 3})  # read again, from there on
            daemon.wait_until(lambda: counts(daemon)["delivered"] == 3)
            assert daemon.stop() == 0
        topics.send(topic, order(3))
        moved = headrace("positions", "set", "m", f"{topic}-0", "3", "--yes", cwd=tmp_path)
        assert (moved.returncode, "from offset 3 on, the end is 4" in moved.stdout) == (0, True)
        with daemons.running(config, "--until-idle=60", cwd=tmp_path) as daemon:
            assert daemon.wait() == 0
    assert [json.loads(value)["n"] for value in values(function)] == [0, 1, 1, 3]
    (event, *_) = function.events
    assert (event["eventSource"], event["bootstrapServers"]) == ("SelfManagedKafka", topics.server)
    assert topics.committed(topic, topic) == {0: 4}
    assert [line for line in daemon.stderr if "aiokafka" in line] == []
    takes = f"m takes {topic}-0"
    assert [line["event"] for line in daemon.logged("rebalance")][:1] == [takes]


@pytest.mark.semantics("KAFKA-07")
def test_a_dry_run_tells_and_commits_nothing(topics: Topics, tmp_path: Path) -> None:
    topic = topics.create()
    topics.send(topic, order(0), order(1, "other"))
    with daemons.function() as function:
        config = configured(tmp_path, function.url, reading(topics, topic, **FILTER, **group(topic)))
        for _ in range(2):
            with daemons.running(config, "--dry-run", "--until-idle=60", cwd=tmp_path) as daemon:
                assert daemon.wait() == 0
            told = [line.split("\t") for line in daemon.stdout if "\t" in line]
            assert sorted(line[1:] for line in told) == [
                [f"{topic}-0@0", "WOULD DELIVER to f"],
                [f"{topic}-0@1", "FILTERED"],
            ]
        assert function.events == []
    assert topics.committed(topic, topic) == {}


@pytest.mark.semantics("KAFKA-08")
def test_a_topic_that_does_not_exist_yet_is_waited_for_and_not_made(topics: Topics, tmp_path: Path) -> None:
    topic = topics.name()
    with daemons.function() as function:
        config = configured(tmp_path, function.url, reading(topics, topic))
        with daemons.running(config, cwd=tmp_path) as daemon:
            daemon.ready()
            (reason,) = json.loads(daemon.get("/readyz")[1])["reasons"]
            assert reason == f"m: topic {topic} does not exist at {topics.server}"
            assert topic not in topics.names()
            topics.create(topic)
            topics.send(topic, b"at last")
            function.wait_begun()
            assert daemon.stop() == 0
    assert values(function) == [b"at last"]


@pytest.mark.semantics("KAFKA-03", "KAFKA-09")
def test_a_poison_record_goes_to_the_topic_for_it_and_the_others_go_on(topics: Topics, tmp_path: Path) -> None:
    topic, dead = topics.create(partitions=3), topics.create()
    for partition in range(3):
        topics.send(topic, b"good", b"poison" if partition == 1 else b"fair", b"better", partition=partition, key=b"k")

    def fail_on_poison(event: dict[str, Any]) -> object:
        records = [record for records in event["records"].values() for record in records]
        if any(base64.b64decode(record["value"]) == b"poison" for record in records):
            raise ValueError("poison")
        return {}

    policy = {
        "maximum_retry_attempts": 0,
        "bisect_batch_on_function_error": True,
        "destination_config": {"on_failure": {"destination": f"kafka://{dead}"}},
    }
    with daemons.function(fail_on_poison) as function:
        config = configured(tmp_path, function.url, reading(topics, topic, **policy, **group(topic)))
        with daemons.running(config, "--until-idle=60", cwd=tmp_path) as daemon:
            assert daemon.wait() == 0
    ((key, value),) = topics.messages(dead, 1)
    assert value is not None
    document = json.loads(value)
    assert key == b"k"
    assert document["requestContext"]["functionArn"] == f"arn:aws:lambda:us-east-1:{daemons.ACCOUNT}:function:f"
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["KafkaBatchInfo"]["recordInfo"]["offset"] == "1"
    assert list(document["payload"]["records"]) == [f"{topic}-1"]
    assert topics.committed(topic, topic) == {0: 3, 1: 3, 2: 3}
    (line,) = daemon.logged("discard")
    assert line["ids"] == [f"{topic}-1@1"]


def test_what_no_topic_takes_is_held_against_the_configuration(topics: Topics, tmp_path: Path) -> None:
    more = {"destination_config": {"on_failure": {"destination": "kafka://orders"}}}
    config = configured(tmp_path, "http://127.0.0.1:9", reading(topics, "orders", **more))
    done = headrace("check", config, cwd=tmp_path)
    assert done.returncode == 78
    assert "would come back forever" in done.stderr


@pytest.mark.semantics("KAFKA-10")
def test_a_broker_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    own = {"endpoints": {"kafka_bootstrap_servers": ["127.0.0.1:9"]}}
    with daemons.function() as function:
        config = configured(tmp_path, function.url, {"m": {"self_managed_event_source": own, "topics": ["orders"]}})
        with daemons.running(config, cwd=tmp_path) as daemon:
            daemon.ready()
            (reason,) = json.loads(daemon.get("/readyz")[1])["reasons"]
            assert "127.0.0.1:9" in reason
            assert daemon.stop() == 0
    lines = [line for line in daemon.stderr if "127.0.0.1:9" in line and "orders" in line]
    assert [line for line in daemon.stderr if not line.startswith("{")] == [], lines
    assert daemon.logged("library") == []


@pytest.mark.semantics("KAFKA-11")
def test_two_daemons_share_a_topic_and_each_order_is_delivered(topics: Topics, tmp_path: Path) -> None:
    topic = topics.create(partitions=4)
    with daemons.function() as function:
        config = configured(tmp_path, function.url, reading(topics, topic, **group(topic)))
        first = daemons.running(config, "--state", str(tmp_path / "one"), cwd=tmp_path)
        second = daemons.running(config, "--state", str(tmp_path / "two"), cwd=tmp_path)
        with first as one, second as two:
            one.ready()
            two.ready()
            eventually(lambda: min(held(one), held(two)) == 2, f"{one.everything}\n{two.everything}")
            for partition in range(4):
                topics.send(topic, *(b"%d-%d" % (partition, number) for number in range(5)), partition=partition)
            eventually(lambda: counts(one)["delivered"] + counts(two)["delivered"] == 20)
            assert counts(one)["delivered"] == 10
            assert two.stop() == 0
            eventually(lambda: held(one) == 4)
            topics.send(topic, b"last", partition=3)
            topics.send(topic, b"last", partition=0)
            eventually(lambda: counts(one)["delivered"] == 12)
            assert one.stop() == 0
    assert len(values(function)) == 22


def held(daemon: daemons.Daemon) -> int:
    """How many partitions it says to have."""
    shards: set[str] = set()
    for line in daemon.logged("rebalance"):
        _, _, rest = line["event"].partition(" ")
        names = set(rest.rpartition("s ")[2].rpartition("back ")[2].split(", "))
        shards = shards - names if rest.startswith("gives") else shards | names
    return len(shards)

"""A mapping of a topic that comes, changes and goes through the Lambda API of a daemon, beside a real broker."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import daemons
from support.mapping_calls import kill, refusal, running
from support.servers import kafka
from support.topics import Topics

pytestmark = pytest.mark.needs("java", "maven")


@pytest.fixture(scope="module")
def topics() -> Iterator[Topics]:
    with kafka.start() as server:
        yield Topics(f"{server.host}:{server.port}")


def numbers(function: daemons.Function) -> list[Any]:
    """What the function was given, in order, repetitions included."""
    return [
        json.loads(base64.b64decode(record["value"]))["n"]
        for event in function.events
        for records in event["records"].values()
        for record in records
    ]


@pytest.mark.semantics("ESM-07", "ESM-51", "KAFKA-05")
def test_a_mapping_of_a_topic_comes_changes_outlives_a_kill_and_goes(topics: Topics, tmp_path: Path) -> None:
    topic = topics.create(partitions=2)
    group = f"group-of-{topic}"

    def send(*sent: int) -> None:
        for number in sent:
            topics.send(topic, b'{"n": %d}' % number, partition=number % 2)

    asked = {
        "FunctionName": "f",
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [topics.server]}},
        "SourceAccessConfigurations": [
            {"Type": "VPC_SUBNET", "URI": "subnet:subnet-1"},
            {"Type": "VPC_SECURITY_GROUP", "URI": "security_group:sg-1"},
        ],
        "Topics": [topic],
        "StartingPosition": "TRIM_HORIZON",
        "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": group},
    }
    send(0, 1)
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, "http://127.0.0.1:9", function.url, {})
        with running(config) as api:
            made = api.client.create_event_source_mapping(**asked)
            uuid = made["UUID"]
            assert "EventSourceArn" not in made
            assert made["State"] == "Creating"
            assert made["BatchSize"] == 100
            api.wait_state(uuid, "Enabled")
            api.daemon.wait_until(lambda: sorted(numbers(function)) == [0, 1])
            assert {event["eventSource"] for event in function.events} == {"SelfManagedKafka"}
            again = refusal(lambda: api.client.create_event_source_mapping(**asked))
            assert again[0] == "ResourceConflictException"
            api.update(uuid, FilterCriteria={"Filters": [{"Pattern": '{"value": {"n": [{"numeric": ["<", 100]}]}}'}]})
            api.wait_state(uuid, "Enabled")
            send(100, 101, 2, 3)
            api.daemon.wait_until(lambda: sorted(numbers(function)) == [0, 1, 2, 3])
            api.daemon.wait_until(lambda: topics.committed(group, topic) == {0: 3, 1: 3})
            kill(api)
        send(4, 103, 5)
        with running(config) as api:
            api.daemon.wait_until(lambda: sorted(numbers(function)) == [0, 1, 2, 3, 4, 5])
            assert api.get(uuid)["SelfManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": group}
            api.daemon.wait_until(lambda: topics.committed(group, topic) == {0: 4, 1: 5})
            api.update(uuid, Enabled=False)
            api.wait_state(uuid, "Disabled")
            send(6, 7)
            api.update(uuid, Enabled=True, FilterCriteria={})
            api.wait_state(uuid, "Enabled")
            api.daemon.wait_until(lambda: sorted(numbers(function)) == [*range(8)])
            api.delete(uuid)
            api.wait_gone(uuid)
            assert api.daemon.stop() == 0
    assert topics.committed(group, topic) == {0: 5, 1: 6}

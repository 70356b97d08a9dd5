"""The daemon beside brokers that go away or refuse it: one clear line, the mapping waits with the reason, nothing is
lost."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from support import daemons
from support.servers import kafka, kafka_secured
from support.servers.kafka_secured import PASSWORD, USER
from support.topics import Topics

pytestmark = pytest.mark.needs("java", "maven")

IDLE = 0.4
"""Of one processor; who tries without a pause takes nearly all of it."""
LONG_ENOUGH = 5.0
"""Seconds."""


def reading(server: str, topic: str, group: str, **more: object) -> dict[str, object]:
    return {
        "self_managed_event_source": {"endpoints": {"kafka_bootstrap_servers": [server]}},
        "topics": [topic],
        "self_managed_kafka_event_source_config": {"consumer_group_id": group},
        **more,
    }


def configured(directory: Path, url: str, mappings: dict[str, dict[str, object]]) -> str:
    return str(daemons.write_config(directory, "http://127.0.0.1:9", url, mappings))


def values(function: daemons.Function) -> list[str]:
    return [
        base64.b64decode(record["value"]).decode()
        for event in function.events
        for records in event["records"].values()
        for record in records
    ]


def reasons(daemon: daemons.Daemon) -> list[str]:
    found: list[str] = json.loads(daemon.get("/readyz")[1])["reasons"]
    return found


def states(daemon: daemons.Daemon) -> dict[str, tuple[str, str]]:
    return {each["name"]: (each["state"], each["reason"]) for each in daemon.status()["mappings"]}


def poll_errors(daemon: daemons.Daemon) -> float:
    lines = daemon.get("/metrics")[1].splitlines()
    (line,) = [line for line in lines if line.startswith("headrace_poll_errors_total{")]
    return float(line.rpartition(" ")[2])


@pytest.mark.semantics("KAFKA-24")
def test_a_broker_that_dies_is_told_and_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    with kafka.cluster(1) as (broker,), daemons.function() as function:
        topics = Topics(f"{broker.server.host}:{broker.server.port}")
        topic = topics.create(partitions=2)
        topics.send(topic, b"1")
        config = configured(tmp_path, function.url, {"m": reading(topics.server, topic, topic)})
        with daemons.running(config, cwd=tmp_path) as daemon:
            daemon.ready()
            daemon.wait_until(lambda: values(function) == ["1"])
            daemon.wait_until(lambda: topics.committed(topic, topic) == {0: 1, 1: 0})
            broker.kill()
            daemon.wait_until(lambda: states(daemon)["m"][0] == "waiting")
            (reason,) = reasons(daemon)
            assert reason == f"m: {states(daemon)['m'][1]}"
            assert f"read topic {topic} at {topics.server}: no server listens there" in reason
            assert poll_errors(daemon) >= 1
            assert daemon.get("/readyz?strict")[0] == 503
            broker.start()
            topics.send(topic, b"2")
            topics.send(topic, b"3", partition=1)
            daemon.wait_until(lambda: sorted(values(function)) == ["1", "2", "3"])
            daemon.wait_until(lambda: states(daemon)["m"] == ("polling", ""))
            daemon.wait_logged("fetches_again")
            assert reasons(daemon) == []
            daemon.wait_until(lambda: topics.committed(topic, topic) == {0: 2, 1: 1})
            assert daemon.stop() == 0
        lines = daemon.logged("fetch_failed")
        (text,) = {line["event"] for line in lines}
        assert "no server listens there; is the broker running" in text
        assert [line for line in lines if "repeated" not in line] == lines[:1], "then one in half a minute"
        assert daemon.logged("fault") == []


@pytest.mark.semantics("KAFKA-29")
def test_what_the_brokers_refuse_is_told_once_and_waited_for(tmp_path: Path) -> None:
    login = {"type": "SASL_SCRAM_512_AUTH", "uri": "env:LOGIN"}
    wrong = {"type": "SASL_SCRAM_512_AUTH", "uri": "env:WRONG"}
    with kafka_secured.start_secured() as secured, daemons.function() as function:
        topics = Topics(f"127.0.0.1:{secured.plain.port}")
        for topic in ("open", "open-to-all", "open-too", "closed", "hidden"):
            topics.create(topic)
        topics.send("open", b"x")
        close(topics)
        secure = {"kafka_security": {"protocol": "SASL_PLAINTEXT"}, "source_access_configurations": [login]}
        server = secured.server("OPEN")
        mappings = {
            "good": reading(server, "open", "mine", **secure),
            "password": reading(server, "open-to-all", "other", **{**secure, "source_access_configurations": [wrong]}),
            "group": reading(server, "open-too", "closed", **secure),
            "topic": reading(server, "closed", "third", **secure),
            "hidden": reading(server, "hidden", "fourth", **secure),
            "missing": reading(server, "nowhere", "fifth", **secure),
        }
        env = {"LOGIN": credentials(PASSWORD), "WRONG": credentials("wrong")}
        with daemons.running(configured(tmp_path, function.url, mappings), cwd=tmp_path, env=env) as daemon:
            daemon.ready()
            expected = {
                "password": "the brokers refuse the login",
                "group": "not allowed: closed; give this user the rights on the consumer group",
                "topic": "give this user the rights on the topic (Read and Describe",
                "hidden": "give this user the rights on the topic (Read and Describe",
                "missing": "topic nowhere does not exist",
            }
            for name, text in expected.items():
                daemon.wait_until(said(daemon, name, text))
            daemon.wait_until(lambda: values(function) == ["x"])
            assert states(daemon)["good"] == ("polling", "")
            assert share_of_a_processor(daemon) < IDLE
            assert daemon.stop() == 0
        for name, text in expected.items():
            lines = [line for line in daemon.logged("state", mapping=name, state="waiting") if text in line["event"]]
            assert len(lines) == 1, lines
            assert daemon.logged("fault", mapping=name) == []


def said(daemon: daemons.Daemon, name: str, text: str) -> Callable[[], bool]:
    def holds() -> bool:
        state, reason = states(daemon)[name]
        return state == "waiting" and text in reason

    return holds


def share_of_a_processor(daemon: daemons.Daemon) -> float:
    """How much of one the daemon uses while nothing can be done."""
    began, used = time.monotonic(), daemon.processor_time
    time.sleep(LONG_ENOUGH)  # what is measured, not a wait for anything
    return (daemon.processor_time - used) / (time.monotonic() - began)


def credentials(password: str) -> str:
    return json.dumps({"username": USER, "password": password})


def close(topics: Topics) -> None:
    """What somebody else has a right to, nobody else has; of `closed` alone our user may know."""
    literal, allow = ResourcePatternType.LITERAL, AclPermissionType.ALLOW

    def right(kind: Any, name: str, user: str, operation: Any) -> Any:
        return AclBinding(kind, name, literal, f"User:{user}", "*", operation, allow)

    rights = [
        right(ResourceType.TOPIC, "closed", "somebody-else", AclOperation.READ),
        right(ResourceType.TOPIC, "closed", USER, AclOperation.DESCRIBE),
        right(ResourceType.TOPIC, "hidden", "somebody-else", AclOperation.READ),
        right(ResourceType.GROUP, "closed", "somebody-else", AclOperation.READ),
    ]
    for future in topics.admin.create_acls(rights).values():
        future.result()

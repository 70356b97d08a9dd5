"""The fixture for people's tests: a daemon in this process, with its sources in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headrace.config.errors import ConfigError
from headrace.service.testing.embedded import DaemonError, EmbeddedDaemon
from headrace.service.testing.loading import load_for_test
from support.eventually import eventually

Start = Callable[..., EmbeddedDaemon]
APP = """
import base64, json

def handler(event, context):
    for record in event["Records"]:
        text = record.get("body") or record.get("kinesis", {}).get("data", "")
        if "poison" in text or base64.b64encode(b"poison").decode() in text:
            raise ValueError("poison")
    return {"count": len(event["Records"])}
"""
QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026-01-01T00:00:00.000"
MAPPINGS: dict[str, dict[str, Any]] = {
    "queue": {"source": QUEUE, "filter_criteria": {"filters": [{"pattern": {"body": {"type": ["created"]}}}]}},
    "fifo": {"source": f"{QUEUE}.fifo"},
    "stream": {
        "source": STREAM,
        "starting_position": "LATEST",
        "maximum_retry_attempts": 0,
        "destination_config": {"on_failure": {"destination": "arn:aws:sqs:us-east-1:000000000000:failed"}},
    },
    "table": {"source": TABLE, "starting_position": "TRIM_HORIZON"},
}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[EmbeddedDaemon] = []

    def begin(mappings: dict[str, dict[str, Any]], *, app: str = APP) -> EmbeddedDaemon:
        (tmp_path / "app.py").write_text(app)
        config = {
            "functions": {"orders": {"runtime": "python", "handler": "app.handler", "code": "."}},
            "mappings": {name: {"function": "orders", **fields} for name, fields in mappings.items()},
        }
        (tmp_path / "headrace.json").write_text(json.dumps(config))
        loaded = load_for_test(tmp_path / "headrace.json", tmp_path, None, {}, {})
        daemon = EmbeddedDaemon(loaded, fakes=True)
        started.append(daemon)
        daemon.start()
        return daemon

    yield begin
    for daemon in started:
        daemon.stop()


@pytest.mark.semantics("PYT-01", "PYT-02", "PYT-03", "PYT-04")
def test_what_is_sent_is_seen_in_memory(start: Start) -> None:
    daemon = start(MAPPINGS)
    assert daemon.url.startswith("http://127.0.0.1:")
    daemon.send("queue", {"type": "created"}, "of no type")
    daemon.send("fifo", "first", "second", key="group")
    daemon.send("stream", "good", "poison", key="k")
    daemon.send("table", {"id": "7", "total": 9.5})
    daemon.until_idle()
    by_mapping = {name: [c for c in daemon.invocations("orders") if c.mapping == name] for name in MAPPINGS}
    (queued,) = by_mapping["queue"]
    assert [record["body"] for record in queued.records] == ['{"type": "created"}']
    assert (queued.response, queued.error) == ({"count": 1}, "")
    groups = [record["attributes"]["MessageGroupId"] for call in by_mapping["fifo"] for record in call.records]
    assert groups == ["group", "group"]
    (changed,) = [record for call in by_mapping["table"] for record in call.records]
    assert changed["dynamodb"]["Keys"] == {"id": {"S": "7"}}
    assert changed["dynamodb"]["NewImage"] == {"id": {"S": "7"}, "total": {"N": "9.5"}}
    assert any("poison" in call.error and call.response is None for call in by_mapping["stream"])
    lost = daemon.discarded("stream")
    assert {each.reason for each in lost} == {"RetryAttemptsExhausted"}
    assert lost[-1].destination == "arn:aws:sqs:us-east-1:000000000000:failed"
    assert lost[-1].record["eventSource"] == "aws:kinesis"
    assert daemon.discarded("queue") == []
    assert daemon.invocations("nobody") == []


@pytest.mark.semantics("PYT-03")
def test_what_hinders_idleness_is_told_with_the_log(start: Start) -> None:
    daemon = start({"queue": {"source": QUEUE}})
    daemon.send("queue", "poison")
    eventually(daemon.invocations, "the function failed once")
    with pytest.raises(DaemonError, match=r"(?s)not idle after 0\.3 s: .*queue.*ValueError: poison"):
        daemon.until_idle(0.3)


def test_a_mapping_that_is_not_there(start: Start) -> None:
    daemon = start({"queue": {"source": QUEUE}})
    with pytest.raises(DaemonError, match="there is no mapping 'stream'; there are queue"):
        daemon.send("stream", "x")


@pytest.mark.semantics("PYT-05")
def test_after_its_end_nothing_is_left(start: Start) -> None:
    daemon = start({"queue": {"source": QUEUE}})
    daemon.stop()
    daemon.stop()
    assert daemon.url == ""
    with pytest.raises(DaemonError, match="the daemon has ended"):
        daemon.until_idle()


def test_a_topic_has_no_fake(start: Start) -> None:
    topic = {
        "self_managed_event_source": {"endpoints": {"kafka_bootstrap_servers": ["localhost:9092"]}},
        "topics": ["orders"],
        "starting_position": "LATEST",
    }
    with pytest.raises(ConfigError, match="has no fake in memory"):
        start({"topic": topic})


@pytest.mark.semantics("PYT-06")
def test_pytest_loads_nothing_of_the_product_for_those_who_do_not_use_it() -> None:
    ask = (
        "import sys, pytest\nbefore = set(sys.modules)\nimport headrace.service.testing.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if not name.startswith("headrace")] == []
    assert set(loaded) <= {
        "headrace",
        "headrace.service",
        "headrace.service.testing",
        "headrace.service.testing.pytest_plugin",
    }

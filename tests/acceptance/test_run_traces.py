"""A producer's trace through a mapping into the function, as a collector and the function see it."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from headrace.dispatch.core.trace_carriers import TraceContext, context_of
from headrace.service.telemetry.core.span_facts import SCHEMA
from support import daemons
from support.otlp_collector import Collector, attributes, collecting
from support.servers import kafka
from support.servers.running import Server
from support.sqs_probes import Lab
from support.streams import Streams
from support.topics import Topics

CONSUMER, ERROR = 5, 2
COUNTED = str(uuid.uuid4())
PRODUCERS = [TraceContext(0xA0 + each, 0xB0 + each, sampled=True) for each in range(3)]


@pytest.fixture
def lab(ministack: Server) -> Iterator[Lab]:
    found = Lab(ministack.endpoint_url)
    yield found
    found.close()


@pytest.fixture
def streams(ministack: Server) -> Iterator[Streams]:
    found = Streams(ministack.endpoint_url)
    yield found
    found.close()


def of_span(span: Any) -> TraceContext:
    trace, own = int.from_bytes(span.trace_id, "big"), int.from_bytes(span.span_id, "big")
    return TraceContext(trace, own, sampled=True)


def links(span: Any) -> list[TraceContext]:
    return [of_span(link) for link in span.links]


def given(function: daemons.Function) -> list[TraceContext | None]:
    """What the function was told of its trace, for each invocation; both ways say the same."""
    told = [
        (
            context_of(headers["X-Amzn-Trace-Id"]),
            json.loads(base64.b64decode(headers["X-Amz-Client-Context"]))["custom"]["traceparent"],
        )
        for headers in function.headers
    ]
    assert all(context is not None and context.traceparent == text for context, text in told)
    return [context for context, _ in told]


def started(directory: Path, endpoint: str, url: str, mappings: dict[str, dict[str, object]]) -> str:
    return str(daemons.write_config(directory, endpoint, url, mappings, traceparent=True))


@pytest.mark.semantics("TRACE-01", "TRACE-02", "TRACE-03", "TRACE-04", "CW-01", "CW-02")
def test_a_queues_and_a_streams_spans(lab: Lab, streams: Streams, tmp_path: Path) -> None:
    queue, stream = lab.queue(), streams.create()
    name = queue.rpartition("/")[2]
    system = {"AWSTraceHeader": {"DataType": "String", "StringValue": PRODUCERS[0].xray}}
    own = {"traceparent": {"DataType": "String", "StringValue": PRODUCERS[1].traceparent}}
    lab.client.send_message(QueueUrl=queue, MessageBody="by X-Ray", MessageSystemAttributes=system)
    lab.client.send_message(QueueUrl=queue, MessageBody="by W3C", MessageAttributes=own)
    streams.put(stream, "fails once")
    tries: list[object] = []

    def answer(event: dict[str, Any]) -> object:
        if "kinesis" in event["Records"][0]:
            tries.append(event)
            if len(tries) == 1:
                raise ValueError("not yet")
        return {}

    mappings: dict[str, dict[str, object]] = {
        "q": {
            "source": lab.arn(queue),
            "uuid": COUNTED,
            "maximum_batching_window_in_seconds": 1,
            "metrics_config": {"metrics": ["EventCount"]},
        },
        "s": {"source": streams.arn(stream), "starting_position": "TRIM_HORIZON"},
    }
    with collecting() as collector, daemons.function(answer) as function:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        config = started(tmp_path, lab.endpoint, function.url, mappings)
        with daemons.running(config, cwd=tmp_path, env=env) as daemon:
            daemon.ready()
            daemon.wait_until(lambda: sum(len(links(each)) for each in collector.named(f"process {name}")) == 2)
            daemon.wait_until(lambda: len(collector.named(f"process {stream}")) == 2)
            assert daemon.stop() == 0
        check_queue(collector, name)
        check_counts(lab.endpoint)
        check_stream(collector, stream)
        assert {of_span(span) for span in collector.spans} == set(given(function))
        assert collector.schemas == {SCHEMA}
        assert {str(each["service.name"]) for each in collector.resources} == {"headrace"}


def check_queue(collector: Collector, name: str) -> None:
    spans = collector.named(f"process {name}")
    assert {link for span in spans for link in links(span)} == set(PRODUCERS[:2])
    for span in spans:
        facts = attributes(span)
        assert span.kind == CONSUMER
        assert (facts["messaging.system"], facts["messaging.destination.name"]) == ("aws_sqs", name)
        assert facts["messaging.batch.message_count"] == len(span.links)
        assert facts["faas.invoked_name"] == "f"
        if len(span.links) == 1:  # its producer's trace goes on
            assert of_span(span).trace_id == links(span)[0].trace_id


def check_counts(endpoint: str) -> None:
    """What the mapping asked for is in CloudWatch after the stop."""
    client = boto3.client("cloudwatch", endpoint_url=endpoint, region_name="us-east-1")
    now = datetime.now(UTC)
    found = {
        name: client.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=name,
            Dimensions=[{"Name": "EventSourceMappingUUID", "Value": COUNTED}],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        for name in ("PolledEventCount", "InvokedEventCount", "DeletedEventCount", "FailedInvokeEventCount")
    }
    client.close()
    assert {name: sum(each["Sum"] for each in points) for name, points in found.items()} == {
        "PolledEventCount": 2,
        "InvokedEventCount": 2,
        "DeletedEventCount": 2,
        "FailedInvokeEventCount": 0,
    }


def check_stream(collector: Collector, name: str) -> None:
    """No carrier: no links. Two attempts, one trace; the first failed."""
    failed, good = sorted(collector.named(f"process {name}"), key=lambda span: int(span.start_time_unix_nano))
    assert (list(failed.links), list(good.links)) == ([], [])
    assert (failed.status.code, failed.status.message) == (ERROR, "ValueError: not yet")
    assert attributes(failed)["error.type"] == "error"
    assert [attributes(span)["headrace.attempt"] for span in (failed, good)] == [1, 2]
    assert (good.trace_id, good.parent_span_id) == (failed.trace_id, failed.span_id)
    assert good.status.code != ERROR


@pytest.mark.needs("java", "maven")
@pytest.mark.semantics("TRACE-01", "TRACE-02", "TRACE-03")
def test_a_topics_spans(tmp_path: Path) -> None:
    with kafka.start() as broker, collecting() as collector, daemons.function(lambda event: {}) as function:
        topics = Topics(f"{broker.host}:{broker.port}")
        topic = topics.create()
        for producer in PRODUCERS[:2]:
            topics.send(topic, b"{}", headers=[("traceparent", producer.traceparent.encode())])
        topics.send(topic, b"{}")
        own = {"endpoints": {"kafka_bootstrap_servers": [topics.server]}}
        group = {"consumer_group_id": "readers"}
        mapping: dict[str, object] = {
            "self_managed_event_source": own,
            "topics": [topic],
            "starting_position": "TRIM_HORIZON",
            "self_managed_kafka_event_source_config": group,
        }
        env = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/v1/traces", "OTEL_SERVICE_NAME": "orders"}
        config = started(tmp_path, "http://127.0.0.1:9", function.url, {"m": mapping})
        with daemons.running(config, cwd=tmp_path, env=env) as daemon:
            daemon.ready()
            daemon.wait_until(lambda: sum(len(links(each)) for each in collector.spans) == 2)
            assert daemon.stop() == 0
        assert {link for span in collector.spans for link in links(span)} == set(PRODUCERS[:2])
        facts = attributes(collector.spans[0])
        assert (facts["messaging.system"], facts["messaging.consumer.group.name"]) == ("kafka", "readers")
        assert facts["messaging.destination.partition.id"] == f"{topic}-0"
        assert {of_span(span) for span in collector.spans} == set(given(function))
        assert {str(each["service.name"]) for each in collector.resources} == {"orders"}


@pytest.mark.semantics("TRACE-05")
def test_a_collector_that_is_dead(lab: Lab, tmp_path: Path) -> None:
    queue = lab.queue()
    lab.send(queue, *(f"message {each}" for each in range(10)))
    with daemons.function(lambda event: {}) as function:
        config = daemons.write_config(tmp_path, lab.endpoint, function.url, {"m": {"source": lab.arn(queue)}})
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
        with daemons.running(str(config), cwd=tmp_path, env=env) as daemon:
            daemon.ready()
            daemon.wait_until(lambda: len(function.bodies) == 10)
            daemon.wait_logged("traces", level="warning")
            lost = [
                line for line in daemon.get("/metrics")[1].splitlines() if line.startswith("headrace_spans_dropped")
            ]
            assert float(lost[0].split()[1]) >= 1
            assert daemon.stop() == 0
        assert len(daemon.logged("traces")) == 1

"""The metrics of mappings in the CloudWatch of a real server, and without one."""

from __future__ import annotations

import io
import json
import uuid
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clock import SystemClock
from headrace.dispatch.core.model import Lane, Record
from headrace.dispatch.core.observer import Fetched
from headrace.dispatch.core.pages import Records
from headrace.service.telemetry.cloudwatch import CloudWatch
from headrace.service.telemetry.core.event_counts import CountedMapping, EventCounts, names_of
from headrace.service.telemetry.log import Log
from support.servers.running import Server

TWO = Records.of([Record(Lane("arn"), str(each), {}, 0.0) for each in range(2)])


def counting(mapping: str) -> EventCounts:
    counts = EventCounts()
    counts.watch("m", CountedMapping(mapping, names_of(lends=True, commits=False)))
    counts.observe(Fetched("m", TWO, 1.0))
    return counts


@pytest.mark.semantics("CW-01", "CW-02")
async def test_what_was_counted_is_there_after_the_stop(ministack: Server) -> None:
    mapping, lines = str(uuid.uuid4()), io.StringIO()
    async with Clients(AwsSettings(endpoint_url=ministack.endpoint_url, region="us-east-1")) as clients:
        watch = CloudWatch(counting(mapping), clients, Log(lines), SystemClock())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.run)
            await watch.stop(anyio.current_time() + 30.0)
        client, now = await clients.get("cloudwatch"), datetime.now(UTC)
        answer = await client.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="PolledEventCount",
            Dimensions=[{"Name": "EventSourceMappingUUID", "Value": mapping}],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=60,
            Statistics=["Sum"],
        )
    assert [point["Sum"] for point in answer["Datapoints"]] == [2.0]
    assert lines.getvalue() == ""


@pytest.mark.semantics("CW-02")
async def test_a_cloudwatch_that_is_not_there_is_said_once() -> None:
    counts, lines = counting("uuid"), io.StringIO()
    async with Clients(AwsSettings(endpoint_url="http://127.0.0.1:9", region="us-east-1")) as clients:
        watch = CloudWatch(counts, clients, Log(lines), SystemClock())
        for _ in range(2):
            await watch.stop(anyio.current_time() + 30.0)
    (line,) = lines.getvalue().splitlines()
    assert json.loads(line)["action"] == "cloudwatch"
    assert {each.name: each.value for each in counts.take()} == {"PolledEventCount": 2, "FilteredOutEventCount": 0}

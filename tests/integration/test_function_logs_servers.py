"""Lines of functions in CloudWatch Logs of real servers: what was sent is there, in order, whole."""

from __future__ import annotations

import uuid

import anyio
import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clock import SystemClock
from headrace.dispatch.core.observer import Event, FunctionLog
from headrace.service.telemetry.log_shipping import LogShipping
from support.servers.running import Server

STREAM = "2025/01/01/[$LATEST]0123456789abcdef0123456789abcdef"


class Watch:
    def __init__(self) -> None:
        self.seen: list[Event] = []

    def observe(self, event: Event) -> None:
        self.seen.append(event)


@pytest.mark.semantics("LOGS-03", "LOGS-04", "LOGS-06")
@pytest.mark.parametrize("server", ["ministack", "moto"])
async def test_what_functions_print_is_there_in_order(server: str, request: pytest.FixtureRequest) -> None:
    found: Server = request.getfixturevalue(server)
    group, watch = f"/aws/lambda/f-{uuid.uuid4().hex[:8]}", Watch()
    lines = ["START", "", "two\rparts", "ünïcode \u2713", *(f"line {number}" for number in range(3000)), "x" * 200_000]
    async with Clients(AwsSettings(endpoint_url=found.endpoint_url, region="us-east-1")) as clients:
        logs = LogShipping("auto", clients, watch, SystemClock(), lambda: 1.0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(logs.run)
            for line in lines:
                logs.observe(FunctionLog("f", "r", line, "stdout", "$LATEST", group, STREAM))
            await logs.stop(anyio.current_time() + 30.0)
        assert logs.shipping
        client = await clients.get("logs")
        got: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = await client.get_log_events(logGroupName=group, logStreamName=STREAM, startFromHead=True, **token)
            if not page["events"]:
                break
            got += [each["message"] for each in page["events"]]
            token = {"nextToken": page["nextForwardToken"]}
    assert got == [f"{line}\n" for line in lines]
    assert watch.seen == []

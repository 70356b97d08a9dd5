"""Lines on their way to CloudWatch Logs, with a service that fails in every way; on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from botocore.exceptions import EndpointConnectionError

from headrace.config.clients.endpoints import LocalEndpoint, RealEndpoint, Target
from headrace.config.clock import LoopClock
from headrace.config.reasons import ReasonCode
from headrace.dispatch.core.observer import Event, FunctionLog, LogsDropped, LogsUnshipped
from headrace.service.telemetry.log_shipping import LogShipping, Mode
from support.reasons import why
from support.scripted_client import ScriptedClient, refused
from support.virtual_time import EPOCH, VirtualLoop

GROUP, STREAM = "/aws/lambda/orders", "2025/01/01/[$LATEST]0123"
HERE = LocalEndpoint("http://127.0.0.1:4566")
NOT_THERE = EndpointConnectionError(endpoint_url="http://x")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@dataclass
class Rig:
    target: Target = HERE
    seen: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = ScriptedClient(
            describe_log_groups=[{}], create_log_group=[{}], create_log_stream=[{}], put_log_events=[{}]
        )

    def observe(self, event: Event) -> None:
        self.seen.append(event)

    @asynccontextmanager
    async def open(self, mode: Mode = "auto", limit: int = 1 << 20) -> AsyncIterator[LogShipping]:
        clients: Any = Clients(self)
        logs = LogShipping(mode, clients, self, LoopClock(EPOCH), lambda: 1.0, limit=limit)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(logs.run)
            yield logs
            await logs.stop(anyio.current_time() + 2.0)

    @property
    def sent(self) -> list[list[str]]:
        return [[each["message"] for each in call["logEvents"]] for call in self.client.asked["put_log_events"]]


@dataclass
class Clients:
    """What the shipper asks of the session."""

    rig: Rig

    async def get(self, service: str) -> ScriptedClient:
        assert service == "logs"
        return self.rig.client

    async def target(self, service: str) -> Target:
        return self.rig.target


def line(text: str, group: str = GROUP, stream: str = STREAM) -> FunctionLog:
    return FunctionLog("orders", "r", text, "stdout", "$LATEST", group, stream)


@pytest.mark.semantics("LOGS-03")
async def test_lines_are_gathered_and_group_and_stream_are_made_once() -> None:
    rig = Rig()
    async with rig.open() as logs:
        for text in ("a", "b"):
            logs.observe(line(text))
        await anyio.sleep(1)
        logs.observe(line("c"))
        await anyio.sleep(1)
    assert rig.sent == [["a\n", "b\n"], ["c\n"]]
    assert rig.client.asked["create_log_group"] == [{"logGroupName": GROUP}]
    assert rig.client.asked["create_log_stream"] == [{"logGroupName": GROUP, "logStreamName": STREAM}]
    assert [each["timestamp"] for each in rig.client.asked["put_log_events"][1]["logEvents"]] == [
        int((EPOCH + 1) * 1000)
    ]


@pytest.mark.semantics("LOGS-03")
async def test_what_is_there_already_is_used() -> None:
    rig = Rig()
    rig.client.answers["create_log_group"] = [refused("ResourceAlreadyExistsException")]
    rig.client.answers["create_log_stream"] = [refused("ResourceAlreadyExistsException")]
    async with rig.open() as logs:
        logs.observe(line("a"))
    assert rig.sent == [["a\n"]]


@pytest.mark.semantics("LOGS-06")
@pytest.mark.parametrize(
    ("mode", "target", "answer", "ships"),
    [
        ("auto", LocalEndpoint("http://x"), {}, True),
        ("auto", LocalEndpoint("http://x"), refused("UnknownOperationException", 404), False),
        ("auto", LocalEndpoint("http://x"), refused("NotImplemented", 501), False),
        ("auto", RealEndpoint(), {}, False),
        ("on", RealEndpoint(), {}, True),
        ("on", LocalEndpoint("http://x"), refused("NotImplemented", 501), True),
        ("off", LocalEndpoint("http://x"), {}, False),
    ],
)
async def test_where_lines_are_shipped(mode: Mode, target: Target, answer: Any, ships: bool) -> None:
    rig = Rig(target)
    rig.client.answers["describe_log_groups"] = [answer]
    async with rig.open(mode) as logs:
        logs.observe(line("a"))
        await anyio.sleep(1)
        assert logs.shipping is ships
    assert bool(rig.sent) is ships
    assert rig.seen == []


@pytest.mark.semantics("LOGS-06")
async def test_an_emulator_that_is_about_to_start_is_waited_for() -> None:
    rig = Rig()
    rig.client.answers["describe_log_groups"] = [NOT_THERE, NOT_THERE, {}]
    async with rig.open() as logs:
        logs.observe(line("a"))
        await anyio.sleep(10)
    assert rig.sent == [["a\n"]]


@pytest.mark.semantics("LOGS-05")
async def test_a_service_that_is_away_gets_the_lines_when_it_is_back_in_order() -> None:
    rig = Rig()
    rig.client.answers["put_log_events"] = [NOT_THERE, refused("ThrottlingException"), {}]
    async with rig.open() as logs:
        logs.observe(line("a"))
        await anyio.sleep(0.5)
        logs.observe(line("b"))
        await anyio.sleep(30)
    assert rig.sent[-1] == ["a\n", "b\n"]
    assert [type(event) for event in rig.seen] == [LogsUnshipped, LogsUnshipped]


@pytest.mark.semantics("LOGS-05")
async def test_what_there_is_no_room_for_is_said() -> None:
    rig = Rig()
    async with rig.open(limit=10 * 28) as logs:
        for number in range(25):
            logs.observe(line(str(number % 10)))
        await anyio.sleep(1)
    assert [len(batch) for batch in rig.sent] == [10]
    assert rig.seen == [LogsDropped(GROUP, 15, why("they came faster than they could be sent"))]


@pytest.mark.semantics("LOGS-05")
async def test_a_group_that_is_refused_holds_up_no_other() -> None:
    rig = Rig()
    rig.client.answers["create_log_group"] = [refused("InvalidParameterException"), {}]
    async with rig.open() as logs:
        logs.observe(line("a", "bad group"))
        logs.observe(line("b"))
        await anyio.sleep(1)
    assert rig.sent == [["b\n"]]
    (dropped,) = rig.seen
    assert isinstance(dropped, LogsDropped)
    assert (dropped.group, dropped.lines) == ("bad group", 1)


@pytest.mark.semantics("LOGS-03")
async def test_a_group_that_was_deleted_is_made_again() -> None:
    rig = Rig()
    rig.client.answers["put_log_events"] = [{}, refused("ResourceNotFoundException"), {}]
    async with rig.open() as logs:
        logs.observe(line("a"))
        await anyio.sleep(1)
        logs.observe(line("b"))
        await anyio.sleep(1)
    assert rig.sent == [["a\n"], ["b\n"], ["b\n"]]
    assert len(rig.client.asked["create_log_group"]) == 2


@pytest.mark.semantics("LOGS-07")
async def test_a_stop_sends_what_is_left_within_its_time() -> None:
    rig = Rig()
    async with rig.open() as logs:
        logs.observe(line("a"))
    assert rig.sent == [["a\n"]]


@pytest.mark.semantics("LOGS-07")
async def test_a_stop_waits_no_longer_than_that_and_says_what_is_lost() -> None:
    rig = Rig()
    rig.client.answers["put_log_events"] = [NOT_THERE]
    async with rig.open() as logs:
        logs.observe(line("a"))
        await anyio.sleep(1)
        before = anyio.current_time()
    assert anyio.current_time() - before <= 2.0
    assert rig.seen[-1] == LogsDropped(
        GROUP, 1, why("Headrace was stopped before they could be sent", ReasonCode.STOPPING)
    )

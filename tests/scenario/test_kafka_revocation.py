"""Partitions that go while what was given up of them is on its way to the failure destination."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from headrace.config.clock import LoopClock
from headrace.dispatch.core.policy import Policy, Progress
from headrace.dispatch.destinations.base import Report
from support.paper import partition
from support.topic_lab import Member
from support.virtual_time import EPOCH, VirtualLoop

from .test_decoding import Topic, until


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


class Slow:
    """Takes each report when it may."""

    arn = "kafka://failures"

    def __init__(self) -> None:
        self.asked: list[Report] = []
        self.may = anyio.Event()

    async def probe(self) -> None:
        """It is there."""

    async def write(self, report: Report) -> None:
        self.asked.append(report)
        await self.may.wait()

    async def aclose(self) -> None:
        """Nothing is open."""


async def refuse(values: list[bytes]) -> None:
    assert b"poison" not in values


def failing(topic: Topic, destination: Slow) -> Member:
    policy = Policy(Progress.PER_RECORD, retries=0)
    return Member(topic, clock=LoopClock(EPOCH), work=refuse, policy=policy, destination=destination)


@pytest.mark.semantics("KAFKA-18")
async def test_what_is_being_given_up_when_its_partition_goes_is_waited_for_and_committed() -> None:
    topic, destination = Topic(), Slow()
    topic.send(0, b"poison")
    async with failing(topic, destination).running():
        await until(lambda: len(destination.asked) == 1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(topic.member.rebalance, partition(0))
            await anyio.sleep(2)
            destination.may.set()
        assert topic.committed == {partition(0): 1}
        await anyio.sleep(10)
    assert len(destination.asked) == 1


@pytest.mark.semantics("KAFKA-25", "KAFKA-28")
async def test_what_was_given_up_of_a_topic_that_is_gone_says_nothing_of_the_one_that_was_made_anew() -> None:
    topic, destination = Topic(), Slow()
    topic.send(0, b"poison")
    member = failing(topic, destination)
    async with member.running():
        await until(lambda: len(destination.asked) == 1)
        await topic.member.rebalance(partition(0))
        topic.values[partition(0)][0] = b"new"
        running = anyio.Event()

        async def slow(values: list[bytes]) -> None:
            await running.wait()

        member.work = slow
        await anyio.sleep(1)
        destination.may.set()
        await until(lambda: b"new" in member.begun)
        assert topic.committed == {}
        running.set()
        await until(lambda: topic.committed == {partition(0): 1})

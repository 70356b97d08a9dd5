"""Partitions that are revoked during a fetch, or during a write to the failure destination."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from headrace.config.clock import LoopClock
from headrace.dispatch.core.documents import Report
from headrace.dispatch.core.model import Lane
from headrace.dispatch.core.policy import Policy, Progress
from headrace.pollers.intake import AT_ONCE
from headrace.pollers.source import FetchResult
from support.paper import partition
from support.topic_lab import Member
from support.virtual_time import EPOCH, VirtualLoop

from .test_decoding import Topic, TopicReader, World, framed, numbers, until


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


# --- in the middle of a fetch -----------------------------------------------------------------------------------------


class LeavingReader(TopicReader):
    """Of which partition 0 is taken away at the moment in which a fetch has brought something of it."""

    left: asyncio.Task[None] | None = None

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        fetched = await super().fetch(limit, until, skip)
        if self.left is None and any(record.lane == partition(0) for record in fetched.records):
            self.left = asyncio.create_task(self.leave(partition(0)))
        return fetched

    async def leave(self, lane: Lane) -> None:
        assert self._owner is not None
        await self._owner.revoke([lane], anyio.current_time() + 5)
        del self.places[lane]


@dataclass
class LeavingTopic(Topic):
    async def reader(self, feed: str) -> TopicReader:
        self.members.append(LeavingReader(self))
        return self.member


async def taken(member: Member, reader: LeavingReader) -> list[bytes]:
    """What was begun of partition 0 until it had left and everything else was done."""
    await until(lambda: reader.left is not None and reader.left.done())
    await until(lambda: b"other" in member.taken)
    await anyio.sleep(10)
    return [value for value in member.begun if value != b"other"]


@pytest.mark.parametrize("records", [1, 2 * AT_ONCE], ids=["few", "many"])
async def test_nothing_is_begun_of_a_partition_that_left_while_its_records_were_taken_in(records: int) -> None:
    topic = LeavingTopic()
    topic.send(0, *[b"left"] * records)
    topic.send(1, b"other")
    async with Member(topic, clock=LoopClock(EPOCH)).running() as member:
        await until(lambda: bool(topic.members))
        reader = topic.member
        assert isinstance(reader, LeavingReader)
        assert await taken(member, reader) == []
        assert partition(0) not in topic.committed


async def test_nothing_is_decoded_of_a_partition_that_left_while_its_records_were_taken_in() -> None:
    world = World(LeavingTopic())
    world.topic.send(0, framed(1, 0))
    world.topic.send(1, framed(1, 1))
    async with world.running() as member:
        await until(lambda: bool(member.taken))
        await anyio.sleep(10)
        assert numbers(member.begun) == [1]

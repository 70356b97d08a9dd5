"""Partitions that change hands at a real broker while their records wait for a schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import anyio.to_thread
import pytest

from headrace.config.clock import SystemClock
from headrace.dispatch.core.observer import FetchFailed, Rebalanced
from headrace.pollers.schemas import RecordSchemas
from headrace.pollers.schemas.core.model import Schema
from headrace.pollers.schemas.decoding import DecodingSource
from support.eventually import eventually_async
from support.paper_registry import PaperRegistry
from support.servers import kafka
from support.servers.running import Server
from support.topic_lab import Group, Member
from support.topics import Topics
from support.world import Watch

pytestmark = pytest.mark.needs("java", "maven")


@pytest.fixture(scope="module")
def broker() -> Iterator[Server]:
    with kafka.start() as server:
        yield server


@pytest.fixture
def topics(broker: Server) -> Topics:
    return Topics(f"{broker.host}:{broker.port}")


def member(group: Group, registry: PaperRegistry) -> Member:
    schemas, watch = RecordSchemas(registry, "JSON", ["VALUE"]), Watch()
    return Member(DecodingSource(group.source(watch), schemas.read, schemas.aclose, SystemClock()), watch)


def held(one: Member) -> int:
    return sum(len(event.gained) - len(event.lost) for event in one.watch.of(Rebalanced))


async def soon(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return await anyio.to_thread.run_sync(condition)

    await eventually_async(holds)


@pytest.mark.semantics("SCHEMA-10", "SCHEMA-13")
async def test_what_waits_goes_to_the_next_owner_and_each_record_is_delivered_once(topics: Topics) -> None:
    group = Group(topics, topics.create(partitions=4))
    for partition in range(4):
        values = (b'\x00\x00\x00\x00\x01{"n":%d}' % (10 * partition + number) for number in range(5))
        topics.send(group.topic, *values, partition=partition)
    registry = PaperRegistry(_1=Schema("JSON", '{"type": "object"}'))
    registry.down = True
    first, second = member(group, registry), member(group, registry)
    async with first.running():
        await soon(lambda: bool(first.watch.of(FetchFailed)))
        async with second.running():
            await soon(lambda: held(first) == held(second) == 2 and bool(second.watch.of(FetchFailed)))
            assert first.begun == second.begun == []
            registry.down = False
            await soon(lambda: len(first.taken) + len(second.taken) == 20)
        await soon(lambda: group.committed == {0: 5, 1: 5, 2: 5, 3: 5})
    delivered = sorted(json.loads(value)["n"] for value in first.begun + second.begun)
    assert delivered == [10 * partition + number for partition in range(4) for number in range(5)]
    assert len(second.taken) == 10

"""Partitions whose records fail without end, and those beside them: a topic on paper, the real shell, virtual time."""

from __future__ import annotations

from typing import Any

import anyio
import orjson
import pytest

from headrace.config.clock import LoopClock
from headrace.dispatch.core.observer import Blocked
from headrace.pollers.core.marks import SHARE
from headrace.pollers.core.pool import Pool, weight
from support.paper import partition
from support.topic_lab import Member
from support.virtual_time import EPOCH

from .test_decoding import Topic, until

POISONED = 8
"""Partitions that begin with a record which fails for ever."""
BACKLOG = 3000
FETCH, BATCH = 300, 100
"""Records."""
AHEAD = 200_000
"""Bytes that may be read ahead of a partition: fewer than a backlog has."""
TIGHT: list[dict[str, Any]] = [{"ahead_bytes": AHEAD}, {"pool": 2 * AHEAD}, {"ahead_bytes": AHEAD, "pool": AHEAD}]
"""What there may be too much of: what waits beside a full partition, what is held at all."""
either = pytest.mark.parametrize("bounds", TIGHT, ids=lambda bounds: " and ".join(bounds))


async def refuse(values: list[bytes]) -> None:
    assert b"poison" not in values


def poisoned_topic() -> Topic:
    """Poisoned partitions, each with a backlog behind its first record, and one that is empty."""
    topic = Topic()
    for number in range(POISONED):
        topic.send(number, b"poison", *[b"x" * 500] * BACKLOG)
    topic.send(POISONED)
    return topic


def reading(topic: Topic, bounds: dict[str, Any], **settings: Any) -> Member:
    given = {**bounds, "pool": Pool(bounds["pool"]) if "pool" in bounds else Pool()}
    return Member(topic, work=refuse, clock=LoopClock(EPOCH), limit=FETCH, **given, **settings)


def good(member: Member) -> list[int]:
    return [int(value) for value in member.taken if value.isdigit()]


def body(member: Member) -> int:
    """Bytes of the largest record as the function gets it."""
    return max(len(orjson.dumps(said)) for said in member.watch.said.values())


def held(topic: Topic, member: Member) -> int:
    """Bytes of memory of what was fetched and is not done, at most."""
    records = sum(place - topic.committed.get(lane, 0) for lane, place in topic.member.places.items())
    return weight(records, records * body(member))


@pytest.mark.semantics("KAFKA-31")
@either
async def test_partitions_that_are_blocked_hold_up_no_other_and_memory_is_bounded(bounds: dict[str, Any]) -> None:
    topic = poisoned_topic()
    member = reading(topic, bounds)
    async with member.running():
        for number in range(120):
            topic.send(POISONED, b"%d" % number)
            await anyio.sleep(1)
            assert good(member) == list(range(number + 1))
        share, each = bounds.get("ahead_bytes", member.ahead_bytes) // SHARE, weight(1, body(member))
        tight = bounds.get("pool") or weight(1, body(member)) * POISONED * (FETCH + AHEAD // body(member))
        assert held(topic, member) <= tight + FETCH * each + (POISONED + 1) * (share + BATCH * each)
    assert topic.committed == {partition(POISONED): 120}


@pytest.mark.semantics("KAFKA-31")
@either
async def test_a_backlog_beside_blocked_partitions_is_worked_off_in_whole_batches(bounds: dict[str, Any]) -> None:
    topic = poisoned_topic()
    member = reading(topic, bounds, window=60.0)
    async with member.running():
        await anyio.sleep(200)
        assert not member.taken
        topic.send(POISONED, *(b"%d" % number for number in range(1000)))
        await anyio.sleep(20)
        assert good(member) == list(range(1000))


@pytest.mark.semantics("KAFKA-31")
async def test_what_holds_a_full_partition_is_told_although_others_are_read() -> None:
    topic = poisoned_topic()
    member = reading(topic, {"ahead_bytes": AHEAD})
    async with member.running():
        await anyio.sleep(600)
        (blocked,) = member.watch.of(Blocked)
        assert blocked.lane == partition(0)


@pytest.mark.semantics("KAFKA-31")
@either
async def test_what_was_blocked_goes_on_when_the_function_takes_it(bounds: dict[str, Any]) -> None:
    topic = poisoned_topic()
    member = reading(topic, bounds)
    async with member.running():
        await anyio.sleep(100)

        async def take(values: list[bytes]) -> None:
            """It was mended."""

        member.work = take
        await until(lambda: len(member.taken) == POISONED * (BACKLOG + 1))
    assert topic.committed == {partition(number): BACKLOG + 1 for number in range(POISONED)}

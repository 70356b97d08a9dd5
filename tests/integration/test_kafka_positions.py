"""The offsets of a group at a real broker, moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from headrace.config.clients.kafka import KafkaConnection
from headrace.config.errors import SourceMissing, SourceRefused
from headrace.pollers.core.wish import parse_wish
from headrace.pollers.kafka import positions as kafka_positions
from headrace.pollers.kafka.positions import TopicPositions
from headrace.pollers.positions import PositionRefused, in_words
from support.eventually import eventually_async
from support.servers import kafka
from support.servers.running import Server
from support.topic_lab import Group
from support.topics import Topics

pytestmark = pytest.mark.needs("java", "maven")


@pytest.fixture(scope="module")
def broker() -> Iterator[Server]:
    with kafka.start() as server:
        yield server


@pytest.fixture(scope="module")
def topics(broker: Server) -> Topics:
    return Topics(f"{broker.host}:{broker.port}")


def positions_of(group: Group, **settings: Any) -> TopicPositions:
    return TopicPositions(group.settings(**settings), KafkaConnection((group.topics.server,)))


async def put(positions: TopicPositions, to: str, lane: str = "") -> None:
    wish = parse_wish(to)
    assert wish is not None
    await positions.put(lane, wish)


@pytest.mark.semantics("STEER-10", "STEER-11")
async def test_a_group_goes_on_where_somebody_put_it(topics: Topics) -> None:
    topic = topics.create(partitions=2)
    for moment in (1_000_000, 2_000_000, 3_000_000):
        topics.send(topic, b"x", timestamp=moment)
    topics.send(topic, b"x", partition=1, timestamp=1_000_000)
    group = Group(topics, topic)
    positions = positions_of(group)
    assert await positions.shown() == []  # it has never been opened
    for to, lane, committed in (
        ("LATEST", "", {0: 3, 1: 1}),
        ("TRIM_HORIZON", f"{topic}-1", {0: 3, 1: 0}),
        ("1970-01-01T00:33:20Z", "", {0: 1, 1: 1}),
        ("2", f"{topic}-0", {0: 2, 1: 1}),
        ("TRIM_HORIZON", "", {0: 0, 1: 0}),
    ):
        await put(positions, to, lane)
        assert group.committed == committed
    shown = await positions.shown()
    assert [in_words(each) for each in shown] == ["from offset 0 on, the end is 3", "from offset 0 on, the end is 1"]
    await positions_of(group, start="LATEST").remove()
    assert group.committed == {0: 3, 1: 1}
    for to, lane, why in (
        ("4", f"{topic}-0", "has the offsets 0 to 3"),
        ("1", "", "name the partition"),
        ("LATEST", "x", f"has no partition 'x'; it has {topic}-0, {topic}-1"),
    ):
        with pytest.raises(PositionRefused, match=why):
            await put(positions, to, lane)
    assert group.committed == {0: 3, 1: 1}
    with pytest.raises(SourceMissing):
        await put(positions_of(Group(topics, topics.name())), "LATEST")


@pytest.mark.semantics("STEER-10")
async def test_what_was_moved_is_read_by_the_mapping_that_goes_on(topics: Topics) -> None:
    topic = topics.create()
    topics.send(topic, b"0", b"1", b"2")
    group = Group(topics, topic)
    for before, wanted in (("", [b"0", b"1", b"2"]), ("1", [b"1", b"2"])):
        if before:
            await put(positions_of(group), before, f"{topic}-0")
        async with group.member().running() as member:
            await eventually_async(partial(_is, member.taken, wanted), "it reads")


async def _is(taken: list[bytes], wanted: list[bytes]) -> bool:
    return taken == wanted


@pytest.mark.semantics("STEER-11")
async def test_nothing_is_moved_under_other_members_of_the_group(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_positions, "ALONE", 1.0)
    topic = topics.create()
    topics.send(topic, b"0")
    group = Group(topics, topic)
    async with group.member().running() as member:
        await eventually_async(lambda: _is(member.taken, [b"0"]), "it reads")
        with pytest.raises(SourceRefused, match="has other members"):
            await put(positions_of(group), "TRIM_HORIZON")
    await put(positions_of(group), "TRIM_HORIZON")
    assert group.committed == {0: 0}


@pytest.mark.semantics("STEER-12")
async def test_a_record_of_a_partition_is_given_up_and_the_partition_goes_on(topics: Topics) -> None:
    topic = topics.create()

    async def no_poison(values: list[bytes]) -> None:
        if b"poison" in values:
            raise ValueError("poison")

    topics.send(topic, b"poison", b"good")
    group = Group(topics, topic)
    async with group.member(no_poison).running() as member:
        await eventually_async(lambda: _has(member.begun), "it is tried")
        skip = member.supervisor.skip(f"{topic}-0")
        assert skip is not None
        assert skip.record == f"{topic}-0@0"
        await eventually_async(lambda: _is(member.taken, [b"good"]), "the rest is taken")
    assert group.committed == {0: 2}


async def _has(begun: list[bytes]) -> bool:
    return bool(begun)

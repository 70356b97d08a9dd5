"""Topics of a real broker: where a group starts, what is committed and when, and how partitions move."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import anyio
import anyio.to_thread
import pytest

from headrace.config.errors import SourceMissing, SourceUnavailable
from headrace.dispatch.core.model import Lane, Position
from headrace.pollers.core.mark import Mark
from headrace.pollers.kafka.reader import KafkaReader
from headrace.pollers.kafka.source import KafkaSource
from headrace.pollers.source import FetchResult
from support.eventually import eventually_async
from support.rigs import passing
from support.servers import kafka
from support.servers.running import Server
from support.topic_lab import Group, fetched, values
from support.topics import Topics

pytestmark = pytest.mark.needs("java", "maven")


@pytest.fixture(scope="module")
def broker() -> Iterator[Server]:
    with kafka.start() as server:
        yield server


@pytest.fixture(scope="module")
def topics(broker: Server) -> Topics:
    return Topics(f"{broker.host}:{broker.port}")


async def soon(condition: Any, what: str = "") -> None:
    async def holds() -> object:
        return await anyio.to_thread.run_sync(condition)

    await eventually_async(holds, what)


# --- where a group starts ---------------------------------------------------------------------------------------------


@pytest.mark.semantics("KAFKA-13")
@pytest.mark.parametrize(
    ("settings", "starts"),
    [
        ({}, {0: 0, 1: 0}),
        ({"start": "LATEST"}, {0: 3, 1: 1}),
        ({"start": "AT_TIMESTAMP", "start_at": 2.0}, {0: 1, 1: 1}),
        ({"start": "AT_TIMESTAMP", "start_at": 2.0005}, {0: 1, 1: 1}),
        ({"start": "AT_TIMESTAMP", "start_at": 9.0}, {0: 3, 1: 1}),
    ],
)
async def test_the_start_is_committed_before_anything_is_fetched(
    topics: Topics, settings: dict[str, Any], starts: dict[int, int]
) -> None:
    topic = topics.create(partitions=2)
    for moment in (1000, 2000, 3000):
        topics.send(topic, b"x", timestamp=moment)
    topics.send(topic, b"x", partition=1, timestamp=1000)
    group = Group(topics, topic, **settings)
    roster = await group.source().open()
    assert roster.wanted() == ["poller-1"]
    assert group.committed == starts


@pytest.mark.semantics("KAFKA-13")
async def test_a_restart_before_the_first_record_loses_none(topics: Topics) -> None:
    topic = topics.create()
    topics.send(topic, b"old")
    group = Group(topics, topic, start="LATEST")
    async with group.reader():
        pass
    topics.send(topic, b"new")
    async with group.reader() as reader:
        assert values((await fetched(reader)).records) == [b"new"]


@pytest.mark.semantics("KAFKA-13")
async def test_a_group_with_offsets_goes_on_there(topics: Topics) -> None:
    topic = topics.create()
    topics.send(topic, b"0", b"1", b"2")
    async with Group(topics, topic).reader() as reader:
        (record, *_) = (await fetched(reader)).records
        await reader.commit({record.lane: Mark(record.position)})
    assert Group(topics, topic).committed == {0: 1}
    async with Group(topics, topic, start="LATEST").reader() as reader:
        assert values((await fetched(reader, 2)).records) == [b"1", b"2"]


@pytest.mark.semantics("KAFKA-14")
async def test_a_partition_that_appears_later_is_read_from_its_beginning(topics: Topics) -> None:
    topic = topics.create()
    group = Group(topics, topic, start="LATEST")
    await group.source().open()
    topics.grow(topic, 2)
    await soon(lambda: len(topics.ends(topic)) == 2)
    topics.send(topic, b"first", partition=1)
    async with group.reader() as reader:
        assert values((await fetched(reader)).records) == [b"first"]


@pytest.mark.semantics("KAFKA-08")
async def test_a_topic_that_is_not_there_is_not_made_by_asking(topics: Topics) -> None:
    name = topics.name()
    with pytest.raises(SourceMissing, match=f"topic {name} does not exist"):
        await Group(topics, name).source().open()
    assert name not in topics.names()


# --- records ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.semantics("KAFKA-15")
async def test_every_codec_is_read(topics: Topics, codec: str) -> None:
    topic = topics.create()
    producer = topics.producer(compression_type=codec, linger_ms=200)
    for number in range(50):
        producer.produce(topic, b"%d" % number * 100)
    assert producer.flush(60) == 0
    async with Group(topics, topic).reader() as reader:
        found = values((await fetched(reader, 50)).records)
    assert found == [b"%d" % number * 100 for number in range(50)]


@pytest.mark.semantics("KAFKA-15")
async def test_records_are_what_was_produced(topics: Topics) -> None:
    topic = topics.create()
    topics.send(topic, None, key=b"gone", timestamp=1_700_000_000_123)
    topics.send(topic, b"\xff", headers=[("a", b"\x01\xff"), ("a", None), ("b", b"")], timestamp=1)
    async with Group(topics, topic).reader() as reader:
        tombstone, other = (await fetched(reader, 2)).records
    about = {"topic": topic, "partition": 0, "timestampType": "CREATE_TIME"}
    assert tombstone.item == about | {
        "offset": 0,
        "timestamp": 1_700_000_000_123,
        "key": "Z29uZQ==",
        "headers": [],
    }
    headers = [{"a": [1, -1]}, {}, {"b": []}]
    assert other.item == about | {"offset": 1, "timestamp": 1, "value": "/w==", "headers": headers}
    assert (tombstone.id, tombstone.name, tombstone.arrived) == ((f"{topic}-0", 0), f"{topic}-0@0", 1_700_000_000.123)


@pytest.mark.semantics("KAFKA-16")
async def test_what_retention_took_is_a_gap(topics: Topics) -> None:
    topic = topics.create()
    group = Group(topics, topic)
    topics.send(topic, *(b"%d" % number for number in range(5)))
    await group.source().open()
    topics.delete_before(topic, 3)
    async with group.reader() as reader:
        found = await fetched(reader, 2)
    assert values(found.records) == [b"3", b"4"]
    ((gap),) = found.gaps
    assert (gap.lane.shard, gap.start, gap.end, gap.reason) == (f"{topic}-0", "0", "3", "trimmed by retention")


@pytest.mark.semantics("KAFKA-17")
async def test_a_topic_is_empty_behind_the_end_of_a_transaction_too(topics: Topics) -> None:
    topic = topics.create()
    producer = topics.producer(transactional_id=topic)
    producer.init_transactions(60)
    for ending in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        producer.produce(topic, ending.__name__.encode())
        ending(60)
    group = Group(topics, topic)
    source = group.source()
    await source.open()
    reader = await source.reader("poller-1")
    assert not await source.empty()
    assert values((await fetched(reader)).records) == [b"commit_transaction"]
    with anyio.fail_after(60):
        while not await source.empty():
            assert not (await reader.fetch(100, None)).records
    await reader.aclose()


# --- what is committed ------------------------------------------------------------------------------------------------


@pytest.mark.semantics("KAFKA-05")
async def test_what_is_filtered_is_committed_though_nothing_is_invoked(topics: Topics) -> None:
    topic = topics.create()
    topics.send(topic, b"a", b"b")
    group = Group(topics, topic)
    member = group.member()
    member.keeps = passing(lambda record: False)
    async with member.running():
        await soon(lambda: group.committed == {0: 2})
    assert member.begun == []


@pytest.mark.semantics("KAFKA-05")
async def test_what_is_in_flight_is_not_committed(topics: Topics) -> None:
    topic = topics.create(partitions=2)
    going_on = anyio.Event()

    async def hold_one(values: list[bytes]) -> None:
        if b"slow" in values:
            await going_on.wait()

    group = Group(topics, topic)
    member = group.member(hold_one)
    async with member.running():
        topics.send(topic, b"slow")
        await soon(lambda: b"slow" in member.begun)
        topics.send(topic, b"fast", partition=1)
        await soon(lambda: group.committed.get(1) == 1)
        assert group.committed == {0: 0, 1: 1}
        going_on.set()
        await soon(lambda: group.committed == {0: 1, 1: 1})


# --- partitions that move ---------------------------------------------------------------------------------------------


@pytest.mark.semantics("KAFKA-11", "KAFKA-18")
async def test_a_partition_moves_although_an_invocation_with_it_never_ends(topics: Topics) -> None:
    topic = topics.create(partitions=2)
    topics.send(topic, b"a")
    topics.send(topic, b"b", partition=1)
    never = anyio.Event()

    async def hold(values: list[bytes]) -> None:
        await never.wait()

    group = Group(topics, topic, withdraw=0.5)
    one, two = group.member(hold), group.member()
    async with one.running():
        await soon(lambda: sorted(one.begun) == [b"a", b"b"])
        async with two.running():
            await soon(lambda: len(two.taken) == 1)
            await soon(lambda: sorted(group.committed.values()) == [0, 1])
            never.set()
            await soon(lambda: len(one.taken) >= 2)
            await soon(lambda: group.committed == {0: 1, 1: 1})
    assert set(two.taken) < {b"a", b"b"}


@pytest.mark.semantics("KAFKA-18")
async def test_what_is_done_before_a_partition_moves_does_not_come_again(topics: Topics) -> None:
    topic = topics.create(partitions=2)
    topics.send(topic, b"a")
    topics.send(topic, b"b", partition=1)
    running = anyio.Event()

    async def a_moment(values: list[bytes]) -> None:
        await running.wait()

    group = Group(topics, topic, withdraw=30.0)
    one, two = group.member(a_moment), group.member()
    async with one.running():
        await soon(lambda: sorted(one.begun) == [b"a", b"b"])
        async with two.running():
            await soon(lambda: topics.rebalancing(group.name))
            running.set()
            await soon(lambda: group.committed == {0: 1, 1: 1})
            topics.send(topic, b"c")
            topics.send(topic, b"d", partition=1)
            await soon(lambda: len(one.taken) + len(two.taken) == 4)
            assert sorted(one.taken + two.taken) == [b"a", b"b", b"c", b"d"]


@pytest.mark.semantics("KAFKA-19")
async def test_an_invocation_longer_than_the_session_keeps_its_partition(topics: Topics) -> None:
    topic = topics.create()
    topics.send(topic, b"long")

    async def long(values: list[bytes]) -> None:
        await anyio.sleep(9.0)

    group = Group(topics, topic, session_timeout=6000, rebalance_timeout=6000, heartbeat=1000)
    member = group.member(long)
    async with member.running():
        await soon(lambda: group.committed == {0: 1})
        topics.send(topic, b"next")
        await soon(lambda: group.committed == {0: 2})
    assert member.begun == [b"long", b"next"]


async def test_a_commit_for_a_partition_that_went_is_not_made(topics: Topics) -> None:
    topic = topics.create()
    topics.send(topic, b"a")
    group = Group(topics, topic)
    async with group.reader() as reader:
        (record,) = (await fetched(reader)).records
        (partition,) = reader._held
        await reader.revoked([partition])
        await reader.commit({record.lane: Mark(Position(0))})
    assert group.committed == {0: 0}


@pytest.mark.semantics("KAFKA-18")
async def test_who_works_on_a_partition_is_asked_for_it_while_its_offsets_can_still_be_committed(
    topics: Topics,
) -> None:
    topic = topics.create()
    topics.send(topic, b"a")
    group = Group(topics, topic)
    async with group.reader() as reader:
        (record,) = (await fetched(reader)).records

        class Works:
            async def revoke(self, lanes: Collection[Lane], until: float) -> None:
                assert list(lanes) == [record.lane]
                await reader.commit({record.lane: Mark(record.position)})

        reader.attach(Works())
        await reader.revoked(set(reader._held))
    assert group.committed == {0: 1}


@pytest.mark.semantics("KAFKA-28")
async def test_what_was_given_before_a_partition_came_again_is_not_committed(topics: Topics) -> None:
    """The client would send it as a member of today."""
    topic = topics.create()
    topics.send(topic, b"a", b"b")
    group = Group(topics, topic)
    async with group.reader() as reader:
        (record, *_) = (await fetched(reader, 2)).records
        held = set(reader._held)
        await reader.revoked(held)
        reader.assigned(held)
        await reader.commit({record.lane: Mark(Position(1))})
    assert group.committed == {0: 0}


@pytest.mark.semantics("KAFKA-28")
async def test_what_was_done_before_a_partition_came_again_does_not_move_it_back(topics: Topics) -> None:
    topic = topics.create()
    topics.send(topic, b"a", b"b", b"c")
    group = Group(topics, topic)
    async with group.reader() as reader:
        first, second, *_ = (await fetched(reader, 3)).records
        await reader.commit({second.lane: Mark(second.position)})
        held = set(reader._held)
        await reader.revoked(held)
        reader.assigned(held)
        reader._astray |= held
        assert values((await fetched(reader)).records) == [b"c"]
        await reader.commit({first.lane: Mark(first.position)})
    assert group.committed == {0: 2}


@pytest.mark.semantics("KAFKA-21")
async def test_a_poller_that_is_not_wanted_any_more_gives_back_what_it_cannot_deliver(topics: Topics) -> None:
    """What fails there may fail for ever, and its other partitions would never be read."""
    topic = topics.create(partitions=4)

    async def picky(values: list[bytes]) -> None:
        assert b"poison" not in values

    group = Group(topics, topic)
    member = group.member(picky)
    pollers = member.source = Scaled(group.source(member.watch), 2)
    async with member.running():
        await soon(lambda: all(len(each) == 2 for each in pollers.held.values()) and len(pollers.held) == 2)
        failing, other = sorted(pollers.held["poller-2"])
        topics.send(topic, b"poison", partition=failing)
        await soon(lambda: b"poison" in member.begun)
        pollers.count = 1
        await soon(lambda: member.supervisor.feeds == 1 and len(pollers.held["poller-1"]) == 4)
        before = len(member.begun)
        await soon(lambda: len(member.begun) > before)
        topics.send(topic, b"good", partition=other)
        await soon(lambda: b"good" in member.taken)
    assert group.committed[failing] == 0


class Scaled:
    """A source whose pollers are as many as the test says."""

    lent = False
    patience = float("inf")

    def __init__(self, inner: KafkaSource, count: int) -> None:
        self._inner = inner
        self.count = count
        self._readers: dict[str, KafkaReader] = {}
        self.watch, self.empty, self.aclose = inner.watch, inner.empty, inner.aclose

    @property
    def held(self) -> dict[str, set[int]]:
        return {name: {each.partition for each in reader._held} for name, reader in self._readers.items()}

    async def open(self) -> Scaled:
        await self._inner.open()
        return self

    async def reader(self, feed: str) -> KafkaReader:
        reader = self._readers[feed] = await self._inner.reader(feed)
        return reader

    def wanted(self) -> list[str]:
        return [f"poller-{number}" for number in range(1, self.count + 1)]

    def polled(self, feed: str, fetched: FetchResult, now: float) -> None:
        """Nothing depends on it."""

    def took(self, feed: str, *, held: bool) -> None:
        """Nothing depends on it."""


async def test_brokers_that_are_not_there_are_unavailable() -> None:
    class Nowhere:
        server = "127.0.0.1:9"

    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:9"):
        await Group(Nowhere(), "orders").source().open()  # type: ignore[arg-type]


@pytest.mark.semantics("KAFKA-07")
async def test_a_dry_run_gives_each_record_once_however_many_pollers_the_mapping_has(topics: Topics) -> None:
    """Its pollers share no group, so that each would take all partitions."""
    topic = topics.create(partitions=2)
    for partition in range(2):
        topics.send(topic, b"%d" % partition, partition=partition)
    source = Group(topics, topic, joins=False, pollers=(2, 9)).source()
    found: list[bytes] = []
    for feed in (await source.open()).wanted():
        reader = await source.reader(feed)
        found += values((await fetched(reader, 2)).records)
        await reader.aclose()
    assert sorted(found) == [b"0", b"1"]

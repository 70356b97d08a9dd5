"""A record that is damaged at the broker: it stops its partition, visibly, and nothing else is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from aiokafka import TopicPartition
from aiokafka.record.util import calc_crc32c

from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.observer import FetchFailed
from support.eventually import eventually_async
from support.servers import kafka
from support.topic_lab import Group, fetched, values
from support.topics import Topics

pytestmark = pytest.mark.needs("java", "maven")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the broker has its records."""
    return tmp_path_factory.mktemp("broker") / "data"


@pytest.fixture(scope="module")
def broker(data: Path) -> Iterator[Topics]:
    with kafka.start(kafka.Extras(settings={"log.dirs": str(data)})) as server:
        yield Topics(f"{server.host}:{server.port}")


@pytest.mark.semantics("KAFKA-20")
async def test_a_damaged_record_stops_its_partition_and_no_other(broker: Topics, data: Path) -> None:
    topic = broker.create(partitions=2)
    for value in (b"good", b"damaged", b"after"):
        broker.send(topic, value)
    broker.send(topic, b"before", b"it", partition=1)
    segment = data / f"{topic}-0" / "00000000000000000000.log"
    content = segment.read_bytes()
    assert content.count(b"damaged") == 1
    segment.write_bytes(content.replace(b"damaged", b"DAMAGED"))
    group = Group(broker, topic)
    member = group.member()

    async def committed(*offsets: int) -> None:
        async def reached() -> bool:
            found = await anyio.to_thread.run_sync(lambda: group.committed)
            return found == dict(enumerate(offsets))

        await eventually_async(reached, f"{member.watch.of(FetchFailed)} {member.taken}")

    async with member.running():
        await committed(1, 2)
        for number in range(5):
            broker.send(topic, b"%d" % number, partition=1)
            await committed(1, 3 + number)
    assert sorted(member.taken) == sorted([b"good", b"before", b"it", b"0", b"1", b"2", b"3", b"4"])
    (cause,) = {each.cause.text for each in member.watch.of(FetchFailed)}
    assert (
        f"{topic}-0 is damaged at the broker, at offset 1: to skip it: headrace positions set mapping {topic}-0 OFFSET"
        in cause
    )


@pytest.mark.semantics("KAFKA-20")
@pytest.mark.parametrize(("at", "value"), [(9, 0x7F), (11, 3)], ids=["too long", "too short"])
async def test_a_batch_whose_length_is_damaged_is_told_and_holds_up_nothing_else(
    broker: Topics, data: Path, at: int, value: int
) -> None:
    """The client says nothing of the first, and of the second only to its own log."""
    topic = broker.create(partitions=2)
    for content in (b"good", b"lost", b"after"):
        broker.send(topic, content)
    segment = data / f"{topic}-0" / "00000000000000000000.log"
    damaged = bytearray(segment.read_bytes())
    second = 12 + int.from_bytes(damaged[8:12])
    damaged[second + at] = value
    segment.write_bytes(damaged)
    group = Group(broker, topic)
    member = group.member()
    member.backoff = Backoff(base=30.0, cap=30.0)
    async with member.running():

        async def told() -> bool:
            return any(f"{topic}-0" in str(each.cause) for each in member.watch.of(FetchFailed))

        await eventually_async(told, "a line about it")
        for number in range(3):
            broker.send(topic, b"%d" % number, partition=1)

            async def taken(content: bytes = b"%d" % number) -> bool:
                return content in member.taken

            await eventually_async(taken, f"{member.taken}")
    assert set(member.taken) == {b"good", b"0", b"1", b"2"}


@pytest.mark.semantics("KAFKA-14")
async def test_damage_beside_partitions_that_were_added_later_loses_nothing_of_them(broker: Topics, data: Path) -> None:
    """Nothing is committed of any of them yet, and the client has gone past what it had gathered when it failed."""
    topic = broker.create()
    group = Group(broker, topic)
    await group.source().open()
    broker.grow(topic, 4)

    def grown() -> bool:
        return len(broker.ends(topic)) == 4

    await eventually_async(lambda: anyio.to_thread.run_sync(grown))
    for partition in (1, 3):
        broker.send(topic, b"%d" % partition, partition=partition)
    producer = broker.producer(transactional_id=topic)
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce(topic, b"damaged", partition=2)
    producer.flush(60)
    with (data / f"{topic}-2" / "00000000000000000000.log").open("r+b") as segment:
        segment.seek(segment.read().index(b"damaged"))
        segment.write(b"DAMAGED")
    added = [TopicPartition(topic, partition) for partition in (1, 2, 3)]
    async with group.reader() as reader:
        while None in [await reader.reached(each) for each in added]:
            assert not (await reader.fetch(1000, None)).records

        async def gathered(*partitions: int) -> None:
            async def ends() -> bool:
                known = [reader._consumer.last_stable_offset(TopicPartition(topic, each)) for each in partitions]
                return all(known)

            await eventually_async(ends)

        await gathered(1, 3)
        producer.commit_transaction(60)  # the damage comes behind the others, whose records its failure takes along
        await gathered(2)
        found = await fetched(reader, 2)
        for partition in (1, 3):
            broker.send(topic, b"after", partition=partition)
        after = await fetched(reader, 2)
    assert sorted(values(found.records)) == [b"1", b"3"]
    assert values(after.records) == [b"after", b"after"]


def inverted(content: bytes) -> bytes:
    return bytes(255 - each for each in content)


def header_without_text(content: bytes) -> bytes:
    """Brokers do not look at its name, and producers in C and Go send whatever they are given."""
    return content.replace(b"name", b"n\xe4me")


@pytest.mark.semantics("KAFKA-20")
@pytest.mark.parametrize(
    ("codec", "damage"),
    [("none", header_without_text), *((codec, inverted) for codec in ("gzip", "snappy", "lz4", "zstd"))],
    ids=["header", "gzip", "snappy", "lz4", "zstd"],
)
async def test_what_makes_no_sense_behind_a_right_checksum_stops_its_partition_and_no_other(
    broker: Topics, data: Path, codec: str, damage: Callable[[bytes], bytes]
) -> None:
    topic = broker.create(partitions=2)
    broker.send(topic, b"good")
    producer = broker.producer(compression_type=codec)
    producer.produce(topic, b"strange" * 50, partition=0, headers=[("name", b"x")])
    producer.flush(60)
    segment = data / f"{topic}-0" / "00000000000000000000.log"
    content = bytearray(segment.read_bytes())
    second = 12 + int.from_bytes(content[8:12])
    content[second + 61 :] = damage(bytes(content[second + 61 :]))
    content[second + 17 : second + 21] = calc_crc32c(bytes(content[second + 21 :])).to_bytes(4)
    segment.write_bytes(content)
    group = Group(broker, topic)
    member = group.member()
    async with member.running():
        for number in range(3):
            broker.send(topic, b"%d" % number, partition=1)

            async def taken(content: bytes = b"%d" % number) -> bool:
                return content in member.taken

            await eventually_async(taken, f"{member.watch.of(FetchFailed)} {member.taken}")

        async def told() -> bool:
            return any(f"{topic}-0" in str(each.cause) for each in member.watch.of(FetchFailed))

        await eventually_async(told)
    assert set(member.taken) == {b"good", b"0", b"1", b"2"}
    causes = {each.cause.text for each in member.watch.of(FetchFailed)}
    assert [each for each in causes if f"{topic}-0 is damaged at the broker, at offset 1" in each] == list(causes)

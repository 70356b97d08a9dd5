"""What a member of a consumer group gives, of a client whose answers are scripted: nothing is passed over."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, GroupAuthorizationFailedError, OffsetOutOfRangeError

from headrace.config.clock import LoopClock
from headrace.config.errors import SourceError
from headrace.pollers.kafka.core.records import lane_of
from headrace.pollers.kafka.reader import KafkaReader
from headrace.pollers.kafka.settings import TopicSettings
from support.virtual_time import EPOCH, VirtualLoop
from support.world import Watch

FIRST, DAMAGED, LAST = PARTITIONS = [TopicPartition("orders", number) for number in range(3)]
END = 20
"""The offset after the last record of each partition."""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


def raw(partition: TopicPartition, offset: int) -> Any:
    return SimpleNamespace(
        topic=partition.topic,
        partition=partition.partition,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        key=None,
        value=b"",
        headers=(),
    )


async def nothing() -> None:
    """What the brokers do where they do nothing special."""


async def hang() -> None:
    await anyio.sleep(3600)


def fail(error: Exception) -> Callable[[], Any]:
    async def failing() -> None:
        raise error

    return failing


@dataclass
class Client:
    """Three partitions, one of which is damaged from its first record on: the error does not name it. A fetch of all
    fails as long as it is asked for too, and has then gone past what it had of the others. `last` happens, once, when
    the last partition alone is asked for."""

    last: Callable[[], Any] = nothing
    places: dict[TopicPartition, int] = field(default_factory=lambda: dict.fromkeys(PARTITIONS, 0))
    resting: set[TopicPartition] = field(default_factory=set)

    def assignment(self) -> set[TopicPartition]:
        return set(PARTITIONS)

    def paused(self) -> set[TopicPartition]:
        return set(self.resting)

    def pause(self, *partitions: TopicPartition) -> None:
        self.resting |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.resting -= set(partitions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.places[partition] = offset

    async def committed(self, partition: TopicPartition) -> int:
        return 0

    async def position(self, partition: TopicPartition) -> int:
        return self.places[partition]

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    def highwater(self, partition: TopicPartition) -> int:
        return END

    def last_stable_offset(self, partition: TopicPartition) -> int:
        return END

    def last_poll_timestamp(self, partition: TopicPartition) -> int:
        return 0

    async def getmany(self, *partitions: TopicPartition, timeout_ms: int, max_records: int) -> dict[Any, list[Any]]:
        asked = [each for each in partitions or PARTITIONS if each not in self.resting]
        if asked == [LAST]:
            happens, self.last = self.last, nothing
            await happens()
        found = {each: self._taken(each, max_records) for each in asked if each != DAMAGED}
        if DAMAGED in asked:
            raise CorruptRecordException("damaged")
        return {partition: records for partition, records in found.items() if records}

    def _taken(self, partition: TopicPartition, most: int) -> list[Any]:
        start = self.places[partition]
        self.places[partition] = min(END, start + most)
        return [raw(partition, offset) for offset in range(start, self.places[partition])]


class Same:
    """The topic is the one that it was."""

    note, trouble = "", None

    async def expect_same(self) -> None:
        """It is."""

    def closed(self, reader: KafkaReader) -> None:
        """Nobody counts."""


def reader_of(client: Client, held: Collection[TopicPartition] = PARTITIONS) -> KafkaReader:
    settings = TopicSettings("mapping", "cluster", "orders", "group")
    reader = KafkaReader(settings, client, LoopClock(EPOCH), Watch(), Same())
    reader.assigned(held)
    return reader


async def given(reader: KafkaReader, fetches: int) -> tuple[dict[str, list[int]], int]:
    """Offsets by partition, and how many of the fetches failed."""
    found: dict[str, list[int]] = {}
    failed = 0
    for _ in range(fetches):
        try:
            records = (await reader.fetch(10, None)).records
        except SourceError:
            failed += 1
            continue
        for record in records:
            assert record.position is not None
            found.setdefault(record.lane.shard, []).append(record.position.number)
    return found, failed


ALL = {"orders-0": list(range(END)), "orders-2": list(range(END))}


@pytest.mark.semantics("KAFKA-20")
async def test_a_damaged_partition_stops_no_other() -> None:
    assert await given(reader_of(Client()), 4) == (ALL, 0)


@pytest.mark.semantics("KAFKA-20")
@pytest.mark.parametrize(
    "last",
    [fail(OffsetOutOfRangeError({LAST: 0})), fail(GroupAuthorizationFailedError("group")), hang],
    ids=["taken by retention", "no rights", "no answer"],
)
async def test_a_look_for_damage_that_breaks_off_loses_nothing_of_those_it_looked_at_before(last: Any) -> None:
    assert await given(reader_of(Client(last)), 6) == (ALL, 1)


@pytest.mark.semantics("KAFKA-20")
async def test_a_look_for_damage_that_is_cancelled_loses_nothing() -> None:
    reader = reader_of(Client(hang))
    with anyio.move_on_after(1):
        await reader.fetch(10, None)
    assert await given(reader, 6) == (ALL, 0)


async def test_records_are_given_before_a_partition_can_go_and_come_after_the_client_answered() -> None:
    """They would be beyond the offset that is committed, from which the partition is read when it came."""
    order: list[str] = []

    class Restless(Client):
        async def getmany(self, *partitions: TopicPartition, timeout_ms: int, max_records: int) -> dict[Any, list[Any]]:
            found = await super().getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records)
            tasks.start_soon(go_and_come)
            return found

    async def go_and_come() -> None:
        await reader.revoked([FIRST])
        reader.assigned([FIRST])
        order.append("went and came")

    reader = reader_of(Restless())
    async with anyio.create_task_group() as tasks:
        fetched = await reader.fetch(5, None, skip=[lane_of("cluster", DAMAGED)])
        order.append("given")
    assert order == ["given", "went and came"]
    assert [record.id for record in fetched.records if record.lane == lane_of("cluster", FIRST)]

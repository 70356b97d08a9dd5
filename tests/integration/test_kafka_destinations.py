"""A topic as a failure destination, at a real broker: a document that it refuses blocks no other."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator

import anyio
import orjson
import pytest

from headrace.config.clients.kafka import KafkaConnection
from headrace.config.clock import SystemClock
from headrace.config.errors import SourceError, SourceRefused
from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.documents import Report
from headrace.dispatch.core.model import DiscardReason, Lane, Position, Record
from headrace.dispatch.core.pages import Records
from headrace.dispatch.core.steps import DiscardStep
from headrace.dispatch.destinations.kafka import KafkaDestination
from headrace.dispatch.destinations.persistence import GivenUp, Persistence, Written
from headrace.dispatch.kinds.kafka import KafkaEnvelope, kafka_item
from headrace.dispatch.kinds.kafka_documents import KafkaSubject
from support.rigs import discards_to
from support.servers import kafka
from support.topics import Topics
from support.world import Watch

pytestmark = pytest.mark.needs("java", "maven")

LANE = Lane("cluster/orders", "orders-0")
ROOM = 64 * 1024
"""Bytes that the topic takes."""
SMALL, LARGE = 10, 2 * ROOM


@pytest.fixture(scope="module")
def topics() -> Iterator[Topics]:
    with kafka.start() as server:
        yield Topics(f"{server.host}:{server.port}")


@pytest.fixture
def topic(topics: Topics) -> str:
    return topics.create(max_message_bytes=str(ROOM))


class Looked:
    """An access that counts how often somebody asks how the brokers are reached."""

    def __init__(self, server: str) -> None:
        self._connection = KafkaConnection((server,))
        self.asked = 0

    async def connection(self) -> KafkaConnection:
        self.asked += 1
        return self._connection

    async def explain(self, error: Exception, what: str) -> SourceError:
        return await self._connection.explain(error, what)

    async def look(self, what: str) -> SourceError | None:
        return await self._connection.look(what)

    def __str__(self) -> str:
        return str(self._connection)


@pytest.fixture
def access(topics: Topics) -> Looked:
    return Looked(topics.server)


@pytest.fixture
async def destination(topic: str, access: Looked) -> AsyncIterator[KafkaDestination]:
    made = KafkaDestination(topic, access, lambda: KafkaSubject("arn:f", "broker:9092", None))
    yield made
    await made.aclose()


def record(offset: int, size: int) -> Record:
    item = kafka_item(
        topic="orders", partition=0, offset=offset, timestamp=0, timestamp_type=0, key=None, value=b"x" * size
    )
    return Record(LANE, ("orders-0", offset), item, 0.0, Position(offset, 0, str(offset)))


def report(*records: Record) -> Report:
    def render(chosen: Records) -> bytes:
        return KafkaEnvelope("broker:9092").render(chosen, lane=LANE)

    discard = DiscardStep(Records.of(records), DiscardReason.RETRIES_EXHAUSTED, None, 1, None)
    return Report(discard, LANE, 0.0, str(uuid.uuid4()), render)


async def arrived(topics: Topics, topic: str, count: int) -> list[int]:
    """Offsets of the records whose documents a topic has."""
    found = await anyio.to_thread.run_sync(topics.messages, topic, count)
    payloads = [orjson.loads(value or b"")["payload"] for _, value in found]
    return sorted(payload["records"]["orders-0"][0]["offset"] for payload in payloads)


@pytest.mark.semantics("DEST-12")
async def test_a_document_that_is_too_large_is_told_and_the_next_one_is_written(
    topics: Topics, topic: str, destination: KafkaDestination
) -> None:
    await destination.write(report(record(0, SMALL)))
    with pytest.raises(SourceRefused, match=rf"{destination.arn} .*too large .*raise max\.message\.bytes of the topic"):
        await destination.write(report(record(1, LARGE)))
    for offset in (2, 3):
        await destination.write(report(record(offset, SMALL)))
    assert await arrived(topics, topic, 3) == [0, 2, 3]


@pytest.mark.semantics("DEST-12")
async def test_a_document_that_is_too_large_is_tried_again_and_given_up(
    topics: Topics, topic: str, destination: KafkaDestination
) -> None:
    quick = Persistence(backoff=Backoff(base=0.01))
    failure = discards_to(destination, Watch(), clock=SystemClock(), mapping="m", persistence=quick)
    ending = await failure.handover(report(record(0, LARGE), record(1, LARGE))).run()
    assert isinstance(ending, GivenUp)
    assert "too large" in str(ending.cause)
    assert await failure.handover(report(record(2, SMALL))).run() == Written(destination.arn)
    assert await arrived(topics, topic, 1) == [2]


@pytest.mark.semantics("DEST-12")
async def test_a_document_that_is_too_large_takes_none_along_that_is_written_beside_it(
    topics: Topics, topic: str, destination: KafkaDestination
) -> None:
    refused: list[int] = []

    async def write(offset: int) -> None:
        try:
            await destination.write(report(record(offset, SMALL if offset % 4 else LARGE)))
        except SourceRefused:
            refused.append(offset)

    async with anyio.create_task_group() as tasks:
        for offset in range(40):
            tasks.start_soon(write, offset)
    assert sorted(refused) == list(range(0, 40, 4))
    assert await arrived(topics, topic, 30) == [offset for offset in range(40) if offset % 4]


@pytest.mark.semantics("KAFKA-SEC-13")
async def test_after_a_failure_the_brokers_are_reached_by_what_holds_then(
    destination: KafkaDestination, access: Looked
) -> None:
    """A login that was replaced, brokers that are elsewhere."""
    for offset in range(2):
        await destination.write(report(record(offset, SMALL)))
    assert access.asked == 1
    with pytest.raises(SourceRefused):
        await destination.write(report(record(2, LARGE)))
    await destination.write(report(record(3, SMALL)))
    assert access.asked == 2


async def test_it_closes_although_nobody_answers_for_a_document_that_was_cut_short() -> None:
    with kafka.cluster(1) as (broker,):
        topics = Topics(f"{broker.server.host}:{broker.server.port}")
        access = KafkaConnection((topics.server,))
        destination = KafkaDestination(topics.create(), access, lambda: KafkaSubject("arn:f", "broker:9092", None))
        await destination.write(report(record(0, SMALL)))
        broker.stop()
        with anyio.move_on_after(0.5):
            await destination.write(report(record(1, SMALL)))
        with anyio.fail_after(60):
            await destination.aclose()

"""What the loop relies on, asked of every queue: the shipped fake and SQS on each server."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio
import orjson
import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clock import SystemClock
from headrace.config.errors import SourceMissing
from headrace.config.fields.arn import Arn
from headrace.dispatch.core.model import ABANDONED, DELIVERED, FILTERED, RETURNED, Record, Settlement
from headrace.dispatch.core.pages import NONE, Records
from headrace.pollers.memory.queue import MemoryQueue, MemoryQueueSource
from headrace.pollers.source import FetchResult, Reader, Source
from headrace.pollers.sqs.source import QueueSettings, SqsSource

VISIBILITY = 2


class Lab(Protocol):
    """One queue, seen from the producer's side and from ours."""

    async def create(self, *, fifo: bool = False) -> None: ...

    def source(self) -> Source: ...

    async def send(self, body: str, group: str | None = None) -> None: ...


@dataclass
class MemoryLab:
    queue: MemoryQueue = field(init=False)

    def __post_init__(self) -> None:
        self.queue = MemoryQueue("arn:aws:sqs:us-east-1:000000000000:q", SystemClock(), VISIBILITY, exists=False)

    async def create(self, *, fifo: bool = False) -> None:
        self.queue.exists, self.queue.fifo = True, fifo

    def source(self) -> Source:
        return MemoryQueueSource(self.queue)

    async def send(self, body: str, group: str | None = None) -> None:
        self.queue.send(body, group)


@dataclass
class SqsLab:
    client: Any
    endpoint: str
    name: str = field(default_factory=lambda: f"contract-{uuid.uuid4().hex[:12]}")
    url: str = ""

    async def create(self, *, fifo: bool = False) -> None:
        attributes = {"VisibilityTimeout": str(VISIBILITY)}
        if fifo:
            self.name += ".fifo"
            attributes |= {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        self.url = (await self.client.create_queue(QueueName=self.name, Attributes=attributes))["QueueUrl"]

    def source(self) -> Source:
        arn = Arn.parse(f"arn:aws:sqs:us-east-1:000000000000:{self.name}")
        settings = QueueSettings(arn, 0, 3.0, 1, self.endpoint)
        return SqsSource(settings, self._connect, SystemClock(), lambda: 0.0)

    async def send(self, body: str, group: str | None = None) -> None:
        more = {} if group is None else {"MessageGroupId": group}
        await self.client.send_message(QueueUrl=self.url, MessageBody=body, **more)

    async def _connect(self) -> Any:
        return self.client


ELASTICMQ = pytest.param("elasticmq", marks=pytest.mark.needs("java", "maven"))


GENERAL = "ministack-general"
"""By the general client alone, as behind a proxy."""


@pytest.fixture(params=["memory", "ministack", GENERAL, ELASTICMQ, "moto"])
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    if request.param == "memory":
        yield MemoryLab()
        return
    endpoint = request.getfixturevalue(request.param.removesuffix("-general")).endpoint_url
    given = AwsSettings(endpoint_url=endpoint, region="us-east-1", lean=request.param != GENERAL)
    async with Clients(given) as clients:
        yield SqsLab(await clients.get("sqs"), endpoint)


async def opened(lab: Lab, *, fifo: bool = False) -> tuple[Source, Reader]:
    await lab.create(fifo=fifo)
    source = lab.source()
    await source.open()
    return source, await source.reader("receiver-1")


async def fetch_some(reader: Reader, within: float = 10.0) -> Records:
    """The next records that are there within so many seconds."""
    end = anyio.current_time() + within
    while anyio.current_time() < end:
        fetched: FetchResult = await reader.fetch(10, end)
        if fetched.records:
            return fetched.records
    return NONE


async def nothing_comes(reader: Reader) -> bool:
    return not (await reader.fetch(10, anyio.current_time() + VISIBILITY + 1.5)).records


def bodies(records: Sequence[Record]) -> list[str]:
    return [str(record.item["body"]) for record in records]


async def test_a_missing_queue_is_named_as_missing(lab: Lab) -> None:
    with pytest.raises(SourceMissing, match=r"contract-|:q"):
        await lab.source().open()


async def test_a_record_is_what_the_function_will_see(lab: Lab) -> None:
    _, reader = await opened(lab)
    body = 'verbatim: {"a": 1 } \u00e9\U0001f600'
    await lab.send(body)
    (record,) = await fetch_some(reader)
    item = orjson.loads(record.body)
    assert (item["body"], item["messageId"], item["receiptHandle"]) == (body, record.id, record.token)
    assert item["eventSource"] == "aws:sqs"
    assert item["attributes"]["ApproximateReceiveCount"] == "1"
    assert anyio.current_time() < record.held_until <= anyio.current_time() + VISIBILITY


@pytest.mark.semantics("SQS-02")
async def test_what_is_not_settled_comes_again_with_a_higher_receive_count(lab: Lab) -> None:
    _, reader = await opened(lab)
    await lab.send("again")
    (first,) = await fetch_some(reader)
    await reader.settle([Settlement(Records.of((first,)), RETURNED), Settlement(Records.of((first,)), ABANDONED)])
    (second,) = await fetch_some(reader)
    assert second.id == first.id
    assert second.item["attributes"]["ApproximateReceiveCount"] == "2"  # type: ignore[index]


@pytest.mark.semantics("SQS-01", "SQS-10")
@pytest.mark.parametrize("fate", [DELIVERED, FILTERED])
async def test_what_is_done_never_comes_again(lab: Lab, fate: Any) -> None:
    source, reader = await opened(lab)
    for number in range(12):
        await lab.send(str(number))
    seen: list[str] = []
    while len(seen) < 12:
        records = await fetch_some(reader)
        assert records
        seen.extend(bodies(records))
        assert await reader.settle([Settlement(Records.of(records), fate)]) in ((), [])
    assert await nothing_comes(reader)
    assert await source.empty()


async def test_what_is_lent_is_not_empty(lab: Lab) -> None:
    source, reader = await opened(lab)
    await lab.send("here")
    records = await fetch_some(reader)
    assert not await source.empty()
    await reader.settle([Settlement(Records.of(records), DELIVERED)])


@pytest.mark.semantics("SQS-14")
async def test_a_held_record_does_not_come_back_before_its_time(lab: Lab) -> None:
    _, reader = await opened(lab)
    await lab.send("held")
    records = await fetch_some(reader)
    reached = await reader.hold(records, anyio.current_time() + 60)
    assert reached >= anyio.current_time() + 55
    assert await nothing_comes(reader)
    await reader.settle([Settlement(Records.of(records), DELIVERED)])


@pytest.mark.semantics("SQS-16")
async def test_what_is_released_comes_back_at_once_and_in_the_order_of_its_group(lab: Lab) -> None:
    _, reader = await opened(lab, fifo=True)
    for number in range(5):
        await lab.send(f"m{number}", "group")
    records = await fetch_some(reader)
    await reader.hold(records, anyio.current_time() + 60)
    await reader.release(records)
    again = await fetch_some(reader, 5)
    assert bodies(again) == bodies(records)


async def test_waiting_out_a_window_takes_a_handful_of_fetches(lab: Lab) -> None:
    """Long polls count whole seconds: the rest of a window is rested, not polled away."""
    _, reader = await opened(lab)
    end = anyio.current_time() + 1.3
    fetches = 0
    while anyio.current_time() < end:
        assert not (await reader.fetch(10, end)).records
        fetches += 1
    assert fetches <= 3


async def test_a_fetch_takes_no_more_than_it_was_asked_for(lab: Lab) -> None:
    _, reader = await opened(lab)
    for number in range(6):
        await lab.send(str(number))
    fetched = await reader.fetch(2, anyio.current_time() + 5)
    assert 1 <= len(fetched.records) <= 2
    assert fetched.full == (len(fetched.records) == 2)
    await reader.settle([Settlement(Records.of(fetched.records), DELIVERED)])

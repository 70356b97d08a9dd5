"""What the SQS source does when the service misbehaves, against a server that misbehaves on request."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clock import SystemClock
from headrace.config.errors import SourceMissing, SourceRefused, SourceUnavailable
from headrace.config.fields.arn import Arn
from headrace.dispatch.core.model import DELIVERED, Settlement
from headrace.dispatch.core.pages import Records
from headrace.pollers.sqs.source import QueueSettings, SqsReceiver, SqsSource
from support.sqs_stub import Faults, Stub, serving


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with serving() as stub:
        stub.create("orders")
        yield stub


@pytest.fixture
async def clients(stub: Stub) -> AsyncIterator[Clients]:
    async with Clients(AwsSettings(endpoint_url=stub.url, region="us-east-1", read_timeout=1.0)) as clients:
        yield clients


@pytest.fixture
async def receiver(stub: Stub, clients: Clients) -> SqsReceiver:
    arn = Arn.parse("arn:aws:sqs:us-east-1:000000000000:orders")
    source = SqsSource(
        QueueSettings(arn, 0, 3.0, 1, stub.url), lambda: clients.get("sqs"), SystemClock(), lambda: 0.999
    )
    await source.open()
    return await source.reader("receiver-1")


def soon() -> float:
    return anyio.current_time() + 0.5


@pytest.mark.semantics("SQS-22")
async def test_a_delete_that_fails_for_the_queues_reasons_is_tried_again(stub: Stub, receiver: SqsReceiver) -> None:
    for number in range(3):
        stub.queues["orders"].send(str(number))
    fetched = await receiver.fetch(10, soon())
    stub.faults["orders"].refuse_deletes = 4
    assert await receiver.settle([Settlement(Records.of(fetched.records), DELIVERED)]) == []
    assert stub.queues["orders"].messages == []


@pytest.mark.semantics("SQS-27")
async def test_a_delete_that_the_answer_does_not_name_is_tried_again(stub: Stub, receiver: SqsReceiver) -> None:
    for number in range(3):
        stub.queues["orders"].send(str(number))
    fetched = await receiver.fetch(10, soon())
    stub.faults["orders"].unnamed = 4
    assert await receiver.settle([Settlement(Records.of(fetched.records), DELIVERED)]) == []
    assert stub.queues["orders"].messages == []


@pytest.mark.semantics("SQS-27")
async def test_deletes_that_are_never_named_are_given_up_aloud(stub: Stub, receiver: SqsReceiver) -> None:
    stub.queues["orders"].send("stays")
    fetched = await receiver.fetch(10, soon())
    stub.faults["orders"].unnamed = 1000
    assert list(await receiver.settle([Settlement(Records.of(fetched.records), DELIVERED)])) == list(fetched.records)


@pytest.mark.semantics("SQS-22")
async def test_a_delete_that_never_works_is_given_up_aloud(stub: Stub, receiver: SqsReceiver) -> None:
    stub.queues["orders"].send("stuck")
    fetched = await receiver.fetch(10, soon())
    stub.faults["orders"].refuse_deletes = 1000
    assert list(await receiver.settle([Settlement(Records.of(fetched.records), DELIVERED)])) == list(fetched.records)


@pytest.mark.semantics("SQS-14")
async def test_a_message_that_the_function_deleted_itself_ends_no_hold(stub: Stub, receiver: SqsReceiver) -> None:
    queue = stub.queues["orders"]
    for number in range(3):
        queue.send(str(number))
    fetched = await receiver.fetch(10, soon())
    del queue.messages[1]
    wanted = fetched.records[0].held_until + 60
    assert await receiver.hold(fetched.records, wanted) >= wanted
    assert all(message.visible_at >= wanted for message in queue.messages)
    queue.messages.clear()
    assert await receiver.hold(fetched.records, wanted + 60) < wanted + 60


async def test_a_hold_that_goes_wrong_says_so(stub: Stub, receiver: SqsReceiver) -> None:
    stub.queues["orders"].send("one")
    fetched = await receiver.fetch(10, soon())
    stub.faults["orders"].status = 503
    until = fetched.records[0].held_until
    assert await receiver.hold(fetched.records, until + 60) == until


@pytest.mark.parametrize(
    "faults",
    [Faults(silent=True), Faults(status=500), Faults(status=503), Faults(truncated=True), Faults(lost_replies=1)],
    ids=lambda faults: repr(faults)[7:-1],
)
async def test_a_receive_that_goes_wrong_is_a_passing_fault(stub: Stub, receiver: SqsReceiver, faults: Faults) -> None:
    stub.queues["orders"].send("one")
    stub.faults["orders"] = faults
    with pytest.raises(SourceUnavailable, match="orders"):
        await receiver.fetch(10, soon())


async def test_a_lost_reply_of_a_delete_is_asked_again(stub: Stub, receiver: SqsReceiver) -> None:
    stub.queues["orders"].send("one")
    fetched = await receiver.fetch(10, soon())
    stub.faults["orders"].lost_replies = 1
    assert await receiver.settle([Settlement(Records.of(fetched.records), DELIVERED)]) == []
    assert stub.queues["orders"].messages == []


async def test_a_server_that_is_no_sqs_is_waited_for_with_a_word_on_it(stub: Stub, clients: Clients) -> None:
    stub.faults["orders"].unlike = True
    arn = Arn.parse("arn:aws:sqs:us-east-1:000000000000:orders")
    source = SqsSource(QueueSettings(arn, 0, 3.0, 1, stub.url), lambda: clients.get("sqs"), SystemClock(), lambda: 0.0)
    with pytest.raises(SourceUnavailable, match="not as SQS does"):
        await source.open()


async def test_a_queue_without_a_visibility_timeout_is_refused_before_anything_is_received(
    stub: Stub, clients: Clients
) -> None:
    """Each message would be received again and again, at full speed, and never be ours."""
    stub.queues["orders"].visibility = 0.0
    stub.queues["orders"].send("hot")
    arn = Arn.parse("arn:aws:sqs:us-east-1:000000000000:orders")
    settings = QueueSettings(arn, 0, 3.0, 1, stub.url)
    with pytest.raises(SourceRefused, match="visibility timeout of 0 s"):
        await SqsSource(settings, lambda: clients.get("sqs"), SystemClock(), lambda: 0.0).open()
    assert stub.queues["orders"].messages[0].receives == 0


async def test_a_queue_that_goes_away_is_missing(stub: Stub, receiver: SqsReceiver) -> None:
    del stub.queues["orders"]
    with pytest.raises(SourceMissing, match="orders"):
        await receiver.fetch(10, soon())


@pytest.mark.semantics("SQS-23")
async def test_large_messages_are_fetched_a_few_at_a_time(stub: Stub, receiver: SqsReceiver) -> None:
    """A reply of many megabytes would hold up every other mapping while it is parsed."""
    for _ in range(20):
        stub.queues["orders"].send("x" * 400_000)
    sizes: list[int] = []
    while sum(sizes) < 20:
        sizes.append(len((await receiver.fetch(10, soon())).records))
    assert sizes == [10, 2, 2, 2, 2, 2]

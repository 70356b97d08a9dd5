"""SubscribeToShard over the wire: event streams, their continuation, and all ways in which they break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import anyio
import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clients.session import open_session
from headrace.config.clock import Clock, LoopClock, SystemClock
from headrace.config.errors import SourceUnavailable
from headrace.config.fields.arn import Arn
from headrace.dispatch.core.model import Lane, Position, Record
from headrace.dispatch.core.pages import Records
from headrace.pollers.checkpoints.store import BEGINNING, Start, StartKind
from headrace.pollers.kinesis.fan_out import SubscribedShard
from headrace.pollers.kinesis.service import RecordMaker
from support import stream_stub
from support.aggregates import aggregate
from support.servers.running import Server
from support.stream_stub import Consumer, Faults, KinesisStream, Stub, frames
from support.virtual_time import EPOCH, VirtualLoop

SHARD = "shardId-000000000000"


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with stream_stub.serve() as stub:
        stub.resubscribe_seconds = 0.0
        yield stub


@pytest.fixture
def orders(stub: Stub) -> KinesisStream:
    return stub.kinesis("orders")


@pytest.fixture
def consumer(orders: KinesisStream) -> Consumer:
    return orders.consumer("headrace")


@pytest.fixture
async def clients(stub: Stub) -> AsyncIterator[Clients]:
    async with Clients(AwsSettings(endpoint_url=stub.url, region="us-east-1")) as clients:
        yield clients


SYSTEM = SystemClock()


class Subscriber:
    """Reads one shard as its feed does, and keeps account."""

    def __init__(
        self,
        client: Any,
        arn: str,
        place: Start | Position = BEGINNING,
        shard: str = SHARD,
        *,
        deaggregate: bool = False,
        clock: Clock = SYSTEM,
    ) -> None:
        lane = Lane(arn.partition("/consumer/")[0], shard)
        maker = RecordMaker(lane, Arn.parse(arn), "role", deaggregate)
        self.pages = SubscribedShard(client, arn, shard, place, maker.make, clock)
        self.seen: list[str] = []
        self.ended = self.caught_up = False

    async def read(self, limit: int = 1000, wait: float = 60.0) -> Sequence[Record]:
        page = await self.pages.next(limit, anyio.current_time() + wait)
        self.seen += [str(record.id) for record in page.records]
        self.ended, self.caught_up = page.ended, page.caught_up
        return page.records

    async def sees(self, *numbers: str) -> None:
        """Read until these have come."""
        while not set(numbers) <= set(self.seen):
            await self.read()


@pytest.fixture
async def subscriber(clients: Clients, consumer: Consumer) -> AsyncIterator[Subscriber]:
    subscriber = Subscriber(await clients.get("kinesis"), consumer.arn)
    yield subscriber
    await subscriber.pages.aclose()


def put(orders: KinesisStream, count: int) -> list[str]:
    return [orders.put(f"key-{number}", str(number).encode()).number for number in range(count)]


def data(record: Record) -> object:
    fields = record.item["kinesis"]
    assert isinstance(fields, dict)
    return fields["data"]


def places(stub: Stub) -> list[Mapping[str, Any]]:
    wheres = [call.body["StartingPosition"] for call in stub.calls_of("SubscribeToShard")]
    return [where for where in wheres if isinstance(where, dict)]


# --- pages ----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("EFO-01")
async def test_what_is_there_and_what_comes_is_pushed_in_order(
    stub: Stub, orders: KinesisStream, consumer: Consumer, subscriber: Subscriber
) -> None:
    first = put(orders, 5)
    (one, *_) = await subscriber.read()
    assert subscriber.seen == first
    assert subscriber.caught_up
    assert one.item["eventSourceARN"] == consumer.arn
    assert one.item["kinesis"] == {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": "key-0",
        "sequenceNumber": first[0],
        "data": "MA==",
        "approximateArrivalTimestamp": one.arrived,
    }
    second = put(orders, 3)
    await subscriber.sees(*second)
    assert subscriber.seen == first + second
    assert len(stub.calls_of("SubscribeToShard")) == 1


@pytest.mark.semantics("EFO-01")
async def test_it_begins_where_the_place_says(
    stub: Stub, orders: KinesisStream, consumer: Consumer, clients: Clients
) -> None:
    old = put(orders, 3)
    stub.clock.advance(10)
    moment = Start(StartKind.LATEST, float(int(stub.clock.now())))
    new = put(orders, 2)
    for place, expected in ((moment, new), (Position.parse(old[1]), [old[2], *new])):
        subscriber = Subscriber(await clients.get("kinesis"), consumer.arn, place)
        await subscriber.read()
        assert subscriber.seen == expected
        await subscriber.pages.aclose()


@pytest.mark.semantics("EFO-06")
async def test_a_shard_that_was_split_is_read_to_its_end(orders: KinesisStream, subscriber: Subscriber) -> None:
    numbers = put(orders, 3)
    await subscriber.sees(*numbers)
    late = put(orders, 2)
    orders.split(SHARD)
    while not subscriber.ended:
        await subscriber.read(limit=1)
    assert subscriber.seen == numbers + late
    assert not await subscriber.read()
    assert subscriber.ended


@pytest.mark.semantics("KPL-01", "KPL-03")
async def test_an_aggregate_comes_apart_and_goes_on_inside(
    orders: KinesisStream, consumer: Consumer, clients: Clients
) -> None:
    packed = orders.put("a", aggregate([("x", None, b"0"), ("y", None, b"1"), ("z", None, b"2")]))
    plain = orders.put("b", b"3")
    place = Position(packed.sequence, 1, packed.number)
    subscriber = Subscriber(await clients.get("kinesis"), consumer.arn, place, deaggregate=True)
    records = await subscriber.read()
    assert [(each.key, data(each)) for each in records] == [("y", "MQ=="), ("z", "Mg=="), ("b", "Mw==")]
    assert [each.position for each in records] == [
        Position(packed.sequence, 2),
        Position(packed.sequence, 3),
        Position(plain.sequence),
    ]
    await subscriber.pages.aclose()


# --- from one subscription to the next ------------------------------------------------------------------------------


@pytest.mark.semantics("EFO-03")
async def test_after_a_dropped_subscription_nothing_is_lost_and_nothing_comes_twice(
    stub: Stub, orders: KinesisStream, subscriber: Subscriber
) -> None:
    sent: list[str] = []
    for _ in range(3):
        sent += put(orders, 4)
        await subscriber.sees(sent[-1])
        stub.drop_subscriptions(orders)
        sent += put(orders, 2)
    await subscriber.sees(sent[-1])
    assert subscriber.seen == sent
    assert len(places(stub)) == 4
    assert {where["Type"] for where in places(stub)[1:]} == {"AFTER_SEQUENCE_NUMBER"}


@pytest.mark.semantics("EFO-03")
async def test_what_is_held_of_an_open_event_comes_before_what_the_next_subscription_brings(
    stub: Stub, orders: KinesisStream, subscriber: Subscriber
) -> None:
    sent = put(orders, 5)
    await subscriber.read(limit=2)
    stub.drop_subscriptions(orders)
    sent += put(orders, 1)
    while len(subscriber.seen) < len(sent):
        await subscriber.read(limit=2)
    assert subscriber.seen == sent


@pytest.mark.parametrize("fault", ["corrupt_frames", "cut_frames"])
@pytest.mark.semantics("EFO-03")
async def test_a_damaged_event_is_sent_again_to_the_next_subscription(
    fault: str, stub: Stub, orders: KinesisStream, subscriber: Subscriber
) -> None:
    sent = put(orders, 2)
    await subscriber.sees(*sent)
    setattr(orders.faults, fault, 1)
    sent += put(orders, 2)
    await subscriber.sees(*sent)
    assert subscriber.seen == sent
    assert places(stub)[1] == {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": sent[1]}


@pytest.mark.semantics("EFO-03")
async def test_a_subscription_that_falls_silent_is_replaced(
    stub: Stub, orders: KinesisStream, consumer: Consumer
) -> None:
    stub.heartbeat_seconds = 1000.0
    async with Clients(AwsSettings(endpoint_url=stub.url, region="us-east-1", read_timeout=0.5)) as impatient:
        subscriber = Subscriber(await impatient.get("kinesis"), consumer.arn)
        sent = put(orders, 2)
        await subscriber.sees(*sent)
        while len(stub.calls_of("SubscribeToShard")) < 3:
            await subscriber.read(wait=0.1)
        sent += put(orders, 2)
        await subscriber.sees(*sent)
        assert subscriber.seen == sent
        await subscriber.pages.aclose()


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"loop_factory": VirtualLoop})])
@pytest.mark.semantics("EFO-02")
async def test_an_hour_is_read_by_subscriptions_that_the_service_never_had_to_end() -> None:
    clock = LoopClock(EPOCH)
    async with (
        stream_stub.serve(clock.wall) as stub,
        open_session(None).create_client("kinesis", "us-east-1", endpoint_url=stub.url, verify=False) as client,
    ):
        orders = stub.kinesis("orders")
        subscriber = Subscriber(client, orders.consumer("headrace").arn, clock=clock)
        sent: list[str] = []
        while clock.monotonic() < 3600:
            sent += put(orders, 3)
            last = clock.monotonic() + 19
            while clock.monotonic() < last:
                await subscriber.read(limit=2, wait=last - clock.monotonic())
        await subscriber.sees(*sent)
        calls = stub.calls_of("SubscribeToShard")
        assert subscriber.seen == sent
        assert len(calls) == 13
        assert all(after.at - before.at < stub.subscription_seconds for before, after in pairwise(calls))
        assert {call.answer for call in calls} == {""}
        await subscriber.pages.aclose()


# --- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("EFO-05")
async def test_a_consumer_in_use_is_tried_again_until_it_is_free(
    stub: Stub, orders: KinesisStream, subscriber: Subscriber
) -> None:
    stub.resubscribe_seconds = 5.0
    sent = put(orders, 2)
    await subscriber.sees(*sent)
    stub.drop_subscriptions(orders)
    sent += put(orders, 2)
    await subscriber.sees(*sent)
    assert subscriber.seen == sent
    assert [call.answer for call in stub.calls_of("SubscribeToShard")] == ["", "ResourceInUseException", ""]


FAILURES = [
    pytest.param({"error": "AccessDeniedException"}, "AccessDeniedException", id="refused"),
    pytest.param({"status": 500}, "InternalFailure", id="server error"),
    pytest.param({"throttle": 1}, "LimitExceededException|ProvisionedThroughputExceeded", id="throttled"),
    pytest.param({"unlike": True}, "SubscribeToShard", id="another service"),
    pytest.param({"lost_replies": 1}, "SubscribeToShard", id="no reply"),
    pytest.param({"corrupt_frames": 1}, "ChecksumMismatch", id="corrupt"),
    pytest.param({"cut_frames": 1}, "ClientPayloadError", id="cut"),
    pytest.param({"event_errors": ["KMSAccessDeniedException"]}, "KMSAccessDeniedException", id="exception event"),
]


@pytest.mark.parametrize(("faults", "told"), FAILURES)
@pytest.mark.semantics("EFO-04")
async def test_a_subscription_that_brings_nothing_fails_and_the_next_goes_on(
    faults: dict[str, Any], told: str, orders: KinesisStream, consumer: Consumer, subscriber: Subscriber
) -> None:
    sent = put(orders, 3)
    orders.faults = Faults(**faults)
    with pytest.raises(SourceUnavailable, match=told) as caught:
        await subscriber.read()
    assert SHARD in str(caught.value)
    assert consumer.arn in str(caught.value)
    orders.faults = Faults()
    await subscriber.sees(*sent)
    assert subscriber.seen == sent


@pytest.mark.semantics("EFO-04")
async def test_a_place_of_another_stream_and_a_consumer_that_is_gone_are_failures(
    stub: Stub, orders: KinesisStream, consumer: Consumer, clients: Clients, subscriber: Subscriber
) -> None:
    await subscriber.sees(*put(orders, 1))
    elsewhere = Subscriber(await clients.get("kinesis"), consumer.arn, Position.parse("7"))
    with pytest.raises(SourceUnavailable, match=f"on {SHARD} for .*InvalidArgumentException"):
        await elsewhere.read()
    await elsewhere.pages.aclose()
    stub.delete(orders)
    with pytest.raises(SourceUnavailable, match="ResourceNotFoundException"):
        await subscriber.read()


# --- until, and the end ---------------------------------------------------------------------------------------------


@pytest.mark.semantics("EFO-07")
async def test_short_looks_lose_nothing_of_what_is_being_received(
    orders: KinesisStream, subscriber: Subscriber
) -> None:
    sent: list[str] = []
    for number in range(10):
        sent.append(orders.put("key", bytes([number]) * 900_000).number)
        with anyio.move_on_after(0.001 * number):
            await subscriber.read(wait=0.002 * number)
    await subscriber.sees(*sent)
    assert subscriber.seen == sent


@pytest.mark.semantics("EFO-07")
async def test_what_nobody_asks_for_stays_with_the_service(
    stub: Stub, orders: KinesisStream, consumer: Consumer, clients: Clients
) -> None:
    made: list[str] = []

    def make(raws: Sequence[Mapping[str, Any]]) -> Records:
        numbers = [raw["SequenceNumber"] for raw in raws]
        made.extend(numbers)
        return Records.of(Record(Lane(orders.arn, SHARD), each, {}, 0.0, Position.parse(each)) for each in numbers)

    pages = SubscribedShard(await clients.get("kinesis"), consumer.arn, SHARD, BEGINNING, make, SystemClock())
    sent = [orders.put("key", bytes(1_000_000)).number for _ in range(30)]  # an event each
    first = await pages.next(10, None)
    assert [record.id for record in first.records] == made == sent[:1]
    await pages.next(10, anyio.current_time())
    with anyio.move_on_after(0.5):
        await anyio.sleep_forever()
    assert made == sent[:2]
    await pages.aclose()


async def test_closing_hangs_up() -> None:
    hung_up = anyio.Event()

    async def serve(request: asyncio.StreamReader, reply: asyncio.StreamWriter) -> None:
        await request.readuntil(b"\r\n\r\n")
        reply.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n")
        reply.write(frames.event("initial-response", b"{}") + frames.event("SubscribeToShardEvent", b"{}"))
        with suppress(ConnectionError):
            while await request.read(1000):
                pass
        hung_up.set()
        reply.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with Clients(AwsSettings(endpoint_url=f"http://{host}:{port}", region="us-east-1")) as clients:
            subscriber = Subscriber(
                await clients.get("kinesis"), "arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1"
            )
            await subscriber.read()
            assert not hung_up.is_set()
            await subscriber.pages.aclose()
            await hung_up.wait()


# --- another server's -----------------------------------------------------------------------------------------------


@pytest.mark.semantics("EFO-01", "EFO-06")
async def test_it_reads_from_an_emulator(ministack: Server) -> None:
    async with Clients(AwsSettings(endpoint_url=ministack.endpoint_url, region="us-east-1")) as clients:
        client = await clients.get("kinesis")
        await client.create_stream(StreamName="pushed", ShardCount=1)
        about = await client.describe_stream(StreamName="pushed")
        arn = about["StreamDescription"]["StreamARN"]
        registered = await client.register_stream_consumer(StreamARN=arn, ConsumerName="headrace")
        subscriber = Subscriber(client, registered["Consumer"]["ConsumerARN"])
        sent: list[str] = []
        for number in range(6):
            put = await client.put_record(StreamName="pushed", PartitionKey="key", Data=str(number).encode())
            sent.append(put["SequenceNumber"])
            if number % 2:
                await subscriber.sees(*sent)
        assert subscriber.seen == sent
        shard = about["StreamDescription"]["Shards"][0]
        await client.split_shard(StreamName="pushed", ShardToSplit=shard["ShardId"], NewStartingHashKey=str(2**127))
        while not subscriber.ended:
            await subscriber.read()
        assert subscriber.seen == sent
        await subscriber.pages.aclose()

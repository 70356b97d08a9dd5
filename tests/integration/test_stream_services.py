"""Both stream services over the wire: against servers that behave, each in its own way, and one that misbehaves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import anyio
import orjson
import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clock import SystemClock
from headrace.config.errors import SourceError, SourceMissing, SourceRefused, SourceUnavailable
from headrace.config.fields.arn import Arn
from headrace.dispatch.core.model import Record
from headrace.pollers.checkpoints.store import BEGINNING, Start, StartKind
from headrace.pollers.dynamodb.service import DynamoDbService
from headrace.pollers.kinesis.service import KinesisService
from headrace.pollers.streams.polled_shard import Cadence
from headrace.pollers.streams.service import Lost, Pages, Probed, StreamService
from support import stream_stub
from support.eventually import PATIENCE, eventually_async
from support.servers.running import Server
from support.stream_stub import Faults, KinesisStream, Stub, TableStream

BRISK = Cadence(idle=0.02, calls_per_second=None, bytes_per_second=None, page=1000)
EVERY_BYTE = bytes(range(256))
Put = Callable[[int], Awaitable[None]]
"""Puts a record with this number."""


def number(record: Record) -> int:
    """The number that was put with a record."""
    item: Any = record.item
    if "kinesis" in item:
        return int(item["kinesis"]["partitionKey"])
    return int(item["dynamodb"]["Keys"]["id"]["S"])


async def read(pages: Pages, count: int) -> list[Record]:
    """The next so many records, and no more."""
    found: list[Record] = []
    with anyio.fail_after(PATIENCE):
        while len(found) < count:
            found += (await pages.next(100, None)).records
    return found


async def to_the_end(pages: Pages) -> list[int]:
    """What is left of a shard that was closed."""
    found: list[int] = []
    with anyio.fail_after(PATIENCE):
        while True:
            page = await pages.next(100, None)
            found += map(number, page.records)
            if page.ended:
                return found


async def numbers(pages: Pages, count: int) -> list[int]:
    return [number(record) for record in await read(pages, count)]


@asynccontextmanager
async def connected(url: str, read_timeout: float = 10.0) -> AsyncIterator[Clients]:
    async with Clients(AwsSettings(endpoint_url=url, region="us-east-1", read_timeout=read_timeout)) as clients:
        yield clients


# --- servers that behave --------------------------------------------------------------------------------------------


class World:
    """A fresh stream of one shard on one server, and the service that reads it."""

    def __init__(self, service: StreamService, put: Put, client: Any, name: str) -> None:
        self.service = service
        self.put = put
        self.client = client
        self.name = name

    async def pages(self, place: Any = BEGINNING) -> Pages:
        listing = await self.service.list()
        (shard,) = listing.shards
        return self.service.pages(listing.arn, shard.id, place)


async def kinesis_world(clients: Clients) -> World:
    client = await clients.get("kinesis")
    name = f"orders-{uuid4().hex[:8]}"
    await client.create_stream(StreamName=name, ShardCount=1)
    await client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 0.05})
    arn = Arn.parse(f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}")

    async def put(each: int) -> None:
        await client.put_record(StreamName=name, PartitionKey=str(each), Data=EVERY_BYTE)

    return World(KinesisService(arn, client, SystemClock(), role="role", cadence=BRISK), put, client, name)


async def dynamodb_world(clients: Clients) -> World:
    tables, streams = await clients.get("dynamodb"), await clients.get("dynamodbstreams")
    name = f"orders-{uuid4().hex[:8]}"
    await tables.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    arn = Arn.parse(f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}")

    async def put(each: int) -> None:
        await tables.put_item(TableName=name, Item={"id": {"S": str(each)}, "b": {"B": EVERY_BYTE}})

    return World(DynamoDbService(arn, tables, streams, SystemClock(), cadence=BRISK), put, tables, name)


NODE, JAVA = pytest.mark.needs("node", "npm"), pytest.mark.needs("java", "maven")
WORLDS = [
    pytest.param((kinesis_world, "ministack"), id="kinesis-ministack"),
    pytest.param((kinesis_world, "moto"), id="kinesis-moto"),
    pytest.param((kinesis_world, "kinesalite"), id="kinesis-kinesalite", marks=NODE),
    pytest.param((dynamodb_world, "ministack"), id="dynamodb-ministack"),
    pytest.param((dynamodb_world, "moto"), id="dynamodb-moto"),
    pytest.param((dynamodb_world, "dynamodb_local"), id="dynamodb-dynamodb_local", marks=JAVA),
]


@pytest.fixture(params=WORLDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    make, name = request.param
    server: Server = request.getfixturevalue(name)
    async with connected(server.endpoint_url) as clients:
        yield await make(clients)


@pytest.mark.semantics("STREAM-30", "STREAM-47")
async def test_records_come_in_order_from_where_the_reader_stands(world: World) -> None:
    listing = await world.service.list()
    now = listing.at
    for each in range(7):
        await world.put(each)
    found = await read(await world.pages(), 7)
    assert [number(record) for record in found] == list(range(7))
    place = found[3].position
    assert place is not None
    assert await numbers(await world.pages(place), 3) == [4, 5, 6]
    kind = world.service.latest
    assert await numbers(await world.pages(Start(kind, now)), 7) == list(range(7))
    assert listing.created is None or listing.created <= found[0].arrived + 60  # which may be told in minutes


@pytest.mark.semantics("STREAM-47")
async def test_binaries_arrive_as_the_base64_that_the_service_sent(world: World) -> None:
    await world.put(1)
    (record,) = await read(await world.pages(), 1)
    item: Any = record.item
    data = item["kinesis"]["data"] if "kinesis" in item else item["dynamodb"]["NewImage"]["b"]["B"]
    assert data.startswith("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g")
    assert data.endswith("8PHy8/T19vf4+fr7/P3+/w==")
    assert orjson.loads(record.body) == item


@pytest.mark.semantics("STREAM-37")
async def test_a_reader_finds_what_comes_later(world: World) -> None:
    pages = await world.pages()
    assert not (await pages.next(100, None)).records
    for each in range(3):
        await world.put(each)
        assert await numbers(pages, 1) == [each]


@pytest.mark.semantics("STREAM-40")
async def test_no_more_comes_than_was_asked_for(world: World) -> None:
    for each in range(5):
        await world.put(each)
    pages = await world.pages()
    found: list[int] = []
    with anyio.fail_after(PATIENCE):
        while len(found) < 5:
            page = await pages.next(2, None)
            assert len(page.records) <= 2
            found += map(number, page.records)
    assert found == [0, 1, 2, 3, 4]


@pytest.mark.semantics("STREAM-46")
async def test_the_record_at_a_position(world: World) -> None:
    for each in range(3):
        await world.put(each)
    listing = await world.service.list()
    record = (await read(await world.pages(), 3))[1]
    assert record.position is not None
    found = await world.service.probe(listing.arn, record.lane.shard, record.position)
    assert found == Probed(record.position.number, record.arrived)


@pytest.mark.semantics("STREAM-33")
async def test_what_came_before_the_start_is_passed_over(world: World) -> None:
    """Two minutes before it, as far as the server tells it: some tell the minute."""
    await world.put(1)
    (old,) = await read(await world.pages(), 1)
    start = Start(world.service.latest, float(int(old.arrived) + 120))
    pages = await world.pages(start)
    for _ in range(3):
        with suppress(SourceUnavailable):  # AWS and kinesalite refuse a moment that has not come
            assert not (await pages.next(100, None)).records


@pytest.mark.semantics("STREAM-42")
async def test_a_stream_that_is_missing_is_named(world: World) -> None:
    if isinstance(world.service, KinesisService):
        await world.client.delete_stream(StreamName=world.name)
    else:
        await world.client.delete_table(TableName=world.name)

    async def gone() -> bool:
        try:
            await world.service.list()
        except SourceMissing as error:
            return world.name in str(error)
        return False

    await eventually_async(gone)


@pytest.mark.semantics("STREAM-35")
@pytest.mark.needs("node", "npm")
@pytest.mark.parametrize("left", [0, 1, 5])
async def test_a_shard_that_was_split_is_read_to_its_end(kinesalite: Server, left: int) -> None:
    async with connected(kinesalite.endpoint_url) as clients:
        world = await kinesis_world(clients)
        pages = await world.pages()
        await world.put(99)
        assert await numbers(pages, 1) == [99]
        for each in range(left):
            await world.put(each)
        listing = await world.service.list()
        parent = listing.shards[0].id
        await world.client.split_shard(StreamName=world.name, ShardToSplit=parent, NewStartingHashKey=str(2**127))
        assert await to_the_end(pages) == list(range(left))
        after = await world.service.list()
        assert [shard.closed for shard in after.shards] == [True, False, False]
        assert [shard.parents for shard in after.shards] == [(), (parent,), (parent,)]


@pytest.mark.semantics("STREAM-36")
async def test_a_closed_shard_that_is_still_written_to_is_read_on(moto: Server) -> None:
    async with connected(moto.endpoint_url) as clients:
        world = await kinesis_world(clients)
        pages = await world.pages()
        listing = await world.service.list()
        parent = listing.shards[0].id
        await world.client.split_shard(StreamName=world.name, ShardToSplit=parent, NewStartingHashKey=str(2**127))
        for _ in range(5):
            assert not (await pages.next(100, None)).ended
        await world.put(1)
        assert await numbers(pages, 1) == [1]


@pytest.mark.semantics("STREAM-44")
@pytest.mark.needs("java", "maven")
async def test_a_stream_that_was_switched_off_is_read_to_its_end(dynamodb_local: Server) -> None:
    async with connected(dynamodb_local.endpoint_url) as clients:
        world = await dynamodb_world(clients)
        first = (await world.service.list()).arn
        pages = await world.pages()
        for each in range(3):
            await world.put(each)
        off = {"StreamEnabled": False}
        await world.client.update_table(TableName=world.name, StreamSpecification=off)
        assert await to_the_end(pages) == [0, 1, 2]
        on = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
        await world.client.update_table(TableName=world.name, StreamSpecification=on)
        assert (await world.service.list()).arn != first
        assert (await world.service.list(first)).arn == first


@pytest.mark.semantics("STREAM-44")
@pytest.mark.needs("java", "maven")
async def test_a_table_without_a_stream_is_told_how_to_get_one(dynamodb_local: Server) -> None:
    async with connected(dynamodb_local.endpoint_url) as clients:
        tables, streams = await clients.get("dynamodb"), await clients.get("dynamodbstreams")
        name = f"plain-{uuid4().hex[:8]}"
        await tables.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        arn = Arn.parse(f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}")
        with pytest.raises(SourceMissing, match=r"has no stream.*StreamEnabled"):
            await DynamoDbService(arn, tables, streams, SystemClock()).list()


# --- one that misbehaves --------------------------------------------------------------------------------------------


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with stream_stub.serve() as stub:
        stub.limits = None
        yield stub


@pytest.fixture
async def clients(stub: Stub) -> AsyncIterator[Clients]:
    async with connected(stub.url, read_timeout=0.5) as clients:
        yield clients


@pytest.fixture
def orders(stub: Stub) -> KinesisStream:
    return stub.kinesis("orders")


@pytest.fixture
def table(stub: Stub) -> TableStream:
    return stub.table("orders")


@pytest.fixture
async def kinesis(clients: Clients, orders: KinesisStream) -> KinesisService:
    client = await clients.get("kinesis")
    return KinesisService(Arn.parse(orders.arn), client, SystemClock(), role="role", cadence=BRISK)


@pytest.fixture
async def dynamodb(clients: Clients, table: TableStream) -> DynamoDbService:
    tables, streams = await clients.get("dynamodb"), await clients.get("dynamodbstreams")
    return DynamoDbService(Arn.parse(table.table_arn), tables, streams, SystemClock(), cadence=BRISK)


def put_orders(orders: KinesisStream, *keys: int) -> None:
    for key in keys:
        orders.put(str(key), b"data", shard=orders.open_shards[0])


def put_items(table: TableStream, *keys: int) -> None:
    for key in keys:
        table.put({"id": {"S": str(key)}})


@pytest.fixture(params=["kinesis", "dynamodb"])
def either(
    request: pytest.FixtureRequest, orders: KinesisStream, table: TableStream
) -> tuple[StreamService, KinesisStream | TableStream, Callable[..., None]]:
    """A service, its stream in the stub, and how numbers are put there."""
    service: StreamService = request.getfixturevalue(request.param)
    if request.param == "kinesis":
        return service, orders, lambda *keys: put_orders(orders, *keys)
    return service, table, lambda *keys: put_items(table, *keys)


Either = tuple[StreamService, KinesisStream | TableStream, Callable[..., None]]


async def first_shard(service: StreamService, place: Any = BEGINNING) -> Pages:
    listing = await service.list()
    return service.pages(listing.arn, listing.shards[0].id, place)


async def failures_until(pages: Pages, count: int) -> tuple[list[int], list[SourceUnavailable]]:
    """The next so many records, and what failed on the way."""
    found: list[int] = []
    failed: list[SourceUnavailable] = []
    with anyio.fail_after(PATIENCE):
        while len(found) < count:
            try:
                found += map(number, (await pages.next(100, None)).records)
            except SourceUnavailable as error:
                failed.append(error)
    return found, failed


@pytest.mark.semantics("STREAM-41")
@pytest.mark.parametrize(
    "wrong",
    [
        {"silent": True},
        {"status": 500},
        {"status": 503},
        {"error": "AccessDeniedException"},
        {"error": "ResourceNotFoundException"},
        {"unlike": True},
        {"truncated": True},
        {"lost_replies": 1},
        {"throttle": 1},
    ],
    ids=repr,
)
async def test_whatever_goes_wrong_with_a_shard_passes_and_moves_nothing(either: Either, wrong: dict[str, Any]) -> None:
    service, stream, put = either
    pages = await first_shard(service)
    put(0, 1)
    assert await numbers(pages, 2) == [0, 1]
    put(2, 3)
    stream.faults = Faults(**wrong)
    with pytest.raises(SourceUnavailable, match=stream.open_shards[0]):
        await pages.next(100, None)
    stream.faults = Faults()
    put(4)
    assert await failures_until(pages, 3) == ([2, 3, 4], [])


@pytest.mark.semantics("STREAM-31")
async def test_an_iterator_that_expired_loses_and_repeats_nothing(stub: Stub, either: Either) -> None:
    service, stream, put = either
    pages = await first_shard(service)
    put(0, 1)
    assert await numbers(pages, 2) == [0, 1]
    put(2)
    stream.expire_iterators()
    assert await failures_until(pages, 1) == ([2], [])
    put(3)
    stub.clock.advance(901)
    assert await failures_until(pages, 1) == ([3], [])
    assert {call.answer for call in stub.calls_of("GetRecords")} == {"", "ExpiredIteratorException"}


@pytest.mark.semantics("STREAM-35")
async def test_a_missing_iterator_of_an_open_shard_ends_nothing(either: Either) -> None:
    service, stream, put = either
    pages = await first_shard(service)
    put(0, 1)
    stream.faults.null_iterators = 2
    assert await numbers(pages, 2) == [0, 1]
    for _ in range(3):
        page = await pages.next(100, None)
        assert (len(page.records), page.ended) == (0, False)
    put(2)
    assert await numbers(pages, 1) == [2]


@pytest.mark.semantics("STREAM-37")
async def test_empty_answers_with_something_behind_them_say_nothing(either: Either) -> None:
    service, stream, put = either
    put(0, 1)
    stream.faults.empty_pages = 4
    assert await numbers(await first_shard(service), 2) == [0, 1]


@pytest.mark.semantics("STREAM-35")
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("left", [(), (7, 8)])
async def test_a_closed_shard_is_read_to_its_end(
    kinesis: KinesisService, orders: KinesisStream, late: bool, left: Sequence[int]
) -> None:
    orders.late_end = late
    pages = await first_shard(kinesis)
    put_orders(orders, 0)
    assert await numbers(pages, 1) == [0]
    put_orders(orders, *left)
    orders.split(orders.open_shards[0])
    assert await to_the_end(pages) == list(left)
    assert (await pages.next(100, None)).ended


@pytest.mark.semantics("STREAM-35")
async def test_a_rotated_shard_is_read_to_its_end_and_its_child_from_its_beginning(
    dynamodb: DynamoDbService, table: TableStream
) -> None:
    pages = await first_shard(dynamodb)
    put_items(table, 0, 1)
    child = table.rotate()
    put_items(table, 2, 3)
    assert await to_the_end(pages) == [0, 1]
    listing = await dynamodb.list()
    assert await numbers(dynamodb.pages(listing.arn, child, BEGINNING), 2) == [2, 3]


@pytest.mark.semantics("STREAM-34")
async def test_a_position_that_was_trimmed_is_a_gap(dynamodb: DynamoDbService, table: TableStream) -> None:
    records = [table.put({"id": {"S": str(each)}}) for each in range(4)]
    pages = await first_shard(dynamodb)
    (record, *_) = await read(pages, 4)
    table.trim(table.open_shards[0], records[2])
    page = await (await first_shard(dynamodb, record.position)).next(100, None)
    assert page.lost == (Lost(str(record.id), "trim horizon", "trimmed by retention"),)
    assert [number(each) for each in page.records] == [3]


@pytest.mark.semantics("STREAM-34")
async def test_what_was_trimmed_under_an_iterator_is_a_gap(dynamodb: DynamoDbService, table: TableStream) -> None:
    pages = await first_shard(dynamodb)
    put_items(table, 0)
    (done,) = await read(pages, 1)
    records = [table.put({"id": {"S": str(each)}}) for each in (1, 2)]
    table.trim(table.open_shards[0], records[0])
    page = await pages.next(100, None)
    assert page.lost == (Lost(str(done.id), "trim horizon", "trimmed by retention"),)
    assert [number(each) for each in page.records] == [2]


@pytest.mark.semantics("STREAM-43")
async def test_a_listing_has_all_pages(either: Either) -> None:
    service, stream, _ = either
    stream.page = 1
    for _ in range(3):
        stream.split(stream.open_shards[0])
    assert [shard.id for shard in (await service.list()).shards] == list(stream.shards)


@pytest.mark.semantics("STREAM-43")
@pytest.mark.parametrize("operation", ["DescribeStreamSummary", "ListShards"])
async def test_a_server_without_the_newer_operations_is_listed(
    stub: Stub, kinesis: KinesisService, orders: KinesisStream, operation: str
) -> None:
    orders.split(orders.open_shards[0])
    orders.page = 2
    orders.faults = Faults(only=operation, error="UnknownOperationException")
    listing = await kinesis.list()
    assert (listing.created, [shard.id for shard in listing.shards]) == (orders.created, list(orders.shards))
    assert len(stub.calls_of("DescribeStream")) == 2


@pytest.mark.semantics("STREAM-42")
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"refuse_listing": "AccessDeniedException"}, SourceRefused),
        ({"refuse_listing": "LimitExceededException"}, SourceUnavailable),
        ({"refuse_listing": "ResourceNotFoundException"}, SourceMissing),
        ({"status": 503}, SourceUnavailable),
        ({"silent": True}, SourceUnavailable),
        ({"truncated": True}, SourceUnavailable),
        ({"unlike": True}, SourceUnavailable),
    ],
    ids=repr,
)
async def test_what_is_wrong_with_a_stream_is_said_with_its_name(
    either: Either, wrong: dict[str, Any], error: type[SourceError]
) -> None:
    service, stream, _ = either
    stream.faults = Faults(**wrong)
    with pytest.raises(error, match=service.name):
        await service.list()


@pytest.mark.semantics("STREAM-42")
async def test_a_stream_that_is_made_is_waited_for_and_one_that_goes_is_missing(
    kinesis: KinesisService, orders: KinesisStream
) -> None:
    orders.status = "CREATING"
    with pytest.raises(SourceUnavailable, match="is being created"):
        await kinesis.list()
    orders.status = "DELETING"
    with pytest.raises(SourceMissing, match="is being deleted"):
        await kinesis.list()


@pytest.mark.semantics("STREAM-44")
async def test_the_stream_of_a_deleted_table_is_read_to_its_end(
    stub: Stub, dynamodb: DynamoDbService, table: TableStream
) -> None:
    listing = await dynamodb.list()
    put_items(table, 0, 1)
    pages = dynamodb.pages(listing.arn, listing.shards[0].id, BEGINNING)
    stub.delete(table)
    assert await to_the_end(pages) == [0, 1]
    assert all(shard.closed for shard in (await dynamodb.list(listing.arn)).shards)
    stub.vanish(table)
    with pytest.raises(SourceMissing, match=listing.arn):
        await dynamodb.list(listing.arn)


@pytest.mark.semantics("STREAM-38")
async def test_a_shard_is_never_asked_more_often_than_aws_allows(
    stub: Stub, clients: Clients, orders: KinesisStream
) -> None:
    stub.limits = stream_stub.Limits()
    service = KinesisService(Arn.parse(orders.arn), await clients.get("kinesis"), SystemClock(), role="role")
    put_orders(orders, *range(12))
    pages = await first_shard(service)
    found: list[int] = []
    with anyio.fail_after(PATIENCE):
        while len(found) < 12:
            found += map(number, (await pages.next(1, None)).records)
    assert found == list(range(12))
    assert {call.answer for call in stub.calls} == {""}


@pytest.mark.semantics("STREAM-46")
async def test_a_position_of_another_stream_is_an_answer(either: Either) -> None:
    service, _, put = either
    put(0)
    pages = await first_shard(service)
    (record,) = await read(pages, 1)
    assert record.position is not None
    listing = await service.list()
    missing = await service.probe(listing.arn, "shardId-000000000000-unknown", record.position)
    assert missing == Probed()


@pytest.mark.semantics("STREAM-45")
async def test_a_consumer_reads_its_stream_and_is_named_by_its_events(
    stub: Stub, clients: Clients, orders: KinesisStream
) -> None:
    consumer = orders.consumer("headrace")
    service = KinesisService(Arn.parse(consumer.arn), await clients.get("kinesis"), SystemClock(), role="role")
    put_orders(orders, 1)
    listing = await service.list()
    pages = await first_shard(service)
    (record,) = await read(pages, 1)
    await pages.aclose()
    assert listing.arn == record.lane.source == orders.arn
    assert record.item["eventSourceARN"] == consumer.arn
    assert stub.calls_of("GetRecords") == []


@pytest.mark.semantics("STREAM-33")
async def test_latest_of_a_table_leaves_out_what_is_older(
    stub: Stub, dynamodb: DynamoDbService, table: TableStream
) -> None:
    put_items(table, 0)
    stub.clock.advance(120)
    start = Start(StartKind.NEWER_THAN, (await dynamodb.list()).at)
    put_items(table, 1)
    assert await numbers(await first_shard(dynamodb, start), 1) == [1]

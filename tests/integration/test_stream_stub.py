"""What only our own stream server has, as aiobotocore sees it: expiry, retention, quotas, fan-out, and its faults.

That its answers are AWS's is held by test_stream_quirks.py.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientPayloadError, ClientSession
from botocore.eventstream import ChecksumMismatch
from botocore.exceptions import ClientError, ConnectionClosedError, EventStreamError, ReadTimeoutError

from support import stream_stub
from support.stream_lab import FIRST, Lab, data, ids, lab, refused
from support.stream_stub import Faults, KinesisStream, Stub

SECOND = "shardId-000000000001"
NOW = 1_800_000_000.0
"""The stub's clock stands still, until it is advanced: a busy machine changes nothing."""


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with stream_stub.serve(wall=lambda: NOW) as serving:
        yield serving


@pytest.fixture
async def asking(stub: Stub) -> AsyncIterator[Lab]:
    async with lab(stub.url) as clients:
        yield clients


def codes(stub: Stub, operation: str) -> list[str]:
    return [call.answer for call in stub.calls_of(operation)]


# --- time -----------------------------------------------------------------------------------------------------------


async def test_kinesis_iterators_expire_after_five_minutes(stub: Stub, asking: Lab) -> None:
    stub.kinesis("orders").put("k", b"a")
    iterator = await asking.iterator("orders", FIRST, "TRIM_HORIZON")
    stub.clock.advance(299)
    assert data(await asking.kinesis.get_records(ShardIterator=iterator)) == "a"
    stub.clock.advance(2)
    assert await refused(asking.kinesis.get_records(ShardIterator=iterator)) == "ExpiredIteratorException"


async def test_dynamodb_iterators_expire_after_fifteen_minutes(stub: Stub, asking: Lab) -> None:
    orders = stub.table("orders")
    iterator = await asking.stream_iterator(orders.arn, "TRIM_HORIZON")
    stub.clock.advance(899)
    assert await asking.changes(iterator) == []
    stub.clock.advance(2)
    assert await refused(asking.changes(iterator)) == "ExpiredIteratorException"


async def test_all_iterators_expire_at_once(stub: Stub, asking: Lab) -> None:
    orders, table = stub.kinesis("orders"), stub.table("orders")
    old = await asking.iterator("orders", FIRST, "LATEST"), await asking.stream_iterator(table.arn, "LATEST")
    orders.expire_iterators()
    table.expire_iterators()
    assert await refused(asking.kinesis.get_records(ShardIterator=old[0])) == "ExpiredIteratorException"
    assert await refused(asking.changes(old[1])) == "ExpiredIteratorException"
    new = await asking.iterator("orders", FIRST, "LATEST")
    assert await refused(asking.kinesis.get_records(ShardIterator=new)) == "accepted"


async def test_listing_tokens_expire_after_five_minutes(stub: Stub, asking: Lab) -> None:
    stub.kinesis("orders", shards=2).page = 1
    token = (await asking.kinesis.list_shards(StreamName="orders"))["NextToken"]
    stub.clock.advance(301)
    assert await refused(asking.kinesis.list_shards(NextToken=token)) == "ExpiredNextTokenException"


async def test_replies_carry_the_stubs_time(stub: Stub, asking: Lab) -> None:
    stub.kinesis("orders")
    stub.clock.advance(86_400)
    reply = await asking.kinesis.list_shards(StreamName="orders")
    date = parsedate_to_datetime(reply["ResponseMetadata"]["HTTPHeaders"]["date"])
    assert 0 <= stub.clock.now() - date.timestamp() < 60


async def test_records_and_closed_shards_go_after_the_retention(stub: Stub, asking: Lab) -> None:
    orders = stub.kinesis("orders")
    orders.put("k", b"old")
    orders.split(FIRST)
    stub.clock.advance(86_401)
    new = orders.put("k", b"new")
    assert ids(await asking.shards("orders")) == ["01", "02"]
    assert await asking.read("orders", new.shard, "TRIM_HORIZON") == "new"


async def test_records_of_an_open_shard_go_after_the_retention(stub: Stub, asking: Lab) -> None:
    orders = stub.kinesis("orders")
    orders.put("k", b"old")
    stub.clock.advance(86_401)
    orders.put("k", b"new")
    assert await asking.read("orders", FIRST, "TRIM_HORIZON") == "new"


async def test_a_stream_made_anew_is_younger_and_has_higher_numbers(stub: Stub, asking: Lab) -> None:
    former = stub.kinesis("orders")
    number = former.put("k", b"a")
    again = stub.kinesis("orders")
    assert again.created > former.created
    assert again.put("k", b"b").sequence > number.sequence
    assert stub.table("orders").arn != stub.table("orders").arn


# --- what is gone ---------------------------------------------------------------------------------------------------


async def test_kinesis_reads_on_after_what_was_trimmed(stub: Stub, asking: Lab) -> None:
    orders = stub.kinesis("orders")
    records = [orders.put("k", each.encode()) for each in "abc"]
    iterator = await asking.iterator("orders", FIRST, "TRIM_HORIZON")
    orders.trim(FIRST, records[1])
    assert data(await asking.kinesis.get_records(ShardIterator=iterator)) == "c"
    assert await asking.read("orders", FIRST, "AFTER_SEQUENCE_NUMBER", records[0].number) == "c"


async def test_dynamodb_refuses_what_was_trimmed(stub: Stub, asking: Lab) -> None:
    orders = stub.table("orders")
    records = [orders.put({"id": {"S": each}}) for each in "abc"]
    iterator = await asking.stream_iterator(orders.arn, "TRIM_HORIZON")
    orders.trim(records[0].shard, records[1])
    after = asking.stream_iterator(orders.arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=records[0].number)
    assert await refused(asking.changes(iterator)) == "TrimmedDataAccessException"
    assert await refused(after) == "TrimmedDataAccessException"
    (left,) = await asking.changes(await asking.stream_iterator(orders.arn, "TRIM_HORIZON"))
    assert left["dynamodb"]["SequenceNumber"] == records[2].number


async def test_a_forgotten_shard_is_not_found(stub: Stub, asking: Lab) -> None:
    orders = stub.kinesis("orders")
    iterator = await asking.iterator("orders", FIRST, "TRIM_HORIZON")
    orders.split(FIRST)
    orders.forget(FIRST)
    assert ids(await asking.shards("orders")) == ["01", "02"]
    assert await refused(asking.kinesis.get_records(ShardIterator=iterator)) == "ResourceNotFoundException"


async def test_a_deleted_table_leaves_its_stream_until_it_vanishes(stub: Stub, asking: Lab) -> None:
    orders = stub.table("orders")
    stub.delete(orders)
    assert await refused(asking.dynamodb.describe_table(TableName="orders")) == "ResourceNotFoundException"
    assert (await asking.described(orders.arn))["StreamStatus"] == "DISABLED"
    stub.vanish(orders)
    assert await refused(asking.described(orders.arn)) == "ResourceNotFoundException"


# --- shards ---------------------------------------------------------------------------------------------------------


async def test_a_rotation_and_a_split_have_the_parent(stub: Stub, asking: Lab) -> None:
    orders = stub.table("orders")
    first = orders.open_shards[0]
    second = orders.rotate()
    children = orders.split(second)
    shards = (await asking.described(orders.arn))["Shards"]
    lineage = {shard["ShardId"]: shard.get("ParentShardId") for shard in shards}
    assert lineage == {first: None, second: first, children[0]: second, children[1]: second}
    of_second = await asking.described(orders.arn, ShardFilter={"Type": "CHILD_SHARDS", "ShardId": second})
    assert {shard["ShardId"] for shard in of_second["Shards"]} == set(children)


async def test_a_table_is_listed_in_pages(stub: Stub, asking: Lab) -> None:
    orders = stub.table("orders", shards=3)
    orders.page = 2
    first = await asking.described(orders.arn)
    second = await asking.described(orders.arn, ExclusiveStartShardId=first["LastEvaluatedShardId"])
    assert [len(page["Shards"]) for page in (first, second)] == [2, 1]
    assert "LastEvaluatedShardId" not in second


@pytest.mark.parametrize("late", [False, True])
async def test_the_end_of_a_shard_comes_with_its_last_records_or_after_them(
    stub: Stub, asking: Lab, late: bool
) -> None:
    orders = stub.kinesis("orders")
    orders.late_end = late
    orders.put("k", b"a")
    orders.split(FIRST)
    page = await asking.kinesis.get_records(ShardIterator=await asking.iterator("orders", FIRST, "TRIM_HORIZON"))
    assert data(page) == "a"
    assert ("NextShardIterator" in page, len(page.get("ChildShards", []))) == ((True, 0) if late else (False, 2))


# --- quotas ---------------------------------------------------------------------------------------------------------


async def test_five_reads_of_a_shard_in_a_second(stub: Stub, asking: Lab) -> None:
    stub.kinesis("orders", shards=2)
    one, other = [await asking.iterator("orders", shard, "LATEST") for shard in (FIRST, SECOND)]
    answers = [await refused(asking.kinesis.get_records(ShardIterator=one)) for _ in range(6)]
    assert answers == ["accepted"] * 5 + ["ProvisionedThroughputExceededException"]
    assert await refused(asking.kinesis.get_records(ShardIterator=other)) == "accepted"
    stub.clock.advance(1)
    assert await refused(asking.kinesis.get_records(ShardIterator=one)) == "accepted"


async def test_what_is_read_beyond_two_megabytes_a_second_is_paid_for_with_time(stub: Stub, asking: Lab) -> None:
    orders = stub.kinesis("orders")
    for _ in range(11):
        orders.put("", bytes(1024 * 1024))
    iterator = await asking.iterator("orders", FIRST, "TRIM_HORIZON")
    page = await asking.kinesis.get_records(ShardIterator=iterator)
    assert len(page["Records"]) == 10
    rest = page["NextShardIterator"]
    stub.clock.advance(4)
    assert await refused(asking.kinesis.get_records(ShardIterator=rest)) == "ProvisionedThroughputExceededException"
    stub.clock.advance(1.1)
    assert len((await asking.kinesis.get_records(ShardIterator=rest))["Records"]) == 1


async def test_ten_descriptions_in_a_second(stub: Stub, asking: Lab) -> None:
    orders, table = stub.kinesis("orders"), stub.table("orders")
    for _ in range(10):
        await asking.kinesis.describe_stream(StreamName=orders.name)
        await asking.described(table.arn)
    assert await refused(asking.kinesis.describe_stream(StreamName=orders.name)) == "LimitExceededException"
    assert await refused(asking.described(table.arn)) == "ThrottlingException"


async def test_without_quotas(stub: Stub, asking: Lab) -> None:
    stub.limits = None
    stub.kinesis("orders")
    iterator = await asking.iterator("orders", FIRST, "LATEST")
    answers = [await refused(asking.kinesis.get_records(ShardIterator=iterator)) for _ in range(12)]
    assert answers == ["accepted"] * 12


async def test_a_log_of_calls(stub: Stub, asking: Lab) -> None:
    orders, table = stub.kinesis("orders"), stub.table("customers")
    before = stub.clock.now()
    iterator = await asking.iterator("orders", FIRST, "LATEST")
    await asking.kinesis.get_records(ShardIterator=iterator)
    await refused(asking.iterator("orders", "shardId-000000000009", "LATEST"))
    await asking.kinesis.list_shards(StreamARN=orders.arn)
    await asking.described(table.arn)
    assert [(call.operation, call.stream, call.shard, call.answer) for call in stub.calls] == [
        ("GetShardIterator", "orders", FIRST, ""),
        ("GetRecords", "orders", FIRST, ""),
        ("GetShardIterator", "orders", "shardId-000000000009", "ResourceNotFoundException"),
        ("ListShards", "orders", "", ""),
        ("DescribeStream", "customers", "", ""),
    ]
    assert all(before <= call.at <= stub.clock.now() for call in stub.calls)
    assert stub.calls_of("GetShardIterator", FIRST) == stub.calls[:1]
    assert stub.calls[0].body["ShardIteratorType"] == "LATEST"


# --- fan-out --------------------------------------------------------------------------------------------------------


class Subscriber:
    """The events of one subscription."""

    def __init__(self, reply: dict[str, Any]) -> None:
        self._stream = reply["EventStream"]
        self._events = aiter(self._stream)

    async def next(self) -> dict[str, Any]:
        event: dict[str, Any] = (await anext(self._events))["SubscribeToShardEvent"]
        return event

    async def ended(self) -> bool:
        return [event async for event in self._events] == []

    def close(self) -> None:
        self._stream.close()


Subscribe = Callable[..., Awaitable[Subscriber]]


@pytest.fixture
async def subscribe(asking: Lab) -> AsyncIterator[Subscribe]:
    """To the first shard, from its horizon unless told otherwise."""
    made = []

    async def subscribe(stream: KinesisStream, **where: Any) -> Subscriber:
        arn = (stream.consumers.get("headrace") or stream.consumer("headrace")).arn
        position = where or {"Type": "TRIM_HORIZON"}
        reply = await asking.kinesis.subscribe_to_shard(ConsumerARN=arn, ShardId=FIRST, StartingPosition=position)
        made.append(Subscriber(reply))
        return made[-1]

    yield subscribe
    for each in made:
        each.close()


async def test_records_are_pushed_as_they_come(stub: Stub, subscribe: Subscribe) -> None:
    orders = stub.kinesis("orders")
    first = orders.put("k", b"a")
    pushed = await subscribe(orders)
    event = await pushed.next()
    assert (data(event), event["ContinuationSequenceNumber"], event["MillisBehindLatest"]) == ("a", first.number, 0)
    orders.put("k", b"b")
    assert data(await pushed.next()) == "b"


async def test_a_quiet_subscription_says_so_and_where_it_goes_on(stub: Stub, subscribe: Subscribe) -> None:
    orders = stub.kinesis("orders")
    stub.resubscribe_seconds = 0
    pushed = await subscribe(orders, Type="AT_TIMESTAMP", Timestamp=NOW)
    event = await pushed.next()
    assert (event["Records"], event["MillisBehindLatest"]) == ([], 0)
    orders.put("k", b"a")
    after = event["ContinuationSequenceNumber"]
    again = await subscribe(orders, Type="AFTER_SEQUENCE_NUMBER", SequenceNumber=after)
    assert data(await again.next()) == "a"


async def test_a_subscription_is_ended_after_five_minutes(stub: Stub, subscribe: Subscribe) -> None:
    orders = stub.kinesis("orders")
    pushed = await subscribe(orders)
    await pushed.next()
    stub.clock.advance(299)
    assert (await pushed.next())["Records"] == []
    stub.clock.advance(1)
    assert await pushed.ended()


async def test_a_subscription_ends_with_its_shard(stub: Stub, subscribe: Subscribe) -> None:
    orders = stub.kinesis("orders")
    orders.put("k", b"a")
    children = orders.split(FIRST)
    pushed = await subscribe(orders)
    event = await pushed.next()
    assert data(event) == "a"
    assert [child["ShardId"] for child in event["ChildShards"]] == list(children)
    assert "ContinuationSequenceNumber" not in event
    assert await pushed.ended()


async def test_a_second_subscription_is_refused_for_five_seconds_then_takes_over(
    stub: Stub, subscribe: Subscribe
) -> None:
    orders = stub.kinesis("orders")
    stub.heartbeat_seconds = 300
    former = await subscribe(orders)
    await former.next()
    assert await refused(subscribe(orders)) == "ResourceInUseException"
    stub.clock.advance(5)
    later = await subscribe(orders)
    await later.next()
    assert await former.ended()


async def test_an_unknown_or_inactive_consumer_does_not_subscribe(
    stub: Stub, asking: Lab, subscribe: Subscribe
) -> None:
    orders = stub.kinesis("orders")
    orders.consumer("headrace").status = "CREATING"
    assert await refused(subscribe(orders)) == "ResourceInUseException"
    where = {"ShardId": FIRST, "StartingPosition": {"Type": "LATEST"}}
    subscribing = asking.kinesis.subscribe_to_shard(ConsumerARN=orders.arn + "/consumer/headrace:1", **where)
    assert await refused(subscribing) == "ResourceNotFoundException"


async def test_subscriptions_are_dropped(stub: Stub, subscribe: Subscribe) -> None:
    orders = stub.kinesis("orders")
    pushed = await subscribe(orders)
    await pushed.next()
    stub.drop_subscriptions(orders)
    assert await pushed.ended()


async def test_events_with_a_wrong_checksum(stub: Stub, subscribe: Subscribe) -> None:
    orders = stub.kinesis("orders")
    orders.faults = Faults(corrupt_frames=1)
    pushed = await subscribe(orders)
    with pytest.raises(ChecksumMismatch):
        await pushed.next()


async def test_events_that_end_in_the_middle(stub: Stub, subscribe: Subscribe) -> None:
    orders = stub.kinesis("orders")
    orders.faults = Faults(cut_frames=1)
    pushed = await subscribe(orders)
    with pytest.raises(ClientPayloadError):
        await pushed.next()


async def test_errors_as_events(stub: Stub, subscribe: Subscribe) -> None:
    orders = stub.kinesis("orders")
    pushed = await subscribe(orders)
    await pushed.next()
    orders.faults = Faults(event_errors=["InternalFailureException"])
    orders.put("k", b"a")
    with pytest.raises(EventStreamError, match="InternalFailureException"):
        await pushed.next()


async def test_a_subscription_falls_silent(stub: Stub, asking: Lab, subscribe: Subscribe) -> None:
    orders = stub.kinesis("orders")
    stub.heartbeat_seconds = 0.01
    pushed = await subscribe(orders)
    await pushed.next()
    orders.faults = Faults(silent=True, only="SubscribeToShard")
    orders.put("k", b"a")
    await asking.shards("orders")  # time enough to push it
    stub.clock.advance(300)
    assert await pushed.ended()


# --- faults ---------------------------------------------------------------------------------------------------------


def listing(asking: Lab) -> Awaitable[object]:
    return asking.kinesis.list_shards(StreamName="orders")  # type: ignore[no-any-return]


async def test_silence(stub: Stub) -> None:
    stub.kinesis("orders").faults = Faults(silent=True)
    async with lab(stub.url, read_timeout=0.2) as asking:
        with pytest.raises(ReadTimeoutError):
            await listing(asking)


@pytest.mark.parametrize(
    ("faults", "status", "code"),
    [
        (Faults(status=503), 503, "InternalFailure"),
        (Faults(error="AccessDeniedException"), 400, "AccessDeniedException"),
        (Faults(refuse_listing="LimitExceededException"), 400, "LimitExceededException"),
        (Faults(throttle=1), 400, "LimitExceededException"),
    ],
    ids=["status", "error", "refuse_listing", "throttle"],
)
async def test_refusals(stub: Stub, asking: Lab, faults: Faults, status: int, code: str) -> None:
    stub.kinesis("orders").faults = faults
    with pytest.raises(ClientError) as failure:
        await listing(asking)
    assert failure.value.response["Error"]["Code"] == code
    assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert codes(stub, "ListShards") == [code]


async def test_throttling_ends_after_so_many_calls(stub: Stub, asking: Lab) -> None:
    orders = stub.kinesis("orders")
    iterator = await asking.iterator("orders", FIRST, "LATEST")
    orders.faults = Faults(throttle=2)
    answers = [await refused(asking.kinesis.get_records(ShardIterator=iterator)) for _ in range(3)]
    assert answers == ["ProvisionedThroughputExceededException"] * 2 + ["accepted"]


async def test_half_a_reply(stub: Stub, asking: Lab) -> None:
    stub.kinesis("orders").faults = Faults(truncated=True)
    with pytest.raises(ConnectionClosedError):
        await listing(asking)


async def test_a_reply_that_is_lost(stub: Stub, asking: Lab) -> None:
    stub.kinesis("orders").faults = Faults(lost_replies=1)
    with pytest.raises(ConnectionClosedError):
        await asking.kinesis.put_record(StreamName="orders", PartitionKey="k", Data=b"a")
    assert await asking.read("orders", FIRST, "TRIM_HORIZON") == "a"


async def test_an_answer_unlike_any(stub: Stub, asking: Lab) -> None:
    stub.kinesis("orders").faults = Faults(unlike=True)
    reply: Any = await listing(asking)
    assert set(reply) == {"ResponseMetadata"}


async def test_faults_of_one_operation_or_one_shard(stub: Stub, asking: Lab) -> None:
    orders = stub.kinesis("orders", shards=2)
    orders.faults = Faults(status=500, only="GetShardIterator", shard=SECOND)
    assert await refused(listing(asking)) == "accepted"
    assert await refused(asking.iterator("orders", FIRST, "LATEST")) == "accepted"
    assert await refused(asking.iterator("orders", SECOND, "LATEST")) == "InternalFailure"


async def test_an_operation_that_the_stub_does_not_have(stub: Stub, asking: Lab) -> None:
    stub.kinesis("orders")
    call = asking.kinesis.list_tags_for_stream(StreamName="orders")
    assert await refused(call) == "UnknownOperationException"


async def test_no_iterator_to_go_on_with(stub: Stub, asking: Lab) -> None:
    orders, table = stub.kinesis("orders"), stub.table("orders")
    one = await asking.iterator("orders", FIRST, "LATEST")
    other = await asking.stream_iterator(table.arn, "LATEST")
    orders.faults, table.faults = Faults(null_iterators=1), Faults(null_iterators=1)
    pages = [await asking.kinesis.get_records(ShardIterator=one) for _ in range(2)]
    changes = [await asking.streams.get_records(ShardIterator=other) for _ in range(2)]
    assert ["NextShardIterator" in page for page in pages + changes] == [False, True, False, True]
    assert "ChildShards" not in pages[0]


async def test_a_page_without_what_is_there(stub: Stub, asking: Lab) -> None:
    orders = stub.kinesis("orders")
    orders.put("k", b"a")
    orders.faults = Faults(empty_pages=1)
    page = await asking.kinesis.get_records(ShardIterator=await asking.iterator("orders", FIRST, "TRIM_HORIZON"))
    assert (page["Records"], page["MillisBehindLatest"] > 0) == ([], True)
    assert data(await asking.kinesis.get_records(ShardIterator=page["NextShardIterator"])) == "a"


# --- as a program ---------------------------------------------------------------------------------------------------

COMMANDS = [
    ("/_kinesis?stream=orders&shards=1", b""),
    ("/_put?stream=orders&key=k&count=3", b"a"),
    ("/_table?table=customers", b""),
    ("/_item?table=customers", b'{"id": {"S": "1"}}'),
    ("/_unlimited", b""),
]


@asynccontextmanager
async def program() -> AsyncIterator[str]:
    """Its URL."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "support.stream_stub", env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


async def told(url: str, path: str, body: bytes) -> int:
    async with ClientSession() as http, http.post(url + path, data=body) as answer:
        return answer.status


async def test_another_process_is_told_what_to_do() -> None:
    async with program() as url, lab(url) as asking:
        assert [await told(url, *command) for command in COMMANDS] == [200] * len(COMMANDS)
        assert await asking.read("orders", FIRST, "TRIM_HORIZON") == "a a a"
        (stream,) = (await asking.streams.list_streams(TableName="customers"))["Streams"]
        (change,) = await asking.changes(await asking.stream_iterator(stream["StreamArn"], "TRIM_HORIZON"))
        assert change["dynamodb"]["Keys"] == {"id": {"S": "1"}}
        await told(url, "/_faults?stream=orders", b'{"status": 503}')
        assert await refused(listing(asking)) == "InternalFailure"

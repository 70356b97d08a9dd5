"""What the Kinesis service asks its client, and what it makes of the answers."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from headrace.config.clock import LoopClock
from headrace.config.errors import SourceMissing, SourceRefused, SourceUnavailable
from headrace.config.fields.arn import Arn
from headrace.dispatch.core.model import Lane, Position
from headrace.pollers.checkpoints.store import BEGINNING, Start, StartKind
from headrace.pollers.kinesis.fan_out import SubscribedShard
from headrace.pollers.kinesis.service import KinesisService, RecordMaker
from headrace.pollers.streams.core.lineage import Shard
from headrace.pollers.streams.service import Lost, Probed
from support.aggregates import aggregate
from support.scripted_client import ScriptedClient, refused
from support.virtual_time import EPOCH, VirtualLoop

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
CONSUMER = f"{STREAM}/consumer/headrace:1700000000"
ENDPOINT = "http://127.0.0.1:4566"
ROLE = "arn:aws:iam::000000000000:role/lambda"
SHARD = "shardId-000000000000"
DATE = {"HTTPHeaders": {"date": "Tue, 14 Nov 2023 22:13:25 GMT"}}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


class Client(ScriptedClient):
    """Gives iterators."""

    def __init__(self, endpoint: str = ENDPOINT, /, **answers: list[Any]) -> None:
        super().__init__(endpoint, **{"get_shard_iterator": [{"ShardIterator": "iterator"}]} | answers)


def service(client: Client, arn: str = STREAM, *, deaggregate: bool = False) -> KinesisService:
    return KinesisService(Arn.parse(arn), client, LoopClock(EPOCH), role=ROLE, deaggregate=deaggregate)


def described(number: int, first: int = 100, last: int | None = None, **more: str) -> dict[str, Any]:
    end = {} if last is None else {"EndingSequenceNumber": str(last)}
    return {
        "ShardId": f"shardId-{number:012d}",
        "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)},
        "SequenceNumberRange": {"StartingSequenceNumber": str(first), **end},
        **more,
    }


def summary(status: str = "ACTIVE", **more: object) -> dict[str, Any]:
    about = {"StreamStatus": status, "StreamCreationTimestamp": EPOCH - 60.5, **more}
    return {"StreamDescriptionSummary": about}


def listing(*shards: dict[str, Any], token: str | None = None) -> dict[str, Any]:
    return {"Shards": list(shards), "ResponseMetadata": DATE} | ({"NextToken": token} if token else {})


def raw(number: int, data: bytes = b"data", key: str = "key") -> dict[str, Any]:
    return {
        "SequenceNumber": str(number),
        "PartitionKey": key,
        "Data": b64encode(data).decode(),
        "ApproximateArrivalTimestamp": EPOCH,
    }


def page(*records: dict[str, Any], behind: int | None = 0, following: str | None = "next") -> dict[str, Any]:
    return {"Records": list(records), "NextShardIterator": following, "MillisBehindLatest": behind}


# --- the listing ----------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-43")
async def test_a_listing_has_all_pages_and_the_time_of_the_last() -> None:
    earlier = {"ResponseMetadata": {"HTTPHeaders": {"date": "Tue, 14 Nov 2023 22:13:20 GMT"}}}
    client = Client(
        describe_stream_summary=[summary()],
        list_shards=[
            listing(described(0, last=200), token="one") | earlier,
            listing(token="two"),
            listing(described(1, ParentShardId="shardId-000000000000")),
        ],
    )
    found = await service(client).list()
    assert (found.arn, found.created, found.at) == (STREAM, EPOCH - 60.5, EPOCH + 5)
    assert found.shards == (Shard(SHARD, (), 100, 200, True), Shard("shardId-000000000001", (SHARD,), 100))
    assert client.asked["list_shards"] == [{"StreamName": "orders"}, {"NextToken": "one"}, {"NextToken": "two"}]


@pytest.mark.parametrize("date", [{}, {"HTTPHeaders": {}}, {"HTTPHeaders": {"date": "yesterday"}}])
async def test_a_service_that_tells_no_time_has_ours(date: dict[str, Any]) -> None:
    client = Client(
        describe_stream_summary=[{"StreamDescriptionSummary": {}}], list_shards=[listing() | {"ResponseMetadata": date}]
    )
    clock = LoopClock(EPOCH + 0.75)
    found = await KinesisService(Arn.parse(STREAM), client, clock, role=ROLE).list()
    assert (found.created, found.at) == (None, EPOCH)


@pytest.mark.semantics("STREAM-43")
@pytest.mark.parametrize("missing", ["describe_stream_summary", "list_shards"])
@pytest.mark.parametrize("answer", [refused("UnknownOperationException"), refused("InternalFailure", 501)])
async def test_a_server_without_the_newer_operations_is_asked_by_the_older_one(missing: str, answer: Exception) -> None:
    about = {"StreamStatus": "ACTIVE", "StreamCreationTimestamp": EPOCH}
    pages = [
        {"StreamDescription": {**about, "Shards": [described(0)], "HasMoreShards": True}},
        {"StreamDescription": {**about, "Shards": [described(1)], "HasMoreShards": False}, "ResponseMetadata": DATE},
    ]
    newer: dict[str, list[Any]] = {"describe_stream_summary": [summary()], missing: [answer]}
    client = Client(**newer, describe_stream=[*pages, *pages])
    found = service(client)
    for _ in range(2):
        listed = await found.list()
        assert [shard.id for shard in listed.shards] == [SHARD, "shardId-000000000001"]
        assert (listed.created, listed.at) == (EPOCH, EPOCH + 5)
    assert len(client.asked[missing]) == 1  # it is not asked for again
    assert client.asked["describe_stream"][1] == {"StreamName": "orders", "ExclusiveStartShardId": SHARD}


@pytest.mark.semantics("STREAM-43")
@pytest.mark.parametrize(
    "answers",
    [
        {"describe_stream_summary": [summary()], "list_shards": [listing(described(0), token="same")]},
        {
            "describe_stream_summary": [refused("UnknownOperationException")],
            "describe_stream": [{"StreamDescription": {"Shards": [described(0)], "HasMoreShards": True}}],
        },
        {"describe_stream_summary": [summary()], "list_shards": [{}]},
        {"describe_stream_summary": [{}]},
        {"describe_stream_summary": [summary()], "list_shards": [listing({"Shard": "without an id"})]},
    ],
)
async def test_a_listing_that_cannot_be_right_is_asked_for_again(answers: dict[str, list[Any]]) -> None:
    with pytest.raises(SourceUnavailable, match=f"{STREAM}.*not as the service does"):
        await service(Client(**answers)).list()


@pytest.mark.semantics("STREAM-42")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (summary("CREATING"), SourceUnavailable),
        (summary("DELETING"), SourceMissing),
        (refused("ResourceNotFoundException"), SourceMissing),
        (refused("AccessDeniedException"), SourceRefused),
        (refused("LimitExceededException"), SourceUnavailable),
        (refused("InternalFailure", 500), SourceUnavailable),
    ],
)
async def test_what_is_wrong_with_the_stream_is_said_with_its_name(answer: Any, error: type[Exception]) -> None:
    client = Client(describe_stream_summary=[answer], list_shards=[listing(described(0))])
    with pytest.raises(error, match=STREAM):
        await service(client).list()


@pytest.mark.semantics("STREAM-42")
async def test_a_stream_that_is_missing_is_said_with_what_to_do() -> None:
    with pytest.raises(SourceMissing, match="create it, or correct the mapping's source"):
        await service(Client(describe_stream_summary=[refused("ResourceNotFoundException")])).list()


async def test_real_streams_go_by_their_arn_and_others_by_their_name() -> None:
    real = Client(
        "https://kinesis.us-east-1.amazonaws.com",
        describe_stream_summary=[summary()],
        list_shards=[listing(described(0))],
        get_records=[page(raw(101))],
    )
    found = await service(real).list()
    await service(real).pages(found.arn, SHARD, BEGINNING).next(10, None)
    for operation in ("describe_stream_summary", "list_shards", "get_shard_iterator", "get_records"):
        assert real.asked[operation][0]["StreamARN"] == STREAM
        assert "StreamName" not in real.asked[operation][0]
    local = Client(get_records=[page(raw(101))])
    await service(local).pages(STREAM, SHARD, BEGINNING).next(10, None)
    assert local.asked["get_shard_iterator"][0]["StreamName"] == "orders"
    assert local.asked["get_records"] == [{"ShardIterator": "iterator", "Limit": 10}]


EVERYWHERE = pytest.mark.parametrize("endpoint", ["https://kinesis.us-east-1.amazonaws.com", ENDPOINT])


@pytest.mark.semantics("STREAM-37", "STREAM-40")
@EVERYWHERE
async def test_an_idle_shard_is_asked_once_a_second_for_ten_thousand_records(endpoint: str) -> None:
    clock = LoopClock(EPOCH)
    client = Client(endpoint, get_records=[page()])
    pages = service(client).pages(STREAM, SHARD, BEGINNING)
    for _ in range(5):
        await pages.next(20_000, None)
    assert clock.monotonic() == 4.0
    assert {each["Limit"] for each in client.asked["get_records"]} == {10_000}


@pytest.mark.semantics("STREAM-38")
@EVERYWHERE
async def test_no_more_than_five_calls_are_made_in_a_second(endpoint: str) -> None:
    clock = LoopClock(EPOCH)
    client = Client(endpoint, get_records=[page(raw(number), behind=1) for number in range(1, 12)])
    pages = service(client).pages(STREAM, SHARD, BEGINNING)
    for _ in range(11):
        await pages.next(10, None)
    assert clock.monotonic() == pytest.approx(2.0, abs=0.01)


@pytest.mark.semantics("STREAM-38")
@pytest.mark.parametrize(("endpoint", "apart"), [("https://kinesis.us-east-1.amazonaws.com", 2.0), ("http://x", 0.0)])
async def test_only_aws_limits_the_bytes(endpoint: str, apart: float) -> None:
    clock = LoopClock(EPOCH)
    client = Client(endpoint, get_records=[page(raw(101, bytes(4 * 1024 * 1024))), page(raw(102))])
    pages = service(client).pages(STREAM, SHARD, BEGINNING)
    for _ in range(2):
        await pages.next(10, None)
    assert clock.monotonic() == pytest.approx(apart, abs=0.001)


@pytest.mark.semantics("STREAM-45")
async def test_a_consumer_lists_its_stream_and_is_named_by_its_events() -> None:
    client = Client(describe_stream_summary=[summary()], list_shards=[listing(described(0))])
    found = service(client, CONSUMER)
    assert (found.name, (await found.list()).arn) == (CONSUMER, STREAM)
    assert client.asked["list_shards"] == [{"StreamName": "orders"}]
    assert isinstance(found.pages(STREAM, SHARD, BEGINNING), SubscribedShard)
    maker = RecordMaker(Lane(STREAM, SHARD), Arn.parse(CONSUMER), ROLE, False)
    (record,) = maker.make(raw(101))
    assert (record.lane, record.item["eventSourceARN"]) == (Lane(STREAM, SHARD), CONSUMER)


# --- one shard ------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-30", "KPL-05")
@pytest.mark.parametrize(
    ("place", "deaggregate", "asked"),
    [
        (BEGINNING, False, {"ShardIteratorType": "TRIM_HORIZON"}),
        (
            Start(StartKind.AT_TIMESTAMP, EPOCH + 0.25),
            False,
            {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime.fromtimestamp(EPOCH + 0.25, UTC)},
        ),
        (
            Start(StartKind.LATEST, EPOCH),
            False,
            {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime.fromtimestamp(EPOCH, UTC)},
        ),
        (
            Position.parse("0017"),
            False,
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "0017"},
        ),
        (
            Position.parse("0017"),
            True,
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "0017"},
        ),
        *[
            (
                Position(17, 1, "0017"),
                deaggregate,
                {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "0017"},
            )
            for deaggregate in (False, True)
        ],
    ],
)
async def test_a_place_as_an_iterator(place: Any, deaggregate: bool, asked: dict[str, Any]) -> None:
    client = Client(get_records=[page(raw(18))])
    await service(client, deaggregate=deaggregate).pages(STREAM, SHARD, place).next(10, None)
    assert client.asked["get_shard_iterator"] == [{"StreamName": "orders", "ShardId": SHARD, **asked}]


@pytest.mark.semantics("STREAM-31")
@pytest.mark.parametrize("code", ["ExpiredIteratorException", "InvalidArgumentException", "ResourceNotFoundException"])
async def test_what_says_that_the_iterator_is_no_good(code: str) -> None:
    client = Client(get_records=[page(raw(101)), refused(code), page(raw(102))])
    pages = service(client).pages(STREAM, SHARD, BEGINNING)
    found = [record.id for _ in range(2) for record in (await pages.next(10, None)).records]
    assert found == ["101", "102"]
    assert client.asked["get_shard_iterator"][1]["StartingSequenceNumber"] == "101"


@pytest.mark.semantics("STREAM-41")
@pytest.mark.parametrize("operation", ["get_records", "get_shard_iterator"])
@pytest.mark.parametrize(
    "answer",
    [
        refused("ProvisionedThroughputExceededException"),
        refused("AccessDeniedException"),
        refused("ResourceNotFoundException"),
        refused("InternalFailure", 500),
        {},
    ],
    ids=repr,
)
async def test_whatever_is_wrong_with_one_shard_is_passing(operation: str, answer: Any) -> None:
    client = Client(**{"get_records": [page(raw(101))], operation: [answer]})
    with pytest.raises(SourceUnavailable, match=f"{SHARD} of {STREAM}"):
        await service(client).pages(STREAM, SHARD, BEGINNING).next(10, None)


@pytest.mark.semantics("STREAM-41")
@pytest.mark.parametrize(
    "broken",
    [
        {"SequenceNumber": "many"},
        {"SequenceNumber": None},
        {"ApproximateArrivalTimestamp": "noon"},
        {"PartitionKey": ...},
        {"Data": ...},
    ],
    ids=repr,
)
async def test_a_record_unlike_one_moves_nothing(broken: dict[str, Any]) -> None:
    record = {name: value for name, value in (raw(102) | broken).items() if value is not ...}
    client = Client(get_records=[page(raw(101), record), page(raw(101), raw(102))])
    pages = service(client).pages(STREAM, SHARD, BEGINNING)
    with pytest.raises(SourceUnavailable, match=f"{SHARD} of {STREAM}.*not as the service does"):
        await pages.next(10, None)
    assert [each.id for each in (await pages.next(10, None)).records] == ["101", "102"]


@pytest.mark.semantics("STREAM-34")
async def test_a_position_below_the_shard_is_a_gap() -> None:
    client = Client(
        describe_stream_summary=[summary()],
        list_shards=[listing(described(0, first=100))],
        get_shard_iterator=[refused("InvalidArgumentException"), {"ShardIterator": "iterator"}],
        get_records=[page(raw(101))],
    )
    found = await service(client).pages(STREAM, SHARD, Position.parse("99")).next(10, None)
    assert found.lost == (Lost("99", "trim horizon", "trimmed by retention"),)
    assert [record.id for record in found.records] == ["101"]


@pytest.mark.semantics("STREAM-41")
async def test_another_position_that_the_service_refuses_is_no_gap() -> None:
    client = Client(
        describe_stream_summary=[summary()],
        list_shards=[listing(described(0, first=100))],
        get_shard_iterator=[refused("InvalidArgumentException")],
    )
    pages = service(client).pages(STREAM, SHARD, Position.parse("100"))
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match="InvalidArgumentException"):
            await pages.next(10, None)
    assert {each["ShardIteratorType"] for each in client.asked["get_shard_iterator"]} == {"AFTER_SEQUENCE_NUMBER"}


@pytest.mark.semantics("STREAM-35")
async def test_shards_without_a_next_iterator_list_the_stream_once_a_second_between_them() -> None:
    client = Client(
        describe_stream_summary=[summary()],
        list_shards=[listing(described(0), described(1))],
        get_records=[page(following=None)],
    )
    found = service(client)
    both = [found.pages(STREAM, f"shardId-{number:012d}", BEGINNING) for number in range(2)]
    for _ in range(10):
        for pages in both:
            await pages.next(10, None)
    assert 5 <= len(client.asked["list_shards"]) <= 10


# --- one record -----------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-46")
@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([page(raw(7))], Probed(7, EPOCH)),
        ([page(behind=50), page(behind=50), page(raw(7))], Probed(7, EPOCH)),
        ([page(raw(8))], Probed(8, EPOCH)),
        ([page()], Probed()),
        ([page(following=None, behind=None)], Probed()),
        ([page(behind=None)], Probed()),
        ([refused("InvalidArgumentException")], Probed()),
    ],
)
async def test_what_stands_at_a_position(answers: list[Any], found: Probed) -> None:
    client = Client(get_records=answers)
    assert await service(client).probe(STREAM, SHARD, Position.parse("007")) == found
    assert client.asked["get_shard_iterator"] == [
        {
            "StreamName": "orders",
            "ShardId": SHARD,
            "ShardIteratorType": "AT_SEQUENCE_NUMBER",
            "StartingSequenceNumber": "007",
        }
    ]
    asked = [(each["ShardIterator"], each["Limit"]) for each in client.asked["get_records"]]
    assert asked == [("iterator", 1), *[("next", 1)] * (len(asked) - 1)]


@pytest.mark.semantics("STREAM-46")
@pytest.mark.parametrize("code", ["InvalidArgumentException", "ResourceNotFoundException"])
async def test_a_position_that_the_service_does_not_know_is_an_answer(code: str) -> None:
    client = Client(get_shard_iterator=[refused(code)])
    assert await service(client).probe(STREAM, SHARD, Position.parse("7")) == Probed()


@pytest.mark.semantics("STREAM-46")
@pytest.mark.parametrize(
    "answer", [refused("InternalFailure", 500), refused("AccessDeniedException"), page(behind=9), {}], ids=repr
)
async def test_a_probe_that_got_no_answer_says_so(answer: Any) -> None:
    with pytest.raises(SourceUnavailable):
        await service(Client(get_records=[answer])).probe(STREAM, SHARD, Position.parse("7"))


# --- records --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-47")
def test_a_record_as_the_function_sees_it() -> None:
    maker = RecordMaker(Lane(STREAM, SHARD), Arn.parse(STREAM), ROLE, False)
    given = raw(49590338271490256608559692538361571095921575989136588898, b"\x00\xff")
    (record,) = maker.make(given)
    number = given["SequenceNumber"]
    assert record.item == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "key",
            "sequenceNumber": number,
            "data": "AP8=",
            "approximateArrivalTimestamp": EPOCH,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{SHARD}:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": ROLE,
        "awsRegion": "us-east-1",
        "eventSourceARN": STREAM,
    }
    assert (record.id, record.key, record.arrived, record.lane) == (number, "key", EPOCH, Lane(STREAM, SHARD))
    assert record.position == Position.parse(number)
    assert record.position.text == number


PACKED = aggregate([("a", None, b"one"), ("b", None, b"two"), ("a", None, b"three")])


@pytest.mark.semantics("KPL-01", "KPL-03")
async def test_an_aggregate_comes_apart_where_that_is_wanted() -> None:
    client = Client(get_records=[page(raw(7, PACKED), raw(8, b"\xf3\x89\x9a\xc2 but no more"))])
    found = await service(client, deaggregate=True).pages(STREAM, SHARD, BEGINNING).next(10, None)
    assert [(record.key, record.position) for record in found.records] == [
        ("a", Position(7, 1)),
        ("b", Position(7, 2)),
        ("a", Position(7, 3)),
        ("key", Position(8, 0)),
    ]
    assert {record.id for record in found.records} == {"7", "8"}
    data = [b64decode(record.item["kinesis"]["data"]) for record in found.records]  # type: ignore[index]
    assert data == [b"one", b"two", b"three", b"\xf3\x89\x9a\xc2 but no more"]


@pytest.mark.semantics("STREAM-40")
@pytest.mark.parametrize(("deaggregate", "asked"), [(True, 10), (False, 10_000)])
async def test_less_is_asked_for_where_records_may_be_packed(deaggregate: bool, asked: int) -> None:
    client = Client(get_records=[page(raw(7))])
    await service(client, deaggregate=deaggregate).pages(STREAM, SHARD, BEGINNING).next(10_000, None)
    assert [call["Limit"] for call in client.asked["get_records"]] == [asked]


@pytest.mark.semantics("KPL-03", "KPL-05")
@pytest.mark.parametrize("done", [1, 2, 3])
@pytest.mark.parametrize("deaggregate", [True, False])
async def test_reading_goes_on_inside_an_aggregate(deaggregate: bool, done: int) -> None:
    """Also where it is not to be taken apart any more."""
    client = Client(get_records=[page(raw(7, PACKED), raw(8, PACKED))])
    place = Position(7, done, "7")
    found = await service(client, deaggregate=deaggregate).pages(STREAM, SHARD, place).next(10, None)
    rest = [Position(7, sub) for sub in (1, 2, 3) if sub > done]
    later = [Position(8, sub) for sub in (1, 2, 3)] if deaggregate else [Position(8)]
    assert [record.position for record in found.records] == rest + later


async def test_an_aggregate_is_one_record_where_nothing_else_is_wanted() -> None:
    client = Client(get_records=[page(raw(7, PACKED))])
    found = await service(client).pages(STREAM, SHARD, BEGINNING).next(10, None)
    assert [record.key for record in found.records] == ["key"]


@pytest.mark.semantics("KPL-04")
async def test_user_records_of_another_shards_keys_are_delivered() -> None:
    packed = aggregate([("a", "10", b"ours"), ("b", "11", b"theirs")])
    bounds = {"HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "10"}}
    client = Client(
        describe_stream_summary=[summary()],
        list_shards=[listing(described(0) | bounds)],
        get_records=[page(raw(7, packed))],
    )
    found = service(client, deaggregate=True)
    await found.list()
    brought = await found.pages(STREAM, SHARD, BEGINNING).next(10, None)
    assert [record.key for record in brought.records] == ["a", "b"]

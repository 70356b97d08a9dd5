"""What the service of DynamoDB streams asks its clients, and what it makes of the answers."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.config.clock import LoopClock
from headrace.config.errors import SourceMissing, SourceRefused, SourceUnavailable
from headrace.config.fields.arn import Arn
from headrace.dispatch.core.model import Lane, Position
from headrace.pollers.checkpoints.store import BEGINNING, Start, StartKind
from headrace.pollers.dynamodb.service import DynamoDbService
from headrace.pollers.streams.core.lineage import Shard
from headrace.pollers.streams.service import Lost, Probed
from support.scripted_client import ScriptedClient, refused
from support.virtual_time import EPOCH, VirtualLoop

TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/orders"
STREAM = f"{TABLE}/stream/2023-11-14T22:13:20.000"
NEWER = f"{TABLE}/stream/2023-11-15T22:13:20.000"
SHARD = "shardId-00000001700000000000-00000000"
AWS = "https://streams.dynamodb.us-east-1.amazonaws.com"
LOCAL = "http://127.0.0.1:8000"
DATE = {"HTTPHeaders": {"date": "Tue, 14 Nov 2023 22:13:25 GMT"}}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


class Client(ScriptedClient):
    """Gives iterators."""

    def __init__(self, endpoint: str = LOCAL, /, **answers: list[Any]) -> None:
        super().__init__(endpoint, **{"get_shard_iterator": [{"ShardIterator": "iterator"}]} | answers)


def service(client: Client, arn: str = STREAM) -> DynamoDbService:
    """One client is enough for both services' operations."""
    return DynamoDbService(Arn.parse(arn), client, client, LoopClock(EPOCH))


def shard(number: int, last: int | None = None, **more: str) -> dict[str, Any]:
    end = {} if last is None else {"EndingSequenceNumber": str(last)}
    span = {"StartingSequenceNumber": "000000000000000000100", **end}
    return {"ShardId": f"shardId-00000001700000000000-{number:08x}", "SequenceNumberRange": span, **more}


def description(*shards: dict[str, Any], last: str | None = None, status: str = "ENABLED") -> dict[str, Any]:
    about = {"StreamStatus": status, "CreationRequestDateTime": EPOCH - 60.5, "Shards": list(shards)}
    more = {"LastEvaluatedShardId": last} if last else {}
    return {"StreamDescription": about | more, "ResponseMetadata": DATE}


def table(stream: str | None) -> dict[str, Any]:
    return {"Table": {"TableName": "orders"} | ({"LatestStreamArn": stream} if stream else {})}


def raw(number: int, arrived: float | None = EPOCH, **more: Any) -> dict[str, Any]:
    change: dict[str, Any] = {"Keys": {"id": {"S": "1"}}, "SequenceNumber": f"{number:021d}", "SizeBytes": 9}
    if arrived is not None:
        change["ApproximateCreationDateTime"] = arrived
    return {"eventID": "e1", "eventName": "INSERT", "eventVersion": "1.1", "dynamodb": change} | more


def page(*records: dict[str, Any], following: str | None = "next") -> dict[str, Any]:
    return {"Records": list(records)} | ({"NextShardIterator": following} if following else {})


# --- the listing ----------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-43")
async def test_a_listing_has_all_pages_and_the_time_of_the_last() -> None:
    parent = shard(0)["ShardId"]
    client = Client(
        describe_stream=[
            description(shard(0, last=200), last=parent) | {"ResponseMetadata": {}},
            description(shard(1, ParentShardId=parent)),
        ]
    )
    found = await service(client).list()
    assert (found.arn, found.created, found.at) == (STREAM, EPOCH - 60.5, EPOCH + 5)
    assert found.shards == (Shard(SHARD, (), 100, 200, True), Shard(shard(1)["ShardId"], (SHARD,), 100))
    assert client.asked["describe_stream"] == [
        {"StreamArn": STREAM},
        {"StreamArn": STREAM, "ExclusiveStartShardId": parent},
    ]


@pytest.mark.semantics("STREAM-43")
@pytest.mark.parametrize("answer", [description(shard(0), last="same"), {}, description({"no": "id"})], ids=repr)
async def test_a_listing_that_cannot_be_right_is_asked_for_again(answer: dict[str, Any]) -> None:
    with pytest.raises(SourceUnavailable, match=f"{STREAM}.*not as the service does"):
        await service(Client(describe_stream=[answer])).list()


@pytest.mark.semantics("STREAM-44")
async def test_a_table_stands_for_its_newest_stream() -> None:
    client = Client(describe_table=[table(STREAM), table(NEWER)], describe_stream=[description(shard(0))])
    found = service(client, TABLE)
    assert (found.name, (await found.list()).arn) == (TABLE, STREAM)
    assert (await found.list(STREAM)).arn == STREAM  # the one that is being read, whatever the table has by now
    assert (await found.list()).arn == NEWER
    assert client.asked["describe_table"] == [{"TableName": "orders"}] * 2
    assert [each["StreamArn"] for each in client.asked["describe_stream"]] == [STREAM, STREAM, NEWER]


@pytest.mark.semantics("STREAM-44")
async def test_a_table_without_a_stream_is_told_how_to_get_one() -> None:
    with pytest.raises(SourceMissing, match=f"{TABLE} has no stream.*StreamEnabled=true"):
        await service(Client(describe_table=[table(None)]), TABLE).list()


@pytest.mark.semantics("STREAM-44")
@pytest.mark.parametrize(("status", "closed"), [("DISABLED", [True, True]), ("ENABLED", [True, False])])
async def test_a_stream_that_was_disabled_has_closed_shards_alone(status: str, closed: list[bool]) -> None:
    client = Client(describe_stream=[description(shard(0, last=200), shard(1), status=status)])
    assert [each.closed for each in (await service(client).list()).shards] == closed


@pytest.mark.semantics("STREAM-42")
@pytest.mark.parametrize("operation", ["describe_stream", "describe_table"])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused("ResourceNotFoundException"), SourceMissing),
        (refused("AccessDeniedException"), SourceRefused),
        (refused("LimitExceededException"), SourceUnavailable),
        (refused("InternalServerError", 500), SourceUnavailable),
        ({}, SourceUnavailable),
    ],
)
async def test_what_is_wrong_is_said_with_its_name(operation: str, answer: Any, error: type[Exception]) -> None:
    client = Client(**{"describe_table": [table(STREAM)], operation: [answer]})
    with pytest.raises(error, match=TABLE):
        await service(client, TABLE).list()


@pytest.mark.semantics("STREAM-42")
async def test_a_table_that_is_missing_is_said_with_what_to_do() -> None:
    with pytest.raises(SourceMissing, match="create it, or correct the mapping's source"):
        await service(Client(describe_table=[refused("ResourceNotFoundException")]), TABLE).list()


@pytest.mark.semantics("STREAM-42")
async def test_a_stream_that_is_being_enabled_is_waited_for() -> None:
    with pytest.raises(SourceUnavailable, match=f"{STREAM} is being enabled"):
        await service(Client(describe_stream=[description(status="ENABLING")])).list()


# --- one shard ------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-30")
@pytest.mark.parametrize(
    ("place", "asked"),
    [
        (BEGINNING, {"ShardIteratorType": "TRIM_HORIZON"}),
        (Start(StartKind.NEWER_THAN, EPOCH), {"ShardIteratorType": "TRIM_HORIZON"}),
        (Position.parse("0017"), {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "0017"}),
    ],
)
async def test_a_place_as_an_iterator(place: Any, asked: dict[str, str]) -> None:
    client = Client(get_records=[page(raw(101))])
    await service(client).pages(STREAM, SHARD, place).next(10, None)
    assert client.asked["get_shard_iterator"] == [{"StreamArn": STREAM, "ShardId": SHARD, **asked}]
    assert client.asked["get_records"] == [{"ShardIterator": "iterator", "Limit": 10}]


@pytest.mark.semantics("STREAM-33")
@pytest.mark.parametrize(("endpoint", "kept"), [(AWS, [2]), (LOCAL, [1, 2])])
async def test_only_emulators_round_to_the_minute(endpoint: str, kept: list[int]) -> None:
    client = Client(endpoint, get_records=[page(raw(1, EPOCH - 20), raw(2, EPOCH))])
    pages = service(client).pages(STREAM, SHARD, Start(StartKind.NEWER_THAN, EPOCH))
    assert [record.position.number for record in (await pages.next(10, None)).records if record.position] == kept


@pytest.mark.semantics("STREAM-38")
async def test_no_more_than_five_calls_are_made_in_a_second() -> None:
    clock = LoopClock(EPOCH)
    client = Client(get_records=[page(raw(number)) for number in range(1, 12)])
    pages = service(client).pages(STREAM, SHARD, BEGINNING)
    for _ in range(11):
        await pages.next(10, None)
    assert clock.monotonic() == pytest.approx(2.0, abs=0.01)


@pytest.mark.semantics("STREAM-37", "STREAM-40")
async def test_an_idle_shard_is_asked_four_times_a_second_for_a_thousand_records() -> None:
    clock = LoopClock(EPOCH)
    client = Client(get_records=[page()])
    pages = service(client).pages(STREAM, SHARD, BEGINNING)
    for _ in range(5):
        await pages.next(10_000, None)
    assert clock.monotonic() == 1.0
    assert {each["Limit"] for each in client.asked["get_records"]} == {1000}


@pytest.mark.semantics("STREAM-31")
@pytest.mark.parametrize("code", ["ExpiredIteratorException", "ResourceNotFoundException", "ValidationException"])
async def test_what_says_that_the_iterator_is_no_good(code: str) -> None:
    client = Client(get_records=[page(raw(101)), refused(code), page(raw(102))])
    pages = service(client).pages(STREAM, SHARD, BEGINNING)
    found = [
        record.position.number for _ in range(2) for record in (await pages.next(10, None)).records if record.position
    ]
    assert found == [101, 102]
    assert client.asked["get_shard_iterator"][1]["SequenceNumber"] == f"{101:021d}"


@pytest.mark.semantics("STREAM-34")
@pytest.mark.parametrize("operation", ["get_shard_iterator", "get_records"])
async def test_a_place_that_was_trimmed_is_a_gap(operation: str) -> None:
    later = {"get_shard_iterator": {"ShardIterator": "iterator"}, "get_records": page(raw(150))}
    answers: dict[str, list[Any]] = {name: [answer] for name, answer in later.items()}
    answers[operation].insert(0, refused("TrimmedDataAccessException"))
    client = Client(**answers)
    found = await service(client).pages(STREAM, SHARD, Position.parse("0101")).next(10, None)
    assert found.lost == (Lost("0101", "trim horizon", "trimmed by retention"),)
    assert [record.id for record in found.records] == [f"{150:021d}"]
    assert client.asked["get_shard_iterator"][-1]["ShardIteratorType"] == "TRIM_HORIZON"


@pytest.mark.semantics("STREAM-41")
@pytest.mark.parametrize("operation", ["get_records", "get_shard_iterator"])
@pytest.mark.parametrize(
    "answer",
    [
        refused("LimitExceededException"),
        refused("AccessDeniedException"),
        refused("ResourceNotFoundException"),
        refused("InternalServerError", 500),
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
    [{"dynamodb": {}}, {"dynamodb": {"SequenceNumber": "many"}}, {"dynamodb": None}, {"eventID": ...}],
    ids=repr,
)
async def test_a_record_unlike_one_moves_nothing(broken: dict[str, Any]) -> None:
    record = {name: value for name, value in (raw(102) | broken).items() if value is not ...}
    client = Client(get_records=[page(raw(101), record), page(raw(101))])
    pages = service(client).pages(STREAM, SHARD, BEGINNING)
    with pytest.raises(SourceUnavailable, match=f"{SHARD} of {STREAM}.*not as the service does"):
        await pages.next(10, None)
    assert len((await pages.next(10, None)).records) == 1


@pytest.mark.semantics("STREAM-44")
async def test_the_end_of_a_shard_is_looked_up_in_its_own_stream() -> None:
    """The table has a newer one by now, in which no such shard is listed."""
    client = Client(
        describe_table=[table(NEWER)], describe_stream=[description(shard(0))], get_records=[page(following=None)]
    )
    pages = service(client, TABLE).pages(STREAM, SHARD, BEGINNING)
    assert not any([(await pages.next(10, None)).ended for _ in range(9)])
    assert {each["StreamArn"] for each in client.asked["describe_stream"]} == {STREAM}
    client.answers["describe_stream"] = [description(shard(0, last=200), status="DISABLED")]
    assert any([(await pages.next(10, None)).ended for _ in range(9)])


# --- one record -----------------------------------------------------------------------------------------------------


SEVEN = "7".zfill(21)


@pytest.mark.semantics("STREAM-46")
@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([page(raw(7))], Probed(7, EPOCH)),
        ([page(), page(), page(raw(7))], Probed(7, EPOCH)),
        ([page()], Probed()),
        ([page(following=None)], Probed()),
        ([refused("TrimmedDataAccessException")], Probed()),
        ([refused("ValidationException")], Probed()),
    ],
)
async def test_what_stands_at_a_position(answers: list[Any], found: Probed) -> None:
    client = Client(get_records=answers)
    assert await service(client).probe(STREAM, SHARD, Position.parse(SEVEN)) == found
    asked = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": SEVEN}
    assert client.asked["get_shard_iterator"] == [{"StreamArn": STREAM, "ShardId": SHARD, **asked}]


@pytest.mark.semantics("STREAM-46")
async def test_a_position_too_short_for_the_client_is_not_asked_for() -> None:
    client = Client()
    assert await service(client).probe(STREAM, SHARD, Position.parse("7")) == Probed()
    assert client.asked["get_shard_iterator"] == []


@pytest.mark.semantics("STREAM-46")
@pytest.mark.parametrize("code", ["ResourceNotFoundException", "ValidationException", "TrimmedDataAccessException"])
async def test_a_position_that_the_service_does_not_know_is_an_answer(code: str) -> None:
    client = Client(get_shard_iterator=[refused(code)])
    assert await service(client).probe(STREAM, SHARD, Position.parse(SEVEN)) == Probed()


@pytest.mark.semantics("STREAM-46")
@pytest.mark.parametrize(
    "answer", [refused("InternalServerError", 500), refused("AccessDeniedException"), {}], ids=repr
)
async def test_a_probe_that_got_no_answer_says_so(answer: Any) -> None:
    with pytest.raises(SourceUnavailable):
        await service(Client(get_records=[answer])).probe(STREAM, SHARD, Position.parse(SEVEN))


# --- records --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-47")
async def test_a_record_as_the_function_sees_it() -> None:
    given = raw(101, EPOCH + 3, userIdentity={"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"})
    given["dynamodb"]["NewImage"] = {"id": {"S": "1"}, "b": {"B": "AP8="}}
    client = Client(get_records=[page(given)])
    (record,) = (await service(client, TABLE).pages(STREAM, SHARD, BEGINNING).next(10, None)).records
    number = f"{101:021d}"
    assert record.item == {
        "eventID": "e1",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": EPOCH + 3,
            "Keys": {"id": {"S": "1"}},
            "NewImage": {"id": {"S": "1"}, "b": {"B": "AP8="}},
            "SequenceNumber": number,
            "SizeBytes": 9,
        },
        "userIdentity": {"principalId": "dynamodb.amazonaws.com", "type": "Service"},
        "eventSourceARN": STREAM,
    }
    assert (record.id, record.lane, record.arrived) == (number, Lane(STREAM, SHARD), EPOCH + 3)
    assert (record.position, record.key) == (Position(101), '{"id":{"S":"1"}}')
    assert record.position is not None
    assert record.position.text == number


async def test_a_record_without_a_time_arrived_when_it_was_read() -> None:
    client = Client(get_records=[page(raw(101, None))])
    pages = service(client).pages(STREAM, SHARD, Start(StartKind.NEWER_THAN, EPOCH))
    assert [record.arrived for record in (await pages.next(10, None)).records] == [EPOCH]

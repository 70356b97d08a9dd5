"""Questions to a DynamoDB Streams server, one function each. See `kinesis_probes`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from .stream_lab import LONG_AGO, PAGES, Lab, Reply, closed, refused


async def description(lab: Lab) -> object:
    table, arn = await lab.table()
    found = await lab.described(arn)
    return found["StreamArn"] == arn, found["TableName"] == table, found["StreamStatus"], found["StreamViewType"]


async def sequence_numbers(lab: Lab) -> object:
    """Whether sequence numbers have at least 21 digits and rise, and shards have a start and no end."""
    table, arn = await lab.table()
    for key in "abc":
        await lab.item(table, key)
    (shard,) = (await lab.described(arn))["Shards"]
    found = await lab.changes(await lab.stream_iterator(arn, "TRIM_HORIZON"))
    numbers = [record["dynamodb"]["SequenceNumber"] for record in found]
    span = shard["SequenceNumberRange"]
    in_order = sorted(numbers, key=int) == numbers and int(span["StartingSequenceNumber"]) <= int(numbers[0])
    return min(map(len, numbers)) >= 21, in_order, "EndingSequenceNumber" in span


async def from_a_number_without_zeros(lab: Lab) -> object:
    """After the first of two records, by its number as an integer, with the 21 digits that botocore insists on."""
    table, arn = await lab.table()
    for key in "ab":
        await lab.item(table, key)
    found = await lab.changes(await lab.stream_iterator(arn, "TRIM_HORIZON"))
    number = str(int(found[0]["dynamodb"]["SequenceNumber"])).zfill(21)
    return keys(await lab.changes(await lab.stream_iterator(arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=number)))


async def regions(lab: Lab) -> object:
    """In the stream's ARN, in a record."""
    table, arn = await lab.table()
    await lab.item(table, "a")
    (record,) = await lab.changes(await lab.stream_iterator(arn, "TRIM_HORIZON"))
    return arn.split(":")[3], record["awsRegion"]


async def kinds_of_change(lab: Lab) -> object:
    table, arn = await lab.table()
    await lab.item(table, "a", n="1")
    await lab.item(table, "a", n="2")
    await lab.item(table, "a", n="2")  # nothing changes: no record
    await lab.dynamodb.delete_item(TableName=table, Key={"id": {"S": "a"}})
    found = await lab.changes(await lab.stream_iterator(arn, "TRIM_HORIZON"))
    return [(record["eventName"], *images(record["dynamodb"])) for record in found]


def images(change: Mapping[str, Any]) -> tuple[str, str]:
    return tuple(change.get(image, {}).get("n", {}).get("S", "") for image in ("OldImage", "NewImage"))


async def record_fields(lab: Lab) -> object:
    table, arn = await lab.table()
    await lab.item(table, "a")
    (record,) = await lab.changes(await lab.stream_iterator(arn, "TRIM_HORIZON"))
    change = record["dynamodb"]
    whole = change["ApproximateCreationDateTime"].microsecond == 0
    return record["eventVersion"], record["eventSource"], sorted(change), whole


async def times_in_minutes(lab: Lab) -> object:
    """Whether two changes, more than a second apart, both happened at the full minute."""
    table, arn = await lab.table()
    await lab.item(table, "a")
    await asyncio.sleep(1.1)  # times are told in seconds
    await lab.item(table, "b")
    found = await lab.changes(await lab.stream_iterator(arn, "TRIM_HORIZON"))
    return all(record["dynamodb"]["ApproximateCreationDateTime"].second == 0 for record in found)


async def keys_only(lab: Lab) -> object:
    table, arn = await lab.table("KEYS_ONLY")
    await lab.item(table, "a", n="1")
    (record,) = await lab.changes(await lab.stream_iterator(arn, "TRIM_HORIZON"))
    return record["dynamodb"]["Keys"], "NewImage" in record["dynamodb"], record["dynamodb"]["StreamViewType"]


async def places(lab: Lab) -> object:
    """From the latest, at and after the second of three."""
    table, arn = await lab.table()
    for key in "abc":
        await lab.item(table, key)
    shard = await lab.only_shard(arn)
    latest = await lab.stream_iterator(arn, "LATEST", shard)
    await lab.item(table, "d")
    all_of_them = await lab.changes(await lab.stream_iterator(arn, "TRIM_HORIZON", shard))
    number = all_of_them[1]["dynamodb"]["SequenceNumber"]
    at = await lab.stream_iterator(arn, "AT_SEQUENCE_NUMBER", shard, SequenceNumber=number)
    after = await lab.stream_iterator(arn, "AFTER_SEQUENCE_NUMBER", shard, SequenceNumber=number)
    return [keys(await lab.changes(iterator)) for iterator in (latest, at, after)]


def keys(records: list[Reply]) -> str:
    return " ".join(record["dynamodb"]["Keys"]["id"]["S"] for record in records)


async def from_an_empty_latest(lab: Lab) -> object:
    """The latest of a shard without records, some looks later."""
    table, arn = await lab.table()
    iterator = await lab.stream_iterator(arn, "LATEST")
    for _ in range(3):
        iterator = (await lab.streams.get_records(ShardIterator=iterator))["NextShardIterator"]
    await lab.item(table, "a")
    return keys(await lab.changes(iterator))


async def from_long_ago(lab: Lab) -> object:
    table, arn = await lab.table()
    await lab.item(table, "a")
    return keys(await lab.changes(await lab.stream_iterator(arn, "AT_TIMESTAMP", Timestamp=LONG_AGO)))


async def in_pages(lab: Lab) -> object:
    table, arn = await lab.table()
    for key in "abc":
        await lab.item(table, key)
    iterator = await lab.stream_iterator(arn, "TRIM_HORIZON")
    first = await lab.streams.get_records(ShardIterator=iterator, Limit=2)
    second = await lab.streams.get_records(ShardIterator=first["NextShardIterator"], Limit=2)
    return keys(first["Records"]), keys(second["Records"]), "NextShardIterator" in second


async def streams_of_a_table(lab: Lab) -> object:
    table, arn = await lab.table()
    found = (await lab.streams.list_streams(TableName=table))["Streams"]
    described = (await lab.dynamodb.describe_table(TableName=table))["Table"]
    return [each["StreamArn"] == arn for each in found], described["LatestStreamArn"] == arn


async def shards_after_the_last(lab: Lab) -> object:
    _, arn = await lab.table()
    found = await lab.described(arn, ExclusiveStartShardId=await lab.only_shard(arn))
    return len(found["Shards"]), "LastEvaluatedShardId" in found


async def a_disabled_stream(lab: Lab) -> object:
    """Its status, whether its shards are closed, what is read, and whether the reading ends."""
    table, arn = await lab.table()
    await lab.item(table, "a")
    await lab.dynamodb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    return await what_is_left(lab, arn)


async def the_stream_of_a_deleted_table(lab: Lab) -> object:
    table, arn = await lab.table()
    await lab.item(table, "a")
    await lab.dynamodb.delete_table(TableName=table)
    return await what_is_left(lab, arn)


async def what_is_left(lab: Lab, arn: str) -> object:
    found = await lab.described(arn)
    shard = found["Shards"][0]["ShardId"]
    iterator: str | None = await lab.stream_iterator(arn, "TRIM_HORIZON", shard)
    seen: list[Reply] = []
    for _ in range(PAGES):
        page = await lab.streams.get_records(ShardIterator=iterator)
        seen += page["Records"]
        iterator = page.get("NextShardIterator")
        if not iterator:
            break
    return found["StreamStatus"], [closed(each) for each in found["Shards"]], keys(seen), not iterator


async def a_table_made_anew(lab: Lab) -> object:
    """Whether its stream is another one."""
    table, arn = await lab.table()
    await lab.dynamodb.delete_table(TableName=table)
    again = await lab.dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    return bool(again["TableDescription"]["LatestStreamArn"] != arn)


async def a_missing_stream(lab: Lab) -> object:
    arn = "arn:aws:dynamodb:us-east-1:000000000000:table/nowhere/stream/2026-01-01T00:00:00.000"
    return await refused(lab.described(arn))


async def a_missing_shard(lab: Lab) -> object:
    _, arn = await lab.table()
    return await refused(lab.stream_iterator(arn, "LATEST", "shardId-00000001700000000000-00000000"))


async def a_bad_iterator(lab: Lab) -> object:
    return await refused(lab.streams.get_records(ShardIterator="arn:aws:dynamodb|1|AAAA"))


async def a_number_of_no_shard(lab: Lab) -> object:
    """A sequence number below, and one above, all that the shard has."""
    table, arn = await lab.table()
    await lab.item(table, "a")
    shard = await lab.only_shard(arn)
    return [
        await refused(lab.stream_iterator(arn, "AFTER_SEQUENCE_NUMBER", shard, SequenceNumber=number))
        for number in ("1" + "0" * 20, "9" * 24)
    ]

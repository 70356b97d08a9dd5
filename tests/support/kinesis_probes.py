"""Questions to a Kinesis server, one function each, about what matters to a poller.

A probe gets a lab and returns what it saw as a plain value, or lets a refusal pass, which `stream_lab.asked` makes its
answer. It asserts nothing: what AWS does, and where an emulator differs, stands in
tests/integration/test_stream_quirks.py.
"""

from __future__ import annotations

import asyncio
import time

from botocore.exceptions import ReadTimeoutError

from .stream_lab import FIRST, LONG_AGO, PAGES, Lab, closed, data, ids, refused

# --- listings ----------------------------------------------------------------------------------------------


async def shard_fields(lab: Lab) -> object:
    shards = await lab.shards(await lab.stream(2))
    return sorted(shards[0]), [shard["ShardId"] for shard in shards]


async def hash_ranges(lab: Lab) -> object:
    """Whether the ranges of two shards are halves of all keys."""
    shards = await lab.shards(await lab.stream(2))
    ranges = [tuple(map(int, shard["HashKeyRange"].values())) for shard in shards]
    return sorted(map(sorted, ranges)) == [[0, 2**127 - 1], [2**127, 2**128 - 1]]


async def listing_in_pages(lab: Lab) -> object:
    first = await lab.kinesis.list_shards(StreamName=await lab.stream(3), MaxResults=2)
    if "NextToken" not in first:
        return ids(first["Shards"])
    second = await lab.kinesis.list_shards(NextToken=first["NextToken"])
    return ids(first["Shards"]), ids(second["Shards"]), "NextToken" in second


async def token_and_name(lab: Lab) -> object:
    stream = await lab.stream(2)
    first = await lab.kinesis.list_shards(StreamName=stream, MaxResults=1)
    if "NextToken" not in first:
        return "no token"
    return await refused(lab.kinesis.list_shards(StreamName=stream, NextToken=first["NextToken"]))


async def listing_after_a_shard(lab: Lab) -> object:
    return ids(await lab.shards(await lab.stream(3), ExclusiveStartShardId="shardId-000000000000"))


async def described_in_pages(lab: Lab) -> object:
    stream = await lab.stream(2)
    first = (await lab.kinesis.describe_stream(StreamName=stream, Limit=1))["StreamDescription"]
    rest = await lab.kinesis.describe_stream(StreamName=stream, ExclusiveStartShardId=first["Shards"][0]["ShardId"])
    second = rest["StreamDescription"]
    return ids(first["Shards"]), first["HasMoreShards"], ids(second["Shards"]), second["HasMoreShards"]


async def summary(lab: Lab) -> object:
    found = (await lab.kinesis.describe_stream_summary(StreamName=await lab.stream(2)))["StreamDescriptionSummary"]
    recent = found["StreamCreationTimestamp"].timestamp() > LONG_AGO
    return found["StreamStatus"], found["RetentionPeriodHours"], found["OpenShardCount"], recent


async def creation_in_whole_seconds(lab: Lab) -> object:
    found = (await lab.kinesis.describe_stream_summary(StreamName=await lab.stream()))["StreamDescriptionSummary"]
    return found["StreamCreationTimestamp"].microsecond == 0


async def by_arn_alone(lab: Lab) -> object:
    """Every call names the stream by its ARN and not by its name."""
    stream = await lab.stream()
    await lab.put(stream, "a")
    found = await lab.kinesis.describe_stream_summary(StreamName=stream)
    arn = found["StreamDescriptionSummary"]["StreamARN"]
    (shard,) = (await lab.kinesis.list_shards(StreamARN=arn))["Shards"]
    which = {"StreamARN": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    iterator = (await lab.kinesis.get_shard_iterator(**which))["ShardIterator"]
    return data(await lab.kinesis.get_records(ShardIterator=iterator, StreamARN=arn))


async def date_of_a_reply(lab: Lab) -> object:
    reply = await lab.kinesis.list_shards(StreamName=await lab.stream())
    return "date" in reply["ResponseMetadata"]["HTTPHeaders"]


# --- records -----------------------------------------------------------------------------------------------


async def record_fields(lab: Lab) -> object:
    stream = await lab.stream()
    await lab.put(stream, "a")
    iterator = await lab.iterator(stream, FIRST, "TRIM_HORIZON")
    (record,) = (await lab.kinesis.get_records(ShardIterator=iterator))["Records"]
    return sorted(name for name in record if name != "EncryptionType"), record["PartitionKey"]


async def sequence_numbers(lab: Lab) -> object:
    """How many digits; whether they rise, from the shard's start on."""
    stream = await lab.stream()
    (shard,) = await lab.shards(stream)
    start = shard["SequenceNumberRange"]["StartingSequenceNumber"]
    numbers = [start, *await lab.put(stream, "a", "b", "c")]
    return {len(number) for number in numbers}, sorted(numbers, key=int) == numbers, len(set(numbers))


async def from_the_horizon(lab: Lab) -> object:
    stream = await lab.stream()
    await lab.put(stream, "a", "b", "c")
    return await lab.read(stream, FIRST, "TRIM_HORIZON")


async def from_the_latest(lab: Lab) -> object:
    stream = await lab.stream()
    await lab.put(stream, "a")
    iterator = await lab.iterator(stream, FIRST, "LATEST")
    await lab.put(stream, "b")
    return data(await lab.kinesis.get_records(ShardIterator=iterator))


async def from_a_number(lab: Lab) -> object:
    stream = await lab.stream()
    numbers = await lab.put(stream, "a", "b", "c")
    at = await lab.read(stream, FIRST, "AT_SEQUENCE_NUMBER", numbers[1])
    return at, await lab.read(stream, FIRST, "AFTER_SEQUENCE_NUMBER", numbers[1])


async def from_a_number_without_zeros(lab: Lab) -> object:
    """After the first of two records, whose number is spelt as an integer."""
    stream = await lab.stream()
    numbers = await lab.put(stream, "a", "b")
    return await lab.read(stream, FIRST, "AFTER_SEQUENCE_NUMBER", str(int(numbers[0])))


async def from_the_shards_start(lab: Lab) -> object:
    """After the number with which the shard starts, which is no record's."""
    stream = await lab.stream()
    (shard,) = await lab.shards(stream)
    await lab.put(stream, "a", "b")
    return await lab.read(
        stream, FIRST, "AFTER_SEQUENCE_NUMBER", shard["SequenceNumberRange"]["StartingSequenceNumber"]
    )


async def from_a_time(lab: Lab) -> object:
    """From the arrival of the second of three records."""
    stream = await lab.stream()
    for each in "abc":
        await lab.put(stream, each)
        await asyncio.sleep(0.05)  # not for an outcome: so that their times differ
    iterator = await lab.iterator(stream, FIRST, "TRIM_HORIZON")
    records = (await lab.kinesis.get_records(ShardIterator=iterator))["Records"]
    return await lab.read(stream, FIRST, "AT_TIMESTAMP", Timestamp=records[1]["ApproximateArrivalTimestamp"])


async def from_a_time_after_all(lab: Lab) -> object:
    """From the moment at which the last record is in, and what comes then."""
    stream = await lab.stream()
    await lab.put(stream, "a")
    await asyncio.sleep(0.05)  # not for an outcome: so that their times differ
    try:
        iterator = await lab.iterator(stream, FIRST, "AT_TIMESTAMP", Timestamp=time.time() - 0.02)
    except ReadTimeoutError:
        return "no answer"
    await lab.put(stream, "b")
    return data(await lab.kinesis.get_records(ShardIterator=iterator))


async def from_long_ago(lab: Lab) -> object:
    stream = await lab.stream()
    await lab.put(stream, "a")
    return await lab.read(stream, FIRST, "AT_TIMESTAMP", Timestamp=LONG_AGO)


async def from_the_future(lab: Lab) -> object:
    stream = await lab.stream()
    return await refused(lab.iterator(stream, FIRST, "AT_TIMESTAMP", Timestamp=4_000_000_000))


async def in_pages(lab: Lab) -> object:
    stream = await lab.stream()
    await lab.put(stream, *"abc")
    pages = [await lab.kinesis.get_records(ShardIterator=await lab.iterator(stream, FIRST, "TRIM_HORIZON"), Limit=2)]
    pages.append(await lab.kinesis.get_records(ShardIterator=pages[0]["NextShardIterator"], Limit=2))
    return [data(page) for page in pages], pages[0]["MillisBehindLatest"] > 0, pages[1]["MillisBehindLatest"]


async def an_empty_open_shard(lab: Lab) -> object:
    """What a look finds; whether it can go on; what it finds then."""
    stream = await lab.stream()
    page = await lab.kinesis.get_records(ShardIterator=await lab.iterator(stream, FIRST, "TRIM_HORIZON"))
    await lab.put(stream, "a")
    following = await lab.kinesis.get_records(ShardIterator=page["NextShardIterator"])
    return data(page), page["MillisBehindLatest"], data(following)


async def an_iterator_used_twice(lab: Lab) -> object:
    stream = await lab.stream()
    await lab.put(stream, "a")
    iterator = await lab.iterator(stream, FIRST, "TRIM_HORIZON")
    return [data(await lab.kinesis.get_records(ShardIterator=iterator)) for _ in range(2)]


async def arrival_in_milliseconds(lab: Lab) -> object:
    """Whether times come in milliseconds, not coarser and not finer."""
    stream = await lab.stream()
    for each in "abcde":
        await lab.put(stream, each)
        await asyncio.sleep(0.003)  # not for an outcome: so that their times differ
    reply = await lab.kinesis.get_records(ShardIterator=await lab.iterator(stream, FIRST, "TRIM_HORIZON"))
    times = {record["ApproximateArrivalTimestamp"].microsecond for record in reply["Records"]}
    return all(time % 1000 == 0 for time in times), len(times) > 1


# --- resharding --------------------------------------------------------------------------------------------


async def lineage_of_a_split(lab: Lab) -> object:
    """Every shard with its parent, and whether it is closed."""
    stream = await lab.stream()
    await lab.split(stream, FIRST)
    return [
        (shard["ShardId"][-2:], shard.get("ParentShardId", "")[-2:], closed(shard))
        for shard in await lab.shards(stream)
    ]


async def lineage_of_a_merge(lab: Lab) -> object:
    stream = await lab.stream(2)
    await lab.kinesis.merge_shards(StreamName=stream, ShardToMerge=FIRST, AdjacentShardToMerge="shardId-000000000001")
    await lab.active(stream)
    child = next((shard for shard in await lab.shards(stream) if shard["ShardId"].endswith("02")), {})
    return child.get("ParentShardId", "")[-2:], child.get("AdjacentParentShardId", "")[-2:]


async def open_shards_alone(lab: Lab) -> object:
    stream = await lab.stream()
    await lab.split(stream, FIRST)
    return ids(await lab.shards(stream, ShardFilter={"Type": "AT_LATEST"}))


async def open_shards_counted(lab: Lab) -> object:
    stream = await lab.stream()
    await lab.split(stream, FIRST)
    found = await lab.kinesis.describe_stream_summary(StreamName=stream)
    return found["StreamDescriptionSummary"]["OpenShardCount"]


async def numbers_of_children(lab: Lab) -> object:
    """Whether the children start after all that the parent has."""
    stream = await lab.stream()
    await lab.put(stream, "a")
    await lab.split(stream, FIRST)
    shards = {shard["ShardId"][-2:]: shard["SequenceNumberRange"] for shard in await lab.shards(stream)}
    if "00" not in shards:
        return None
    end = int(shards["00"]["EndingSequenceNumber"])
    return all(int(shards[child]["StartingSequenceNumber"]) > end for child in ("01", "02"))


async def records_of_a_closed_shard(lab: Lab) -> object:
    stream = await lab.stream()
    await lab.put(stream, "a", "b")
    await lab.split(stream, FIRST)
    return await lab.read(stream, FIRST, "TRIM_HORIZON")


async def records_after_a_split(lab: Lab) -> object:
    """In which shard a new record is."""
    stream = await lab.stream()
    await lab.split(stream, FIRST)
    await lab.put(stream, "a", key="k")
    return [await lab.read(stream, shard["ShardId"], "TRIM_HORIZON") for shard in await lab.shards(stream)]


async def end_of_a_closed_shard(lab: Lab) -> object:
    """What is read, and whether the reading ends."""
    stream = await lab.stream()
    await lab.put(stream, "a", "b")
    iterator = await lab.iterator(stream, FIRST, "TRIM_HORIZON")
    await lab.split(stream, FIRST)
    return await ending(lab, iterator)


async def end_after_the_last_record(lab: Lab) -> object:
    stream = await lab.stream()
    numbers = await lab.put(stream, "a", "b")
    await lab.split(stream, FIRST)
    return await ending(lab, await lab.iterator(stream, FIRST, "AFTER_SEQUENCE_NUMBER", numbers[-1]))


async def end_from_the_latest(lab: Lab) -> object:
    stream = await lab.stream()
    await lab.put(stream, "a")
    await lab.split(stream, FIRST)
    return await ending(lab, await lab.iterator(stream, FIRST, "LATEST"))


async def ending(lab: Lab, iterator: str | None) -> tuple[str, bool]:
    found = []
    for _ in range(PAGES):
        page = await lab.kinesis.get_records(ShardIterator=iterator)
        found.append(data(page))
        iterator = page.get("NextShardIterator")
        if not iterator:
            break
    return " ".join(filter(None, found)), not iterator


async def children_told_at_the_end(lab: Lab) -> object:
    stream = await lab.stream()
    iterator = await lab.iterator(stream, FIRST, "TRIM_HORIZON")
    await lab.split(stream, FIRST)
    pages = []
    for _ in range(PAGES):
        pages.append(await lab.kinesis.get_records(ShardIterator=iterator))
        if not (iterator := pages[-1].get("NextShardIterator", "")):
            break
    return [(child["ShardId"][-2:], child["ParentShards"]) for child in pages[-1].get("ChildShards", [])]


# --- refusals ----------------------------------------------------------------------------------------------


async def a_missing_stream(lab: Lab) -> object:
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/nowhere"
    return [
        await refused(lab.kinesis.list_shards(StreamName="nowhere")),
        await refused(lab.kinesis.list_shards(StreamARN=arn)),
        await refused(lab.kinesis.describe_stream_summary(StreamName="nowhere")),
        await refused(lab.iterator("nowhere", FIRST, "LATEST")),
    ]


async def a_missing_shard(lab: Lab) -> object:
    return await refused(lab.iterator(await lab.stream(), "shardId-000000000007", "LATEST"))


async def a_bad_iterator(lab: Lab) -> object:
    return await refused(lab.kinesis.get_records(ShardIterator="A" * 224))


async def a_number_of_another_shard(lab: Lab) -> object:
    stream = await lab.stream(2)
    (number,) = await lab.put(stream, "a")
    for shard in await lab.shards(stream):
        if not await lab.read(stream, shard["ShardId"], "TRIM_HORIZON"):
            return await refused(lab.iterator(stream, shard["ShardId"], "AFTER_SEQUENCE_NUMBER", number))
    return "in both"


async def a_number_of_a_former_stream(lab: Lab) -> object:
    """A place of a stream that was deleted, in the stream that was made anew under its name. A server may take it only
    when both were made within the same second, which not every try manages."""
    answers = []
    for _ in range(5):
        stream = await lab.stream()
        (number,) = await lab.put(stream, "a")
        await recreate(lab, stream)
        answers.append(await refused(lab.iterator(stream, FIRST, "AFTER_SEQUENCE_NUMBER", number)))
        if answers[-1] == "accepted":
            break
    return answers[-1]


async def creation_of_a_stream_made_anew(lab: Lab) -> object:
    """Whether it tells that it is another stream."""
    stream = await lab.stream()
    await asyncio.sleep(1)  # creation is told in seconds
    before = (await lab.kinesis.describe_stream_summary(StreamName=stream))["StreamDescriptionSummary"]
    await recreate(lab, stream)
    after = (await lab.kinesis.describe_stream_summary(StreamName=stream))["StreamDescriptionSummary"]
    return after["StreamCreationTimestamp"] > before["StreamCreationTimestamp"]


async def recreate(lab: Lab, stream: str) -> None:
    await lab.kinesis.delete_stream(StreamName=stream)
    await lab.kinesis.get_waiter("stream_not_exists").wait(StreamName=stream, WaiterConfig={"Delay": 0.05})
    await lab.kinesis.create_stream(StreamName=stream, ShardCount=1)
    await lab.active(stream)


# --- fan-out -----------------------------------------------------------------------------------------------


async def subscription(lab: Lab) -> object:
    """The first records that are pushed, and whether a place to go on comes with them."""
    stream = await lab.stream()
    await lab.put(stream, "a", "b")
    arn = await consumer(lab, stream)
    where = {"ConsumerARN": arn, "ShardId": FIRST, "StartingPosition": {"Type": "TRIM_HORIZON"}}
    reply = await lab.kinesis.subscribe_to_shard(**where)
    try:
        async for event in reply["EventStream"]:
            pushed = event["SubscribeToShardEvent"]
            if pushed["Records"]:
                return data(pushed), "ContinuationSequenceNumber" in pushed
    finally:
        reply["EventStream"].close()
    return "nothing"


async def consumer(lab: Lab, stream: str) -> str:
    """A registered consumer's ARN, once it is active."""
    found = await lab.kinesis.describe_stream_summary(StreamName=stream)
    arn = found["StreamDescriptionSummary"]["StreamARN"]
    registered = await lab.kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="prober")
    consumer: str = registered["Consumer"]["ConsumerARN"]
    for _ in range(PAGES):
        found = await lab.kinesis.describe_stream_consumer(ConsumerARN=consumer)
        if found["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE":
            break
        await asyncio.sleep(0.1)
    return consumer

"""What questions to a Kinesis or DynamoDB Streams server are asked with: clients, fresh streams and tables.

The questions are in `kinesis_probes` and `dynamodb_probes`, what they are answered in
tests/integration/test_stream_quirks.py.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

SESSION = get_session()
"""One for all: it keeps the descriptions of the services, which take long to load."""
LONG_AGO = 1_600_000_000
PAGES = 12
"""So many looks at a shard find what there is, or its end."""

Reply = dict[str, Any]


class Lab:
    """Clients of one server, and streams and tables with names of their own."""

    def __init__(self, kinesis: Any, streams: Any, dynamodb: Any) -> None:
        self.kinesis, self.streams, self.dynamodb = kinesis, streams, dynamodb

    async def stream(self, shards: int = 1) -> str:
        name = f"probe-{uuid.uuid4().hex[:12]}"
        await self.kinesis.create_stream(StreamName=name, ShardCount=shards)
        await self.active(name)
        return name

    async def active(self, name: str) -> None:
        await self.kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 0.05})

    async def put(self, stream: str, *data: str, key: str = "k") -> list[str]:
        """One call each. Their sequence numbers."""
        return [
            (await self.kinesis.put_record(StreamName=stream, PartitionKey=key, Data=each.encode()))["SequenceNumber"]
            for each in data
        ]

    async def shards(self, stream: str, **more: Any) -> list[Reply]:
        found: list[Reply] = (await self.kinesis.list_shards(StreamName=stream, **more))["Shards"]
        return found

    async def iterator(self, stream: str, shard: str, kind: str, number: str | None = None, **more: Any) -> str:
        if number is not None:
            more["StartingSequenceNumber"] = number
        which = {"StreamName": stream, "ShardId": shard, "ShardIteratorType": kind}
        return str((await self.kinesis.get_shard_iterator(**which, **more))["ShardIterator"])

    async def read(self, stream: str, shard: str, kind: str, number: str | None = None, **more: Any) -> str:
        """What one look finds, from there on."""
        iterator = await self.iterator(stream, shard, kind, number, **more)
        return data(await self.kinesis.get_records(ShardIterator=iterator))

    async def split(self, stream: str, shard: str) -> None:
        await self.kinesis.split_shard(StreamName=stream, ShardToSplit=shard, NewStartingHashKey=str(2**127))
        await self.active(stream)

    async def table(self, view: str = "NEW_AND_OLD_IMAGES") -> tuple[str, str]:
        """The table's name and its stream's ARN."""
        name = f"probe-{uuid.uuid4().hex[:12]}"
        created = await self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
        )
        return name, str(created["TableDescription"]["LatestStreamArn"])

    async def item(self, table: str, key: str, **attributes: str) -> None:
        item = {name: {"S": value} for name, value in {"id": key, **attributes}.items()}
        await self.dynamodb.put_item(TableName=table, Item=item)

    async def described(self, arn: str, **more: Any) -> Reply:
        found: Reply = (await self.streams.describe_stream(StreamArn=arn, **more))["StreamDescription"]
        return found

    async def only_shard(self, arn: str) -> str:
        (shard,) = (await self.described(arn))["Shards"]
        return str(shard["ShardId"])

    async def stream_iterator(self, arn: str, kind: str, shard: str | None = None, **more: Any) -> str:
        which = {"StreamArn": arn, "ShardId": shard or await self.only_shard(arn), "ShardIteratorType": kind}
        return str((await self.streams.get_shard_iterator(**which, **more))["ShardIterator"])

    async def changes(self, iterator: str, **more: Any) -> list[Reply]:
        found: list[Reply] = (await self.streams.get_records(ShardIterator=iterator, **more))["Records"]
        return found


@asynccontextmanager
async def lab(url: str, read_timeout: float = 5.0) -> AsyncIterator[Lab]:
    config = AioConfig(retries={"total_max_attempts": 1}, read_timeout=read_timeout)
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                SESSION.create_client(name, endpoint_url=url, region_name="us-east-1", config=config)
            )
            for name in ("kinesis", "dynamodbstreams", "dynamodb")
        ]
        yield Lab(*clients)


Probe = Callable[[Lab], Awaitable[object]]
FIRST = "shardId-000000000000"


def data(reply: Reply) -> str:
    return " ".join(record["Data"].decode() for record in reply["Records"])


def ids(shards: list[Reply]) -> list[str]:
    return [str(shard["ShardId"])[-2:] for shard in shards]


def closed(shard: Reply) -> bool:
    return "EndingSequenceNumber" in shard["SequenceNumberRange"]


async def asked(probe: Probe, lab: Lab) -> object:
    """What a probe saw; the code of a refusal that ended it."""
    try:
        return await probe(lab)
    except ClientError as error:
        return str(error.response["Error"]["Code"])


async def refused(call: Awaitable[object]) -> str:
    """The error code of a call, or "accepted"."""
    try:
        await call
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "accepted"

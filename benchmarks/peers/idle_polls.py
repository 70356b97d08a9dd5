"""A bare aiobotocore process that polls what never has anything.

    idle_polls.py sqs URL COUNT SECONDS       so many long polls of so many seconds at a time, one queue each: q0, q1 …
    idle_polls.py kinesis URL COUNT SECONDS   so many shards, one look each in so many seconds; streams s0, s1 …

Prints `ready` when all of them are under way.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session


async def queue(client: Any, url: str, number: int, seconds: int) -> None:
    while True:
        await client.receive_message(
            QueueUrl=f"{url}/000000000000/q{number}",
            MaxNumberOfMessages=10,
            WaitTimeSeconds=seconds,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )


async def stream(client: Any, url: str, number: int, seconds: int) -> None:
    begin = {"StreamName": f"s{number}", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    iterator = (await client.get_shard_iterator(**begin))["ShardIterator"]
    while True:
        iterator = (await client.get_records(ShardIterator=iterator, Limit=10_000))["NextShardIterator"]
        await asyncio.sleep(seconds)


async def main() -> None:
    service, url, count, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    config = AioConfig(max_pool_connections=4096)
    async with get_session().create_client(service, endpoint_url=url, config=config, **keys) as client:
        poll = queue if service == "sqs" else stream
        polls = [asyncio.create_task(poll(client, url, number, seconds)) for number in range(count)]
        print("ready", flush=True)
        await asyncio.gather(*polls)


asyncio.run(main())

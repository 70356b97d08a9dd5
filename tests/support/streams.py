"""Streams and tables of an emulator, for tests of the daemon as a process."""

from __future__ import annotations

import json
import uuid
from typing import Any

import boto3

from support import daemons
from support.daemons import Queues


class Streams:
    """Streams and tables of an emulator, made when a test needs them."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self.queues = Queues(endpoint_url)
        self.kinesis, self.dynamodb = self._client("kinesis"), self._client("dynamodb")

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.endpoint_url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def name(self) -> str:
        return f"s-{uuid.uuid4().hex[:12]}"

    def arn(self, name: str) -> str:
        return f"arn:aws:kinesis:us-east-1:{daemons.ACCOUNT}:stream/{name}"

    def create(self, name: str = "") -> str:
        """A stream of one shard; its name."""
        name = name or self.name()
        self.kinesis.create_stream(StreamName=name, ShardCount=1)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
        return name

    def put(self, name: str, *data: object) -> None:
        for each in data:
            self.kinesis.put_record(StreamName=name, PartitionKey="k", Data=json.dumps(each).encode())

    def table(self) -> str:
        """A table with a stream; its name."""
        name = self.name()
        self.dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        return name

    def close(self) -> None:
        self.queues.close()
        self.kinesis.close()
        self.dynamodb.close()

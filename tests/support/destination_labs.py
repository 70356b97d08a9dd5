"""Failure destinations seen from both sides: what writes to them, and what arrived."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from headrace.config.clients.aws import Clients
from headrace.config.fields.arn import Arn
from headrace.dispatch.destinations.aws import make_destination
from headrace.dispatch.destinations.base import Destination
from headrace.dispatch.destinations.memory import MemoryDestination
from headrace.dispatch.plugins.guarded_destination import GuardedDestination
from headrace.service.testing.destination_contract import DOCUMENTS, ID
from support.eventually import eventually_async

MAPPING = "33333333-3333-4333-8333-333333333333"
KEY = f"aws/lambda/{MAPPING}/shardId-000000000000/2022/07/13/2022-07-13T13.48.01-{ID}"


@dataclass
class MemoryLab:
    memory: MemoryDestination = field(init=False)
    with_event: bool = False

    def __post_init__(self) -> None:
        self.memory = MemoryDestination("arn:aws:sqs:us-east-1:000000000000:failed", DOCUMENTS, exists=False)

    async def create(self) -> None:
        self.memory.exists = True

    async def destination(self) -> Destination:
        return self.memory

    async def arrived(self, count: int) -> list[str]:
        assert len(self.memory.written) >= count
        return [document.decode() for document in self.memory.written]


@dataclass
class PluginLab(MemoryLab):
    """The fake as the destination of a plug-in, kept apart as the daemon keeps it."""

    async def destination(self) -> Destination:
        return GuardedDestination(lambda: self.memory, title="plug-in 'memory'", address=self.memory.arn)


@dataclass
class SqsLab:
    clients: Clients
    account: str
    name: str = field(default_factory=lambda: f"failed-{uuid.uuid4().hex[:12]}")
    url: str = ""
    with_event: bool = False

    @property
    def arn(self) -> str:
        return f"arn:aws:sqs:us-east-1:{self.account}:{self.name}"

    async def create(self) -> None:
        self.url = (await (await self.clients.get("sqs")).create_queue(QueueName=self.name))["QueueUrl"]

    async def destination(self) -> Destination:
        return await make_destination(Arn.parse(self.arn), self.clients, DOCUMENTS, MAPPING)

    async def arrived(self, count: int) -> list[str]:
        client, bodies = await self.clients.get("sqs"), list[str]()

        async def enough() -> bool:
            answer = await client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            bodies.extend(message["Body"] for message in answer.get("Messages", []))
            return len(bodies) >= count

        await eventually_async(enough)
        return bodies


@dataclass
class SnsLab(SqsLab):
    """A topic with a queue behind it."""

    @property
    def arn(self) -> str:
        return f"arn:aws:sns:us-east-1:{self.account}:{self.name}"

    async def create(self) -> None:
        await super().create()
        client = await self.clients.get("sns")
        topic = (await client.create_topic(Name=self.name))["TopicArn"]
        assert topic == self.arn
        queue = f"arn:aws:sqs:us-east-1:{self.account}:{self.name}"
        raw = {"RawMessageDelivery": "true"}
        await client.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=raw)


@dataclass
class S3Lab(SqsLab):
    with_event: bool = True

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.name}"

    async def create(self) -> None:
        await (await self.clients.get("s3")).create_bucket(Bucket=self.name)

    async def objects(self) -> dict[str, str]:
        client = await self.clients.get("s3")
        listed = (await client.list_objects_v2(Bucket=self.name)).get("Contents", [])
        keys = [each["Key"] for each in listed]
        got = [await (await client.get_object(Bucket=self.name, Key=key))["Body"].read() for key in keys]
        return {key: body.decode() for key, body in zip(keys, got, strict=True)}

    async def arrived(self, count: int) -> list[str]:
        return list((await self.objects()).values())


LABS = {"sqs": SqsLab, "sns": SnsLab, "s3": S3Lab}
ACCOUNTS = {"ministack": "000000000000", "moto": "123456789012"}
"""Servers that have all three services, and the account that each takes itself for."""

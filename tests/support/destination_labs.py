"""Failure destinations seen from both sides: what writes to them, and what arrived."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Protocol

from headrace.config.clients.aws import Clients
from headrace.config.fields.arn import Arn
from headrace.dispatch.core.documents import Report
from headrace.dispatch.core.events import RecordsEnvelope
from headrace.dispatch.core.model import Attempt, DiscardReason, Lane, Position, Record
from headrace.dispatch.core.pages import Records
from headrace.dispatch.core.planner import DiscardStep
from headrace.dispatch.destinations.aws import make_destination
from headrace.dispatch.destinations.base import Destination
from headrace.dispatch.destinations.memory import MemoryDestination
from headrace.dispatch.kinds.fragments import shard_documents
from headrace.dispatch.kinds.kinesis import BATCH_INFO
from support.eventually import eventually_async
from support.paper import failed

MAPPING = "33333333-3333-4333-8333-333333333333"
ID = "11111111-1111-4111-8111-111111111111"
LANE = Lane("arn:aws:kinesis:us-east-1:000000000000:stream/s", "shardId-000000000000")
RECORDS = Records.of(
    [
        Record(LANE, "0049", {"a": 'caf\u00e9 \U0001f600 "quoted"'}, 1657720080.0, Position.parse("0049")),
        Record(LANE, "0050", {"a": 2}, 1657720080.9996, Position.parse("0050")),
    ]
)
DOCUMENTS = shard_documents(BATCH_INFO, "arn:aws:lambda:us-east-1:000000000000:function:f")
KEY = f"aws/lambda/{MAPPING}/shardId-000000000000/2022/07/13/2022-07-13T13.48.01-{ID}"


def report(reason: DiscardReason = DiscardReason.RETRIES_EXHAUSTED, *, unique: str = ID) -> Report:
    def render(records: Records) -> bytes:
        return RecordsEnvelope().render(records)

    attempt = Attempt("22222222-2222-4222-8222-222222222222", 0.0, 1.0, 200, "$LATEST", "Unhandled")
    return Report(DiscardStep(RECORDS, reason, attempt, 2, failed()), LANE, 1657720081.25, unique, render)


class Lab(Protocol):
    """One destination, seen from both sides."""

    with_event: bool
    """Whether it gets the event too."""

    async def create(self) -> None: ...

    async def destination(self) -> Destination: ...

    async def arrived(self, count: int) -> list[str]:
        """What arrived, when at least so many did."""
        ...


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

"""Streams and tables of every kind, each seen from the producer's side and from ours: what the contract suite of the
stream sources is asked of."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clock import SystemClock
from headrace.config.fields.arn import Arn
from headrace.pollers.checkpoints.memory import MemoryCheckpoints
from headrace.pollers.dynamodb.service import DynamoDbService
from headrace.pollers.kinesis.service import KinesisService
from headrace.pollers.memory.flavours import Flavour
from headrace.pollers.memory.stream import MemoryStream
from headrace.pollers.memory.stream_service import MemoryStreamService
from headrace.pollers.streams.polled_shard import Cadence
from headrace.pollers.streams.service import StreamService
from headrace.pollers.streams.source import StreamSource
from support import stream_lab, stream_stub
from support.rigs import stream_source
from support.stream_stub import KinesisStream, Stub, TableStream
from support.world import Watch

ACCOUNT = "000000000000"
QUICK = Cadence(0.05, None, None, 1000)
Starting = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]
Service = Literal["kinesis", "dynamodb"]


class Stream(Protocol):
    """A stream (or a table with one) that does not exist before `create`. Not all can all of it."""

    async def create(self) -> None: ...

    async def remove(self) -> None:
        """It is gone; a table's stream may stay, closed, with its records."""
        ...

    async def put(self, key: str, data: str) -> None: ...

    async def split(self) -> None:
        """The only open shard is closed and has children (one, for a table)."""
        ...

    async def trim(self) -> None:
        """What was put so far is gone."""
        ...

    def service(self) -> StreamService: ...


@dataclass
class Lab:
    """A stream, and the sources of one mapping over one store of positions."""

    stream: Stream
    watch: Watch
    store: MemoryCheckpoints

    def source(self, start: Starting = "TRIM_HORIZON", *, mapping: str = "m", start_over: bool = True) -> StreamSource:
        return stream_source(
            self.stream.service(),
            self.store,
            self.watch,
            mapping=mapping,
            start=start,
            start_over=start_over,
            discovery=0.1,
        )


# --- in memory ------------------------------------------------------------------------------------------------------


class InMemory:
    """The shipped fake, on real time."""

    def __init__(self, flavour: Flavour) -> None:
        name = "stream/orders" if flavour is Flavour.KINESIS else "table/orders/stream/2023-11-14T22:13:20.000"
        arn = f"arn:aws:{flavour.value}:us-east-1:{ACCOUNT}:{name}"
        self._stream = MemoryStream(arn, SystemClock(), flavour, calls_per_second=None)
        self._stream.delete()

    async def create(self) -> None:
        self._stream.recreate()

    async def remove(self) -> None:
        self._stream.delete()

    async def put(self, key: str, data: str) -> None:
        self._stream.put(key, data)

    async def split(self) -> None:
        (shard,) = self._stream.open_shards()
        self._stream.split(shard)

    async def trim(self) -> None:
        for shard in self._stream.describe():
            self._stream.shard(shard.id).forget(before=SystemClock().wall())

    def service(self) -> StreamService:
        return MemoryStreamService(self._stream, cadence=QUICK)


# --- our own server -------------------------------------------------------------------------------------------------


@dataclass
class Connected:
    """Clients of a server, as the daemon makes them."""

    kinesis: object
    dynamodb: object
    streams: object

    def kinesis_service(self, arn: str) -> StreamService:
        role = f"arn:aws:iam::{ACCOUNT}:role/lambda"
        return KinesisService(Arn.parse(arn), self.kinesis, SystemClock(), role=role, cadence=QUICK)

    def dynamodb_service(self, arn: str) -> StreamService:
        return DynamoDbService(Arn.parse(arn), self.dynamodb, self.streams, SystemClock(), cadence=QUICK)


@asynccontextmanager
async def connected(url: str, *, lean: bool = True) -> AsyncIterator[Connected]:
    async with Clients(AwsSettings(endpoint_url=url, region="us-east-1", lean=lean)) as clients:
        kinesis, dynamodb, streams = [await clients.get(name) for name in ("kinesis", "dynamodb", "dynamodbstreams")]
        yield Connected(kinesis, dynamodb, streams)


class StubKinesis:
    def __init__(self, stub: Stub, clients: Connected) -> None:
        self._stub = stub
        self._clients = clients
        self._stream: KinesisStream | None = None

    @property
    def stream(self) -> KinesisStream:
        assert self._stream is not None
        return self._stream

    async def create(self) -> None:
        self._stream = self._stub.kinesis("orders")

    async def remove(self) -> None:
        self._stub.delete(self.stream)

    async def put(self, key: str, data: str) -> None:
        self.stream.put(key, data.encode())

    async def split(self) -> None:
        (shard,) = self.stream.open_shards
        self.stream.split(shard)

    async def trim(self) -> None:
        for shard in self.stream.shards:
            self.stream.trim(shard)

    def service(self) -> StreamService:
        return self._clients.kinesis_service(f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/orders")


class StubTable:
    """By the table's ARN."""

    def __init__(self, stub: Stub, clients: Connected) -> None:
        self._stub = stub
        self._clients = clients
        self._table: TableStream | None = None

    @property
    def table(self) -> TableStream:
        assert self._table is not None
        return self._table

    async def create(self) -> None:
        self._table = self._stub.table("orders")

    async def remove(self) -> None:
        self._stub.delete(self.table)

    async def put(self, key: str, data: str) -> None:
        self.table.put({"id": {"S": key}, "data": {"S": data}})

    async def split(self) -> None:
        self.table.rotate()

    async def trim(self) -> None:
        for shard in self.table.shards:
            self.table.trim(shard)

    def service(self) -> StreamService:
        return self._clients.dynamodb_service(f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/orders")


# --- emulators ------------------------------------------------------------------------------------------------------


class ServerKinesis:
    def __init__(self, lab: stream_lab.Lab, clients: Connected) -> None:
        self._lab = lab
        self._clients = clients
        self._name = f"contract-{uuid.uuid4().hex[:12]}"

    async def create(self) -> None:
        await self._lab.kinesis.create_stream(StreamName=self._name, ShardCount=1)
        await self._lab.active(self._name)

    async def remove(self) -> None:
        await self._lab.kinesis.delete_stream(StreamName=self._name)
        await self._lab.kinesis.get_waiter("stream_not_exists").wait(
            StreamName=self._name, WaiterConfig={"Delay": 0.05}
        )

    async def put(self, key: str, data: str) -> None:
        await self._lab.put(self._name, data, key=key)

    async def split(self) -> None:
        (shard,) = await self._lab.shards(self._name)
        await self._lab.split(self._name, shard["ShardId"])

    async def trim(self) -> None:
        raise NotImplementedError("no emulator has a short retention")

    def service(self) -> StreamService:
        return self._clients.kinesis_service(f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{self._name}")


class ServerTable:
    def __init__(self, lab: stream_lab.Lab, clients: Connected) -> None:
        self._lab = lab
        self._clients = clients
        self._name = f"contract-{uuid.uuid4().hex[:12]}"

    async def create(self) -> None:
        await self._lab.dynamodb.create_table(
            TableName=self._name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )

    async def remove(self) -> None:
        await self._lab.dynamodb.delete_table(TableName=self._name)

    async def put(self, key: str, data: str) -> None:
        await self._lab.item(self._name, key, data=data)

    async def split(self) -> None:
        raise NotImplementedError("emulators rotate shards every four hours or never")

    async def trim(self) -> None:
        raise NotImplementedError("no emulator has a short retention")

    def service(self) -> StreamService:
        return self._clients.dynamodb_service(f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{self._name}")


# --- which -----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def stream_of(server: str, service: Service, url: str) -> AsyncIterator[Stream]:
    """A stream of this server, which listens at `url`; `memory`, `stub` and `stub-general` need none. The last one is
    the stub by the general client alone, as behind a proxy."""
    async with AsyncExitStack() as stack:
        if server == "memory":
            yield InMemory(Flavour[service.upper()])
        elif server in ("stub", "stub-general"):
            stub = await stack.enter_async_context(stream_stub.serve())
            stub.limits = None
            clients = await stack.enter_async_context(connected(stub.url, lean=server == "stub"))
            yield StubKinesis(stub, clients) if service == "kinesis" else StubTable(stub, clients)
        else:
            lab = await stack.enter_async_context(stream_lab.lab(url))
            clients = await stack.enter_async_context(connected(url))
            yield ServerKinesis(lab, clients) if service == "kinesis" else ServerTable(lab, clients)

"""From a mapping's configuration to the source that reads its stream, over the wire: every setting has its effect."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clock import ServiceClock, SystemClock
from headrace.config.errors import SourceRefused
from headrace.config.loader import load
from headrace.dispatch.core.model import Lane, Record
from headrace.dispatch.core.observer import StreamRecreated
from headrace.pollers.checkpoints.memory import MemoryCheckpoints
from headrace.pollers.checkpoints.store import CheckpointStore
from headrace.pollers.core.mark import Mark
from headrace.pollers.source import Source
from headrace.service.running.functions import facts_of
from headrace.service.wiring.endpoints import ServiceEndpoints
from headrace.service.wiring.source_factory import SourceFactory
from support import stream_stub
from support.aggregates import aggregate
from support.stream_stub import Stub
from support.world import Watch

SHARD = "shardId-000000000000"


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with stream_stub.serve(wall=lambda: time.time() - 3600) as stub:  # no start may be in the future
        yield stub


class Making:
    """Makes the source of a configuration of one mapping, as the daemon does."""

    def __init__(self, directory: Path, stub: Stub, clients: Clients) -> None:
        self._directory = directory
        self._clients = clients
        self._aws = {"endpoint_url": stub.url, "region": "us-east-1"}
        self.watch = Watch()

    async def source(
        self, source: str, store: CheckpointStore, function: dict[str, object] | None = None, **fields: Any
    ) -> Source:
        mapping = {"source": source, "function": "f", "starting_position": "TRIM_HORIZON", **fields}
        functions = {"f": {"http": "http://127.0.0.1:9/", **(function or {})}}
        file = self._directory / "headrace.json"
        file.write_text(json.dumps({"aws": self._aws, "functions": functions, "mappings": {"m": mapping}}))
        config = load([file], environ={})
        endpoints = await ServiceEndpoints.find(config.mappings.values(), self._clients)

        async def stored() -> CheckpointStore:
            return store

        sources = SourceFactory(
            config.settings,
            config.directory,
            self._clients,
            endpoints,
            stored,
            SystemClock(),
            lambda: 0.0,
            self.watch,
        )
        facts = facts_of(config.functions["f"])
        return await sources.source(config.mappings["m"], facts, ServiceClock(SystemClock()))

    async def records(self, source: str, **settings: Any) -> list[Record]:
        """What the first fetch of the first shard brings."""
        made = await self.source(source, MemoryCheckpoints(), **settings)
        (shard, *_) = (await made.open()).wanted()
        reader = await made.reader(shard)
        fetched = await reader.fetch(100, None)
        await reader.aclose()
        return list(fetched.records)


@pytest.fixture
async def making(tmp_path: Path, stub: Stub) -> AsyncIterator[Making]:
    async with Clients(AwsSettings(endpoint_url=stub.url, region="us-east-1")) as clients:
        yield Making(tmp_path, stub, clients)


@pytest.mark.semantics("KPL-01")
@pytest.mark.parametrize(("deaggregate", "keys"), [(None, ["outer"]), (False, ["outer"]), (True, ["one", "two"])])
async def test_records_are_taken_apart_where_the_mapping_says_so(
    stub: Stub, making: Making, deaggregate: bool | None, keys: list[str]
) -> None:
    orders = stub.kinesis("orders")
    orders.put("outer", aggregate([("one", None, b"1"), ("two", None, b"2")]))
    fields: dict[str, Any] = {} if deaggregate is None else {"deaggregate": deaggregate}
    assert [record.key for record in await making.records(orders.arn, **fields)] == keys


@pytest.mark.semantics("CONFIG-37")
@pytest.mark.parametrize(
    ("function", "role"),
    [
        ({}, "arn:aws:iam::000000000000:role/lambda"),
        ({"role": "arn:aws:iam::000000000000:role/orders"}, "arn:aws:iam::000000000000:role/orders"),
    ],
)
async def test_the_role_of_the_function_stands_in_the_event(
    stub: Stub, making: Making, function: dict[str, object], role: str
) -> None:
    orders = stub.kinesis("orders")
    orders.put("k", b"x")
    (record,) = await making.records(orders.arn, function=function)
    assert record.item["invokeIdentityArn"] == role


@pytest.mark.semantics("CONFIG-32")
async def test_a_stream_is_read_from_the_time_that_the_mapping_says(stub: Stub, making: Making) -> None:
    orders = stub.kinesis("orders")
    orders.put("early", b"x")
    stub.clock.advance(100)
    orders.put("late", b"x")
    now = stub.clock.now()
    for moment, keys in ((now - 150, ["early", "late"]), (now - 50, ["late"])):
        start = {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": moment}
        assert [record.key for record in await making.records(orders.arn, **start)] == keys


@pytest.mark.semantics("EFO-01")
async def test_a_consumer_is_subscribed(stub: Stub, making: Making) -> None:
    orders = stub.kinesis("orders")
    consumer = orders.consumer("headrace")
    orders.put("k", b"x")
    (record,) = await making.records(consumer.arn)
    assert (record.lane.source, record.item["eventSourceARN"]) == (orders.arn, consumer.arn)
    assert stub.calls_of("SubscribeToShard")
    assert not stub.calls_of("GetRecords")


@pytest.mark.semantics("CONFIG-36")
async def test_a_table_stands_for_its_newest_stream(stub: Stub, making: Making) -> None:
    table = stub.table("orders")
    table.put({"id": {"S": "1"}})
    for source in (table.table_arn, table.arn):
        (record,) = await making.records(source)
        assert record.lane.source == table.arn
        assert record.item["eventSourceARN"] == table.arn


@pytest.mark.parametrize(("region", "signed"), [("ddblocal", "us-east-1"), ("eu-west-1", "eu-west-1")])
async def test_the_region_that_dynamodb_local_makes_up_is_the_configured_one(
    stub: Stub, making: Making, region: str, signed: str
) -> None:
    """It keeps the tables of each region apart, by the region of the signature."""
    table = stub.table("orders")
    table.put({"id": {"S": "1"}})
    assert len(await making.records(table.table_arn.replace("us-east-1", region))) == 1
    assert {call.region for call in stub.calls} == {signed}


@pytest.mark.semantics("STREAM-58")
@pytest.mark.parametrize("setting", [None, "start_over", "stop"])
async def test_a_stream_that_was_made_anew_is_read_or_left_as_the_mapping_says(
    stub: Stub, making: Making, setting: str | None
) -> None:
    fields: dict[str, Any] = {} if setting is None else {"recreated_stream": setting}
    store = MemoryCheckpoints()
    orders = stub.kinesis("orders")
    orders.put("old", b"x")
    source = await making.source(orders.arn, store, **fields)
    await source.open()
    reader = await source.reader(SHARD)
    (record,) = (await reader.fetch(10, None)).records
    await reader.commit({Lane(orders.arn, SHARD): Mark(record.position)})
    await reader.aclose()
    stub.clock.advance(1000)
    stub.kinesis("orders").put("new", b"x")
    again = await making.source(orders.arn, store, **fields)
    if setting == "stop":
        with pytest.raises(SourceRefused, match="recreated_stream"):
            await again.open()
        assert making.watch.of(StreamRecreated) == []
        return
    await again.open()
    assert [event.mapping for event in making.watch.of(StreamRecreated)] == ["m"]
    reader = await again.reader(SHARD)
    assert [record.key for record in (await reader.fetch(10, None)).records] == ["new"]
    await reader.aclose()

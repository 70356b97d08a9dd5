"""How long a shard with nothing new rests: AWS's pause at AWS, a share of the looks elsewhere, or what the user set."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from headrace.config.clock import LoopClock
from headrace.config.mapping import EventSourceMapping
from headrace.config.settings import Settings
from headrace.dispatch.core.observer import Observers
from headrace.pollers.checkpoints.store import BEGINNING
from headrace.pollers.kinds.table import poller_of
from headrace.pollers.profile import SourceParts
from headrace.pollers.source import FunctionFacts
from headrace.pollers.streams.core.idle_shards import IdleShards
from headrace.pollers.streams.maker import StreamMaker
from headrace.pollers.streams.service import Pages
from headrace.service.wiring.source_factory import SourceFactory
from support.virtual_time import EPOCH, VirtualLoop

KINESIS = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
DYNAMODB = "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026-01-01T00:00:00.000"
EMULATOR = "http://localhost:4566"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.mark.semantics("STREAM-65")
@pytest.mark.parametrize(("shards", "pause"), [(0, 0.2), (1, 0.2), (20, 0.2), (50, 0.5), (100, 1.0), (1000, 1.0)])
def test_few_shards_rest_shortly_and_many_share_the_looks(shards: int, pause: float) -> None:
    shared = IdleShards()
    for number in range(shards):
        shared.joined(number)
        shared.joined(number)
    assert shared.pause == pause


def test_a_shard_that_left_makes_room_for_the_others() -> None:
    shared = IdleShards()
    for number in range(100):
        shared.joined(number)
    for number in range(50):
        shared.left(number)
        shared.left(number)
    assert shared.pause == 0.5


class SilentClient:
    """A client of Kinesis and of DynamoDB Streams whose shards have nothing."""

    def __init__(self, endpoint: str) -> None:
        self.meta = SimpleNamespace(endpoint_url=endpoint)

    async def get_shard_iterator(self, **asked: Any) -> dict[str, Any]:
        return {"ShardIterator": "iterator"}

    async def get_records(self, **asked: Any) -> dict[str, Any]:
        return {"Records": [], "NextShardIterator": "iterator"}


def parts(endpoint: str, settings: Settings) -> SourceParts:
    class SilentClients:
        async def get(self, service: str, **chosen: Any) -> SilentClient:
            return SilentClient(endpoint)

    given = cast("Any", None)
    clock = LoopClock(EPOCH)
    clients, endpoints = cast("Any", SilentClients()), cast("Any", SimpleNamespace(of=None))
    made = SourceFactory(settings, lambda mapping: Path(), clients, endpoints, given, clock, lambda: 0.5, Observers())
    return made.parts


async def pages(source: str, parts: SourceParts) -> Pages:
    mapping = EventSourceMapping.model_validate(
        {"name": "m", "source": source, "function": "f", "starting_position": "TRIM_HORIZON"}
    )
    maker = poller_of(mapping).make(mapping, parts)
    assert isinstance(maker, StreamMaker)
    return (await maker.service(FunctionFacts())).pages(source, "shard", BEGINNING)


async def pause(reader: Pages) -> float:
    """Seconds from one look to the next."""
    clock = LoopClock(EPOCH)
    await reader.next(10, None)
    began = clock.monotonic()
    await reader.next(10, None)
    return clock.monotonic() - began


@pytest.mark.semantics("STREAM-37", "STREAM-65")
@pytest.mark.parametrize(
    ("source", "endpoint", "given", "expected"),
    [
        (KINESIS, "https://kinesis.us-east-1.amazonaws.com", None, 1.0),
        (DYNAMODB, "https://streams.dynamodb.us-east-1.amazonaws.com", None, 0.25),
        (KINESIS, EMULATOR, None, 0.2),
        (DYNAMODB, EMULATOR, None, 0.2),
        (KINESIS, "https://kinesis.us-east-1.amazonaws.com", 3, 3.0),
        (KINESIS, EMULATOR, 3, 3.0),
        (DYNAMODB, EMULATOR, 0.5, 0.5),
    ],
)
async def test_an_idle_shard_rests_as_aws_has_it_or_shortly_or_as_it_is_set(
    source: str, endpoint: str, given: float | None, expected: float
) -> None:
    assert await pause(await pages(source, parts(endpoint, Settings(idle_shard_pause=given)))) == pytest.approx(
        expected, abs=0.01
    )


@pytest.mark.semantics("STREAM-65")
async def test_the_shards_of_all_streams_of_a_daemon_share_the_looks() -> None:
    daemons = parts(EMULATOR, Settings())
    readers = [await pages(KINESIS, daemons) for _ in range(40)] + [await pages(DYNAMODB, daemons) for _ in range(40)]
    async with anyio.create_task_group() as tasks:
        for reader in readers:
            tasks.start_soon(reader.next, 10, None)
    assert await pause(readers[0]) == pytest.approx(0.8, abs=0.01)
    for reader in readers[1:]:
        await reader.aclose()
    assert await pause(readers[0]) == pytest.approx(0.2, abs=0.01)

"""A small world of streams on virtual time: a stream in memory, a function as a coroutine, and the real shell between.

`StreamWorld` is a `World` whose mappings read streams. Its positions outlive its mappings, so that one can be stopped
and another one started where it was.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import anyio
import orjson

from headrace.config.clock import Jitter, LoopClock, ServiceClock
from headrace.dispatch.core.events import RecordsEnvelope, WindowEnvelope
from headrace.dispatch.core.keeping import keep_all
from headrace.dispatch.core.model import Attempt, Reply, Throttled
from headrace.dispatch.core.observer import Discarded, Invoking
from headrace.dispatch.core.policy import Policy, Progress
from headrace.dispatch.destinations.memory import MemoryDestination
from headrace.dispatch.destinations.persistence import FailureDestination
from headrace.dispatch.invokers.base import Invocation
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.dispatch.kinds import dynamodb, kinesis
from headrace.dispatch.kinds.fragments import shard_documents
from headrace.pollers.checkpoints.memory import MemoryCheckpoints
from headrace.pollers.core.lifecycle import PollState
from headrace.pollers.core.pool import Pool
from headrace.pollers.feed_settings import Keeps
from headrace.pollers.memory.flavours import Flavour
from headrace.pollers.memory.stream import MemoryStream
from headrace.pollers.memory.stream_service import MemoryStreamService
from headrace.pollers.streams.polled_shard import Cadence
from headrace.pollers.streams.service import Listing
from headrace.pollers.streams.source import StreamSource
from headrace.pollers.supervisor import Supervisor
from support.rigs import MappingRig, by_key, by_window, discards_to, no_jitter, stream_source, target_of
from support.virtual_time import EPOCH
from support.world import Watch, World

STREAMS = {
    Flavour.KINESIS: "arn:aws:kinesis:us-east-1:000000000000:stream/orders",
    Flavour.DYNAMODB: "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2023-11-14T22:13:20.000",
}


# --- the function ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """An invocation, as the function sees it."""

    event: dict[str, Any]
    at: float
    """Virtual time."""

    @property
    def data(self) -> list[str]:
        return [data_of(record) for record in self.event["Records"]]

    @property
    def numbers(self) -> list[str]:
        """Sequence numbers: how the function names records in `batchItemFailures`."""
        return [number_of(record) for record in self.event["Records"]]

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.event["state"]
        return state

    @property
    def final(self) -> bool:
        return bool(self.event["isFinalInvokeForWindow"])

    def failing(self, *data: str) -> dict[str, Any]:
        """The answer that names these records as failed."""
        named = [number for number, each in zip(self.numbers, self.data, strict=True) if each in data]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in named]}


def data_of(item: Any) -> str:
    """What was put, from a record's element of the event."""
    if "kinesis" in item:
        return b64decode(item["kinesis"]["data"]).decode()
    return str(item["dynamodb"]["NewImage"]["data"]["S"])


def number_of(item: Any) -> str:
    return str(item["kinesis"]["sequenceNumber"] if "kinesis" in item else item["dynamodb"]["SequenceNumber"])


Handler = Callable[[Call], Awaitable[object]]


class StreamFunction:
    """A function of the world; `taken` is what it took, in this order."""

    def __init__(self, handler: Handler, watch: Watch, *, timeout: float | None = 3.0, concurrency: int = 10) -> None:
        self._handler = handler
        self.calls: list[Call] = []
        self.taken: list[str] = []
        clock = LoopClock(EPOCH)
        self.invoker = CallableInvoker(self._invoke, clock=clock, timeout=timeout, concurrency=concurrency)
        self.target = target_of(self.invoker, watch)

    async def _invoke(self, invocation: Invocation) -> Reply | bytes:
        call = Call(orjson.loads(invocation.payload), anyio.current_time())
        self.calls.append(call)
        answer = await self._handler(call)
        if isinstance(answer, Reply):
            return answer
        self.taken += taken(call, answer)
        return orjson.dumps(answer)

    @property
    def batches(self) -> list[list[str]]:
        return [call.data for call in self.calls]


def taken(call: Call, answer: object) -> list[str]:
    """All records of the call, or those before the first that the answer names."""
    failures = answer.get("batchItemFailures", ()) if isinstance(answer, dict) else ()
    named = {failure["itemIdentifier"] for failure in failures}
    first = next((index for index, number in enumerate(call.numbers) if number in named), len(call.numbers))
    return call.data[:first]


async def take_all(call: Call) -> object:
    return {}


def throttled() -> Reply:
    return Throttled(Attempt("r", EPOCH, EPOCH, 429))


# --- the service ----------------------------------------------------------------------------------------------------


class Forgetful(MemoryStreamService):
    """A service whose listing leaves shards out for a while."""

    left_out: Collection[str] = ()

    async def list(self, stream: str = "") -> Listing:
        found = await super().list(stream)
        return replace(found, shards=tuple(shard for shard in found.shards if shard.id not in self.left_out))


# --- the world ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """A mapping's settings."""

    name: str = "mapping"
    start: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"] = "TRIM_HORIZON"
    start_at: float | None = None
    start_over: bool = True
    batch_size: int = 100
    window: float = 0.0
    tumbling: int = 0
    factor: int = 1
    retries: int | None = None
    max_age: float | None = None
    bisect: bool = False
    partial: bool = False
    keeps: Keeps = field(default=keep_all)
    ahead: int = 10_000
    pool: int = 256 * 1024 * 1024
    discovery: float = 10.0
    cadence: Cadence | None = None


class StreamWorld(World):
    """Streams, functions and mappings; `async with world.running()` lets them go."""

    def __init__(self, jitter: Jitter = no_jitter) -> None:
        super().__init__()
        self._jitter = jitter
        self.store = MemoryCheckpoints()
        self.destinations: dict[str, MemoryDestination] = {}
        """Of each mapping, with the documents that it got."""

    def stream(self, flavour: Flavour = Flavour.KINESIS, **settings: Any) -> MemoryStream:
        return MemoryStream(STREAMS[flavour], self.clock, flavour, **settings)

    def taking(self, handler: Handler = take_all, **settings: Any) -> StreamFunction:
        function = StreamFunction(handler, self.watch, **settings)
        self._gates[function.target.name] = function.target.gate  # also where the mapping is made only later
        return function

    def reading(
        self, stream: MemoryStream | MemoryStreamService, function: StreamFunction, settings: Reading = Reading()
    ) -> Supervisor:
        """A mapping of a stream. It begins with the world, or with `start`."""
        service = stream if isinstance(stream, MemoryStreamService) else self.service(stream, settings)
        clock = ServiceClock(self.clock)
        rig = MappingRig(
            clock=clock,
            observer=self.watch,
            target=function.target,
            name=settings.name,
            policy=policy(settings),
            envelope=WindowEnvelope() if settings.tumbling else RecordsEnvelope(),
            batch_size=settings.batch_size,
            window=settings.window,
            slots=by_window(settings.tumbling) if settings.tumbling else by_key(settings.factor),
            keeps=settings.keeps,
            destination=self._destination(settings.name, service),
            ahead_records=settings.ahead,
            pool=Pool(settings.pool),
            jitter=self._jitter,
        )
        return self.add(settings.name, rig.supervisor(self.source(service, settings, clock)), function.target)

    def service(self, stream: MemoryStream, settings: Reading = Reading()) -> MemoryStreamService:
        return MemoryStreamService(stream, cadence=settings.cadence)

    def source(
        self, service: MemoryStreamService, settings: Reading = Reading(), clock: ServiceClock | None = None
    ) -> StreamSource:
        return stream_source(
            service,
            self.store,
            self.watch,
            mapping=settings.name,
            start=settings.start,
            clock=clock,
            jitter=self._jitter,
            start_at=settings.start_at,
            start_over=settings.start_over,
            discovery=settings.discovery,
        )

    def _destination(self, mapping: str, service: MemoryStreamService) -> FailureDestination:
        info = kinesis.BATCH_INFO if ":kinesis:" in service.name else dynamodb.BATCH_INFO
        documents = shard_documents(info, "arn:aws:lambda:us-east-1:000000000000:function:function")
        destination = MemoryDestination("arn:aws:sqs:us-east-1:000000000000:failed", documents)
        self.destinations[mapping] = destination
        return discards_to(destination, self.watch, clock=self.clock, mapping=mapping)

    # --- what happened ----------------------------------------------------------------------------------------------

    @property
    def discarded(self) -> list[tuple[str, list[str]]]:
        """Each discard: why, and the data of its records."""
        return [
            (event.reason.value, [data_of(self.watch.said[record]) for record in event.records])
            for event in self.watch.of(Discarded)
        ]

    def documents(self, mapping: str = "mapping") -> list[dict[str, Any]]:
        """What the failure destination got."""
        return [orjson.loads(document) for document in self.destinations[mapping].written]

    def handed(self) -> dict[str, list[str]]:
        """What the function was handed of each shard, in order, repetitions included."""
        shards: dict[str, list[str]] = {}
        for event in self.watch.of(Invoking):
            for record in event.records:
                shards.setdefault(record.lane.shard, []).append(data_of(self.watch.said[record]))
        return shards


def policy(settings: Reading) -> Policy:
    return Policy(
        Progress.PREFIX,
        settings.retries,
        settings.max_age,
        settings.bisect,
        settings.partial,
        windowed=settings.tumbling > 0,
    )


async def until(moment: float) -> None:
    """Virtual time, not a wait: the loop jumps there when everything before it has happened."""
    await anyio.sleep(moment - anyio.current_time())


def where(supervisor: Supervisor) -> PollState:
    return supervisor.status.state

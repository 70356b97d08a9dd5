"""Makes the source of a mapping out of the shipped fakes: what an ARN names is there from the first moment, and empty.

Used by the fixture of pytest, through the wiring. There is no fake of brokers.
"""

from __future__ import annotations

import json

from ...config.clock import Clock, ServiceClock
from ...config.errors import ConfigError, Problem
from ...config.kinds import dynamodb, kinesis, sqs
from ...config.mapping import EventSourceMapping
from ...dispatch.destinations.base import Destination
from ...dispatch.kinds.dynamodb import image_of, key_of
from ..profile import Replayed, SourceMaker, SourceParts
from ..replay.core.plan import ReplayPlan, ReplayProgress
from ..source import FunctionFacts, Source
from ..sqs.kind import receivers_of
from ..streams.maker import StreamMaker
from ..streams.polled_shard import Cadence
from ..streams.service import StreamService
from .flavours import ITEMS, Flavour
from .queue import MemoryQueue, MemoryQueueSource
from .stream import MemoryStream
from .stream_service import MemoryStreamService

CADENCE = Cadence(0.05, None, None, 10_000)
"""Faster than the service's, because somebody waits."""
EMPTY_POLL = 0.05
"""Seconds of an empty poll of a queue."""
FLAVOURS = {kinesis.STREAM: Flavour.KINESIS, dynamodb.STREAM: Flavour.DYNAMODB}


class MemorySources:
    """The fakes of one daemon, one for each source. Everything but the making of it happens in the daemon's loop."""

    def __init__(self, clock: Clock, visibility: float) -> None:
        """`visibility`: seconds after which a queue shows a failed message again."""
        self._clock = clock
        self._visibility = visibility
        self._queues: dict[str, MemoryQueue] = {}
        self._streams: dict[str, MemoryStream] = {}

    def make(self, mapping: EventSourceMapping, parts: SourceParts) -> SourceMaker:
        """Raises ConfigError for a source that has no fake."""
        if mapping.profile in FLAVOURS:
            return _MemoryStreamMaker(mapping, parts, self._stream(mapping))
        return _MemoryQueueMaker(mapping, self._queue(mapping))

    def send(self, mapping: EventSourceMapping, text: str, key: str) -> str:
        """Put a record into the mapping's source; its id there. `key`: message group or partition key. Raises
        UnfitSample for what is no item of a table."""
        if mapping.profile not in FLAVOURS:
            return self._queue(mapping).send(text, (key or "by-hand") if mapping.profile is sqs.FIFO else None)
        if FLAVOURS[mapping.profile] is Flavour.DYNAMODB:
            image = image_of(text)
            return self._stream(mapping).put(json.dumps(key_of(image)), json.dumps(image))
        return self._stream(mapping).put(key or "1", text)

    def _queue(self, mapping: EventSourceMapping) -> MemoryQueue:
        if mapping.profile not in (sqs.STANDARD, sqs.FIFO):
            what = f"the source of {mapping.name}, a {mapping.profile.title}, has no fake in memory"
            raise ConfigError([Problem(what, f"mappings.{mapping.name}", hint="give the fixture an endpoint_url")])
        is_fifo = mapping.profile is sqs.FIFO
        made = MemoryQueue(mapping.source, self._clock, self._visibility, is_fifo)
        return self._queues.setdefault(mapping.source, made)

    def _stream(self, mapping: EventSourceMapping) -> MemoryStream:
        arn = mapping.source
        if arn not in self._streams:
            flavour = FLAVOURS[mapping.profile]
            facts = ITEMS if flavour is Flavour.DYNAMODB else None
            self._streams[arn] = MemoryStream(arn, self._clock, flavour, calls_per_second=None, facts=facts)
        return self._streams[arn]


class _MemoryQueueMaker:
    """A `SourceMaker`."""

    def __init__(self, mapping: EventSourceMapping, queue: MemoryQueue) -> None:
        self._mapping = mapping
        self._queue = queue

    def address(self) -> str:
        return ""

    async def look(self) -> float | None:
        return self._queue.visibility

    async def source(self, function: FunctionFacts, clock: ServiceClock) -> Source:
        windowed = self._mapping.window > 0
        return MemoryQueueSource(self._queue, receivers_of(self._mapping, function), windowed, EMPTY_POLL)

    async def replayed(
        self, function: FunctionFacts, clock: ServiceClock, plan: ReplayPlan, progress: ReplayProgress
    ) -> Replayed | None:
        return None

    async def positions(self) -> None:
        """A queue forgets what is done."""

    def destination(self, function_arn: str) -> Destination | None:
        return None


class _MemoryStreamMaker(StreamMaker):
    def __init__(self, mapping: EventSourceMapping, parts: SourceParts, stream: MemoryStream) -> None:
        super().__init__(mapping, parts)
        self._stream = stream

    async def service(self, function: FunctionFacts) -> StreamService:
        return MemoryStreamService(self._stream, name=self._mapping.source, cadence=CADENCE)

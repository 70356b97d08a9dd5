"""The stub's state: all streams and tables, and what a test does with them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .clock import StubClock
from .dynamodb_model import TableStream
from .faults import Call
from .kinesis_model import KinesisStream
from .limits import Limits, Meter
from .model import Numbers, Stream


@dataclass(eq=False, slots=True)
class Subscription:
    """A SubscribeToShard under way."""

    stream: Stream
    began: float
    over: bool = False
    """It is to end at once."""


@dataclass
class Stub:
    """One account of one region."""

    clock: StubClock
    url: str = ""
    limits: Limits | None = field(default_factory=Limits)
    """None: no quotas."""
    calls: list[Call] = field(default_factory=list)
    """In the order in which they arrived."""
    streams: dict[str, KinesisStream] = field(default_factory=dict)
    """By name."""
    tables: dict[str, TableStream] = field(default_factory=dict)
    """By the name of the table: its latest stream."""
    table_streams: dict[str, TableStream] = field(default_factory=dict)
    """By ARN: those of deleted tables too."""
    subscriptions: dict[tuple[str, str], Subscription] = field(default_factory=dict)
    """The latest, by the consumer's ARN and the shard."""
    subscription_seconds: float = 300.0
    resubscribe_seconds: float = 5.0
    heartbeat_seconds: float = 5.0
    meter: Meter = field(default_factory=Meter)
    numbers: Numbers = field(default_factory=Numbers)
    made: dict[str, float] = field(default_factory=dict)
    """When a stream or a table of a name was created last."""

    def kinesis(self, name: str, shards: int = 1) -> KinesisStream:
        """A new stream; one of the same name is deleted first."""
        if name in self.streams:
            self.delete(self.streams[name])
        stream = KinesisStream(name, self._created(f"stream {name}"), self.clock, self.numbers, shards)
        self.streams[name] = stream
        return stream

    def table(
        self, name: str, view: str = "NEW_AND_OLD_IMAGES", shards: int = 1, key: tuple[str, ...] = ("id",)
    ) -> TableStream:
        """A new table with a stream; a table of the same name is deleted first. `key` names its key's attributes."""
        if name in self.tables:
            self.delete(self.tables[name])
        stream = TableStream(name, self._created(f"table {name}"), self.clock, self.numbers, shards, view, key)
        self.tables[name] = self.table_streams[stream.arn] = stream
        return stream

    def delete(self, stream: Stream) -> None:
        """The stream is gone; of a table: the table is gone, its stream is disabled and can be read to its end."""
        if isinstance(stream, TableStream):
            del self.tables[stream.name]
            stream.disable()
        else:
            del self.streams[stream.name]
            self.drop_subscriptions(stream)

    def vanish(self, stream: TableStream) -> None:
        """Nothing is left of a table's stream, as a day after its end."""
        self.table_streams.pop(stream.arn, None)
        self.tables.pop(stream.name, None)

    def drop_subscriptions(self, stream: Stream) -> None:
        """Those under way end, as they do after five minutes."""
        for subscription in self.subscriptions.values():
            subscription.over |= subscription.stream is stream
        self.clock.ring()

    def calls_of(self, operation: str, shard: str = "") -> list[Call]:
        """Of any shard where none is named."""
        return [call for call in self.calls if call.operation == operation and shard in ("", call.shard)]

    def _created(self, name: str) -> float:
        """Now, in whole seconds; later than what had this name before."""
        while math.floor(self.clock.now()) <= self.made.get(name, 0.0):
            self.clock.advance(1)
        self.made[name] = created = float(math.floor(self.clock.now()))
        return created


def make(wall: Callable[[], float] = time.time) -> Stub:
    return Stub(StubClock(wall))

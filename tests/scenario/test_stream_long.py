"""A day at AWS's own pace and a year at a slow one, on virtual time: nothing is lost, nothing comes twice, and neither
memory nor positions grow. In full under `make proof`; in minutes and days else."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from dataclasses import dataclass, field

import anyio
import pytest

from headrace.dispatch.core.batcher import Entry
from headrace.dispatch.core.model import Position, Record
from headrace.dispatch.core.observer import CommitFailed, Crashed, Event, Gap, StreamRecreated
from headrace.dispatch.core.pages import Page, Records, RecordSheet
from headrace.dispatch.core.watermark import _Tracked
from headrace.dispatch.kinds.kinesis import KinesisSheet, ShardElement
from headrace.pollers.memory.flavours import Flavour, StreamEntry
from headrace.pollers.memory.stream import MemoryShard
from headrace.pollers.streams.polled_shard import Cadence
from support.counts import count
from support.stream_world import Call, Reading, StreamWorld
from support.world import Watch

MINUTE, HOUR = 60.0, 3600.0
DAY = 24 * HOUR
ROTATIONS = 6
"""Generations of shards in a day: DynamoDB's live for four hours."""
KEYS = [f"key-{number}" for number in range(5)]
AHEAD = 20
FAKE = (MemoryShard, StreamEntry)
"""What the stream itself is made of: it has what retention leaves it."""
OF_RECORDS = {
    each.__name__
    for each in (Record, Position, Entry, _Tracked, Page, Records, KinesisSheet, RecordSheet, ShardElement)
}
"""Classes of which there is an object for each record that was read ahead."""
TROUBLE = CommitFailed | Crashed | Gap | StreamRecreated
LOOKS = 8
STOPS = (2, 4)
"""After these looks at the size the mapping is stopped, and another one begins."""


class Forgetful(Watch):
    """Keeps what must not happen, and counts the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def observe(self, event: Event) -> None:
        self.counts[type(event).__name__] += 1
        if isinstance(event, TROUBLE):
            super().observe(event)


@dataclass(frozen=True, slots=True)
class Size:
    """What there is at one moment."""

    objects: Counter[str]
    """Ours, by class; but for what the stream itself holds."""
    blocks: int
    """Of memory, Python's own account."""
    positions: int


@dataclass
class Long:
    """A stream and a mapping that live for `span` seconds."""

    flavour: Flavour
    span: float
    every: float
    """Seconds between two records."""
    rotation: float
    cadence: Cadence | None = None
    tumbling: int = 0
    shards: int = 1
    retention: float = DAY
    put: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KEYS, 0))
    taken: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KEYS, 0))
    finals: int = 0
    """The sum of all final states."""
    sizes: list[Size] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = StreamWorld()
        self.world.watch = self.watch = Forgetful()
        rotation = self.rotation if self.flavour is Flavour.DYNAMODB else None
        self.stream = self.world.stream(self.flavour, shards=self.shards, rotation=rotation, retention=self.retention)
        self.function = self.world.taking(self.handler, timeout=900.0)
        discovery = 10.0 if self.cadence is None else self.cadence.idle
        self.settings = Reading(
            batch_size=AHEAD, tumbling=self.tumbling, ahead=AHEAD, cadence=self.cadence, discovery=discovery
        )

    async def handler(self, call: Call) -> object:
        """Takes each record once; every hundredth call outlasts the iterators."""
        self.function.calls.clear()
        self.function.taken.clear()
        for data in call.data:
            key, number = data.split()
            assert int(number) == self.taken[key], f"{data} instead of {self.taken[key]}"
            self.taken[key] += 1
        self.watch.counts["calls"] += 1
        if self.watch.counts["calls"] % 100 == 0:
            await anyio.sleep(400.0)
        if not self.tumbling:
            return {}
        total = call.state.get("records", 0) + len(call.data)
        self.finals += total if call.final else 0
        return {"state": {"records": total}}

    async def run(self) -> None:
        """Put records, look at the size, stop and start the mapping twice; then let all drain."""
        supervisor = self.world.reading(self.stream, self.function, self.settings)
        async with self.world.running(), anyio.create_task_group() as tasks:
            tasks.start_soon(self.produce)
            for look in range(1, LOOKS + 1):
                await anyio.sleep(self.span / LOOKS)
                self.sizes.append(await self.size())
                if look in STOPS:
                    await supervisor.stop(grace=900.0)
                    supervisor = self.world.reading(self.stream, self.function, self.settings)
                    self.world.start(supervisor)
            await anyio.sleep(max(20 * MINUTE, 8 * self.settings.discovery))

    async def produce(self) -> None:
        for number in range(int(self.span / self.every)):
            key = KEYS[number % len(KEYS)]
            self.stream.put(key, f"{key} {self.put[key]}")
            self.put[key] += 1
            await anyio.sleep(self.every)

    async def size(self) -> Size:
        gc.collect()
        ours = (type(each) for each in gc.get_objects() if str(type(each).__module__).startswith("headrace"))
        objects = Counter(kind.__name__ for kind in ours if kind not in FAKE)
        kept = await self.world.store.kept()
        return Size(objects, sys.getallocatedblocks(), sum(row.lanes for row in kept))

    def check(self) -> None:
        assert self.taken == self.put
        assert not self.world.discarded
        assert not self.watch.seen, self.watch.seen[:3]
        assert self.watch.counts["FetchFailed"] <= len(STOPS)  # a new life does not know how often the last one asked

    def check_sizes(self) -> None:
        """What there is at the end is what there was after a quarter of the time."""
        early, late = self.sizes[1], self.sizes[-1]
        grown = {name: number - early.objects[name] for name, number in late.objects.items()}
        assert {name: more for name, more in grown.items() if more > (60 if name in OF_RECORDS else 15)} == {}
        assert late.blocks < early.blocks * 1.05 + 20_000
        assert max(size.positions for size in self.sizes) <= 6


@pytest.mark.semantics("STREAM-16", "STREAM-61")
@pytest.mark.parametrize("flavour", Flavour)
async def test_a_day_at_the_pace_of_aws_loses_nothing_and_grows_nothing(flavour: Flavour) -> None:
    span = count(12, 24 * 60) * MINUTE
    # What the stream itself holds must not grow between the looks at the size: it forgets after a generation.
    long = Long(flavour, span, 5.0, rotation=span / ROTATIONS, retention=max(HOUR, span / ROTATIONS))
    await long.run()
    long.check()
    long.check_sizes()
    assert long.stream.looks > span * (1 if flavour is Flavour.KINESIS else 4) / 3  # some calls take minutes


@pytest.mark.semantics("STREAM-16", "STREAM-61")
@pytest.mark.parametrize(
    ("flavour", "tumbling"), [(Flavour.KINESIS, 0), (Flavour.DYNAMODB, 0), (Flavour.DYNAMODB, 900)]
)
async def test_a_year_at_a_look_in_ten_minutes_loses_nothing_and_grows_nothing(flavour: Flavour, tumbling: int) -> None:
    span = count(5, 365) * DAY
    every_ten_minutes = Cadence(10 * MINUTE, 5, None, 1000)
    long = Long(flavour, span, 10 * MINUTE, DAY / ROTATIONS, every_ten_minutes, tumbling, shards=2)
    await long.run()
    long.check()
    long.check_sizes()
    if tumbling:
        assert long.finals == sum(long.put.values())

"""An hour in which everything goes wrong at random, on virtual time: no record is lost, no key loses its order, no
position is ahead of what was taken, and each record is in one window's final state."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import anyio
import pytest

from headrace.config.durable.faults import StoreUnavailable
from headrace.config.errors import SourceUnavailable
from headrace.dispatch.core.model import Position, Record
from headrace.dispatch.core.observer import Crashed, Gap, StreamRecreated
from headrace.pollers.checkpoints.memory import MemoryCheckpoints
from headrace.pollers.checkpoints.store import (
    BEGINNING,
    Checkpoint,
    CommitAnswer,
    Finished,
    HeldLane,
    Key,
    Opened,
    Start,
    Token,
)
from headrace.pollers.memory.flavours import Flavour
from headrace.pollers.memory.stream import MemoryStream
from headrace.pollers.streams.polled_shard import Cadence
from headrace.pollers.supervisor import Supervisor
from support.counts import count
from support.rigs import passing
from support.stream_world import Call, Reading, StreamWorld, data_of, throttled

HOUR = 3600.0
CALM = 2 * HOUR
"""When the trouble is over, everything must have been taken by then."""
KEYS = [f"key-{number}" for number in range(8)]
NOISE = "noise"


def keeps(record: Record) -> bool:
    return not data_of(record.item).startswith(NOISE)


class Positions(MemoryCheckpoints):
    """A store that can be out of order and slow, and that sees to it that no position is ahead of what was done."""

    def __init__(self, stream: MemoryStream, done: set[str], seed: int) -> None:
        super().__init__()
        self._stream = stream
        self._done = done
        self._random = random.Random(seed)
        self._slow = seed % 3 == 0
        self.broken = False

    async def _trouble(self) -> None:
        """Before a request and behind it: an answer that comes late may be one that nobody waits for any more."""
        await anyio.sleep(self._random.choice([0.0, 0.0, 0.5, 3.0]) if self._slow else 0.0)

    async def _asked(self) -> None:
        await self._trouble()
        if self.broken and self._random.random() < 0.7:
            raise StoreUnavailable("disk full")

    async def opened(self, mapping: str, source: str) -> Opened | None:
        await self._asked()
        return await super().opened(mapping, source)

    async def begin(
        self, mapping: str, source: str, created: float | None, starts: Mapping[str, Start | Finished]
    ) -> bool:
        await self._asked()
        begun = await super().begin(mapping, source, created, starts)
        await self._trouble()
        return begun

    async def add(self, mapping: str, source: str, starts: Mapping[str, Start]) -> None:
        await self._asked()
        await super().add(mapping, source, starts)
        await self._trouble()

    async def confirm(self, mapping: str, source: str, created: float | None) -> None:
        await self._asked()
        await super().confirm(mapping, source, created)

    async def acquire(self, key: Key, start: Start = BEGINNING) -> HeldLane:
        await self._asked()
        held = await super().acquire(key, start)
        await self._trouble()
        return held

    async def compact(self, mapping: str, source: str, shards: Collection[str]) -> int:
        await self._asked()
        compacted = await super().compact(mapping, source, shards)
        await self._trouble()
        return compacted

    async def commit(self, key: Key, token: Token, checkpoint: Checkpoint) -> CommitAnswer:
        await self._asked()
        answer = await super().commit(key, token, checkpoint)
        if answer is CommitAnswer.COMMITTED:
            self._check(key.lane.shard, checkpoint)
        await self._trouble()
        return answer

    def _check(self, shard: str, checkpoint: Checkpoint) -> None:
        entries = self._stream.shard(shard).entries
        match checkpoint.place:
            case Position(number=number):
                entries = [entry for entry in entries if entry.number <= number]
            case Finished():
                pass
            case _:
                entries = []
        ahead = [entry.data.decode() for entry in entries if entry.data.decode() not in self._done]
        assert all(data.startswith(NOISE) for data in ahead), f"{shard} is ahead of {ahead}"


@dataclass
class Trouble:
    """The world, what was put, and what the function took."""

    seed: int
    windows: bool
    put: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    finals: list[list[str]] = field(default_factory=list)
    """What the final state of each window was made of. Where it was not stored, another one comes."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.world = StreamWorld()
        self.stream = self.world.stream(self.random.choice([*Flavour]), shards=self.random.choice([1, 3]))
        self.last_put = 0.0
        self.done: set[str] = set()
        self.positions = self.world.store = Positions(self.stream, self.done, self.seed)
        self.function = self.world.taking(self.handler, concurrency=self.random.choice([1, 3, 10]))
        self.supervisor = self.mapping()

    def mapping(self) -> Supervisor:
        partial = self.random.random() < 0.5
        settings = Reading(
            batch_size=self.random.choice([1, 7, 100]),
            window=self.random.choice([0.0, 0.0, 5.0]),
            tumbling=60 if self.windows else 0,
            factor=1 if self.windows else self.random.choice([1, 4]),
            bisect=self.random.random() < 0.5,
            partial=partial,
            keeps=passing(keeps),
            ahead=self.random.choice([5, 100, 10_000]),
            cadence=Cadence(self.random.choice([5.0, 20.0]), 5, None, self.random.choice([3, 1000])),
        )
        self.partial = partial
        return self.world.reading(self.stream, self.function, settings)

    @property
    def calm(self) -> bool:
        return anyio.current_time() > HOUR

    # --- the function -----------------------------------------------------------------------------------------------

    async def handler(self, call: Call) -> object:
        await anyio.sleep(self.random.choice([0.0, 0.01, 0.5, 2.0]))
        trouble = 1.0 if self.calm else self.random.random()
        if trouble < 0.15:
            raise ValueError("at random")
        if trouble < 0.25:
            return throttled()
        if trouble < 0.3:
            await anyio.sleep(HOUR)  # the timeout ends it
        failed = self.random.randrange(len(call.data)) if trouble < 0.5 and self.partial and call.data else None
        good = call.data[:failed]
        self.taken += good
        self.done.update(good)
        return {**self.state(call, good, final=failed is None), **self.failing(call, failed)}

    def state(self, call: Call, good: list[str], *, final: bool) -> dict[str, object]:
        if not self.windows:
            return {}
        window = [*call.state.get("window", ()), *good]
        if call.final and final:
            self.finals = [each for each in self.finals if not set(each) & set(window)] + [window]
        return {"state": {"window": window}}

    @staticmethod
    def failing(call: Call, failed: int | None) -> dict[str, object]:
        return {} if failed is None else call.failing(call.data[failed])

    # --- everything else --------------------------------------------------------------------------------------------

    async def produce(self) -> None:
        counts = dict.fromkeys([*KEYS, NOISE], 0)
        for _ in range(self.random.randrange(50, 300)):
            await anyio.sleep(self.random.expovariate(1 / 10))
            for _ in range(self.random.choice([1, 1, 10])):
                key = self.random.choice([*counts])
                data = f"{key} {counts[key]}"
                counts[key] += 1
                self.put.append(data)
                self.last_put = anyio.current_time()
                self.stream.put(key, data)

    async def harass(self) -> None:
        """Faults of the stream, the store, the function's start; shards that come and go; stops; one after another."""
        faults = [
            self.break_source,
            self.break_shard,
            self.restart_service,
            self.forget_iterator,
            self.break_store,
            self.break_function,
            self.reshard,
            self.reshard,
            self.update,
            self.update,
            self.update,
        ]
        while not self.calm:
            await anyio.sleep(self.random.expovariate(1 / 60))
            await self.random.choice(faults)()

    async def some_time(self) -> None:
        await anyio.sleep(self.random.uniform(0, 60))

    async def break_source(self) -> None:
        self.stream.fault = SourceUnavailable("at random")
        await self.some_time()
        self.stream.fault = None

    async def break_shard(self) -> None:
        shard = self.stream.shard(self.random.choice(self.stream.open_shards()))
        shard.fault, shard.throttled = SourceUnavailable("at random"), True
        await self.some_time()
        shard.fault = None
        await self.some_time()
        shard.throttled = False

    async def restart_service(self) -> None:
        """Not in the second of a record: that one could be of a stream that was made anew in it. For the same reason it
        is looked at before we stop."""
        quiet = anyio.current_time() > self.last_put + 2.0
        anew = quiet and self.random.random() < 0.5
        self.stream.restart(tells_created_anew=anew)
        await anyio.sleep(30.0 if anew else 0.0)

    async def forget_iterator(self) -> None:
        shard = self.stream.shard(self.random.choice(self.stream.open_shards()))
        shard.null_iterators, shard.empty_pages = self.random.choice([(3, 0), (0, 3)])

    async def break_store(self) -> None:
        self.positions.broken = True
        await self.some_time()
        self.positions.broken = False

    async def break_function(self) -> None:
        self.function.invoker.break_down("at random")
        await self.some_time()
        self.function.invoker.mend()

    async def reshard(self) -> None:
        shards = sorted(map(self.stream.shard, self.stream.open_shards()), key=lambda shard: shard.low)
        what = self.random.choice(["split", "merge", "rotate"])
        if what == "split" and len(shards) < 6:
            self.stream.split(self.random.choice(shards).id)
        elif what == "merge" and len(shards) > 1:
            first = self.random.randrange(len(shards) - 1)
            self.stream.merge(shards[first].id, shards[first + 1].id)
        else:
            self.stream.rotate()

    async def update(self) -> None:
        await self.supervisor.stop(grace=self.random.choice([0.0, 1.0, 5.0]))
        self.supervisor = self.mapping()
        self.world.start(self.supervisor)

    async def run(self) -> None:
        async with self.world.running():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.produce)
                tasks.start_soon(self.harass)
            await anyio.sleep(CALM)

    @property
    def wanted(self) -> list[str]:
        return [data for data in self.put if not data.startswith(NOISE)]


def check_order(taken: Iterable[str]) -> None:
    """Of each key, nothing comes before its time: what comes is the next one, or comes again."""
    reached = dict.fromkeys(KEYS, -1)
    for data in taken:
        key, number = data.split()
        assert int(number) <= reached[key] + 1, f"{data} after {reached[key]}"
        reached[key] = max(reached[key], int(number))


@pytest.mark.semantics("STREAM-13", "STREAM-31", "STREAM-35", "STREAM-60")
@pytest.mark.parametrize("seed", range(count(8, 120)))
async def test_nothing_is_lost_or_out_of_order_in_an_hour_of_trouble(seed: int) -> None:
    trouble = Trouble(seed, windows=False)
    await trouble.run()
    assert set(trouble.taken) == set(trouble.wanted)
    check_order(trouble.taken)
    assert not trouble.world.discarded
    assert not trouble.world.watch.of(Gap)
    assert not trouble.world.watch.of(StreamRecreated)
    assert not trouble.world.watch.of(Crashed)


@pytest.mark.semantics("WINDOW-08", "STREAM-60")
@pytest.mark.parametrize("seed", range(count(5, 80)))
async def test_every_record_is_in_one_final_state_after_an_hour_of_trouble(seed: int) -> None:
    trouble = Trouble(seed, windows=True)
    await trouble.run()
    check_order(trouble.taken)
    assert sorted(data for window in trouble.finals for data in window) == sorted(trouble.wanted)

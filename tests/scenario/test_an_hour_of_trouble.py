"""An hour in which everything goes wrong at random, on virtual time: no message is lost, no group loses its order."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import anyio
import pytest

from headrace.config.errors import SourceUnavailable
from headrace.dispatch.core.model import Attempt, Record, Throttled
from headrace.pollers.memory.queue import MemoryQueue
from headrace.pollers.supervisor import Supervisor
from support.counts import count
from support.rigs import passing
from support.virtual_time import EPOCH
from support.world import Function, World

HOUR = 3600.0
CALM = 2 * HOUR
"""When the trouble is over, everything must drain by then."""


def keeps(record: Record) -> bool:
    return not str(record.item["body"]).startswith("noise")


@dataclass
class Trouble:
    """The world, what was sent, and what the function took."""

    seed: int
    fifo: bool
    world: World = field(default_factory=World)
    sent: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.queue: MemoryQueue = self.world.queue(fifo=self.fifo, visibility=self.random.choice([5.0, 30.0, 120.0]))
        self.function: Function = self.world.function(self.handler, concurrency=self.random.choice([1, 3]))
        self.supervisor = self.mapping()

    def mapping(self) -> Supervisor:
        return self.world.mapping(
            self.queue,
            self.function,
            batch_size=self.random.choice([1, 3, 10]),
            window=0.0 if self.fifo else self.random.choice([0.0, 0.0, 5.0]),
            receivers=self.random.choice([1, 3]),
            keeps=passing(keeps),
        )

    @property
    def calm(self) -> bool:
        return anyio.current_time() > HOUR

    async def handler(self, bodies: list[str]) -> object:
        await anyio.sleep(self.random.choice([0.0, 0.01, 0.5, 2.0]))
        trouble = 1.0 if self.calm else self.random.random()
        if trouble < 0.15:
            raise ValueError("at random")
        if trouble < 0.25:
            return Throttled(Attempt("r", EPOCH, EPOCH, 429))
        if trouble < 0.3:
            await anyio.sleep(HOUR)  # the timeout ends it
        self.taken.extend(bodies)
        return {}

    async def produce(self) -> None:
        for number in range(self.random.randrange(50, 300)):
            await anyio.sleep(self.random.expovariate(1 / 10))
            body = f"{self.random.choice(['a', 'b', 'noise'])} {number}"
            self.sent.append(body)
            self.queue.send(body, body.split()[0] if self.fifo else None)

    async def harass(self) -> None:
        """Faults of the source, of the function's start, updates and stops, one after the other."""
        while not self.calm:
            await anyio.sleep(self.random.expovariate(1 / 120))
            await self.random.choice([self.break_source, self.remove_queue, self.break_function, self.update])()

    async def break_source(self) -> None:
        self.queue.broken = SourceUnavailable("at random")
        self.queue.wake()
        await anyio.sleep(self.random.uniform(0, 60))
        self.queue.broken = None

    async def remove_queue(self) -> None:
        self.queue.exists = False
        self.queue.wake()
        await anyio.sleep(self.random.uniform(0, 60))
        self.queue.exists = True

    async def break_function(self) -> None:
        self.function.invoker.break_down("at random")
        await anyio.sleep(self.random.uniform(0, 60))
        self.function.invoker.mend()

    async def update(self) -> None:
        await self.supervisor.stop(grace=self.random.choice([0.0, 1.0, 5.0]))
        self.supervisor = self.mapping()
        self.world.start(self.supervisor)


def without_replays(bodies: list[str]) -> list[str]:
    return list(dict.fromkeys(bodies))


@pytest.mark.semantics("SQS-02", "SQS-07", "SQS-13")
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
@pytest.mark.parametrize("seed", range(count(8, 250)))
async def test_nothing_is_lost_in_an_hour_of_trouble(seed: int, fifo: bool) -> None:
    trouble = Trouble(seed, fifo)
    async with trouble.world.running():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trouble.produce)
            tasks.start_soon(trouble.harass)
        await anyio.sleep(CALM)
        assert trouble.queue.messages == []
    wanted = [body for body in trouble.sent if not body.startswith("noise")]
    assert set(trouble.taken) == set(wanted)
    if fifo:
        for group in ("a", "b"):
            ours = [body for body in wanted if body.startswith(group)]
            assert without_replays([body for body in trouble.taken if body.startswith(group)]) == ours

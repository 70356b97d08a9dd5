"""A daemon's life with a stream, on virtual time: ready, idle, dry; with the real shell and the shipped fakes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from headrace.config.clock import LoopClock
from headrace.config.mapping import EventSourceMapping
from headrace.config.settings import Settings
from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.keeping import keep_all
from headrace.dispatch.core.model import Record
from headrace.dispatch.core.observer import DestinationChanged, Observers
from headrace.dispatch.destinations.memory import MemoryDestination
from headrace.dispatch.destinations.persistence import FailureDestination, Persistence
from headrace.dispatch.dispatcher import Target
from headrace.dispatch.invokers.base import Invocation
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.dispatch.kinds.fragments import shard_documents
from headrace.dispatch.kinds.kinesis import BATCH_INFO
from headrace.pollers.checkpoints.memory import MemoryCheckpoints
from headrace.pollers.memory.flavours import Flavour
from headrace.pollers.memory.stream import MemoryStream
from headrace.pollers.memory.stream_service import MemoryStreamService
from headrace.service.running.dry_run import DryInvoker, Verdict, dry
from headrace.service.running.functions import RunningFunction
from headrace.service.running.mappings import Changes, RunningMapping, RunningMappings
from headrace.service.telemetry.account import Account
from headrace.service.telemetry.event_lines import Logs
from headrace.service.telemetry.log import Log
from headrace.service.wiring.exits import Exit
from headrace.service.wiring.life import Life, Outside
from support.fleets import fleet_of, no_metrics
from support.rigs import MappingRig, discards_to, stream_source, target_of
from support.virtual_time import EPOCH, VirtualLoop

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


async def take_all(invocation: Invocation) -> bytes:
    return b'{"state":{}}'


@dataclass
class Rig:
    """One stream, one function, one mapping with a failure destination, and the life around them."""

    settings: Settings = field(default_factory=Settings)
    fields: dict[str, object] = field(default_factory=dict)
    keeps: Callable[[Record], bool] = keep_all
    destination_exists: bool = True

    def __post_init__(self) -> None:
        self.clock = LoopClock(EPOCH)
        self.stream = MemoryStream(ARN, self.clock, Flavour.KINESIS)
        self.store, self.verdicts = MemoryCheckpoints(), list[Verdict]()
        self.stderr, self.stdout = io.StringIO(), list[str]()
        self.account, self.changes = Account(["m"]), Changes()
        self.observer = Observers([self.account, Logs(Log(self.stderr)), self.changes])
        self.mapping = EventSourceMapping(
            name="m", source=ARN, function="f", starting_position="TRIM_HORIZON", **self.fields
        )
        work = self._work()
        self.plant = RunningMappings(
            [self.mapping], [work], fleet_of(RunningFunction(work.target, "a fake")), self.account, self.changes
        )
        self.life = Life(self.plant, self.settings, self._outside(), self.clock)

    def _work(self) -> RunningMapping:
        rig = MappingRig.configured(
            self.mapping,
            clock=self.clock,
            observer=self.observer,
            target=self._target(),
            keeps=self.keeps,
            destination=None if self.settings.dry_run else self._destination(),
            backoff=Backoff(cap=4.0),
        )
        service = MemoryStreamService(self.stream)
        source = stream_source(service, self.store, self.observer, mapping="m", uuid=self.mapping.uuid)
        shown = dry(source, "m", "f", self.verdicts.append) if self.settings.dry_run else source
        return rig.work(self.mapping, shown)

    def _target(self) -> Target:
        taking = CallableInvoker(take_all, clock=self.clock, timeout=60.0, concurrency=2)
        invoker = DryInvoker(self.clock) if self.settings.dry_run else taking
        return target_of(invoker, self.observer, name="f", permits=2, backoff=Backoff(cap=4.0))

    def _destination(self) -> FailureDestination:
        documents = shard_documents(BATCH_INFO, "arn:aws:lambda:us-east-1:000000000000:function:f")
        self.dead = MemoryDestination(DEAD, documents, exists=self.destination_exists)
        persistence = Persistence.of(self.settings.destinations)
        return discards_to(self.dead, self.observer, clock=self.clock, mapping="m", persistence=persistence)

    def _outside(self) -> Outside:
        async def beside() -> None:
            """Nothing runs beside."""

        return Outside(Log(self.stderr), self.stdout.append, None, no_metrics, beside)

    def said(self, action: str) -> list[str]:
        lines = [json.loads(line) for line in self.stderr.getvalue().splitlines()]
        return [line["event"] for line in lines if line["action"] == action]


# --- idle -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("CLI-06")
async def test_idle_is_when_every_shard_was_read_children_too() -> None:
    rig = Rig(Settings(until_idle=600))
    for number in range(10):
        rig.stream.put(str(number), b"x")
    rig.stream.split(rig.stream.open_shards()[0])
    for number in range(10):
        rig.stream.put(str(number), b"y")
    assert await rig.life.run() is Exit.OK
    assert rig.account.counts["m"].delivered == 20


@pytest.mark.semantics("CLI-07")
async def test_a_stream_that_is_not_there_is_never_idle() -> None:
    rig = Rig(Settings(until_idle=30))
    rig.stream.delete()
    assert await rig.life.run() is Exit.NOT_IDLE
    assert ARN in rig.said("not_idle")[0]


# --- ready ----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("OBS-02", "OBS-13", "CLI-01")
async def test_a_failure_destination_that_is_missing_is_a_reason_and_no_obstacle() -> None:
    rig = Rig(destination_exists=False)
    rig.stream.put("k", b"x")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.life.run)
        await anyio.sleep(5)
        assert rig.stdout == ["Ready."]
        readiness = rig.plant.readiness()
        assert (readiness.ready, readiness.polling) == (True, False)
        (reason,) = readiness.reasons
        assert reason.text.startswith("m: ")
        assert DEAD in str(reason)
        (view,) = rig.plant.mappings()
        assert (view.state, view.reason, view.destination) == ("polling", None, DEAD)
        assert DEAD in str(view.trouble)
        assert rig.account.counts["m"].delivered == 1
        rig.dead.exists = True
        await anyio.sleep(60)
        readiness = rig.plant.readiness()
        assert (readiness.ready, readiness.polling, readiness.reasons) == (True, True, ())
        rig.life.stop()
    assert rig.said("destination")[-1].endswith("is there")


@pytest.mark.semantics("OBS-13")
async def test_ready_is_not_said_before_the_failure_destination_was_looked_for() -> None:
    rig = Rig()
    (work,) = rig.plant.works
    assert not rig.plant.readiness().ready
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work.target.gate.run)
        tasks.start_soon(work.supervisor.run)
        await anyio.sleep(5)
        assert work.polling
        assert not rig.plant.readiness().ready
        assert work.destination is not None
        await work.destination.probe()
        assert rig.plant.readiness().ready
        await work.supervisor.stop(1.0)
        tasks.cancel_scope.cancel()


async def test_news_of_a_failure_destination_wake_those_who_wait_for_readiness() -> None:
    changes = Changes()
    changed = changes.next()
    changes.observe(DestinationChanged("m", DEAD, None))
    assert changed.is_set()


# --- dry run --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("CLI-11")
@pytest.mark.parametrize("fields", [{}, {"tumbling_window_in_seconds": 60}, {"parallelization_factor": 4}])
async def test_a_dry_run_shows_each_record_of_every_shard_once(fields: dict[str, object]) -> None:
    rig = Rig(Settings(dry_run=True), fields, keeps=lambda record: record.key != "drop")
    entries = [rig.stream.put(key, b"x") for key in ("a", "drop", "b")]
    rig.stream.split(rig.stream.open_shards()[0])
    entries.append(rig.stream.put("c", b"x"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.life.run)
        await anyio.sleep(300)
        rig.life.stop()
    fates = ["WOULD DELIVER to f", "FILTERED", "WOULD DELIVER to f", "WOULD DELIVER to f"]
    assert sorted((verdict.id, verdict.text) for verdict in rig.verdicts) == sorted(zip(entries, fates, strict=True))

"""A daemon's life on virtual time: ready, idle, stop; with the real shell and the shipped fakes."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from headrace.config.clock import LoopClock
from headrace.config.errors import SourceUnavailable
from headrace.config.mapping import EventSourceMapping
from headrace.config.reasons import Reason, ReasonCode
from headrace.config.settings import Settings
from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.model import DiscardReason, Record, Settlement, discarded
from headrace.dispatch.core.observer import Observers, Settled
from headrace.dispatch.invokers.base import Invocation, Invoker
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.pollers.memory.queue import MemoryQueue, MemoryQueueSource
from headrace.pollers.source import Source
from headrace.service.running.dry_run import DryInvoker, DryQueue, Verdict
from headrace.service.running.functions import RunningFunction
from headrace.service.running.mappings import Changes, RunningMappings
from headrace.service.telemetry.account import Account
from headrace.service.telemetry.event_lines import Logs
from headrace.service.telemetry.log import Log
from headrace.service.wiring.exits import Exit
from headrace.service.wiring.idle import IdleWatch
from headrace.service.wiring.life import Life, Outside
from support.fleets import fleet_of, no_metrics
from support.reasons import no_start
from support.rigs import MappingRig, target_of
from support.virtual_time import EPOCH, VirtualLoop

ARN = "arn:aws:sqs:us-east-1:000000000000:orders"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


async def take_all(invocation: Invocation) -> bytes:
    return b"{}"


@dataclass
class Rig:
    """One queue, one function, one mapping, and the life around them."""

    settings: Settings = field(default_factory=Settings)
    handler: Callable[[Invocation], Awaitable[bytes]] = take_all
    invoker: Invoker | None = None
    wrap: Callable[[Source], Source] = lambda source: source
    visibility: float = 30.0
    keeps: Callable[[Record], bool] = lambda record: True

    def __post_init__(self) -> None:
        self.clock = LoopClock(EPOCH)
        self.queue = MemoryQueue(ARN, self.clock, self.visibility)
        self.stderr, self.stdout = io.StringIO(), list[str]()
        self.log = Log(self.stderr)
        self.account, self.changes = Account(["m"]), Changes()
        observer = Observers([self.account, Logs(self.log), self.changes])
        self.fake = CallableInvoker(self.handler, clock=self.clock, timeout=60.0, concurrency=2)
        invoker = self.invoker or self.fake
        target = target_of(invoker, observer, name="f", permits=2, backoff=Backoff(cap=4.0))
        rig = MappingRig(
            clock=self.clock, observer=observer, target=target, name="m", keeps=self.keeps, backoff=Backoff(cap=4.0)
        )
        mapping = EventSourceMapping(name="m", source=ARN, function="f")
        idle = EventSourceMapping(name="off", source=ARN, function="f", enabled=False)
        work = rig.work(mapping, self.wrap(MemoryQueueSource(self.queue, 2)))
        self.plant = RunningMappings(
            [mapping, idle], [work], fleet_of(RunningFunction(target, "a fake")), self.account, self.changes
        )
        self.life = Life(self.plant, self.settings, self._outside(), self.clock)

    def _outside(self) -> Outside:
        async def beside() -> None:
            """Nothing runs beside."""

        return Outside(self.log, self.stdout.append, None, no_metrics, beside)

    def said(self, action: str) -> list[str]:
        lines = [json.loads(line) for line in self.stderr.getvalue().splitlines()]
        return [line["event"] for line in lines if line["action"] == action]


async def run_until_idle(rig: Rig) -> tuple[Exit, float]:
    started = anyio.current_time()
    code = await rig.life.run()
    return code, anyio.current_time() - started


@pytest.mark.semantics("CLI-06")
async def test_idle_is_two_quiet_seconds_and_two_empty_reads() -> None:
    rig = Rig(Settings(until_idle=60, stop_timeout=0))
    for number in range(3):
        rig.queue.send(str(number))
    code, seconds = await run_until_idle(rig)
    assert code is Exit.OK
    assert rig.account.counts["m"].delivered == 3
    assert seconds == pytest.approx(2.5, abs=0.6)


@pytest.mark.semantics("CLI-06")
async def test_a_message_that_is_lent_or_delayed_is_work_to_come() -> None:
    calls: list[Invocation] = []

    async def fail_once(invocation: Invocation) -> bytes:
        calls.append(invocation)
        if len(calls) == 1:
            raise ValueError("not yet")
        return b"{}"

    rig = Rig(Settings(until_idle=100), handler=fail_once, visibility=30.0)
    rig.queue.send("again")
    code, seconds = await run_until_idle(rig)
    assert code is Exit.OK
    assert rig.account.counts["m"].returned == 1
    assert rig.account.counts["m"].delivered == 1
    assert seconds > 30


@pytest.mark.semantics("CLI-07")
async def test_out_of_time_says_why() -> None:
    async def fail(invocation: Invocation) -> bytes:
        raise ValueError("never")

    rig = Rig(Settings(until_idle=10, stop_timeout=0), handler=fail)
    rig.queue.send("poison")
    code, seconds = await run_until_idle(rig)
    assert code is Exit.NOT_IDLE
    assert seconds == pytest.approx(10, abs=0.1)
    (reason,) = rig.said("not_idle")
    assert "is not empty" in reason


@pytest.mark.semantics("CLI-07")
async def test_a_mapping_that_waits_is_not_idle() -> None:
    rig = Rig(Settings(until_idle=10))
    rig.queue.exists = False
    code, _ = await run_until_idle(rig)
    assert code is Exit.NOT_IDLE
    assert "does not exist" in rig.said("not_idle")[0]


async def test_a_source_that_cannot_be_asked_is_not_idle() -> None:
    rig = Rig(Settings(until_idle=10))

    async def go_away() -> None:
        await anyio.sleep(1.0)
        rig.queue.broken = SourceUnavailable("connection refused")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(go_away)
        assert await rig.life.run() is Exit.NOT_IDLE


@pytest.mark.semantics("CLI-08")
@pytest.mark.parametrize(("asked", "code"), [(True, Exit.DISCARDED), (False, Exit.OK)])
async def test_a_discard_has_its_exit_code_for_those_who_ask(asked: bool, code: Exit) -> None:
    rig = Rig(Settings(until_idle=60, fail_on_discard=asked))
    record = Record(next(iter(rig.plant.works)).config.source, "id", {}, 0.0)  # type: ignore[arg-type]
    rig.account.observe(Settled("m", (Settlement((record,), discarded(DiscardReason.OVERSIZED)),)))
    assert await rig.life.run() is code


@pytest.mark.semantics("CLI-01")
async def test_ready_is_said_once_and_not_before_the_function_was_tried() -> None:
    rig = Rig()
    rig.fake.break_down("no module named app")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.life.run)
        assert not rig.plant.readiness().ready
        await anyio.sleep(0.1)
        readiness = rig.plant.readiness()
        assert (readiness.ready, readiness.polling) == (True, False)
        assert "no module named app" in str(readiness.reasons[0])
        assert rig.stdout == ["Ready."]
        rig.fake.mend()
        await anyio.sleep(10)
        assert rig.plant.readiness() == rig.plant.readiness().__class__(ready=True, polling=True)
        assert rig.stdout == ["Ready."]
        rig.life.stop()


@pytest.mark.semantics("CLI-01")
async def test_ready_when_the_queue_is_visibly_missing_and_polling_when_it_comes() -> None:
    rig = Rig()
    rig.queue.exists = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.life.run)
        await anyio.sleep(0.1)
        assert rig.stdout == ["Ready."]
        assert "does not exist" in str(rig.plant.readiness().reasons[0])
        rig.queue.exists = True
        await anyio.sleep(5)
        assert rig.plant.readiness().polling
        rig.life.stop()


@pytest.mark.semantics("CLI-09", "OBS-10")
async def test_a_stop_lets_invocations_end_and_readiness_goes_first() -> None:
    async def slow(invocation: Invocation) -> bytes:
        await anyio.sleep(3)
        return b"{}"

    rig = Rig(handler=slow)
    rig.queue.send("one")
    codes: list[Exit] = []

    async def live() -> None:
        codes.append(await rig.life.run())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(live)
        await anyio.sleep(1)
        rig.life.stop()
        await anyio.sleep(1)
        assert rig.plant.readiness().reasons == (Reason(ReasonCode.STOPPING, "the daemon is stopping"),)
        assert rig.plant.mappings()[0].state == "stopping"
        assert codes == []
    assert codes == [Exit.OK]
    assert rig.account.counts["m"].delivered == 1
    assert not rig.queue.messages


async def test_a_stop_ends_what_does_not_end_within_its_time() -> None:
    async def for_ever(invocation: Invocation) -> bytes:
        await anyio.sleep(1000)
        return b"{}"

    rig = Rig(Settings(stop_timeout=5), handler=for_ever)
    rig.queue.send("one")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.life.run)
        await anyio.sleep(1)
        rig.life.stop()
        asked = anyio.current_time()
    assert anyio.current_time() - asked <= 5
    assert [(message.body, message.visible_at <= anyio.current_time()) for message in rig.queue.messages] == [
        ("one", True)
    ]
    assert rig.account.counts["m"].delivered == 0


async def test_what_is_not_enabled_is_shown_and_keeps_nobody_from_being_ready() -> None:
    rig = Rig(Settings(until_idle=30))
    assert await rig.life.run() is Exit.OK
    view = rig.plant.mappings()[1]
    assert (view.name, view.state, view.feeds) == ("off", "disabled", 0)


@pytest.mark.semantics("OBS-09")
async def test_the_account_is_said_at_the_end() -> None:
    rig = Rig(Settings(until_idle=30), keeps=lambda record: record.item["body"] != "drop")
    for body in ("keep", "drop", "keep"):
        rig.queue.send(body)
    await rig.life.run()
    (text,) = rig.said("account")
    assert text.startswith("m: fetched 3, delivered 2, filtered 1")


def dry_rig(verdicts: list[Verdict], settings: Settings, visibility: float) -> Rig:
    rig = Rig(
        settings,
        invoker=DryInvoker(LoopClock(EPOCH)),
        wrap=lambda source: DryQueue(source, "m", "f", verdicts.append),
        keeps=lambda record: record.item["body"] != "drop",
        visibility=visibility,
    )
    for body in ("keep", "drop", "keep"):
        rig.queue.send(body)
    return rig


ALL = [("message-1", "WOULD DELIVER to f"), ("message-2", "FILTERED"), ("message-3", "WOULD DELIVER to f")]


@pytest.mark.semantics("CLI-11")
async def test_a_dry_run_deletes_nothing_and_gives_all_back() -> None:
    verdicts: list[Verdict] = []
    rig = dry_rig(verdicts, Settings(until_idle=60, dry_run=True), visibility=600)
    assert await rig.life.run() is Exit.OK
    assert sorted((verdict.id, verdict.text) for verdict in verdicts) == ALL
    assert len(rig.queue.messages) == 3
    (account,) = rig.said("account")
    assert account == "m: fetched 3, would deliver 2, would filter 1, would invoke 1"
    assert all(message.visible_at <= anyio.current_time() for message in rig.queue.messages)


@pytest.mark.semantics("CLI-11")
async def test_a_dry_run_receives_and_shows_a_message_once_however_long_it_lasts() -> None:
    verdicts: list[Verdict] = []
    rig = dry_rig(verdicts, Settings(dry_run=True), visibility=3)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.life.run)
        await anyio.sleep(600)
        rig.life.stop()
    assert {message.receives for message in rig.queue.messages} == {1}
    assert sorted((verdict.id, verdict.text) for verdict in verdicts) == ALL
    assert rig.account.counts["m"].fetched == 3


# --- idle, asked directly -------------------------------------------------------------------------------------------


@dataclass
class Watched:
    """A mapping as the watch sees it."""

    mapping: str = "m"
    polling: bool = True
    waits_for: Reason | None = None
    busy: bool = False
    fetched_at: float = -math.inf
    answers: list[bool] = field(default_factory=lambda: [True])
    asked: int = 0

    async def empty(self) -> bool:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize(
    ("watched", "reason"),
    [
        (Watched(busy=True), "m has records in flight"),
        (Watched(polling=False, waits_for=no_start("function f: broken")), "m is waiting: function f: broken"),
        (
            Watched(answers=[False]),
            "the source of m is not empty (messages in flight and delayed messages count)",
        ),
        (Watched(answers=[True, False] * 100), "the source of m is not empty"),
    ],
)
async def test_what_keeps_it_from_being_idle(watched: Watched, reason: str) -> None:
    watch = IdleWatch(lambda: [Watched("other"), watched], LoopClock(EPOCH))
    with anyio.move_on_after(20) as scope:
        await watch.wait()
    assert scope.cancelled_caught
    assert any(said.startswith(reason) for said in watch.reasons())


async def test_a_source_is_not_asked_while_records_arrive() -> None:
    watched = Watched()
    watch = IdleWatch(lambda: [watched], LoopClock(EPOCH))
    ended: list[float] = []

    async def wait() -> None:
        await watch.wait()
        ended.append(anyio.current_time())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        for _ in range(10):
            watched.fetched_at = last = anyio.current_time()
            await anyio.sleep(1.0)
            assert watched.asked == 0
    assert ended[0] - last == pytest.approx(2.5, abs=0.01)


async def test_a_record_between_the_reads_begins_it_all_anew() -> None:
    watched = Watched(answers=[True])
    watch = IdleWatch(lambda: [watched], LoopClock(EPOCH))

    async def fetch() -> None:
        await anyio.sleep(2.25)
        watched.fetched_at = anyio.current_time()

    started = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fetch)
        await watch.wait()
    assert anyio.current_time() - started >= 4.75

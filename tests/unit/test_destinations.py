"""How long a failure destination is tried, how it stands, and what is said of it. On virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import orjson
import pytest

from headrace.config.clock import LoopClock
from headrace.config.errors import SourceRefused, SourceUnavailable
from headrace.config.reasons import Reason
from headrace.dispatch.core.documents import Report
from headrace.dispatch.core.events import RecordsEnvelope, WindowEnvelope
from headrace.dispatch.core.model import Batch, BatchKind, DiscardReason, Record, Window
from headrace.dispatch.core.observer import DestinationChanged, DestinationFailed, Discarded
from headrace.dispatch.core.policy import Policy, Progress
from headrace.dispatch.core.slots import Taken
from headrace.dispatch.core.steps import DiscardStep, SettleStep
from headrace.dispatch.destinations.memory import MemoryDestination
from headrace.dispatch.destinations.persistence import (
    DestinationDelivery,
    Ending,
    GivenUp,
    Interrupted,
    Persistence,
    Written,
)
from headrace.dispatch.invokers.base import Invocation
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.dispatch.kinds.fragments import shard_documents
from headrace.dispatch.kinds.kinesis import BATCH_INFO
from support.paper import ATTEMPT, LANE, failed, records
from support.reasons import why
from support.rigs import MappingRig, discards_to, target_of
from support.virtual_time import EPOCH, VirtualLoop
from support.world import Watch

ARN = "arn:aws:sqs:us-east-1:000000000000:failed"
DOCUMENTS = shard_documents(BATCH_INFO, "arn:aws:lambda:us-east-1:000000000000:function:f")
DEFAULT = Persistence()
REFUSED = SourceRefused("AccessDenied: no")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


def report(numbers: Sequence[int] = (1, 2)) -> Report:
    def render(chosen: Sequence[Record]) -> bytes:
        return RecordsEnvelope().render(chosen)

    discard = DiscardStep(records(numbers), DiscardReason.RETRIES_EXHAUSTED, ATTEMPT, 1, failed())
    return Report(discard, LANE, EPOCH, "11111111-1111-4111-8111-111111111111", render)


class Rig:
    """One failure destination."""

    def __init__(self, persistence: Persistence = DEFAULT, *, exists: bool = True) -> None:
        self.watch = Watch()
        self.memory = MemoryDestination(ARN, DOCUMENTS, exists=exists)
        clock = LoopClock(EPOCH)
        self.failure = discards_to(self.memory, self.watch, clock=clock, mapping="m", persistence=persistence)

    async def hand_over(self) -> Ending:
        return await self.failure.handover(report()).run()

    @asynccontextmanager
    async def handing_over(self) -> AsyncIterator[tuple[DestinationDelivery, list[Ending]]]:
        """A hand-over that runs beside the body, and how it ended."""
        handover, endings = self.failure.handover(report()), list[Ending]()

        async def run() -> None:
            endings.append(await handover.run())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            yield handover, endings

    @property
    def delays(self) -> list[float | None]:
        return [event.delay for event in self.watch.of(DestinationFailed)]

    @property
    def changes(self) -> list[tuple[float, Reason | None]]:
        return [(time, event.cause) for time, event in self.watch.seen if isinstance(event, DestinationChanged)]


async def until(moment: float) -> None:
    """Virtual time, not a wait: the loop jumps there when everything before it has happened."""
    await anyio.sleep(moment - anyio.current_time())


# --- how long it is tried ---------------------------------------------------------------------------------------------


async def test_what_works_is_written_once() -> None:
    rig = Rig()
    assert await rig.hand_over() == Written(ARN)
    (document,) = rig.memory.written
    assert orjson.loads(document)["KinesisBatchInfo"]["endSequenceNumber"] == "2"
    assert rig.delays == []


@pytest.mark.semantics("DEST-02")
async def test_it_is_tried_five_times_with_growing_pauses_and_then_given_up() -> None:
    rig = Rig()
    rig.memory.refusal = SourceUnavailable("connection refused")
    assert await rig.hand_over() == GivenUp(why("connection refused"))
    assert len(rig.memory.attempts) == 5
    assert rig.delays == [1.0, 2.0, 4.0, 8.0, None]
    assert anyio.current_time() == 15.0


@pytest.mark.semantics("DEST-02")
async def test_slow_attempts_end_with_the_minute() -> None:
    """The first two fail after 20 s each; the third is under way when the time is over."""
    rig = Rig()
    rig.memory.answers_after, rig.memory.refusal = 20.0, SourceUnavailable("busy")
    ending = await rig.hand_over()
    assert ending == GivenUp(why(f"failure destination {ARN} did not answer in time"))
    assert rig.delays == [1.0, 2.0, None]
    assert anyio.current_time() == 60.0


@pytest.mark.semantics("DEST-02")
async def test_no_pause_outlasts_the_time() -> None:
    rig = Rig(Persistence(attempts=100, seconds=10.0))
    rig.memory.refusal = SourceUnavailable("busy")
    assert isinstance(await rig.hand_over(), GivenUp)
    assert rig.delays == [1.0, 2.0, 4.0, None]
    assert anyio.current_time() == 7.0


@pytest.mark.parametrize(
    ("persistence", "failures", "elapsed", "delay"),
    [
        (Persistence(), 4, 7.0, 8.0),
        (Persistence(), 5, 0.0, None),
        (Persistence(), 1, 58.5, 1.0),
        (Persistence(), 1, 59.0, None),
        (Persistence(block=True), 1000, 1e9, 30.0),
        (Persistence(attempts=1), 1, 0.0, None),
    ],
)
def test_the_next_attempt(persistence: Persistence, failures: int, elapsed: float, delay: float | None) -> None:
    assert persistence.delay(failures, elapsed, 0.0) == delay


def test_jitter_takes_off_up_to_half_a_pause() -> None:
    assert Persistence().delay(1, 0.0, 1.0) == 0.5


@pytest.mark.semantics("DEST-03")
async def test_who_blocks_tries_until_it_works() -> None:
    rig = Rig(Persistence(block=True))
    rig.memory.refusal = REFUSED
    async with rig.handing_over() as (_, endings):
        await until(86_400)
        assert endings == []
        rig.memory.refusal = None
    assert endings == [Written(ARN)]
    assert anyio.current_time() <= 86_430
    assert len(rig.memory.written) == 1


@pytest.mark.semantics("DEST-12")
async def test_what_refuses_for_good_is_tried_as_well_for_somebody_may_mend_it() -> None:
    rig = Rig(exists=False)
    async with rig.handing_over() as (_, endings):
        await until(5)
        rig.memory.exists = True
    assert endings == [Written(ARN)]
    assert [event.cause.text for event in rig.watch.of(DestinationFailed)] == [
        f"failure destination {ARN}: it does not exist: create it"
    ] * 3


async def test_every_attempt_writes_the_same_report() -> None:
    rig = Rig()
    rig.memory.refusal = SourceUnavailable("busy")
    await rig.hand_over()
    assert len(set(map(id, rig.memory.attempts))) == 1


# --- a stop -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("DEST-04")
@pytest.mark.parametrize(
    ("takes", "within", "ending", "at"),
    [(3.0, 5.0, Written(ARN), 3.0), (30.0, 5.0, Interrupted(), 6.0), (30.0, 0.0, Interrupted(), 1.0)],
)
async def test_an_attempt_under_way_may_finish_after_a_stop(
    takes: float, within: float, ending: Ending, at: float
) -> None:
    rig = Rig()
    rig.memory.answers_after = takes
    async with rig.handing_over() as (handover, endings):
        await until(1)
        handover.stop(anyio.current_time() + within)
    assert endings == [ending]
    assert anyio.current_time() == at
    assert rig.delays == []


@pytest.mark.semantics("DEST-04")
async def test_a_second_stop_gives_no_more_time() -> None:
    rig = Rig()
    rig.memory.answers_after = 30.0
    async with rig.handing_over() as (handover, endings):
        await until(1)
        handover.stop(anyio.current_time() + 5.0)
        await until(4)
        handover.stop(anyio.current_time() + 5.0)
    assert (endings, anyio.current_time()) == ([Interrupted()], 6.0)


@pytest.mark.semantics("DEST-04")
@pytest.mark.parametrize("block", [False, True])
async def test_a_stop_ends_a_pause_at_once(block: bool) -> None:
    rig = Rig(Persistence(block=block))
    rig.memory.refusal = REFUSED
    async with rig.handing_over() as (handover, endings):
        await until(4)
        handover.stop(anyio.current_time() + 5.0)
    assert (endings, anyio.current_time()) == ([Interrupted()], 4.0)
    assert len(rig.memory.attempts) == 3


@pytest.mark.semantics("DEST-04")
async def test_an_attempt_that_fails_after_a_stop_is_the_last() -> None:
    rig = Rig()
    rig.memory.answers_after, rig.memory.refusal = 2.0, REFUSED
    async with rig.handing_over() as (handover, endings):
        await until(1)
        handover.stop(anyio.current_time() + 5.0)
    assert endings == [Interrupted()]
    assert len(rig.memory.attempts) == 1


# --- how it stands ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def watched(rig: Rig) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.failure.watch)
        yield
        tasks.cancel_scope.cancel()


@pytest.mark.semantics("DEST-09")
async def test_before_it_was_asked_nothing_is_known() -> None:
    rig = Rig()
    assert not rig.failure.known
    assert str(rig.failure.trouble) == f"failure destination {ARN} has not been checked yet"


@pytest.mark.semantics("DEST-09")
async def test_when_it_was_asked_it_is_known_to_be_there() -> None:
    rig = Rig()
    await rig.failure.probe()
    assert rig.failure.known
    assert rig.failure.trouble is None
    assert rig.changes == [(0.0, None)]


@pytest.mark.semantics("DEST-09")
async def test_it_is_asked_at_the_start_and_until_it_is_there() -> None:
    rig = Rig(exists=False)
    missing = f"failure destination {ARN}: it does not exist: create it"
    async with watched(rig):
        await until(100)
        assert str(rig.failure.trouble) == missing
        rig.memory.exists = True
        await until(200)
        assert rig.failure.trouble is None
    (_, first), (found, last) = rig.changes
    assert (str(first), last) == (missing, None)
    assert 100 <= found <= 130


@pytest.mark.semantics("DEST-09")
async def test_after_a_document_was_given_up_it_is_asked_again() -> None:
    rig = Rig()
    async with watched(rig):
        await until(10)
        rig.memory.exists = False
        assert isinstance(await rig.hand_over(), GivenUp)
        assert "does not exist" in str(rig.failure.trouble)
        await until(50)
        assert "does not exist" in str(rig.failure.trouble)
        rig.memory.exists = True
        await until(100)
        assert rig.failure.trouble is None


@pytest.mark.semantics("DEST-09")
async def test_a_document_that_hangs_is_told_although_the_destination_can_be_seen() -> None:
    rig = Rig(Persistence(block=True))
    async with rig.handing_over() as (handover, _):
        await until(1)
        assert rig.failure.trouble is None
        handover.stop(anyio.current_time())
    rig.memory.refusal = REFUSED
    async with rig.handing_over() as (handover, _):
        await until(100)
        rig.memory.answers_after, rig.memory.refusal = 1e6, None
        await rig.failure.probe()
        assert str(rig.failure.trouble) == str(REFUSED)
        handover.stop(anyio.current_time())
    assert rig.failure.trouble is None


async def test_a_document_that_is_taken_says_that_it_is_there() -> None:
    rig = Rig()
    rig.memory.refusal = REFUSED
    await rig.failure.probe()
    rig.memory.refusal = None
    await rig.hand_over()
    assert rig.failure.trouble is None


async def test_a_fault_of_ours_in_a_probe_is_told_and_ends_nothing() -> None:
    class Broken(MemoryDestination):
        async def probe(self) -> None:
            raise RuntimeError("boom")

    rig = Rig()
    rig.failure.destination = Broken(ARN, DOCUMENTS)
    await rig.failure.probe()
    assert "a fault in Headrace (RuntimeError('boom'))" in str(rig.failure.trouble)


# --- which event it is ------------------------------------------------------------------------------------------------


class Book:
    """The feed's side: what was settled."""

    def __init__(self) -> None:
        self.settled: list[SettleStep | DiscardStep] = []

    async def settle(self, step: SettleStep | DiscardStep) -> None:
        self.settled.append(step)

    def invoked(self) -> None: ...

    async def hold(self, records: Sequence[Record], until: float) -> float:
        return until

    async def release(self, records: Sequence[Record]) -> None: ...


@pytest.mark.semantics("DEST-10")
async def test_the_end_of_a_window_that_was_never_invoked_is_told_as_such() -> None:
    """The daemon was away for longer than the records may last."""

    async def never(invocation: Invocation) -> bytes:
        raise AssertionError("invoked")

    rig, clock, book = Rig(), LoopClock(EPOCH), Book()
    mapping = MappingRig(
        clock=clock,
        observer=rig.watch,
        target=target_of(CallableInvoker(never, clock=clock), rig.watch, permits=1, remembered=True),
        name="m",
        policy=Policy(Progress.PREFIX, max_age=60.0, windowed=True),
        envelope=WindowEnvelope(),
        destination=rig.failure,
    )
    long_ago = Window(int(EPOCH) - 300, int(EPOCH) - 240)
    batch = Batch((), BatchKind.WINDOW_END, long_ago, lane=LANE)
    await mapping.dispatcher.delivery(Taken(0, batch, b'{"sum":1}'), book).run()
    (told,) = rig.memory.attempts
    event = orjson.loads(told.event)
    assert (event["isFinalInvokeForWindow"], event["state"], event["shardId"]) == (True, {"sum": 1}, LANE.shard)
    assert book.settled == [told.discard]
    assert rig.watch.of(Discarded) == [Discarded("m", (), DiscardReason.AGE_EXCEEDED, ARN)]

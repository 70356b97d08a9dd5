"""The document of a discarded batch is written before the batch is settled, through the real shell on virtual time."""

from __future__ import annotations

import anyio
import orjson
import pytest

from headrace.config.errors import SourceRefused
from headrace.dispatch.core.model import DiscardReason, FateKind
from headrace.dispatch.core.observer import DestinationFailed, Discarded, Settled, Settling
from headrace.dispatch.destinations.memory import MemoryDestination
from headrace.pollers.supervisor import Supervisor
from headrace.service.telemetry.account import Account
from support.stream_world import Call, Handler, Reading, StreamWorld, data_of, until

ARN = "arn:aws:sqs:us-east-1:000000000000:failed"
REFUSED = SourceRefused("AccessDenied: no")


async def refuse_poison(call: Call) -> object:
    if "poison" in call.data:
        raise ValueError("poison")
    return {}


async def take_all(bodies: list[str]) -> None:
    return None


class Rig:
    """A mapping without retries of a stream with one poison record, then a good one."""

    def __init__(self, handler: Handler = refuse_poison) -> None:
        self.world = StreamWorld()
        self.stream = self.world.stream()
        self.function = self.world.taking(handler)
        self.supervisor = self.again()
        for data in ("poison", "good"):
            self.stream.put("key", data)

    def again(self) -> Supervisor:
        """A new mapping of the same name, which goes on where the last one was."""
        return self.world.reading(self.stream, self.function, Reading(batch_size=1, retries=0))

    @property
    def destination(self) -> MemoryDestination:
        return self.world.destinations["mapping"]

    def fates(self, data: str = "poison") -> list[tuple[float, FateKind]]:
        """When the source was told which fate of this record."""
        return [
            (time, settlement.fate.kind)
            for time, event in self.world.watch.seen
            if isinstance(event, Settled)
            for settlement in event.settlements
            if data
            in [data_of(self.world.watch.said[each]) for each in settlement.records if each in self.world.watch.said]
        ]

    @property
    def undecided(self) -> int:
        account = Account(["mapping"])
        for _, event in self.world.watch.seen:
            account.observe(event)
        return account.counts["mapping"].undecided


@pytest.mark.semantics("DEST-01")
async def test_the_document_is_there_before_the_batch_is_settled_and_the_next_one_begins() -> None:
    rig = Rig()
    rig.destination.answers_after = 20.0
    async with rig.world.running():
        await until(10)
        assert rig.function.batches == [["poison"]]
        assert rig.world.watch.of(Settling) == []
        await until(60)
    (written,) = rig.world.documents()
    assert written["requestContext"]["condition"] == "RetryAttemptsExhausted"
    (discarded,) = rig.world.watch.of(Discarded)
    assert (discarded.destination, discarded.cause) == (ARN, None)
    assert rig.fates() == [(20.0, FateKind.DISCARDED)]
    ((later, good),) = rig.fates("good")
    assert (later >= 20, good) == (True, FateKind.DELIVERED)
    assert rig.undecided == 0


@pytest.mark.semantics("DEST-02")
async def test_a_destination_that_was_given_up_holds_the_shard_no_longer() -> None:
    rig = Rig()
    rig.destination.refusal = REFUSED
    async with rig.world.running():
        await until(10)
        assert rig.function.batches == [["poison"]]
        await until(60)
    (discarded,) = rig.world.watch.of(Discarded)
    assert (discarded.destination, discarded.cause) == ("", REFUSED.reason)
    assert len(rig.world.watch.of(DestinationFailed)) == 5
    assert rig.function.batches == [["poison"], ["good"]]
    assert rig.fates() == [(15.0, FateKind.DISCARDED)]
    assert [fate for _, fate in rig.fates("good")] == [FateKind.DELIVERED]


@pytest.mark.semantics("DEST-04")
async def test_a_write_that_ends_soon_after_the_stop_counts() -> None:
    rig = Rig()
    rig.destination.answers_after = 5.0
    async with rig.world.running():
        await until(3)
        await rig.supervisor.stop(30.0)
        assert rig.fates() == [(5.0, FateKind.DISCARDED)]
        rig.world.start(rig.again())
        await until(60)
    assert rig.function.batches == [["poison"], ["good"]]
    assert rig.undecided == 0


@pytest.mark.semantics("DEST-04")
@pytest.mark.parametrize(
    ("takes", "grace", "ended"),
    [(100.0, 30.0, 8.0), (5.0, 0.0, 4.0), (100.0, 2.0, 6.0)],
    ids=["the stop's own time", "cut at once", "cut later"],
)
async def test_a_write_that_a_stop_cuts_off_is_made_again(takes: float, grace: float, ended: float) -> None:
    """Twice rather than not at all: nobody knows whether the destination had it already."""
    rig = Rig()
    rig.destination.answers_after = takes
    async with rig.world.running():
        await until(3)
        await rig.supervisor.stop(grace)
        assert rig.fates() == [(ended, FateKind.ABANDONED)]
        assert rig.world.watch.of(Discarded) == []
        rig.world.start(rig.again())
        await until(60)
    assert len(rig.destination.written) == 1
    assert rig.function.batches == [["poison"], ["poison"], ["good"]]
    assert rig.undecided == 0


@pytest.mark.semantics("DEST-04")
async def test_a_stop_ends_the_pause_before_the_next_attempt() -> None:
    rig = Rig()
    rig.destination.refusal = REFUSED
    async with rig.world.running():
        await until(4)
        await rig.supervisor.stop(30.0)
        assert rig.fates() == [(4.0, FateKind.ABANDONED)]
        rig.world.start(rig.again())
        await until(60)
    assert len(rig.destination.written) == 1
    assert rig.undecided == 0


@pytest.mark.semantics("DEST-04")
@pytest.mark.parametrize(("refusal", "fate"), [(None, FateKind.DISCARDED), (REFUSED, FateKind.ABANDONED)])
async def test_what_is_discarded_after_the_stop_is_written_at_the_first_attempt_or_comes_again(
    refusal: SourceRefused | None, fate: FateKind
) -> None:
    """The last invocation was in flight when the stop came."""

    async def handler(call: Call) -> object:
        await anyio.sleep(2)
        return await refuse_poison(call)

    rig = Rig(handler)
    rig.destination.answers_after, rig.destination.refusal = 1.0, refusal
    first = rig.destination
    async with rig.world.running():
        await until(1)
        await rig.supervisor.stop(30.0)
        assert rig.fates() == [(3.0, fate)]
        assert len(first.attempts) == 1
        rig.world.start(rig.again())
        await until(60)
    assert len(first.written) + len(rig.destination.written) == 1
    assert rig.undecided == 0


@pytest.mark.semantics("DEST-10")
async def test_the_event_of_a_final_invocation_has_its_window_and_its_state() -> None:
    world = StreamWorld()
    stream = world.stream()
    stream.put("key", "one")

    async def handler(call: Call) -> object:
        if call.final:
            raise ValueError("the end")
        return {"state": {"sum": 1}}

    function = world.taking(handler)
    world.reading(stream, function, Reading(tumbling=60, retries=1))
    async with world.running():
        await until(600)
    (report,) = world.destinations["mapping"].attempts
    assert report.discard.reason is DiscardReason.RETRIES_EXHAUSTED
    event = orjson.loads(world.destinations["mapping"].events[0])
    assert event == function.calls[-1].event
    assert (event["isFinalInvokeForWindow"], event["state"], event["Records"]) == (True, {"sum": 1}, [])
    (document,) = world.documents()
    assert document["KinesisBatchInfo"]["batchSize"] == 0


@pytest.mark.semantics("DEST-10")
async def test_the_event_of_an_end_that_was_never_invoked_is_the_one_that_it_would_have_got() -> None:
    world = StreamWorld()
    stream = world.stream(shards=2)
    ending, busy = stream.open_shards()

    async def handler(call: Call) -> object:
        if call.data == ["busy"]:
            await anyio.sleep(300)
        return {"state": {"sum": 1}}

    function = world.taking(handler, timeout=None, concurrency=1)
    world.reading(stream, function, Reading(tumbling=60, max_age=60))
    async with world.running():
        stream.put(stream.key_of(ending), "one")
        await until(155)
        stream.put(stream.key_of(busy), "busy")
        await until(500)
    (report,) = world.destinations["mapping"].attempts
    assert report.discard.reason is DiscardReason.AGE_EXCEEDED
    event = orjson.loads(world.destinations["mapping"].events[0])
    assert (event["isFinalInvokeForWindow"], event["state"], event["Records"]) == (True, {"sum": 1}, [])


@pytest.mark.semantics("DEST-10")
async def test_the_event_after_partial_progress_has_the_state_of_that_progress() -> None:
    world = StreamWorld()
    stream = world.stream()
    for data in ("good", "poison"):
        stream.put("key", data)

    async def handler(call: Call) -> object:
        return call.failing("poison") | {"state": {"sum": call.state.get("sum", 0) + len(call.data)}}

    function = world.taking(handler)
    world.reading(stream, function, Reading(tumbling=60, retries=0, partial=True))
    async with world.running():
        await until(5)
    (sent,) = world.destinations["mapping"].events
    event = orjson.loads(sent)
    assert event["state"] == {"sum": 2}
    assert event == function.calls[1].event


@pytest.mark.semantics("DEST-10")
async def test_the_event_is_that_of_the_discarded_records_alone() -> None:
    world = StreamWorld()
    stream = world.stream()
    for data in ("good", "poison", "better"):
        stream.put("key", data)
    function = world.taking(refuse_poison)
    world.reading(stream, function, Reading(retries=0, bisect=True))
    async with world.running():
        await until(60)
    (sent,) = world.destinations["mapping"].events
    (failing,) = [call.event for call in function.calls if call.data == ["poison"]]
    assert orjson.loads(sent) == failing


@pytest.mark.semantics("DEST-14")
async def test_a_destination_that_hangs_keeps_no_other_mapping_from_a_function_that_is_back() -> None:
    """While one mapping writes, the function goes down in another one's hands and comes back when nobody has a batch
    for a trial."""
    rig = Rig()
    shared = rig.world.function(take_all, concurrency=10)
    rig.function.target = shared.target
    rig.again()
    rig.destination.answers_after = 1e6
    breaking, waiting = rig.world.queue("breaking"), rig.world.queue("waiting")
    broken = rig.world.mapping(breaking, shared, name="breaking")
    rig.world.mapping(waiting, shared, name="waiting")
    async with rig.world.running():
        await until(5)
        shared.invoker.break_down("no module named app")
        breaking.send("found out")
        await until(6)
        await broken.stop(0.0)
        shared.invoker.mend()
        await until(40)
        waiting.send("goes on")
        await until(50)
        assert waiting.messages == []
        assert rig.destination.written == []

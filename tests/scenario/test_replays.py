"""Records of a stream that are read again, on virtual time: all of the plan, nothing else, the rest after a crash."""

from __future__ import annotations

import anyio
import pytest

from headrace.config.clock import ServiceClock
from headrace.dispatch.core.found_documents import NamedRecords
from headrace.dispatch.core.model import Lane, Record
from headrace.dispatch.core.observer import Invoking
from headrace.dispatch.core.policy import Policy, Progress
from headrace.dispatch.kinds import kinesis, sqs
from headrace.dispatch.kinds.kinesis import kinesis_item
from headrace.pollers.checkpoints.memory import MemoryCheckpoints
from headrace.pollers.checkpoints.store import Key
from headrace.pollers.memory.flavours import Flavour
from headrace.pollers.memory.stream import MemoryStream
from headrace.pollers.memory.stream_service import MemoryStreamService
from headrace.pollers.replay.bounded import ReplaySource
from headrace.pollers.replay.core.plan import ReplayPlan, ReplayProgress, Span, spans_of
from headrace.pollers.replay.paper import PaperSource
from headrace.pollers.streams.replaying import seeded
from headrace.pollers.streams.source import StreamSource
from headrace.pollers.supervisor import Supervisor
from support.rigs import MappingRig, by_key, stream_source
from support.stream_world import Call, Reading, StreamFunction, StreamWorld, data_of, number_of, until
from support.virtual_time import EPOCH
from support.world import World

BOTH = pytest.mark.parametrize("flavour", Flavour)


OWN = Reading(name="own")


class ReplayWorld(StreamWorld):
    """Its mapping `replay` reads a stream again; all others read it as ever."""

    again: ReplaySource

    async def replaying(
        self,
        stream: MemoryStream,
        function: StreamFunction,
        plan: ReplayPlan,
        progress: ReplayProgress | None = None,
        rate: float | None = None,
        **settings: object,
    ) -> Supervisor:
        service, store = self.service(stream), MemoryCheckpoints()
        progress = progress or ReplayProgress()
        await seeded(store, "replay", service, plan, progress)
        inner = stream_source(service, store, self.watch, mapping="replay")
        self.again = ReplaySource(inner, plan, progress, self.clock, rate)
        return self.reading(service, function, Reading(name="replay", **settings))  # type: ignore[arg-type]

    def source(
        self, service: MemoryStreamService, settings: Reading = OWN, clock: ServiceClock | None = None
    ) -> StreamSource:
        if settings.name == "replay":
            return self.again  # type: ignore[return-value]
        return super().source(service, settings, clock)

    def replayed(self) -> list[str]:
        """What the function was handed by the replay."""
        events = [event for event in self.watch.of(Invoking) if event.mapping == "replay"]
        return [data_of(self.watch.said[record]) for event in events for record in event.records]


def put(stream: MemoryStream, numbers: range) -> None:
    for number in numbers:
        stream.put(f"key-{number}", str(number))


def named(stream: MemoryStream, call: Call) -> list[NamedRecords]:
    """As a document names the records of this invocation."""
    positions = [int(number_of(item)) for item in call.event["Records"]]
    return [NamedRecords(stream.open_shards()[0], positions[0], positions[-1], len(positions))]


@pytest.mark.semantics("REPLAY-01", "REPLAY-02")
@BOTH
async def test_a_time_to_a_time_is_read_again_and_the_mapping_stays_where_it_is(flavour: Flavour) -> None:
    world = ReplayWorld()
    stream = world.stream(flavour)
    function = world.taking()
    world.reading(stream, function, OWN)
    replay = await world.replaying(stream, function, ReplayPlan(EPOCH + 120, EPOCH + 240))
    async with world.running():
        for minute in range(10):
            put(stream, range(minute * 5, minute * 5 + 5))
            await anyio.sleep(60)
        await until(900)
        assert await replay.empty()
        assert not replay.feeds
        (shard,) = stream.open_shards()
        stored = await world.store.load(Key("own", Lane(stream.arn, shard)))
    assert sorted(map(int, world.replayed())) == list(range(10, 25))
    assert len(function.taken) == 65
    assert stored is not None
    assert world.again.progress.counts == {"delivered": 15}
    assert world.again.progress.shards[shard].ended


@pytest.mark.semantics("REPLAY-03")
@BOTH
async def test_what_documents_name_is_read_again_and_nothing_else(flavour: Flavour) -> None:
    world = ReplayWorld()
    stream = world.stream(flavour)
    function = world.taking()
    world.reading(stream, function, Reading(name="own", batch_size=5))
    put(stream, range(40))
    async with world.running():
        await until(60)
        spans = spans_of([*named(stream, function.calls[1]), *named(stream, function.calls[4])])
        replay = await world.replaying(stream, function, ReplayPlan(spans=spans))
        world.start(replay)
        await until(120)
        assert await replay.empty()
        await replay.stop(1.0)
    assert world.replayed() == list(map(str, [*range(5, 10), *range(20, 25)]))


@pytest.mark.semantics("REPLAY-01", "REPLAY-02")
async def test_shards_that_were_split_are_read_again_parents_first() -> None:
    world = ReplayWorld()
    stream = world.stream()
    put(stream, range(20))
    stream.split(stream.open_shards()[0])
    put(stream, range(20, 60))
    function = world.taking()
    replay = await world.replaying(stream, function, ReplayPlan(None, EPOCH + 1))
    async with world.running():
        await until(120)
        assert await replay.empty()
    assert function.taken[:20] == list(map(str, range(20)))
    assert sorted(map(int, function.taken)) == list(range(60))


@pytest.mark.semantics("REPLAY-04")
@BOTH
async def test_a_replay_that_was_broken_off_goes_on_where_it_was(flavour: Flavour) -> None:
    world = ReplayWorld()
    stream = world.stream(flavour)
    put(stream, range(100))
    plan = ReplayPlan(None, EPOCH + 1)

    async def slow(call: Call) -> object:
        await anyio.sleep(1.0)
        return {}

    function = world.taking(slow)
    first = await world.replaying(stream, function, plan, batch_size=10)
    async with world.running():
        await until(5.5)
        kept = ReplayProgress.of_json(world.again.progress.as_json())  # as a crash finds it
        await first.stop(0.0)
        done = list(function.taken)
        world.start(await world.replaying(stream, function, plan, kept, batch_size=10))
        await until(60)
    again = function.taken[len(done) :]
    assert 0 < len(done) < 100
    assert set(done) | set(again) == set(map(str, range(100)))
    assert len(again) <= 100 - len(done) + 10  # a batch at most is repeated


@pytest.mark.semantics("REPLAY-05")
async def test_a_rate_is_kept() -> None:
    world = ReplayWorld()
    stream = world.stream()
    put(stream, range(60))
    function = world.taking()
    await world.replaying(stream, function, ReplayPlan(None, EPOCH + 1), rate=10.0)
    async with world.running():
        await until(3.0)
        early = len(function.taken)
        await until(60)
    assert 20 <= early <= 45
    assert len(function.taken) == 60


@pytest.mark.semantics("REPLAY-06")
async def test_a_poison_record_ends_after_its_retries_and_the_replay_goes_on() -> None:
    world = ReplayWorld()
    stream = world.stream()
    put(stream, range(10))

    async def poisoned(call: Call) -> object:
        if "4" in call.data:
            raise ValueError("poison")
        return {}

    function = world.taking(poisoned)
    await world.replaying(stream, function, ReplayPlan(None, EPOCH + 1), batch_size=1, retries=2, factor=1)
    async with world.running():
        await until(300)
    assert world.again.progress.counts == {"delivered": 9, "discarded": 1}
    assert len(world.documents("replay")) == 1


@pytest.mark.semantics("REPLAY-03")
async def test_records_that_are_gone_keep_nobody_waiting() -> None:
    world = ReplayWorld()
    stream = world.stream()
    put(stream, range(5))
    function = world.taking()
    shard = stream.open_shards()[0]
    plan = ReplayPlan(spans={shard: [Span(10**60, 10**60 + 5)]})
    replay = await world.replaying(stream, function, plan)
    async with world.running():
        await until(60)
        assert await replay.empty()
    assert function.taken == []


# --- out of documents -------------------------------------------------------------------------------------------------


def message(name: str) -> Record:
    return sqs.STANDARD.relived({"messageId": name, "body": name, "eventSource": "aws:sqs"}, "arn:queue")


@pytest.mark.semantics("REPLAY-03", "REPLAY-06")
async def test_messages_of_documents_are_tried_again_and_then_given_up() -> None:
    world = World()

    async def handler(bodies: list[str]) -> object:
        return {"batchItemFailures": [{"itemIdentifier": each} for each in bodies if each == "bad"]}

    function = world.function(handler)
    given_up: list[Record] = []
    paper = PaperSource([message(each) for each in ("one", "bad", "two", "one")], 2, given_up.append)
    source = ReplaySource(paper, ReplayPlan(), ReplayProgress(), world.clock)
    policy = Policy(Progress.NONE, partial=True)
    rig = MappingRig(clock=world.clock, observer=world.watch, target=function.target, policy=policy)
    supervisor = world.add("mapping", rig.supervisor(source), function.target)
    async with world.running():
        await until(60)
        assert await supervisor.empty()
        assert not supervisor.busy
    assert world.watch.bodies() == ["one", "bad", "two", "bad", "bad"]
    assert source.progress.counts == {"delivered": 2}
    assert [record.name for record in given_up] == ["bad"]


@pytest.mark.semantics("REPLAY-03")
async def test_records_of_documents_come_once_and_in_their_order() -> None:
    world = StreamWorld()
    function = world.taking()
    lanes = [Lane("arn", shard) for shard in ("a", "b")]
    records = [kinesis_record(lane, number) for number in (9, 3, 5, 3) for lane in lanes]
    source = ReplaySource(PaperSource(records, 0, records.remove), ReplayPlan(), ReplayProgress(), world.clock)
    rig = MappingRig(
        clock=world.clock,
        observer=world.watch,
        target=function.target,
        policy=Policy(Progress.PREFIX),
        slots=by_key(1),
        batch_size=2,
    )
    supervisor = world.add("mapping", rig.supervisor(source), function.target)
    async with world.running():
        await until(60)
        assert await supervisor.empty()
    handed = world.handed()
    assert handed == {"a": ["3", "5", "9"], "b": ["3", "5", "9"]}


def kinesis_record(lane: Lane, number: int) -> Record:
    raw = {
        "SequenceNumber": str(number),
        "PartitionKey": "k",
        "Data": str(number).encode(),
        "ApproximateArrivalTimestamp": EPOCH,
    }
    item = kinesis_item(raw, shard=lane.shard, arn=lane.source, region="us-east-1", role="r")
    return kinesis.STREAM.relived(item, lane.source)

"""What is seen of a mapping whose function fails, through the real shell on virtual time."""

from __future__ import annotations

import anyio
import orjson
import pytest

from headrace.config.clock import LoopClock
from headrace.dispatch.core.model import FILTERED, Lane, Settlement
from headrace.dispatch.core.observer import Event, Filtered, Observer, Settled
from headrace.dispatch.core.pages import Page, Records
from headrace.dispatch.kinds.kinesis import KinesisSheet, ShardElement
from headrace.service.telemetry.core.mapping_model import Instant
from headrace.service.telemetry.core.tap_where import TextWhere
from headrace.service.telemetry.sight import Sight
from headrace.service.telemetry.taps import Taps, TapWish
from support.rigs import passing
from support.stream_world import Call, Reading, StreamWorld, data_of, until
from support.virtual_time import EPOCH
from support.world import Watch


class Both(Watch):
    """The world's watch, and another observer beside it."""

    def __init__(self, other: Observer) -> None:
        super().__init__()
        self._other = other

    def observe(self, event: Event) -> None:
        super().observe(event)
        self._other.observe(event)


@pytest.mark.semantics("SEE-02")
async def test_a_poison_record_is_seen_within_five_seconds_and_no_more_when_it_is_gone() -> None:
    clock = LoopClock(EPOCH)
    sight = Sight(lambda: Instant(clock.monotonic(), clock.wall()))
    world = StreamWorld()
    world.watch = Both(sight)
    stream = world.stream()
    for data in ("good", "poison", "behind"):
        stream.put("key", data)
    bad = True

    async def handler(call: Call) -> object:
        if bad and "poison" in call.data:
            raise ValueError("poison")
        return {}

    world.reading(stream, world.taking(handler), Reading(batch_size=1))
    async with world.running():
        await until(5)
        flow = sight.flow("mapping")
        assert "ValueError" in flow.failing
        assert flow.retrying[0].attempt >= 3
        assert flow.lag_seconds is not None
        assert flow.lag_seconds >= 4
        assert flow.since < EPOCH + 2
        bad = False
        await until(120)
        flow = sight.flow("mapping")
        assert (flow.failing, flow.retrying, flow.in_flight, flow.lag_seconds) == ("", (), (), 0.0)
        assert flow.lanes[0].blocked_since is None


@pytest.mark.semantics("STEER-04")
async def test_a_back_off_ends_when_somebody_says_so_and_uses_up_no_attempt_more() -> None:
    world = StreamWorld()
    stream = world.stream()
    stream.put("key", "poison")
    bad = True

    async def handler(call: Call) -> object:
        if bad:
            raise ValueError("poison")
        return {}

    function = world.taking(handler)
    supervisor = world.reading(stream, function, Reading(batch_size=1))
    assert supervisor.hasten() == 0
    async with world.running():
        await until(60)  # the back-off is at its cap: half a minute
        tried = len(function.calls)
        bad = False
        last = function.calls[-1].at
        assert supervisor.hasten() == 1
        await until(60.5)
        assert len(function.calls) == tried + 1
        assert function.calls[-1].at - last < 30
        assert function.taken == ["poison"]
        assert supervisor.hasten() == 0


@pytest.mark.semantics("STEER-30")
async def test_the_last_hour_shows_the_lag_behind_a_poison_record_and_what_was_delivered_after_it() -> None:
    clock = LoopClock(EPOCH)
    sight = Sight(lambda: Instant(clock.monotonic(), clock.wall()))
    world = StreamWorld()
    world.watch = Both(sight)
    stream = world.stream()
    for data in ("poison", *(str(number) for number in range(99))):
        stream.put("key", data)
    bad = True

    async def handler(call: Call) -> object:
        if bad and "poison" in call.data:
            raise ValueError("poison")
        return {}

    world.reading(stream, world.taking(handler), Reading(batch_size=10))
    async with world.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(sight.run)
        await until(95)
        bad = False
        await until(305)
        tasks.cancel_scope.cancel()
    history = sight.history("mapping")
    assert history is not None
    series = history.series()
    assert {len(values) for values in series.values()} == {30}
    lags = [value or 0.0 for value in series["lag_seconds"]]
    assert lags[8] > lags[0] > 5.0
    assert lags[-1] == 0.0
    assert sum(value or 0.0 for value in series["delivered"]) * 10 == pytest.approx(100, abs=0.1)
    assert sum(value or 0.0 for value in series["failed"]) > 0


@pytest.mark.semantics("SEE-30")
@pytest.mark.parametrize("payloads", [True, False])
async def test_what_records_held_is_remembered_only_where_that_is_wanted(payloads: bool) -> None:
    clock = LoopClock(EPOCH)
    sight = Sight(lambda: Instant(clock.monotonic(), clock.wall()), payloads=payloads)
    world = StreamWorld()
    world.watch = Both(sight)
    stream = world.stream()
    for data in ("taken", "refused"):
        stream.put("key", data)
    numbers = [entry.number for entry in stream.shard(stream.open_shards()[0]).entries]
    world.reading(stream, world.taking(), Reading(keeps=passing(lambda record: data_of(record.item) == "taken")))
    async with world.running():
        await until(5)
    found = [sight.payloads.of("mapping", str(number)) if sight.payloads else None for number in numbers]
    held = [each and data_of(orjson.loads(each)) for each in found]
    assert held == (["taken", "refused"] if payloads else [None, None])


@pytest.mark.semantics("SEE-05")
def test_what_a_filter_refused_is_seen_as_it_was_although_its_page_lets_go_of_it_first() -> None:
    taps = Taps(lambda: EPOCH)
    raw = {"SequenceNumber": "1", "PartitionKey": "k", "Data": "eA==", "ApproximateArrivalTimestamp": EPOCH}
    element = ShardElement(Lane("arn", "shard"), "arn", "us-east-1", "role")
    sheet = KinesisSheet(element, [raw])
    records = Records([Page(sheet)])
    with taps.open(TapWish(fate="filtered", where=TextWhere("eA=="), payload=True)) as tap:
        taps.observe(Filtered("mapping", records))
        sheet.seal()
        taps.observe(Settled("mapping", (Settlement(records, FILTERED),)))
        (line,) = tap.reading.take().splitlines()
    assert data_of(orjson.loads(line)["record"]) == "x"

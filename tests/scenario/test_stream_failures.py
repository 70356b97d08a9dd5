"""The fates of records on which a function fails, through the real shell on virtual time."""

from __future__ import annotations

import pytest

from headrace.config.errors import SourceUnavailable
from headrace.dispatch.core.observer import Blocked, Discarded
from headrace.pollers.core.lifecycle import PollState
from headrace.pollers.memory.flavours import Flavour
from support.stream_world import Call, Reading, StreamWorld, throttled, until, where

MB = 1_000_000


async def refuse_all(call: Call) -> object:
    raise ValueError("no")


# --- attempts, bisect, partial progress -----------------------------------------------------------------------------


@pytest.mark.semantics("RETRY-06", "RETRY-07")
@pytest.mark.parametrize("poison", ["0", "617", "999"])
async def test_one_poison_record_of_a_thousand_is_found_and_all_others_are_taken_once_and_in_order(poison: str) -> None:
    world = StreamWorld()
    stream = world.stream()
    wanted = [str(number) for number in range(1000)]
    for data in wanted:
        stream.put("key", data)

    async def handler(call: Call) -> object:
        if poison in call.data:
            raise ValueError("poison")
        return {}

    function = world.taking(handler)
    world.reading(stream, function, Reading(batch_size=1000, bisect=True, retries=0))
    async with world.running():
        await until(60)
    failing = [batch for batch in function.batches if poison in batch]
    assert len(failing) <= 11
    assert len(function.batches) <= 21
    assert function.taken == [data for data in wanted if data != poison]
    assert world.discarded == [("RetryAttemptsExhausted", [poison])]


@pytest.mark.semantics("RETRY-01", "RETRY-08")
@pytest.mark.parametrize("flavour", Flavour)
async def test_partial_progress_gives_the_rest_a_fresh_count(flavour: Flavour) -> None:
    """The spec's recorded example: BatchSize 3, three retries, the sixth of six records always fails."""
    world = StreamWorld()
    stream = world.stream(flavour)
    for number in range(1, 7):
        stream.put("key", str(number))

    async def handler(call: Call) -> object:
        return call.failing("6")

    function = world.taking(handler)
    world.reading(stream, function, Reading(batch_size=3, retries=3, partial=True))
    async with world.running():
        await until(120)
    assert function.batches == [["1", "2", "3"], ["4", "5", "6"], ["6"], ["6"], ["6"], ["6"]]
    assert function.taken == ["1", "2", "3", "4", "5"]
    assert world.discarded == [("RetryAttemptsExhausted", ["6"])]
    (document,) = world.documents()
    info = document["KinesisBatchInfo" if flavour is Flavour.KINESIS else "DDBStreamBatchInfo"]
    assert document["requestContext"]["approximateInvokeCount"] == 4
    assert (info["batchSize"], info["startSequenceNumber"]) == (1, info["endSequenceNumber"])


@pytest.mark.semantics("RETRY-12")
async def test_bisect_and_partial_failures_together_cut_at_the_named_record() -> None:
    world = StreamWorld()
    stream = world.stream()
    for number in range(8):
        stream.put("key", str(number))

    async def handler(call: Call) -> object:
        return call.failing("5")

    function = world.taking(handler)
    world.reading(stream, function, Reading(batch_size=8, retries=0, partial=True, bisect=True))
    async with world.running():
        await until(120)
    assert function.batches == [["0", "1", "2", "3", "4", "5", "6", "7"], ["5", "6", "7"], ["5"], ["6", "7"]]
    assert function.taken == ["0", "1", "2", "3", "4", "6", "7"]
    assert world.discarded == [("RetryAttemptsExhausted", ["5"])]


@pytest.mark.semantics("RETRY-02", "RETRY-10")
async def test_without_limits_a_batch_is_tried_until_it_works_and_nothing_overtakes_it() -> None:
    world = StreamWorld()
    stream = world.stream()
    for data in ("first", "second"):
        stream.put("key", data)

    async def handler(call: Call) -> object:
        if call.at < 3600:
            raise ValueError("not yet")
        return {}

    function = world.taking(handler)
    world.reading(stream, function, Reading(batch_size=1))
    async with world.running():
        await until(4000)
    assert function.taken == ["first", "second"]
    assert world.discarded == []
    pauses = [later.at - earlier.at for earlier, later in zip(function.calls, function.calls[1:8], strict=False)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0]


# --- what is no attempt ---------------------------------------------------------------------------------------------


@pytest.mark.semantics("RETRY-03")
async def test_a_throttle_is_no_attempt_and_cuts_no_batch() -> None:
    world = StreamWorld()
    stream = world.stream()
    for number in range(4):
        stream.put("key", str(number))

    async def handler(call: Call) -> object:
        return throttled() if call.at < 600 else {}

    function = world.taking(handler)
    world.reading(stream, function, Reading(retries=0, bisect=True))
    async with world.running():
        await until(700)
    assert len(function.batches) > 20
    assert set(map(len, function.batches)) == {4}
    assert function.taken == ["0", "1", "2", "3"]
    assert world.discarded == []


@pytest.mark.semantics("RETRY-03")
async def test_a_function_that_cannot_be_reached_keeps_its_place_and_loses_nothing() -> None:
    world = StreamWorld()
    stream = world.stream()
    function = world.taking()
    supervisor = world.reading(stream, function, Reading(retries=0))
    async with world.running():
        await until(10)
        function.invoker.break_down("no such module")
        for number in range(50):
            stream.put("key", str(number))
        await until(1000)
        assert where(supervisor) is PollState.WAITING
        assert "no such module" in str(supervisor.status.reason)
        assert function.taken == []
        function.invoker.mend()
        await until(1100)
        assert where(supervisor) is PollState.POLLING
    assert function.taken == [str(number) for number in range(50)]
    assert world.discarded == []


@pytest.mark.semantics("RETRY-04", "RETRY-05")
async def test_what_is_too_old_is_cut_from_the_front_and_the_rest_is_delivered() -> None:
    """The spec's recorded example: six records, the first older than a minute."""
    world = StreamWorld()
    stream = world.stream()
    stream.put("key", "old", age=61.0)
    for number in range(5):
        stream.put("key", str(number))
    function = world.taking()
    world.reading(stream, function, Reading(retries=0, max_age=60.0))
    async with world.running():
        await until(30)
    assert function.batches == [["0", "1", "2", "3", "4"]]
    assert world.discarded == [("RecordAgeExceeded", ["old"])]


@pytest.mark.semantics("RETRY-05")
async def test_the_age_ends_retries_without_a_limit_and_the_shard_goes_on() -> None:
    world = StreamWorld()
    stream = world.stream()

    async def handler(call: Call) -> object:
        if "poison" in call.data:
            raise ValueError("no")
        return {}

    function = world.taking(handler)
    world.reading(stream, function, Reading(batch_size=2, max_age=60.0))
    async with world.running():
        stream.put("key", "poison")
        await until(30)
        for number in range(3):
            stream.put("key", str(number))
        await until(100)
    assert world.discarded == [("RecordAgeExceeded", ["poison"])]
    assert function.taken == ["0", "1", "2"]
    assert max(call.at for call in function.calls if "poison" in call.data) < 60.0


@pytest.mark.semantics("BATCH-06")
async def test_a_record_that_alone_is_over_the_limit_of_an_event_is_discarded_as_such() -> None:
    world = StreamWorld()
    stream = world.stream()
    for data in ("before", "x" * 5 * MB, "after"):
        stream.put("key", data)
    function = world.taking()
    world.reading(stream, function)
    async with world.running():
        await until(30)
    assert function.taken == ["before", "after"]
    assert [reason for reason, _ in world.discarded] == ["MaximumPayloadSizeExceeded"]


# --- one shard and the others ---------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-50")
async def test_a_failing_shard_holds_up_no_other() -> None:
    world = StreamWorld()
    stream = world.stream(shards=2)
    one, other = stream.open_shards()
    mine, theirs = stream.key_of(one), stream.key_of(other)

    async def handler(call: Call) -> object:
        if "poison" in call.data:
            raise ValueError("no")
        return {}

    function = world.taking(handler)
    world.reading(stream, function)
    stream.put(mine, "poison")
    async with world.running():
        for number in range(100):
            stream.put(theirs, str(number))
            await until(number * 2.0)
        await until(300)
    assert function.taken == [str(number) for number in range(100)]
    assert set(world.handed()[one]) == {"poison"}
    assert not world.watch.of(Blocked)


@pytest.mark.semantics("STREAM-51")
@pytest.mark.parametrize("how", ["broken", "throttled"])
async def test_a_shard_that_cannot_be_read_holds_up_no_other_and_goes_on_when_it_can(how: str) -> None:
    world = StreamWorld()
    stream = world.stream(shards=2)
    one, other = stream.open_shards()
    function = world.taking()
    supervisor = world.reading(stream, function)
    stream.put(stream.key_of(one), "of the broken shard")
    if how == "broken":
        stream.shard(one).fault = SourceUnavailable("no route")
    else:
        stream.shard(one).throttled = True
    async with world.running():
        for number in range(20):
            stream.put(stream.key_of(other), str(number))
            await until(number * 10.0)
        assert function.taken == [str(number) for number in range(20)]
        assert where(supervisor) is PollState.POLLING
        stream.shard(one).fault, stream.shard(one).throttled = None, False
        await until(300)
    assert function.taken[-1] == "of the broken shard"


@pytest.mark.semantics("RETRY-01", "STREAM-50")
async def test_every_shard_exhausted_in_turn_discards_each_record_once() -> None:
    world = StreamWorld()
    stream = world.stream(shards=4)
    keys = [stream.key_of(shard) for shard in stream.open_shards()]
    for number in range(40):
        stream.put(keys[number % 4], str(number))
    function = world.taking(refuse_all)
    world.reading(stream, function, Reading(batch_size=5, retries=1))
    async with world.running():
        await until(60)
    assert sorted((data for _, batch in world.discarded for data in batch), key=int) == [str(n) for n in range(40)]
    assert len(world.watch.of(Discarded)) == 8
    assert len(function.calls) == 16

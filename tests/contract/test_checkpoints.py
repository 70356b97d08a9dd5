"""What the sources rely on, asked of every store of positions; with or without a disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from headrace.config.errors import BugError
from headrace.dispatch.core.model import Lane, OpenWindow, Position, Window
from headrace.pollers.checkpoints.memory import MemoryCheckpoints
from headrace.pollers.checkpoints.sqlite import SqliteCheckpoints
from headrace.pollers.checkpoints.state_file import FILE
from headrace.pollers.checkpoints.store import (
    BEGINNING,
    Checkpoint,
    CheckpointStore,
    CommitAnswer,
    Finished,
    HeldLane,
    Kept,
    Key,
    Opened,
    Start,
    StartKind,
    Token,
    unused,
)

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
OTHER = "arn:aws:kinesis:us-east-1:000000000000:stream/returns"
LATEST = Start(StartKind.LATEST, 1_700_000_000.0)
WINDOW = OpenWindow(Window(60, 120), b'{"sum":1}')


def key(shard: str = "shardId-000000000000", mapping: str = "m", source: str = STREAM) -> Key:
    return Key(mapping, Lane(source, shard))


def at(number: int, sub: int = 0, window: OpenWindow | None = None) -> Checkpoint:
    return Checkpoint(Position(number, sub, str(number)), window)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[CheckpointStore]:
    made: CheckpointStore = MemoryCheckpoints() if request.param == "memory" else await SqliteCheckpoints.open(path)
    yield made
    await made.aclose()


# --- the contract ---------------------------------------------------------------------------------------------------


async def test_nothing_is_stored_of_what_was_never_seen(store: CheckpointStore) -> None:
    assert await store.load(key()) is None
    assert await store.opened("m", STREAM) is None
    assert await store.kept() == []


@pytest.mark.semantics("STREAM-01")
async def test_a_committed_position_is_what_is_loaded(store: CheckpointStore) -> None:
    held = await store.acquire(key())
    number = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898
    for checkpoint in [at(1), at(7, sub=3), Checkpoint(Position(number, 0, f"00{number}"), WINDOW)]:
        assert await store.commit(key(), held.token, checkpoint) is CommitAnswer.COMMITTED
        assert await store.load(key()) == checkpoint
    place = (await store.acquire(key())).checkpoint.place
    assert isinstance(place, Position)
    assert place.text == f"00{number}"


@pytest.mark.semantics("STREAM-02")
async def test_where_a_lane_starts_is_decided_once(store: CheckpointStore) -> None:
    starts: dict[str, Start | Finished] = {"a": LATEST, "b": BEGINNING, "c": Finished()}
    assert await store.begin("m", STREAM, 1.5, starts)
    later: dict[str, Start | Finished] = {"a": BEGINNING, "d": BEGINNING}
    assert not await store.begin("m", STREAM, 2.5, later)
    stored = {shard: Checkpoint(start) for shard, start in starts.items()}
    assert await store.opened("m", STREAM) == Opened(1.5, stored)
    assert (await store.acquire(key("a"), BEGINNING)).checkpoint == Checkpoint(LATEST)


@pytest.mark.semantics("STREAM-02")
async def test_a_shard_that_appears_later_has_its_start_before_it_is_held(store: CheckpointStore) -> None:
    start = Start(StartKind.NEWER_THAN, 5.0)
    held = await store.acquire(key(), start)
    assert held.checkpoint == Checkpoint(start) == await store.load(key())
    assert (await store.acquire(key(), BEGINNING)).checkpoint == Checkpoint(start)
    assert await store.commit(key(), held.token, Checkpoint(BEGINNING)) is CommitAnswer.STALE


@pytest.mark.semantics("STREAM-02")
async def test_shards_that_appear_later_get_their_starts_in_one_step_and_no_stored_one_changes(
    store: CheckpointStore,
) -> None:
    await store.begin("m", STREAM, 1.5, {"a": LATEST, "b": Finished(), "c": BEGINNING})
    held = await store.acquire(key("c"))
    await store.commit(key("c"), held.token, at(7))
    await store.add("m", STREAM, {"a": BEGINNING, "b": BEGINNING, "c": BEGINNING, "d": BEGINNING, "e": LATEST})
    opened = await store.opened("m", STREAM)
    assert opened is not None
    assert {shard: each.place for shard, each in opened.lanes.items()} == {
        "a": LATEST,
        "b": Finished(),
        "c": at(7).place,
        "d": BEGINNING,
        "e": LATEST,
    }
    assert await store.commit(key("c"), held.token, at(8)) is CommitAnswer.COMMITTED
    assert await store.commit(key("d"), held.token, at(8)) is CommitAnswer.STALE
    assert (await store.acquire(key("d"), LATEST)).checkpoint == Checkpoint(BEGINNING)


async def test_nothing_is_added_to_what_was_never_opened(store: CheckpointStore) -> None:
    await store.add("m", STREAM, {"a": BEGINNING})
    assert (await store.kept(), await store.opened("m", STREAM)) == ([], None)
    assert await store.begin("m", STREAM, 1.0, {"a": LATEST})


async def test_a_start_is_not_changed_by_a_commit(store: CheckpointStore) -> None:
    held = await store.acquire(key(), LATEST)
    assert await store.commit(key(), held.token, Checkpoint(BEGINNING)) is CommitAnswer.BELOW
    assert await store.commit(key(), held.token, Checkpoint(LATEST, WINDOW)) is CommitAnswer.COMMITTED
    assert await store.load(key()) == Checkpoint(LATEST, WINDOW)


@pytest.mark.semantics("STREAM-03")
async def test_a_commit_never_goes_back(store: CheckpointStore) -> None:
    held = await store.acquire(key())
    assert await store.commit(key(), held.token, at(10, sub=2)) is CommitAnswer.COMMITTED
    for lower in [at(9), at(10, sub=1), Checkpoint(BEGINNING)]:
        assert await store.commit(key(), held.token, lower) is CommitAnswer.BELOW
    assert await store.load(key()) == at(10, sub=2)
    end = Checkpoint(Finished(Position(10, 2)))
    assert await store.commit(key(), held.token, end) is CommitAnswer.COMMITTED
    assert await store.commit(key(), held.token, at(99)) is CommitAnswer.BELOW
    assert await store.load(key()) == end


async def test_positions_are_numbers_not_text(store: CheckpointStore) -> None:
    held = await store.acquire(key())
    assert await store.commit(key(), held.token, at(9)) is CommitAnswer.COMMITTED
    assert await store.commit(key(), held.token, at(10)) is CommitAnswer.COMMITTED
    assert await store.commit(key(), held.token, at(9)) is CommitAnswer.BELOW


@pytest.mark.semantics("STREAM-04")
async def test_a_window_is_stored_with_its_position_and_may_change_without_it(store: CheckpointStore) -> None:
    held = await store.acquire(key())
    for checkpoint in [at(5, window=WINDOW), at(5, window=OpenWindow(WINDOW.window, b'{"sum":2}')), at(5)]:
        assert await store.commit(key(), held.token, checkpoint) is CommitAnswer.COMMITTED
        assert await store.load(key()) == checkpoint
    assert await store.commit(key(), held.token, at(4, window=WINDOW)) is CommitAnswer.BELOW
    assert await store.load(key()) == at(5)


async def test_a_finished_lane_has_no_window() -> None:
    with pytest.raises(BugError, match="open window"):
        Checkpoint(Finished(), WINDOW)


@pytest.mark.parametrize(("kind", "time"), [(StartKind.TRIM_HORIZON, 1.0), (StartKind.LATEST, None)])
def test_a_start_has_a_time_unless_it_is_the_trim_horizon(kind: StartKind, time: float | None) -> None:
    with pytest.raises(BugError, match=kind.value):
        Start(kind, time)


@pytest.mark.semantics("STREAM-05")
async def test_a_token_is_stale_once_somebody_else_holds_the_lane(store: CheckpointStore) -> None:
    first = await store.acquire(key())
    await store.commit(key(), first.token, at(3))
    second = await store.acquire(key())
    assert second.checkpoint == at(3)
    assert await store.commit(key(), first.token, at(8)) is CommitAnswer.STALE
    assert await store.load(key()) == at(3)
    assert await store.commit(key(), second.token, at(4)) is CommitAnswer.COMMITTED


async def test_nobody_commits_to_a_lane_that_nobody_holds(store: CheckpointStore) -> None:
    await store.begin("m", STREAM, 1.0, {key().lane.shard: BEGINNING})
    for lane in (key(), key("unknown")):
        assert await store.commit(lane, Token(0), at(1)) is CommitAnswer.STALE
    assert await store.load(key()) == Checkpoint(BEGINNING)
    assert await store.load(key("unknown")) is None


async def test_lanes_mappings_and_sources_are_apart(store: CheckpointStore) -> None:
    keys = [key("a"), key("b"), key("a", mapping="n"), key("a", source=OTHER)]
    held = [await store.acquire(each) for each in keys]
    for number, (each, mine) in enumerate(zip(keys, held, strict=True)):
        assert await store.commit(each, mine.token, at(number)) is CommitAnswer.COMMITTED
    assert [await store.load(each) for each in keys] == [at(0), at(1), at(2), at(3)]
    assert await store.commit(keys[0], held[1].token, at(9)) is CommitAnswer.STALE


Ending = Callable[[CheckpointStore], Awaitable[object]]


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda store: store.remove("m"), id="removed"),
        pytest.param(lambda store: store.restart("m", STREAM, 2.0, {key().lane.shard: BEGINNING}), id="recreated"),
        pytest.param(lambda store: store.move("m", STREAM, "n"), id="moved"),
    ],
)
async def test_no_token_from_before_is_ever_good_again(store: CheckpointStore, end: Ending) -> None:
    held = await store.acquire(key())
    await end(store)
    for each in (key(), key(mapping="n")):
        assert await store.commit(each, held.token, at(9)) is CommitAnswer.STALE
        later = await store.acquire(each)
        assert later.token != held.token
        assert await store.commit(each, held.token, at(9)) is CommitAnswer.STALE


@pytest.mark.semantics("STREAM-06")
async def test_a_recreated_stream_begins_over(store: CheckpointStore) -> None:
    await store.begin("m", STREAM, 1.0, {"a": LATEST, "b": LATEST})
    await store.begin("m", OTHER, 1.0, {"a": LATEST})
    held = await store.acquire(key("a"))
    await store.commit(key("a"), held.token, at(500, window=WINDOW))
    await store.restart("m", STREAM, 2.0, {"a": BEGINNING})
    assert await store.opened("m", STREAM) == Opened(2.0, {"a": Checkpoint(BEGINNING)})
    assert await store.opened("m", OTHER) == Opened(1.0, {"a": Checkpoint(LATEST)})


@pytest.mark.parametrize("created", [1.5, None])
async def test_the_creation_time_is_remembered_and_may_be_confirmed_anew(
    store: CheckpointStore, created: float | None
) -> None:
    await store.begin("m", STREAM, created, {"a": BEGINNING})
    assert await store.opened("m", STREAM) == Opened(created, {"a": Checkpoint(BEGINNING)})
    await store.confirm("m", STREAM, 1_700_000_000.123)
    await store.confirm("m", OTHER, 3.0)
    assert await store.opened("m", STREAM) == Opened(1_700_000_000.123, {"a": Checkpoint(BEGINNING)})
    assert await store.opened("m", OTHER) is None


async def test_only_finished_lanes_are_compacted(store: CheckpointStore) -> None:
    await store.begin("m", STREAM, 1.0, {"a": Finished(), "b": BEGINNING, "c": Finished(), "d": Finished()})
    assert await store.compact("m", STREAM, ["a", "b", "c", "unknown"]) == 2
    assert await store.compact("m", STREAM, []) == 0
    stored = await store.opened("m", STREAM)
    assert stored is not None
    assert stored.lanes == {"b": Checkpoint(BEGINNING), "d": Checkpoint(Finished())}


@pytest.mark.semantics("STREAM-07")
async def test_positions_that_no_mapping_uses_can_be_listed_moved_and_removed(store: CheckpointStore) -> None:
    await store.begin("old", STREAM, 1.0, {"a": BEGINNING, "b": BEGINNING})
    await store.begin("new", OTHER, 1.0, {"a": BEGINNING})
    held = await store.acquire(key("a", "old"))
    await store.commit(key("a", "old"), held.token, at(7))
    assert unused(await store.kept(), {("new", STREAM), ("new", OTHER)}) == [Kept("old", STREAM, 2)]
    assert await store.move("old", STREAM, "new")
    assert await store.kept() == [Kept("new", STREAM, 2), Kept("new", OTHER, 1)]
    assert await store.load(key("a", "new")) == at(7)
    assert await store.opened("new", STREAM) == Opened(1.0, {"a": at(7), "b": Checkpoint(BEGINNING)})
    assert await store.opened("old", STREAM) is None
    assert await store.remove("new", OTHER) == 1
    assert await store.kept() == [Kept("new", STREAM, 2)]
    assert await store.remove("new") == 2
    assert (await store.kept(), await store.opened("new", STREAM)) == ([], None)


async def test_positions_are_not_moved_over_others(store: CheckpointStore) -> None:
    await store.begin("old", STREAM, 1.0, {"a": BEGINNING})
    await store.begin("new", STREAM, 1.0, {})
    assert not await store.move("old", STREAM, "new")
    assert not await store.move("unknown", STREAM, "other")
    assert await store.kept() == [Kept("old", STREAM, 1)]
    await store.acquire(key("a", "third"))
    assert not await store.move("old", STREAM, "third")


async def test_concurrent_commits_are_each_answered(store: CheckpointStore) -> None:
    lanes, rounds = 20, 10
    answers: list[CommitAnswer] = []

    async def work(lane: Key) -> None:
        held = await store.acquire(lane)
        answers.extend([await store.commit(lane, held.token, at(number)) for number in range(rounds)])

    async with anyio.create_task_group() as tasks:
        for lane in range(lanes):
            tasks.start_soon(work, key(str(lane)))
    assert answers == [CommitAnswer.COMMITTED] * lanes * rounds
    assert [await store.load(key(str(lane))) for lane in range(lanes)] == [at(rounds - 1)] * lanes


async def test_of_two_who_hold_a_lane_the_later_wins(store: CheckpointStore) -> None:
    held: list[HeldLane] = []

    async def acquire() -> None:
        held.append(await store.acquire(key()))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(acquire)
    latest = max(each.token for each in held)
    assert len({each.token for each in held}) == 5
    for each in held:
        good = await store.commit(key(), each.token, at(1)) is CommitAnswer.COMMITTED
        assert good == (each.token == latest)


async def test_a_commit_whose_caller_is_cancelled_is_done_or_not_and_later_ones_work(store: CheckpointStore) -> None:
    held = await store.acquire(key())
    async with anyio.create_task_group() as tasks:
        for number in range(1, 6):
            tasks.start_soon(
                store.commit, key(), held.token, at(number, window=OpenWindow(Window(0, 60), b"%d" % number))
            )
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    stored = await store.load(key())
    assert stored is not None
    if isinstance(stored.place, Position):
        assert stored.window == OpenWindow(Window(0, 60), b"%d" % stored.place.number)
    assert await store.commit(key(), held.token, at(9)) is CommitAnswer.COMMITTED
    assert await store.load(key()) == at(9)


@pytest.mark.semantics("STEER-10")
async def test_who_moves_a_lane_by_hand_decides_whatever_was_stored_and_older_tokens_are_stale(
    store: CheckpointStore,
) -> None:
    assert not await store.put(key(), at(1))  # it was never opened
    assert await store.load(key()) is None
    await store.begin("m", STREAM, None, {"shardId-000000000000": LATEST, "other": LATEST})
    held = await store.acquire(key())
    await store.commit(key(), held.token, at(7, window=WINDOW))
    for checkpoint in (at(3), Checkpoint(BEGINNING), Checkpoint(Finished(Position(9, 0, "9")))):
        assert await store.put(key(), checkpoint)
        assert await store.load(key()) == checkpoint
        assert await store.commit(key(), held.token, at(8)) is CommitAnswer.STALE
    await store.put(key(), at(3))
    fresh = await store.acquire(key())
    assert fresh.checkpoint == at(3)
    assert await store.commit(key(), fresh.token, at(4)) is CommitAnswer.COMMITTED
    assert await store.load(key("other")) == Checkpoint(LATEST)

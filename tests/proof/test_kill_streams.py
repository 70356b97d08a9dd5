"""The daemon that reads streams and its workers are killed, again and again, at named points and at random: every
record of every shard comes at least once, in order but for replays from what was stored last, and no stored position
is ever ahead of what the function took."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.counts import count
from support.eventually import eventually
from support.stream_kill import CUSTOMERS, KINDS, Bench, KinesisStream, Order, Stream, TableStream
from support.stream_kill_account import Life, Placed, ahead, excused, faults_of_order

POINTS = {
    "after fetch": ("Fetched", 6),
    "after invoke": ("Invoked", 8),
    "after destination write": ("Discarded", 3),
    "after settle": ("Settled", 8),
    "before commit": ("Storing", 8),
    "after commit": ("Stored", 8),
    "after commit of what was given up": ("Stored discarded", 4),
}
"""The event of each, and at which one at most."""
SERVERS = [
    pytest.param(KinesisStream, "ministack", id="kinesis-ministack"),
    pytest.param(KinesisStream, "kinesalite", id="kinesis-kinesalite", marks=pytest.mark.needs("node", "npm")),
    pytest.param(TableStream, "ministack", id="dynamodb-ministack"),
    pytest.param(TableStream, "dynamodb_local", id="dynamodb-local", marks=pytest.mark.needs("java", "maven")),
]
GOOD = {"good": 1}
on_every_server = pytest.mark.parametrize(("make_stream", "server"), SERVERS)
MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench(
    request: pytest.FixtureRequest, tmp_path: Path, make_stream: Callable[..., Stream], server: str
) -> Iterator[MakeBench]:
    seed = int(os.environ.get("HEADRACE_SEED", random.randrange(2**32)))
    print(f"HEADRACE_SEED={seed}")
    endpoint = request.getfixturevalue(server).endpoint_url
    queues = request.getfixturevalue("ministack").endpoint_url
    made: list[Bench] = []

    def make(**more: Any) -> Bench:
        bench = Bench(make_stream(endpoint), endpoint, queues, tmp_path, random.Random(seed), **more)
        made.append(bench)
        return bench

    yield make
    for bench in made:
        bench.close()


def die(bench: Bench, point: str, nth: int = 1, kinds: Mapping[str, int] = KINDS) -> None:
    """One life that ends at a named point. Orders are sent as long as it lasts, so the point is reached."""
    daemon = bench.start(kill_at=f"{point}:{nth}")

    def dead_by_now() -> bool:
        bench.send_any(kinds)
        return daemon.poll() is not None

    eventually(dead_by_now, f"{point} {nth} times")
    assert daemon.returncode == -signal.SIGKILL, bench.log_end()
    bench.mourn(daemon)


def die_alone(bench: Bench, point: str, nth: int = 1) -> None:
    """One life in which nothing is sent, and which ends at a named point nevertheless."""
    daemon = bench.start(kill_at=f"{point}:{nth}")
    eventually(lambda: daemon.poll() is not None, f"{point} {nth} times")
    bench.mourn(daemon)
    assert daemon.returncode == -signal.SIGKILL, bench.log_end()


def die_at_random(bench: Bench) -> None:
    """One life in which a worker is killed, and then the daemon, each at some moment."""
    daemon = bench.start()
    bench.produce(bench.random.uniform(0.2, 2.0))
    if workers := bench.workers():
        os.kill(bench.random.choice(workers), signal.SIGKILL)
        bench.lives[-1].workers_killed = True
    bench.produce(bench.random.uniform(0.2, 2.0))
    bench.kill(daemon)


def examine(bench: Bench) -> None:
    """No position is ahead of what became of its records."""
    placed = bench.stream.placed().values()
    known = excused(placed, bench.filtered(), bench.documents())
    assert ahead(placed, bench.positions(), bench.journal(), known) == []


@pytest.mark.semantics("STREAM-10", "STREAM-70", "STREAM-71")
@on_every_server
def test_no_record_is_lost_and_none_overtaken_however_often_we_are_killed(make_bench: MakeBench) -> None:
    bench = make_bench(
        mapping={"batch_size": 20, "maximum_retry_attempts": 1, "bisect_batch_on_function_error": True},
    )
    for point, most in POINTS.values():
        for _ in range(count(1, 3)):
            die(bench, point, bench.random.randint(1, most))
            examine(bench)
    for _ in range(count(2, 20)):
        die_at_random(bench)
        examine(bench)
    bench.run_until_idle()
    examine(bench)

    placed, journal = bench.stream.placed(), bench.journal()
    filtered, documents = bench.filtered(), bench.documents()
    known = excused(placed.values(), filtered, documents)
    assert set(placed) == {*journal, *known}, "every record came, was refused or was told of"
    assert {(each.shard, each.number) for each in placed.values() if each.kind == "noise"} == filtered
    told = excused(placed.values(), (), documents)
    assert {each.id for each in placed.values() if each.kind == "poison"} <= told
    assert all(placed[each].kind == "good" for each in journal)
    assert faults_of_order(placed, journal, known, bench.lives) == []
    print(
        f"{len(placed)} sent, {len(set(journal))} taken ({len(journal) - len(set(journal))} again), "
        f"{len(filtered)} filtered, {len(told)} told of in {len(documents)} documents, {len(bench.lives)} lives"
    )


@pytest.mark.semantics("STREAM-72")
@on_every_server
def test_while_the_hundredth_record_of_a_batch_retries_the_others_are_done(make_bench: MakeBench) -> None:
    partial = {"batch_size": 100, "function_response_types": ["ReportBatchItemFailures"]}
    bench = make_bench(handler="partial", mapping=partial)
    orders = [Order() for _ in range(99)] + [Order("poison")]
    bench.send(*orders)
    ids = [order.id for order in orders]

    # The first retry is told before what is done by then is stored; at the second, the hundredth has failed alone.
    die_alone(bench, "Retrying", bench.random.randint(2, 4))
    assert [line.split() for line in bench.lines("seen")][:2] == [ids, ids[-1:]], "one batch, then its last record"
    before = len(bench.lines("seen"))
    (bench.directory / "healed").touch()
    bench.run_until_idle()

    assert [line.split() for line in bench.lines("seen")[before:]] == [ids[-1:]]
    assert bench.journal() == ids


@pytest.mark.semantics("STREAM-10", "STREAM-73")
@pytest.mark.parametrize(("make_stream", "server"), SERVERS[:3])  # the last one tells only the minute of a record
def test_killed_inside_a_tumbling_window_each_record_counts_once(make_bench: MakeBench) -> None:
    bench = make_bench(handler="windowed", mapping={"batch_size": 10, "tumbling_window_in_seconds": 4})
    inside = 0
    for point in ("Fetched", "Invoked", "Settled", "Storing", "Stored") * count(1, 4):
        die(bench, point, bench.random.randint(1, 8), GOOD)
        inside += any(checkpoint.window is not None for checkpoint in bench.stored().values())
    assert inside, "some life ended while a window was open"
    sent = set(bench.sent)
    daemon = bench.start()
    eventually(lambda: sent <= counted_after_some_more(bench), "every window ends")
    bench.kill(daemon)

    placed, ends = bench.stream.placed(), ends_of_windows(bench)
    for (shard, _), states in ends.items():
        assert all(state == states[0] for state in states), "an end that comes again has the same state"
        assert {placed[each].shard for each in states[0]["ids"]} == {shard}
        assert states[0]["sum"] == sum(bench.sent[each].value for each in states[0]["ids"])
    in_windows = [each for states in ends.values() for each in states[0]["ids"]]
    assert len(in_windows) == len(set(in_windows)), "no record counts twice, in one window or in two"
    print(f"{len(bench.sent)} sent, {len(ends)} windows, {inside} lives that ended inside of one")


def counted_after_some_more(bench: Bench) -> set[str]:
    """As `counted`; but a window ends by a record beyond its end, so orders go on coming."""
    bench.send(*one_of_each_customer())
    a_second_passes()
    return counted(bench)


def counted(bench: Bench) -> set[str]:
    """Ids of the orders in the states of windows that ended."""
    return {each for states in ends_of_windows(bench).values() for state in states for each in state["ids"]}


def ends_of_windows(bench: Bench) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The states that the end of each window left, by shard and window."""
    ends: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in bench.lines("windows"):
        end = json.loads(line)
        ends[end["shard"], end["window"]["start"]].append(end["state"])
    return ends


@pytest.mark.semantics("STREAM-57")
@on_every_server
def test_killed_before_its_first_record_a_latest_mapping_loses_none(make_bench: MakeBench, server: str) -> None:
    bench = make_bench(mapping={"starting_position": "LATEST"})
    bench.send(*(early := one_of_each_customer()))
    a_second_passes()
    die_alone(bench, "FeedsChanged")  # the stream is open, and nothing was fetched
    bench.send(*(orders := one_of_each_customer()))
    a_second_passes()
    die_alone(bench, "Fetched")
    assert bench.journal() == []
    a_second_passes()
    bench.run_until_idle()

    assert {order.id for order in orders} <= set(bench.journal())
    if server != "dynamodb_local":  # which tells only the minute of a record
        assert not {order.id for order in early} & set(bench.journal())


def one_of_each_customer() -> list[Order]:
    """So that each shard gets some."""
    return [Order(customer=customer) for customer in CUSTOMERS]


def a_second_passes() -> None:
    """Of the clock by which records and streams are told apart: its times may be whole seconds."""
    began = int(time.time())
    eventually(lambda: time.time() >= began + 2)


@pytest.mark.semantics("STREAM-17", "STREAM-58")
@on_every_server
def test_a_stream_that_was_made_anew_meanwhile_is_read_from_its_beginning(make_bench: MakeBench) -> None:
    bench = make_bench()
    daemon = bench.start()
    bench.produce(1.0, GOOD)
    eventually(lambda: set(bench.journal()) == set(bench.sent))
    bench.kill(daemon)

    bench.stream.delete()
    bench.stream.create()
    orders = [*one_of_each_customer(), *one_of_each_customer()]
    bench.send(*orders)
    die_alone(bench, "StreamRecreated")
    at = len(bench.lines("journal"))
    bench.run_until_idle()

    again = bench.journal()[at:]
    placed = bench.stream.placed()
    assert sorted(again) == sorted(order.id for order in orders)
    assert faults_of_order(placed, again, (), [Life(0, {})]) == []
    told = bench.logged("recreated")
    assert 1 <= len(told) <= 2, "one line, and another one at most where we died while it was written"
    bench.run_until_idle()
    assert len(bench.logged("recreated")) == len(told), "and none at later starts"
    assert "is read from its beginning" in told[0]["event"]


# --- what the tests above go by -------------------------------------------------------------------------------------

PLACED = {each: Placed(each, "good", "s", number) for number, each in enumerate("abcdef")}


@pytest.mark.parametrize(
    ("journal", "lives", "faults"),
    [
        ("abcdef", [Life(0, {})], 0),
        ("acdef", [Life(0, {})], 1),  # a hole
        ("bcdef", [Life(0, {})], 1),  # at the beginning
        ("abbcdef", [Life(0, {})], 1),  # again, and no worker was killed
        ("abbcdef", [Life(0, {}, workers_killed=True)], 0),
        ("abacdef", [Life(0, {}, workers_killed=True)], 1),  # the replay has a hole
        ("abcbcdef", [Life(0, {}), Life(3, {"s": 0})], 0),  # a replay from the position
        ("abcdef", [Life(0, {}), Life(3, {"s": 0})], 1),  # none, although b and c were not stored
        ("abcbcdef", [Life(0, {}), Life(3, {"s": 1})], 1),  # from before the position
    ],
)
def test_holes_and_replays_are_told_apart(journal: Sequence[str], lives: list[Life], faults: int) -> None:
    assert len(faults_of_order(PLACED, journal, (), lives)) == faults


def test_what_is_excused_is_no_hole_and_a_position_may_pass_it() -> None:
    known = excused(PLACED.values(), {("s", 1)}, [("s", 3, 4)])
    assert known == {"b", "d", "e"}
    assert faults_of_order(PLACED, "acf", known, [Life(0, {})]) == []
    assert ahead(PLACED.values(), {"s": 4}, "ac", known) == []
    assert ahead(PLACED.values(), {"s": 5}, "ac", known) == [PLACED["f"]]

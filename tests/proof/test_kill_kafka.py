"""Members of a consumer group are killed, stopped and added, and their broker is restarted: every record comes at least
once, in the order of its partition but for replays from what was committed, and no committed offset is ever ahead of
what the function took."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from support.counts import count
from support.kafka_kill import Bench
from support.kafka_kill_account import Commit, Taken, ahead, leaps, lost, overtaken
from support.servers import kafka
from support.servers.running import Restartable
from support.topics import Topics

CHANGES = count(3, 15)
RESTARTS = count(1, 2)
POINTS = ("Fetched", "Invoked", "Settled", "OffsetsCommitted", "Rebalanced")
needs_kafka = pytest.mark.needs("java", "maven")


@pytest.fixture
def broker() -> Iterator[Restartable]:
    with kafka.cluster(1) as (broker,):
        yield broker


@pytest.fixture
def bench(broker: Restartable, tmp_path: Path) -> Iterator[Bench]:
    seed = int(os.environ.get("HEADRACE_SEED", random.randrange(2**32)))
    print(f"HEADRACE_SEED={seed}")
    server = broker.server
    bench = Bench(Topics(f"{server.host}:{server.port}"), broker, tmp_path, random.Random(seed))
    yield bench
    bench.close()


def change(bench: Bench) -> str:
    """Something happens to the group. There are two to four members afterwards."""
    kinds = ["kill", "kill", "kill at", "stop"] if len(bench.members) > 2 else ["add"]
    match bench.random.choice([*kinds, "add"] if len(bench.members) < 4 else kinds):
        case "kill":
            return f"{bench.kill()} is killed"
        case "kill at":
            point = bench.random.choice(POINTS)
            nth = 1 if point == "Rebalanced" else bench.random.randint(1, 5)  # who waits brings about no second one
            return f"{bench.start_to_die(f'{point}:{nth}')} dies at {point} {nth}"
        case "stop":
            return f"{bench.stop()} is stopped"
        case _:
            return f"{bench.start().life} is added"


def restart(bench: Bench) -> str:
    """The broker goes away for a while, in which orders are sent on."""
    if bench.random.random() < 0.5:
        bench.broker.kill()
    else:
        bench.broker.stop()
    bench.produce(bench.random.uniform(1.0, 4.0))
    bench.broker.start()
    return "the broker was restarted"


@needs_kafka
@pytest.mark.semantics("KAFKA-05", "KAFKA-11", "KAFKA-23")
def test_no_record_is_lost_and_none_overtaken_however_often_the_group_changes(bench: Bench) -> None:
    restarts = {(number + 1) * CHANGES // (RESTARTS + 1) for number in range(RESTARTS)}
    for _ in range(3):
        bench.start()
    with bench.sampled():
        bench.produce(5.0)
        for number in range(CHANGES):
            print(f"{number}: {change(bench)}")
            bench.produce(bench.random.uniform(1.0, 6.0))
            if number in restarts:
                print(f"{number}: {restart(bench)}")
                bench.produce(bench.random.uniform(1.0, 6.0))
        bench.flush()
        bench.wait_done()
    while bench.members:
        bench.stop()

    placed, journal, commits = bench.placed(), bench.journal(), bench.commits()
    assert lost(placed, journal) == []
    assert overtaken(placed, journal) == []
    assert bench.ahead == []
    assert ahead(placed, commits, journal) == []
    assert leaps(placed, commits, journal) == []
    taken = {(each.shard, each.offset) for each in journal}
    print(
        f"{sum(map(len, placed.values()))} sent, {len(taken)} taken ({len(journal) - len(taken)} again), "
        f"{len(bench.filtered())} filtered, {len(commits)} commits, {bench.samples} samples, {bench.lives} lives"
    )


# --- what the test above goes by ------------------------------------------------------------------------------------

PLACED = {"s": [0, 1, 2, 4, 5]}


def journal(*steps: tuple[str, int]) -> list[Taken]:
    return [Taken(float(at), life, "s", offset) for at, (life, offset) in enumerate(steps)]


def on_behalf_of(life: str, *offsets: int) -> list[tuple[str, int]]:
    return [(life, offset) for offset in offsets]


def test_what_nobody_took_is_lost() -> None:
    assert lost(PLACED, journal(*on_behalf_of("a", 0, 1, 4, 5))) == [("s", 2)]


@pytest.mark.parametrize(
    ("offsets", "faults"), [((0, 1, 2, 4, 5), []), ((0, 1, 0, 1, 2), []), ((0, 2, 1), [2]), ((1,), [1])]
)
def test_a_first_time_needs_all_before_it(offsets: Sequence[int], faults: Sequence[int]) -> None:
    assert [each.offset for each in overtaken(PLACED, journal(*on_behalf_of("a", *offsets)))] == faults


@pytest.mark.parametrize(("at", "offset", "fault"), [(1.0, 2, False), (0.5, 2, True), (9.0, 4, False), (9.0, 6, True)])
def test_a_commit_needs_all_below_it_to_be_taken(at: float, offset: int, fault: bool) -> None:
    commits = [Commit(at, "s", offset)]
    assert ahead(PLACED, commits, journal(*on_behalf_of("a", 0, 1, 2))) == (commits if fault else [])


@pytest.mark.parametrize(
    ("steps", "faults"),
    [
        (on_behalf_of("a", 0, 1, 2, 4), []),
        ([*on_behalf_of("a", 0, 1, 2), *on_behalf_of("b", 2, 4)], []),  # from what is stored
        ([*on_behalf_of("a", 0, 1, 2), *on_behalf_of("b", 1, 2)], [1]),  # from before it
        (on_behalf_of("a", 0, 1, 2, 2, 4), []),
        (on_behalf_of("a", 0, 1, 0), []),
        (on_behalf_of("a", 0, 1, 4), [4]),
    ],
)
def test_a_life_goes_on_with_the_next_or_at_a_commit(steps: list[tuple[str, int]], faults: Sequence[int]) -> None:
    commits = [Commit(-1.0, "s", 0), Commit(1.0, "s", 2)]
    assert [each.offset for each in leaps(PLACED, commits, journal(*steps))] == faults

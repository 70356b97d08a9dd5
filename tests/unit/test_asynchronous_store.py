"""The queue's file: order, what is left after a restart and after a kill, and what is refused."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from headrace.config.durable.faults import StoreUnavailable, UnusableState
from headrace.service.async_invoke.core.model import AsyncEvent, FunctionResponse, HeldEvent
from headrace.service.async_invoke.store import BESIDES, FILE, EventStore
from support import counts

FIRST = AsyncEvent(0, "orders", "live", "r", 10.0, 10.0, hops=2)


async def all_due(store: EventStore, function: str = "orders", now: float = 1e9) -> list[HeldEvent]:
    return await store.due(function, now, 10_000, ())


@pytest.mark.semantics("ASYNC-10")
async def test_what_was_added_is_there_after_a_restart(tmp_path: Path) -> None:
    store = await EventStore.open(tmp_path / FILE)
    await store.add(FIRST, b'{"a":1}')
    (held,) = await all_due(store)
    later = replace(held.event, due=70.0, attempts=1, refusals=2, response=FunctionResponse("3", b"\xff", failed=True))
    await store.put_back(later)
    await store.aclose()
    again = await EventStore.open(tmp_path / FILE)
    assert await all_due(again) == [HeldEvent(later, b'{"a":1}')]
    assert await again.functions() == ["orders"]
    await again.remove(later)
    assert (await again.functions(), await again.count()) == ([], 0)
    await again.aclose()


@pytest.mark.semantics("ASYNC-13")
async def test_what_waits_has_a_bound_over_restarts(tmp_path: Path) -> None:
    most = 3 * BESIDES
    store = await EventStore.open(tmp_path / FILE, most)
    await store.add(FIRST, b"x" * BESIDES)
    assert (store.has_room(0), store.has_room(1)) == (True, False)
    await store.aclose()
    again = await EventStore.open(tmp_path / FILE, most)
    assert (again.has_room(0), again.has_room(1)) == (True, False)
    (held,) = await all_due(again)
    await again.put_back(held.event)
    assert not again.has_room(1)
    await again.remove(held.event)
    await again.remove(held.event)
    assert (again.has_room(2 * BESIDES), again.has_room(2 * BESIDES + 1)) == (True, False)
    await again.aclose()


@pytest.mark.semantics("ASYNC-13")
async def test_what_comes_and_goes_at_once_is_counted(tmp_path: Path) -> None:
    store = await EventStore.open(tmp_path / FILE, BESIDES)
    for _ in range(10):
        await store.add(FIRST, b"{}")
    async with anyio.create_task_group() as tasks:
        for held in await all_due(store):
            tasks.start_soon(store.remove, held.event)
    assert store.has_room(0)
    assert not store.has_room(1)
    await store.aclose()


@pytest.mark.semantics("ASYNC-13")
async def test_what_could_not_be_stored_takes_no_room(tmp_path: Path) -> None:
    store = await EventStore.open(tmp_path / FILE, 2 * BESIDES)
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        other.commit()
    with pytest.raises(StoreUnavailable, match="disk full"):
        await store.add(FIRST, b"x" * BESIDES)
    assert (store.has_room(BESIDES), store.has_room(BESIDES + 1)) == (True, False)
    await store.aclose()


async def test_the_longest_due_comes_first_and_what_is_in_hand_does_not_come_again(tmp_path: Path) -> None:
    store = await EventStore.open(tmp_path / FILE)
    for request_id, due in (("late", 90.0), ("b", 20.0), ("a", 10.0), ("c", 20.0)):
        await store.add(replace(FIRST, request_id=request_id, due=due), b"{}")
    await store.add(replace(FIRST, function="other"), b"{}")
    found = await store.due("orders", 50.0, 10, ())
    assert [held.event.request_id for held in found] == ["a", "b", "c"]
    first = found[0].event.id
    assert [held.event.request_id for held in await store.due("orders", 50.0, 1, [first])] == ["b"]
    assert await store.next_due("orders", [held.event.id for held in found]) == 90.0
    assert await store.next_due("nobody", ()) is None
    await store.aclose()


@pytest.mark.semantics("ASYNC-10")
@pytest.mark.parametrize("column", ["payload = 'x'", "due = due + 1", "request_id = 'other'", "attempts = 9"])
async def test_a_damaged_event_is_refused_and_left_as_it_is(tmp_path: Path, column: str) -> None:
    path = tmp_path / FILE
    store = await EventStore.open(path)
    await store.add(FIRST, b"{}")
    await store.aclose()
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE events SET {column}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(UnusableState, match=r"the accepted events are damaged.*does not match its checksum"):
        await EventStore.open(path)
    assert path.read_bytes() == before


ACCEPTS = """
import sys, anyio
from pathlib import Path
from headrace.service.async_invoke.core.model import AsyncEvent
from headrace.service.async_invoke.store import EventStore

async def main():
    store = await EventStore.open(Path(sys.argv[1]))
    number = int(sys.argv[2])
    while True:
        await store.add(AsyncEvent(0, "orders", "", f"r{number}", 1.0, 1.0), b'"%d"' % number)
        print(number, flush=True)
        if number % 3 == 0:
            for held in await store.due("orders", 5.0, 2, ()):
                await store.remove(held.event)
                print("-" + held.event.request_id, flush=True)
        number += 1

anyio.run(main)
"""


@pytest.mark.semantics("ASYNC-10")
async def test_what_was_answered_outlives_a_kill_at_any_moment(tmp_path: Path) -> None:
    """A process accepts and finishes events until it is killed; each that it said it has is there, and whole."""
    path, said, gone = tmp_path / FILE, set[str](), set[str]()
    rounds, begin = counts.count(4, 40), 0
    randomness = random.Random(rounds)
    for _ in range(rounds):
        child = subprocess.Popen(
            [sys.executable, "-c", ACCEPTS, str(path), str(begin)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        first = child.stdout.readline()  # it runs
        await anyio.sleep(randomness.random() * 0.3)  # any moment
        os.kill(child.pid, signal.SIGKILL)
        rest, _ = child.communicate()
        for line in (first + rest).split():
            (gone if line.startswith("-") else said).add(line.removeprefix("-r"))
        store = await EventStore.open(path)
        left = {held.event.request_id.removeprefix("r"): held.payload for held in await all_due(store)}
        await store.aclose()
        # What it was about to say when it was killed may have been done.
        assert len(said - gone - left.keys()) <= 1
        assert not left.keys() & gone
        assert all(payload == f'"{number}"'.encode() for number, payload in left.items())
        gone |= said - left.keys()
        said |= left.keys()
        begin = max(map(int, said)) + 2
    assert len(said) > rounds

"""The daemon is killed in the middle of calls of its Lambda API, at named points and at random. What was answered is
there, what was cut off is there as a whole or not at all, what was deleted is gone; accepted events are delivered;
nothing is left over, neither processes nor files."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.api_kill import Bench, Died
from support.api_kill_daemon import POINTS
from support.counts import count
from support.eventually import eventually
from support.servers.running import Server

MOST_CALLS = 400
"""In one life; each named point comes up long before."""


@pytest.fixture
def bench(ministack: Server, tmp_path: Path) -> Iterator[Bench]:
    seed = int(os.environ.get("HEADRACE_SEED", random.randrange(2**32)))
    print(f"HEADRACE_SEED={seed}")
    bench = Bench(ministack.endpoint_url, tmp_path, random.Random(seed))
    yield bench
    for pid in bench.workers():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def die(bench: Bench, point: str, nth: int) -> None:
    """One life that ends at a named point."""
    with bench.life(f"{point}:{nth}") as daemon:
        with suppress(Died):
            bench.compare()
            for _ in range(MOST_CALLS):
                bench.step()
                if daemon.poll() is not None:
                    break
        assert daemon.wait() == -signal.SIGKILL, bench.log


def die_at_random(bench: Bench) -> None:
    """One life that ends at some moment, in the middle of a call or between two."""
    with bench.life() as daemon:
        bench.compare()
        timer = threading.Timer(bench.random.uniform(0.0, 2.0), daemon.kill)
        timer.start()
        with suppress(Died):
            while daemon.poll() is None:
                bench.step()
        timer.join()


@pytest.mark.semantics("FUNC-42", "FUNC-37", "ESM-30", "ASYNC-10", "LAYER-11")
def test_what_was_answered_outlives_kills(bench: Bench) -> None:
    with bench.life():
        bench.begin()
    for point in POINTS:
        for _ in range(count(1, 3)):
            die(bench, point, bench.random.randint(1, 5))
    for _ in range(count(2, 20)):
        die_at_random(bench)
    eventually(lambda: not bench.workers(), "processes of functions outlived their daemon")

    with bench.life() as last:
        bench.compare()
        eventually(lambda: set(bench.accepted) <= bench.taken(), "accepted events are delivered")
        code = bench.code()
        last.terminate()
        assert last.wait() == 0, bench.log
    eventually(lambda: not bench.workers(), "processes of functions outlived a daemon that ended by itself")
    assert not bench.left_over(code)
    print(f"{bench.calls} calls, {len(bench.accepted)} events accepted")

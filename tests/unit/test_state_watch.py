"""What the state directory cannot keep: found out, shown in readiness, told once."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from headrace.config.reasons import Reason, ReasonCode
from headrace.service.running.mappings import Changes, RunningMappings
from headrace.service.running.state_watch import EVERY, StateWatch
from headrace.service.telemetry.account import Account
from headrace.service.telemetry.log import Log
from headrace.service.telemetry.view import Readiness
from support.fleets import fleet_of
from support.virtual_time import VirtualLoop

FULL = Reason(ReasonCode.STATE_UNAVAILABLE, "cannot store things: the disk is full")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@dataclass(eq=False)
class Things:
    """Something stored; a test says what is to be found out of it."""

    found: Reason | None = None
    trouble: Reason | None = None
    what: str = "stored things"

    async def check(self) -> None:
        self.trouble = self.found


def watched(things: Things) -> tuple[StateWatch, io.StringIO, list[float]]:
    """With the log, and when it was said that something changed."""
    stream, changed = io.StringIO(), list[float]()
    watch = StateWatch(Log(stream), lambda: changed.append(anyio.current_time()))
    watch.add(things)
    return watch, stream, changed


@pytest.mark.semantics("OBS-22")
async def test_what_cannot_be_kept_is_told_once_and_so_is_that_it_is_over() -> None:
    things = Things()
    watch, stream, changed = watched(things)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch.run)
        await anyio.sleep(EVERY * 2.5)
        assert (watch.reasons(), changed) == ((), [])
        things.found = FULL
        await anyio.sleep(EVERY * 3)
        assert watch.reasons() == (FULL,)
        things.found = None
        await anyio.sleep(EVERY * 3)
        assert (watch.reasons(), changed) == ((), [EVERY * 3, EVERY * 6])
        tasks.cancel_scope.cancel()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["level"], line["action"], line["event"]) for line in lines] == [
        ("error", "store_failed", FULL.text),
        ("info", "stores_again", "stored things: can be stored again"),
    ]
    assert lines[0]["code"] == "state_unavailable"


@pytest.mark.semantics("OBS-22")
async def test_a_daemon_that_cannot_keep_what_it_is_given_is_not_ready() -> None:
    things = Things()
    watch, _, _ = watched(things)
    plant = RunningMappings([], [], fleet_of(), Account(), Changes(), unkept=watch.reasons)
    assert plant.readiness() == Readiness(ready=True, polling=True)
    things.trouble = FULL  # as soon as a write failed, whether anybody looked or not
    assert plant.readiness() == Readiness(ready=False, polling=False, reasons=(FULL,))

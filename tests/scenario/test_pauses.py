"""Mappings that somebody pauses and lets go on, on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from headrace.config.mapping import EventSourceMapping
from headrace.service.control.refusals import ApiError
from headrace.service.control.store.document_store import FILE, Documents
from headrace.service.running.pauses import Pauses, paused_of
from headrace.service.telemetry.log import Log
from support.mapping_plant import Rig, World
from support.mapping_requests import SQS

FILED = EventSourceMapping(name="filed", source=SQS["EventSourceArn"], function=SQS["FunctionName"])


@asynccontextmanager
async def pausing(state: Path, seconds: float = 0.0) -> AsyncIterator[tuple[Rig, Pauses]]:
    """A daemon's mappings, one of which is of the file, until the body is over. `seconds`: of an invocation."""
    documents = await Documents.open(state / FILE)
    try:
        rig = Rig(
            World(state, {"f": 3.0, "other": 3.0}, seconds=seconds), documents, {FILED.uuid: (FILED, "headrace.yaml")}
        )
        rig.plant.paused |= paused_of(documents, {uuid: each.config.name for uuid, each in rig.plane.all.items()})
        await rig.following.begin()
        work = None if "filed" in rig.plant.paused else await rig._work(FILED)
        rig.plant.put(FILED, work)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rig.plant.run)
            tasks.start_soon(rig.following.run)
            yield rig, Pauses(documents, rig.plant, rig.following.follow, Log(rig.stderr))
            tasks.cancel_scope.cancel()
    finally:
        await documents.aclose()


def state_of(rig: Rig, name: str) -> str:
    return next(each.state for each in rig.plant.mappings() if each.name == name)


@pytest.mark.semantics("STEER-03")
async def test_a_mapping_of_the_file_fetches_nothing_while_it_is_paused_and_goes_on_where_it_was(
    tmp_path: Path,
) -> None:
    async with pausing(tmp_path) as (rig, pauses):
        await anyio.sleep(5)
        assert state_of(rig, "filed") == "polling"
        await pauses.pause("filed")
        await pauses.pause("filed")
        await anyio.sleep(5)
        rig.world.queue.send("waits")
        await anyio.sleep(60)
        assert (rig.world.invoked, state_of(rig, "filed")) == (0, "paused")
        assert rig.plant.readiness().polling  # somebody wants it so
        await pauses.resume("filed")
        await pauses.resume("filed")
        await anyio.sleep(60)
        assert (rig.world.invoked, state_of(rig, "filed")) == (1, "polling")


@pytest.mark.semantics("STEER-03")
async def test_an_invocation_in_flight_ends_before_a_pause(tmp_path: Path) -> None:
    async with pausing(tmp_path, 3.0) as (rig, pauses):
        rig.world.queue.send("one")
        await anyio.sleep(2)
        assert rig.world.invoked == 1
        await pauses.pause("filed")
        await anyio.sleep(10)
        assert rig.account.counts["filed"].delivered == 1


@pytest.mark.semantics("STEER-03")
async def test_a_pause_outlives_the_daemon(tmp_path: Path) -> None:
    async with pausing(tmp_path) as (rig, pauses):
        await anyio.sleep(5)
        await pauses.pause("filed")
    async with pausing(tmp_path) as (rig, pauses):
        rig.world.queue.send("waits")
        await anyio.sleep(30)
        assert (rig.world.invoked, state_of(rig, "filed")) == (0, "paused")
        await pauses.resume("filed")
        await anyio.sleep(30)
        assert rig.world.invoked == 1
    async with pausing(tmp_path) as (rig, _):
        await anyio.sleep(5)
        assert state_of(rig, "filed") == "polling"


@pytest.mark.semantics("STEER-03")
async def test_a_mapping_of_the_api_is_paused_whatever_is_done_to_it_meanwhile(tmp_path: Path) -> None:
    async with pausing(tmp_path) as (rig, pauses):
        await pauses.pause("filed")
        uuid = await rig.create(**{**SQS, "FunctionName": "other"})
        await rig.settled()
        name = rig.plane.all[uuid].config.name
        await pauses.pause(name)
        await rig.ask("UpdateEventSourceMapping", UUID=uuid, BatchSize=5)
        await rig.settled()
        rig.world.queue.send("waits")
        await anyio.sleep(60)
        assert (rig.world.invoked, state_of(rig, name)) == (0, "paused")
        assert await rig.state(uuid) == "Enabled"
        await pauses.resume(name)
        await anyio.sleep(60)
        assert (rig.world.invoked, state_of(rig, name)) == (1, "polling")


async def test_what_is_not_there_cannot_be_paused(tmp_path: Path) -> None:
    async with pausing(tmp_path) as (_, pauses):
        for lever in (pauses.pause, pauses.resume, pauses.retry):
            with pytest.raises(ApiError, match="there is no mapping 'x'"):
                await lever("x")


@pytest.mark.semantics("STEER-04")
async def test_where_nothing_waits_for_an_attempt_that_is_said(tmp_path: Path) -> None:
    async with pausing(tmp_path) as (_, pauses):
        await anyio.sleep(5)
        with pytest.raises(ApiError, match="visibility timeout"):
            await pauses.retry("filed")

"""A configuration that is read again while mappings run, on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path, PurePath
from typing import Any

import anyio
import pytest

from headrace.config.durable.faults import StoreUnavailable
from headrace.config.function import HttpFunction
from headrace.config.mapping import EventSourceMapping
from headrace.dispatch.invokers.base import Invocation
from headrace.service.control.mappings.from_file import Filed
from headrace.service.control.store.document_store import FILE, Documents
from headrace.service.running.core.config_changes import ConfigChanges, Defined, compare
from headrace.service.running.pauses import Pauses
from headrace.service.running.reload import ReloadParts, carry_out
from headrace.service.telemetry.log import Log
from support.mapping_plant import Rig, World
from support.mapping_requests import QUEUE, STREAM


def mapping(name: str, number: int, source: str = QUEUE, **fields: Any) -> EventSourceMapping:
    uuid = f"00000000-0000-4000-8000-{number:0>12}"
    start = {} if source == QUEUE else {"starting_position": "TRIM_HORIZON"}
    given = {"name": name, "uuid": uuid, "source": source, "function": "f", **start, **fields}
    return EventSourceMapping.model_validate(given)


def function(port: int = 1) -> HttpFunction:
    return HttpFunction.model_validate({"name": "f", "http": f"http://localhost:{port}/"})


class Reloader:
    """A daemon's mappings, and what its file says of them now."""

    def __init__(self, rig: Rig, documents: Documents, functions: Mapping[str, HttpFunction]) -> None:
        self.rig = rig
        self.pauses = Pauses(documents, rig.plant, rig.following.follow, Log(rig.stderr))
        self._functions = functions
        self._now: dict[str, EventSourceMapping] = {}

    async def begin(self, mappings: Iterable[EventSourceMapping]) -> None:
        for each in mappings:
            self._now[each.name] = each
            self.rig.plant.put(each, await self.rig._work(each))

    async def read(
        self, *mappings: EventSourceMapping, functions: Mapping[str, HttpFunction] | None = None
    ) -> ConfigChanges:
        before, now = self._now, {each.name: each for each in mappings}
        other = self._functions if functions is None else functions
        changes = compare(_defined(before, self._functions), _defined(now, other))
        parts = ReloadParts(self.rig.plane, self.rig.plant, self.rig.following, lambda names: None)
        await carry_out(changes, before, filed(mappings), parts, lambda: None)
        self._now, self._functions = now, other
        return changes

    def states(self) -> dict[str, str]:
        return {each.name: each.state for each in self.rig.plant.mappings()}


def _defined(mappings: Mapping[str, EventSourceMapping], functions: Mapping[str, HttpFunction]) -> Defined:
    return Defined({}, functions, mappings, lambda mapping: PurePath("/"))


def filed(mappings: Iterable[EventSourceMapping]) -> Filed:
    return {each.uuid: (each, "headrace.yaml") for each in mappings}


@asynccontextmanager
async def reloading(state: Path, *mappings: EventSourceMapping, **world: Any) -> AsyncIterator[Reloader]:
    documents = await Documents.open(state / FILE)
    try:
        rig = Rig(World(state, {"f": 3.0}, **world), documents, filed(mappings))
        reloader = Reloader(rig, documents, {"f": function()})
        await rig.following.begin()
        await reloader.begin(mappings)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rig.plant.run)
            tasks.start_soon(rig.following.run)
            yield reloader
            tasks.cancel_scope.cancel()
    finally:
        await documents.aclose()


@pytest.mark.semantics("RELOAD-01")
async def test_of_two_hundred_mappings_only_the_changed_one_is_opened_anew(tmp_path: Path) -> None:
    mappings = [mapping(f"m{number}", number) for number in range(200)]
    async with reloading(tmp_path, *mappings) as reloader:
        await anyio.sleep(5)
        plant = reloader.rig.plant
        feeds = {each.name: dict(plant.work(each.name).supervisor._feeds) for each in mappings}  # type: ignore[union-attr]
        mappings[7] = mapping("m7", 7, batch_size=3)
        changes = await reloader.read(*mappings)
        await anyio.sleep(30)
        assert (changes.mappings.changed, len(changes.mappings.kept)) == (("m7",), 199)
        same = [
            name
            for name, before in feeds.items()
            if before and dict(plant.work(name).supervisor._feeds) == before  # type: ignore[union-attr]
        ]
        assert sorted({each.name for each in mappings} - set(same)) == ["m7"]
        assert [each.name for each in reloader.rig.made[200:]] == ["m7"]
        assert set(reloader.states().values()) == {"polling"}


@pytest.mark.semantics("RELOAD-03")
async def test_a_mapping_that_is_gone_ends_after_what_is_in_flight(tmp_path: Path) -> None:
    async with reloading(tmp_path, mapping("a", 1), seconds=3.0) as reloader:
        rig = reloader.rig
        rig.world.queue.send("one")
        await anyio.sleep(2)
        assert rig.world.invoked == 1
        await reloader.read(mapping("b", 2, enabled=False))
        assert rig.account.counts["a"].delivered == 0
        await anyio.sleep(40)
        assert rig.world.queue.messages == []  # it was settled
        assert reloader.states() == {"b": "disabled"}
        assert "a" not in rig.account.counts
        rig.world.queue.send("two")
        await anyio.sleep(60)
        assert rig.world.invoked == 1


@pytest.mark.semantics("RELOAD-03", "RELOAD-04")
async def test_a_renamed_mapping_and_one_that_comes_back_go_on_where_they_were(tmp_path: Path) -> None:
    async with reloading(tmp_path, mapping("a", 1, STREAM)) as reloader:
        stream, rig = reloader.rig.world.stream, reloader.rig

        async def puts(number: int) -> None:
            for each in range(number):
                stream.put("key", str(each))
            await anyio.sleep(20)

        await puts(5)
        assert rig.account.counts["a"].delivered == 5
        await reloader.read(mapping("b", 1, STREAM))
        await puts(3)
        assert reloader.states() == {"b": "polling"}
        assert rig.account.counts["b"].fetched == 3
        await reloader.read()
        await puts(2)
        assert reloader.states() == {}
        await reloader.read(mapping("c", 1, STREAM))
        await puts(1)
        assert rig.account.counts["c"].fetched == 3


@pytest.mark.semantics("RELOAD-04")
async def test_names_may_be_exchanged_and_pauses_stay_with_their_mappings(tmp_path: Path) -> None:
    async with reloading(tmp_path, mapping("a", 1, STREAM), mapping("b", 2)) as reloader:
        await anyio.sleep(5)
        await reloader.pauses.pause("b")
        await anyio.sleep(30)
        assert reloader.states() == {"a": "polling", "b": "paused"}
        await reloader.read(mapping("b", 1, STREAM), mapping("a", 2))
        await anyio.sleep(40)
        assert reloader.states() == {"a": "paused", "b": "polling"}
        shown = {each.name: each.source for each in reloader.rig.plant.mappings()}
        assert shown == {"a": QUEUE, "b": STREAM}


@pytest.mark.semantics("RELOAD-01")
async def test_a_function_that_changed_is_another_one_for_its_mappings_and_the_old_one_ends(tmp_path: Path) -> None:
    async with reloading(tmp_path, mapping("a", 1), mapping("b", 2, enabled=False), seconds=3.0) as reloader:
        rig = reloader.rig
        rig.world.queue.send("one")
        await anyio.sleep(2)
        before = rig.plant.work("a")
        assert before is not None
        old = before.target.invoker
        delivered: list[int] = []
        close = old.aclose

        async def closes() -> None:
            delivered.append(rig.account.counts["a"].delivered)
            await close()

        old.aclose = closes  # type: ignore[method-assign]
        changes = await reloader.read(mapping("a", 1), mapping("b", 2, enabled=False), functions={"f": function(2)})
        assert changes.functions.changed == ("f",)
        await anyio.sleep(10)
        after = rig.plant.work("a")
        assert after is not None
        assert after.target.invoker is not old
        assert delivered == [1]  # the invocation in flight had its time, and then it was closed, once
        reply = await old.invoke(Invocation(b"{}", "r", "m"))
        assert type(reply).__name__ == "Unreachable"  # it is closed
        assert [each.name for each in rig.plant.functions()] == ["f"]


@pytest.mark.semantics("RELOAD-06")
async def test_where_the_state_cannot_be_written_nothing_changes(tmp_path: Path) -> None:
    async with reloading(tmp_path, mapping("a", 1), adopts=True) as reloader:
        plane = reloader.rig.plane
        await reloader.rig.ask("UpdateEventSourceMapping", UUID=mapping("a", 1).uuid, BatchSize=5)
        await reloader.rig.settled()
        write = plane._documents.write

        async def full(*arguments: object, **more: object) -> None:
            raise StoreUnavailable("the disk is full")

        plane._documents.write = full  # type: ignore[method-assign]
        with pytest.raises(StoreUnavailable):
            await reloader.read(mapping("a", 1, batch_size=9))
        await anyio.sleep(10)
        assert plane.all[mapping("a", 1).uuid].config.batch_size == 5
        plane._documents.write = write  # type: ignore[method-assign]
        await reloader.read(mapping("a", 1, batch_size=9))  # its definition changed: the API's change is dropped
        await anyio.sleep(40)
        assert plane.is_of_the_file(mapping("a", 1).uuid)
        work = reloader.rig.plant.work("a")
        assert work is not None
        assert work.config.batch_size == 9

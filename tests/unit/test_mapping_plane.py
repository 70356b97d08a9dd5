"""The mappings that are kept: what the disk refused is not there, and what changed meanwhile is not done."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from headrace.config.clock import SystemClock
from headrace.config.mapping import EventSourceMapping
from headrace.service.api.wire.refusals import form_of
from headrace.service.control.mappings import from_file
from headrace.service.control.mappings.model import NOT_LOOKED_AT, Mapped, MappingState
from headrace.service.control.refusals import ApiError
from headrace.service.control.store.document_store import FILE, Documents
from headrace.service.control.store.mapping_plane import MappingPlane
from support.mapping_requests import GROUND, HERE, SQS, created


@asynccontextmanager
async def mapping_plane(state: Path) -> AsyncIterator[MappingPlane]:
    documents = await Documents.open(state / FILE)
    try:
        yield MappingPlane(documents, {}, GROUND, SystemClock())
    finally:
        await documents.aclose()


@pytest.mark.semantics("ESM-30")
async def test_a_mapping_that_could_not_be_stored_is_refused_and_not_there(tmp_path: Path) -> None:
    told: list[str] = []
    async with mapping_plane(tmp_path) as plane:
        plane.watch(told.append)
        with closing(sqlite3.connect(tmp_path / FILE)) as other:
            other.execute("CREATE TRIGGER full BEFORE INSERT ON documents BEGIN SELECT RAISE(ABORT, 'disk full'); END")
            other.commit()
        with pytest.raises(ApiError) as error:
            await plane.create(SQS, NOT_LOOKED_AT, plane.moment())
        assert (error.value.code, form_of(error.value).status) == ("ServiceException", 500)
        assert plane.all == {}
        assert told == []


async def test_a_mapping_that_changed_meanwhile_is_not_done_when_its_first_state_is(tmp_path: Path) -> None:
    async with mapping_plane(tmp_path) as plane:
        creating = await plane.create(SQS, NOT_LOOKED_AT, plane.moment())
        plane.settle(creating)
        updating = await plane.update({"UUID": creating.uuid, "BatchSize": 5}, NOT_LOOKED_AT, plane.moment())
        plane.settle(creating)
        assert plane.all[creating.uuid] is updating
        assert updating.state is MappingState.UPDATING
        plane.settle(updating)
        assert plane.all[creating.uuid].state is MappingState.ENABLED
        assert plane.all[creating.uuid].config.batch_size == 5


async def test_a_change_whose_caller_went_is_in_the_file_in_memory_and_told(tmp_path: Path) -> None:
    told: list[str] = []
    async with mapping_plane(tmp_path) as plane:
        uuid = (await plane.create(SQS, NOT_LOOKED_AT, plane.moment())).uuid
        plane.watch(told.append)
        with anyio.CancelScope() as caller:

            def change(tags: Mapping[str, str]) -> dict[str, str]:
                caller.cancel()
                return {**tags, "a": "1"}

            await plane.tag(uuid, change)
        assert plane.all[uuid].config.tags == {"a": "1"}
        assert told == [uuid]
    async with mapping_plane(tmp_path) as again:
        assert again.all[uuid].config.tags == {"a": "1"}


# --- a file that is read again ----------------------------------------------------------------------------------------


def of_file(batch_size: int = 10, adopted: str = "") -> Mapped:
    definition = EventSourceMapping(name="m", source=SQS["EventSourceArn"], function="f", batch_size=batch_size)
    shown = from_file.as_shown(definition, "headrace.yaml", HERE, float(batch_size))
    return replace(shown, adopted=adopted)


NOW, SAME, OTHER = of_file(), replace(of_file(), modified=99.0), of_file(5)
MOVED = replace(NOW, file="other.yaml")
ADOPTED = of_file(7, "as it is")


@pytest.mark.semantics("RELOAD-01", "RELOAD-06")
@pytest.mark.parametrize(
    ("before", "found", "after"),
    [
        (None, NOW, NOW),
        (NOW, None, None),
        (None, None, None),  # the API deleted it
        (NOW, SAME, NOW),
        (NOW, OTHER, OTHER),
        (NOW, MOVED, MOVED),
        (ADOPTED, replace(ADOPTED, modified=99.0), ADOPTED),  # what is in memory is newer than what is stored
        (ADOPTED, NOW, NOW),  # its definition changed: the API's changes are dropped
        (NOW, ADOPTED, ADOPTED),
    ],
)
def test_what_is_the_same_in_a_file_that_is_read_again_keeps_its_state(
    before: Mapped | None, found: Mapped | None, after: Mapped | None
) -> None:
    of_api = created(SQS)
    known = {"m": before} if before else {}
    again = from_file.read_again({**known, "other": of_api}, {"m": found} if found else {}, ["m"])
    assert again == {**({"m": after} if after else {}), "other": of_api}
    assert after is None or again["m"] is after

"""Mappings as documents; those of the configuration file beside them, and what the API made of these."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headrace.config.durable.faults import UnusableState
from headrace.config.mapping import EventSourceMapping
from headrace.service.api.wire.refusals import form_of
from headrace.service.control.documents import Document
from headrace.service.control.mappings import as_documents, decisions, from_file
from headrace.service.control.mappings.answers import shown
from headrace.service.control.mappings.model import Mapped, MappingState, SourceLook, settled
from headrace.service.control.refusals import ApiError
from headrace.service.control.store.document_store import Documents
from support.mapping_requests import (
    FUNCTION,
    GROUND,
    HERE,
    KAFKA,
    KINESIS,
    NOW,
    PROVISIONED,
    QUEUE,
    SQS,
    created,
    moment,
)

UUID = "00000000-0000-4000-8000-000000000000"
FILE = "/here/headrace.yaml"


def again(mapped: Mapped) -> Mapped:
    return as_documents.read(json.loads(json.dumps(as_documents.document(mapped))))


@pytest.mark.semantics("ESM-30")
@pytest.mark.parametrize(
    "request_",
    [
        SQS | {"FilterCriteria": {"Filters": [{"Pattern": '{"body":["a"]}'}]}, "Tags": {"a": "b"}},
        KINESIS | {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1.25},
        KAFKA | PROVISIONED | {"BisectBatchOnFunctionError": False},
        SQS | {"Enabled": False},
    ],
)
def test_a_mapping_is_the_same_after_a_restart(request_: dict[str, Any]) -> None:
    mapped = created(request_)
    assert again(mapped) == settled(mapped)
    assert again(mapped).config.model_fields_set == mapped.config.model_fields_set


@pytest.mark.semantics("ESM-31")
def test_what_was_under_way_is_taken_up_where_it_was_to_go() -> None:
    mapped = settled(created(SQS))
    assert mapped is not None
    mappings = {mapped.uuid: mapped}
    assert again(decisions.delete(mappings, mapped.uuid, GROUND)).state is MappingState.DELETING
    disabling = decisions.update(mappings, {"UUID": mapped.uuid, "Enabled": False}, SourceLook(), moment(), GROUND)
    assert (disabling.state, again(disabling).state) == (MappingState.DISABLING, MappingState.DISABLED)
    assert as_documents.ending(mapped) == ({}, [("mapping", mapped.uuid)])


@pytest.mark.parametrize("strange", [{"from": "later"}, {"source": "arn:aws:mq:us-east-1:000000000000:broker:b"}])
async def test_a_document_that_is_no_mapping_of_ours_lets_nothing_start(
    tmp_path: Path, strange: dict[str, str]
) -> None:
    documents = await Documents.open(tmp_path / "control.db")
    mapped = created(SQS)
    document = dict(as_documents.document(mapped))
    await documents.write({as_documents.name_of(mapped): document | {"mapping": {**document["mapping"], **strange}}})
    with pytest.raises(UnusableState, match=f"does not understand the stored mapping {mapped.uuid}"):
        as_documents.mappings(documents)
    await documents.aclose()


# --- the file's -------------------------------------------------------------------------------------------------------


def definition(**more: Any) -> EventSourceMapping:
    fields = {"name": "orders", "uuid": UUID, "source": QUEUE, "function": "f", **more}
    return EventSourceMapping.model_validate(fields)


def begun(
    file: EventSourceMapping | None, *kept: Mapped, deleted: dict[str, Document] | None = None
) -> from_file.Beginning:
    return from_file.begin(
        {UUID: (file, FILE)} if file else {}, {each.uuid: each for each in kept}, deleted or {}, HERE, NOW
    )


@pytest.mark.semantics("ESM-40")
@pytest.mark.parametrize("function", ["f", "f:$LATEST", FUNCTION])
def test_a_mapping_of_the_file_is_shown_like_one_of_the_api(function: str) -> None:
    found = begun(definition(function=function)).mappings[UUID]
    made = dict(shown(created(SQS, FunctionName=function), HERE))
    identity = {"UUID", "EventSourceMappingArn", "State"}
    ours = dict(shown(found, HERE))
    assert (ours["UUID"], ours["State"]) == (UUID, "Enabled")
    assert {k: v for k, v in ours.items() if k not in identity} == {k: v for k, v in made.items() if k not in identity}
    assert shown(begun(definition(enabled=False)).mappings[UUID], HERE)["State"] == "Disabled"


def adopting() -> decisions.DecisionContext:
    return decisions.DecisionContext(HERE, GROUND.find, adopts=True)


@pytest.mark.semantics("ESM-41")
def test_the_api_does_not_change_a_mapping_of_the_file() -> None:
    mappings = begun(definition()).mappings
    calls: list[Callable[[], object]] = [
        lambda: decisions.update(mappings, {"UUID": UUID, "BatchSize": 1}, SourceLook(), moment(), GROUND),
        lambda: decisions.delete(mappings, UUID, GROUND),
        lambda: decisions.tag(mappings, UUID, lambda before: {"a": "b"}, GROUND),
    ]
    for call in calls:
        with pytest.raises(ApiError) as caught:
            call()
        assert (caught.value.code, form_of(caught.value).status) == ("ResourceConflictException", 409)
        assert FILE in str(caught.value.message)
        assert "--adopt" in str(caught.value.message)
    assert decisions.tags_of(decisions.get(mappings, UUID)) == {}


def changed(file: EventSourceMapping, **members: Any) -> Mapped:
    """As the store has it."""
    mappings = begun(file).mappings
    after = decisions.update(mappings, {"UUID": UUID, **members}, SourceLook(), moment(), adopting())
    return again(from_file.adopted(after, file))


@pytest.mark.semantics("ESM-42")
def test_what_was_adopted_stays_until_the_file_says_something_else() -> None:
    file = definition(receivers=3)
    mapped = changed(file, BatchSize=1)
    found = begun(file, mapped)
    assert found.mappings[UUID].config.batch_limit == 1
    assert found.mappings[UUID].config.receivers == 3  # what the API has no word for is kept
    assert (found.mappings[UUID].file, found.forgotten) == (FILE, ())
    assert found.lines == (f"orders: has changes of the API, and differs from {FILE}",)
    found = begun(definition(receivers=4), mapped)
    assert found.mappings[UUID].config.batch_limit == 10
    assert found.forgotten == (("mapping", UUID),)
    assert found.lines == (f"orders: its definition in {FILE} has changed, so the API's changes to it are dropped",)
    found = begun(None, mapped)
    assert (found.mappings, found.forgotten) == ({}, (("mapping", UUID),))


@pytest.mark.semantics("ESM-43")
def test_what_was_deleted_of_the_file_stays_so_until_the_file_says_something_else() -> None:
    file = definition()
    puts, deletes = as_documents.ending(changed(file, BatchSize=1))
    assert deletes == [("mapping", UUID)]
    deleted = {UUID: puts["deleted_mapping", UUID]}
    found = begun(file, deleted=deleted)
    assert (found.mappings, found.forgotten) == ({}, ())
    assert found.lines == (f"orders: deleted through the API, although it is in {FILE}",)
    found = begun(definition(batch_size=2), deleted=deleted)
    assert found.mappings[UUID].config.batch_limit == 2
    assert found.forgotten == (("deleted_mapping", UUID),)
    assert "has changed" in found.lines[0]
    assert begun(None, deleted=deleted) == from_file.Beginning({}, (("deleted_mapping", UUID),))


@pytest.mark.semantics("ESM-44")
def test_a_mapping_that_file_and_api_both_have_is_told_of() -> None:
    found = begun(definition(), created(SQS))
    assert len(found.mappings) == 2
    assert "connects the same source with the same function" in found.lines[0]
    assert begun(definition(), created(SQS, FunctionName="g")).lines == ()


def test_a_mapping_that_was_taken_over_is_deleted_at_its_emulator() -> None:
    mapped = settled(created(SQS))
    assert mapped is not None
    taken = replace(mapped, taken="what the emulator shows")
    with pytest.raises(ApiError) as refused:
        decisions.delete({taken.uuid: taken}, taken.uuid, GROUND)
    assert form_of(refused.value).status == 409

"""Schemas are asked for once; records are decoded as the mapping wants them."""

from __future__ import annotations

import json

import anyio
import pytest

from headrace.config.errors import SourceUnavailable
from headrace.dispatch.kinds.kafka import SchemaMetadata
from headrace.pollers.schemas.core.model import Decoded, Schema, SchemaFailure
from headrace.pollers.schemas.lookups import Known, Lookups
from headrace.pollers.schemas.records import RecordSchemas
from support.paper_registry import PaperRegistry

LONG = Schema("AVRO", '"long"')
ITEM = Schema("JSON", json.dumps({"type": "object"}))


@pytest.mark.semantics("SCHEMA-11")
async def test_a_schema_is_asked_for_once() -> None:
    registry = PaperRegistry(_1=LONG)
    lookups = Lookups(registry)
    first = await lookups.get("1")
    assert isinstance(first, Known)
    assert await lookups.get("1") is first
    assert registry.asked == ["1"]


@pytest.mark.semantics("SCHEMA-11")
async def test_who_asks_meanwhile_waits_for_the_same_answer() -> None:
    registry = PaperRegistry(_1=LONG)
    registry.hold = anyio.Event()
    lookups = Lookups(registry)
    found: list[object] = []

    async def ask() -> None:
        found.append(await lookups.get("1"))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        registry.hold.set()
    assert len(found) == 20
    assert registry.asked == ["1"]
    assert not lookups._asking  # nothing is left behind


@pytest.mark.semantics("SCHEMA-10")
async def test_who_waits_for_a_registry_that_is_away_is_told_and_does_not_ask_as_well() -> None:
    registry = PaperRegistry(_1=LONG)
    registry.hold, registry.down = anyio.Event(), True
    lookups = Lookups(registry)
    failed: list[str] = []

    async def ask() -> None:
        with pytest.raises(SourceUnavailable) as error:
            await lookups.get("1")
        failed.append(str(error.value))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        registry.hold.set()
    assert failed == ["away"] * 20
    assert registry.asked == ["1"]
    assert not lookups._asking


async def test_who_is_called_off_leaves_the_question_to_the_next() -> None:
    registry = PaperRegistry(_1=LONG)
    registry.hold = anyio.Event()
    lookups = Lookups(registry)
    found: list[object] = []
    called_off = anyio.CancelScope()

    async def ask_and_go() -> None:
        with called_off:
            await lookups.get("1")

    async def ask() -> None:
        found.append(await lookups.get("1"))

    async with anyio.create_task_group() as group:
        group.start_soon(ask_and_go)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        called_off.cancel()
        registry.hold.set()
    assert [type(each) for each in found] == [Known]
    assert registry.asked == ["1", "1"]


@pytest.mark.semantics("SCHEMA-10")
async def test_a_registry_that_is_away_is_asked_again_later() -> None:
    registry = PaperRegistry(_1=LONG)
    registry.down = True
    lookups = Lookups(registry)
    for _ in range(2):
        with pytest.raises(SourceUnavailable):
            await lookups.get("1")
    registry.down = False
    assert isinstance(await lookups.get("1"), Known)
    assert not lookups._asking


@pytest.mark.semantics("SCHEMA-11")
async def test_what_is_gone_is_asked_for_again_later() -> None:
    now = 1000.0
    registry = PaperRegistry(_2=Schema("AVRO", "no schema"))
    lookups = Lookups(registry, now=lambda: now)
    for now in (1000.0, 1001.0, 1029.9):  # noqa: B007 - the clock's hand
        assert isinstance(await lookups.get("1"), SchemaFailure)
        assert isinstance(await lookups.get("2"), SchemaFailure)
    assert registry.asked == ["1", "2"]
    now = 1030.0
    registry.schemas = {"1": LONG, "2": LONG}
    assert isinstance(await lookups.get("1"), Known)
    assert isinstance(await lookups.get("2"), Known)
    assert registry.asked == ["1", "2", "1", "2"]


async def test_no_more_schemas_are_kept_than_allowed() -> None:
    registry = PaperRegistry(_1=LONG, _2=LONG, _3=LONG)
    lookups = Lookups(registry, most=2)
    for schema_id in ("1", "2", "1", "3", "1", "2"):
        await lookups.get(schema_id)
    assert registry.asked == ["1", "2", "3", "2"]  # 2 was not used for the longest time when 3 came


# --- records ----------------------------------------------------------------------------------------------------------

KEY = b"\x00\x00\x00\x00\x01\x54"
VALUE = b'\x00\x00\x00\x00\x02{"a": 1}'
AVRO = SchemaMetadata("AVRO", "1")
JSON = SchemaMetadata("JSON", "2")


def registry() -> PaperRegistry:
    return PaperRegistry(_1=LONG, _2=ITEM)


@pytest.mark.semantics("SCHEMA-01")
@pytest.mark.semantics("SCHEMA-02")
@pytest.mark.semantics("SCHEMA-03")
@pytest.mark.semantics("SCHEMA-04")
async def test_what_the_mapping_wants_is_decoded() -> None:
    both = RecordSchemas(registry(), "JSON", ["KEY", "VALUE"])
    assert await both.decode(KEY, VALUE) == Decoded(b"42", b'{"a": 1}', AVRO, JSON, b"42", b'{"a": 1}')
    source = RecordSchemas(registry(), "SOURCE", ["VALUE", "KEY"])
    assert await source.decode(KEY, VALUE) == Decoded(b"\x54", b'{"a": 1}', AVRO, JSON, b"42", b'{"a": 1}')
    values = RecordSchemas(registry(), "JSON", ["VALUE"])
    assert await values.decode(KEY, VALUE) == Decoded(KEY, b'{"a": 1}', None, JSON, KEY, b'{"a": 1}')
    keys = RecordSchemas(registry(), "SOURCE", ["KEY"])
    assert await keys.decode(KEY, b"any") == Decoded(b"\x54", b"any", AVRO, None, b"42", b"any")


@pytest.mark.semantics("SCHEMA-01")
async def test_what_is_not_wanted_is_not_looked_at() -> None:
    paper = registry()
    assert await RecordSchemas(paper, "JSON", []).decode(b"x", b"y") == Decoded(b"x", b"y", None, None, b"x", b"y")
    assert paper.asked == []


@pytest.mark.semantics("SCHEMA-08")
async def test_nothing_stays_nothing() -> None:
    schemas = RecordSchemas(registry(), "JSON", ["KEY", "VALUE"])
    assert await schemas.decode(None, None) == Decoded(None, None)
    assert await schemas.decode(KEY, None) == Decoded(b"42", None, AVRO, None, b"42", None)


@pytest.mark.semantics("SCHEMA-09")
@pytest.mark.parametrize(
    ("key", "value", "reason", "detail"),
    [
        (
            None,
            b"",
            "DESERIALIZATION_ERROR",
            "the record's value does not begin with a schema id in Confluent's format",
        ),
        (b"k", VALUE, "DESERIALIZATION_ERROR", "the record's key does not begin with a schema id"),
        (KEY + b"\x00", VALUE, "DESERIALIZATION_ERROR", "the record's key (AVRO schema 1) has 1 bytes more"),
        (KEY, VALUE[:-1], "DESERIALIZATION_ERROR", "the record's value (JSON schema 2) is not JSON"),
        (KEY, b"\x00\x00\x00\x00\x03{}", "SCHEMA_NOT_FOUND", "the record's value names schema 3, which paper does not"),
        (
            KEY,
            b"\x00\x00\x00\x00\x04{}",
            "DESERIALIZATION_ERROR",
            "the record's value names AVRO schema 4, and has a schema",
        ),
    ],
)
async def test_what_cannot_be_decoded(key: bytes | None, value: bytes, reason: str, detail: str) -> None:
    paper = registry()
    paper.schemas["4"] = Schema("AVRO", "{}")
    found = await RecordSchemas(paper, "SOURCE", ["KEY", "VALUE"]).decode(key, value)
    assert isinstance(found, SchemaFailure)
    assert found.reason == reason
    assert found.detail.startswith(detail)


@pytest.mark.semantics("SCHEMA-10")
async def test_a_registry_that_is_away_judges_no_record() -> None:
    paper = registry()
    paper.down = True
    schemas = RecordSchemas(paper, "JSON", ["VALUE"])
    with pytest.raises(SourceUnavailable):
        await schemas.decode(KEY, VALUE)
    paper.down = False
    assert isinstance(await schemas.decode(KEY, VALUE), Decoded)


async def test_the_registry_is_closed() -> None:
    paper = registry()
    await RecordSchemas(paper, "JSON", []).aclose()
    assert paper.closed

"""Avro to JSON, against fastavro's own writer, and against whatever else may stand in a record."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.pollers.schemas.core import avro
from headrace.pollers.schemas.core.model import Schema, Undecodable

ORDER = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
            {"name": "sku", "type": "string"}, {"name": "count", "type": "int"}]}}},
        {"name": "first", "type": ["null", "Line"], "default": None},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["OPEN", "PAID"]}},
        {"name": "labels", "type": {"type": "map", "values": ["long", "string"]}},
        {"name": "digest", "type": {"type": "fixed", "name": "Digest", "size": 3}},
        {"name": "raw", "type": "bytes"},
        {"name": "paid", "type": "boolean"},
        {"name": "weight", "type": "float"},
        {"name": "price", "type": "double"},
    ],
}  # fmt: skip


def written(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def read(schema: Any, data: bytes, **references: Any) -> Any:
    known = {name: json.dumps(each) for name, each in references.items()}
    return json.loads(avro.codec(Schema("AVRO", json.dumps(schema), known))(data))


def test_a_record() -> None:
    line = {"sku": "a-1", "count": -3}
    order = {
        "id": "7 ✓",
        "lines": [line, {"sku": "b", "count": 2**31 - 1}],
        "first": line,
        "state": "PAID",
        "labels": {"a": 2**62, "b": "text"},
        "digest": b"\x00\x7f\xff",
        "raw": b"\x00abc\xe9",
        "paid": True,
        "weight": 3.14,
        "price": -1e300,
    }
    found = read(ORDER, written(ORDER, order))
    assert found == order | {"digest": "\x00\x7f\xff", "raw": "\x00abc\xe9"}  # Avro's JSON: a character per byte
    assert list(found) == [field["name"] for field in ORDER["fields"]]  # type: ignore[index]


@pytest.mark.semantics("SCHEMA-05")
def test_logical_types_are_their_underlying_values() -> None:
    schema = {"type": "record", "name": "R", "fields": [
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}]},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}},
        {"name": "uuid", "type": {"type": "string", "logicalType": "uuid"}},
    ]}  # fmt: skip
    record = {
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "day": date(1970, 1, 11),
        "amount": Decimal("12.34"),
        "uuid": UUID(int=1),
    }
    assert read(schema, written(schema, record)) == {
        "at": 1767225600000,
        "day": 10,
        "amount": "\x04\xd2",
        "uuid": "00000000-0000-0000-0000-000000000001",
    }


@pytest.mark.semantics("SCHEMA-05")
@pytest.mark.parametrize(
    ("value", "text"), [(None, b"null"), ("x", b'"x"'), ({"a": 1}, b'{"a":1}'), ([1, 2], b"[1,2]")]
)
def test_a_union_is_its_plain_value(value: Any, text: bytes) -> None:
    schema = ["null", "string", {"type": "map", "values": "int"}, {"type": "array", "items": "int"}]
    assert avro.codec(Schema("AVRO", json.dumps(schema)))(written(schema, value)) == text


@pytest.mark.parametrize(("value", "text"), [("NaN", '"NaN"'), ("inf", '"Infinity"'), ("-inf", '"-Infinity"')])
@pytest.mark.parametrize("kind", ["float", "double"])
def test_numbers_that_json_has_not(kind: str, value: str, text: str) -> None:
    decode = avro.codec(Schema("AVRO", json.dumps(kind)))
    assert decode(written(kind, float(value))).decode() == text


def test_floats_are_as_short_as_they_were_written() -> None:
    for number in (0.1, 3.14, 1e-45, 3.4028235e38, 16777216.0, -2.5):
        assert read("float", written("float", number)) == pytest.approx(number, rel=1e-7)
    assert avro.codec(Schema("AVRO", '"float"'))(written("float", 0.1)) == b"0.1"


def test_a_type_inside_of_itself() -> None:
    tree = {"type": "record", "name": "Tree", "fields": [
        {"name": "of", "type": {"type": "array", "items": "Tree"}}]}  # fmt: skip
    value = {"of": [{"of": []}, {"of": [{"of": []}]}]}
    assert read(tree, written(tree, value)) == value


def test_references() -> None:
    money = {"type": "record", "name": "Money", "namespace": "bank", "fields": [{"name": "cents", "type": "long"}]}
    price = {"type": "record", "name": "Price", "namespace": "shop", "fields": [{"name": "net", "type": "bank.Money"}]}
    order = {"type": "record", "name": "Order", "namespace": "shop", "fields": [{"name": "p", "type": "Price"}]}
    assert read(order, b"\x0a", **{"bank.Money": money, "shop.Price": price}) == {"p": {"net": {"cents": 5}}}
    with pytest.raises(Undecodable, match="not Avro"):
        read(order, b"\x0a")


NULLS = {"type": "array", "items": {"type": "array", "items": "null"}}
LIST = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}


@pytest.mark.parametrize(
    ("schema", "data", "why"),
    [
        ("string", b"", "no number"),
        ("string", b"\x08abc", "cut off"),
        ("string", b"\x07abc", "cut off"),  # a negative length
        ("string", b"\x04\xff\xff", "not UTF-8"),
        ("string", b"\x02ab", "1 bytes more"),
        ("null", b"\x00", "1 bytes more"),
        ("boolean", b"\x02", "2 for a boolean"),
        ("int", b"\x80\x80\x80\x80\x20", "more than 32 bits"),
        ("long", b"\xff" * 9 + b"\x02", "more than 64 bits"),
        ("long", b"\x80" * 30, "no number"),
        ("double", b"\x00" * 7, "cut off"),
        (["null", "int"], b"\x01", "number -1"),
        (["null", "int"], b"\x04", "number 2"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x01", "number -1"),
        ({"type": "array", "items": "null"}, b"\xfe\xff\xff\xff\xff\xff\xff\x01\x00", "more items"),
        (NULLS, b"\x40" + b"\x80\x89\x0f\x00" * 32, "more items"),
        (LIST, b"\x02" * 1_000_000 + b"\x00", "deeper than 100"),
    ],
)  # fmt: skip
def test_bytes_that_do_not_follow_the_schema(schema: Any, data: bytes, why: str) -> None:
    with pytest.raises(Undecodable, match=why):
        read(schema, data)


def test_many_beside_each_other_are_not_deep() -> None:
    tree = {"type": "record", "name": "Tree", "fields": [{"name": "of", "type": {"type": "map", "values": "Tree"}}]}
    value: dict[str, Any] = {"of": {f"{number}": {"of": {}} for number in range(500)}}
    assert read(tree, written(tree, value)) == value
    items = {"type": "array", "items": {"type": "array", "items": tree}}
    assert read(items, written(items, [[value]] * 200)) == [[value]] * 200


def test_as_deep_as_can_be() -> None:
    assert json.dumps(read(LIST, b"\x02" * 99 + b"\x00")).count("next") == 100


@pytest.mark.parametrize(
    "definition",
    ["", "{", "5", "[1]", '{"type":"record"}', '{"type":"array"}', '"Nowhere"', "[" * 100_000, '{"type":{}}'],
)
def test_what_is_no_schema(definition: str) -> None:
    with pytest.raises(Undecodable, match="not Avro"):
        avro.codec(Schema("AVRO", definition))


DECODE = avro.codec(Schema("AVRO", json.dumps(ORDER)))
SAMPLE = written(
    ORDER,
    {"id": "i", "lines": [{"sku": "s", "count": 1}], "first": None, "state": "OPEN", "labels": {"a": 1},
     "digest": b"abc", "raw": b"r", "paid": False, "weight": 1.5, "price": 2.5},
)  # fmt: skip


@given(st.binary(max_size=200))
def test_garbage_is_json_or_undecodable(data: bytes) -> None:
    with suppress(Undecodable):
        json.loads(DECODE(data))


@given(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255))
def test_a_damaged_byte_is_json_or_undecodable(place: int, byte: int) -> None:
    data = SAMPLE[:place] + bytes([byte]) + SAMPLE[place + 1 :]
    with suppress(Undecodable):
        json.loads(DECODE(data))


@pytest.mark.parametrize("size", range(len(SAMPLE)))
def test_what_is_cut_off_never_decodes(size: int) -> None:
    with pytest.raises(Undecodable):
        DECODE(SAMPLE[:size])


VALUES: Any = st.fixed_dictionaries(
    {
        "id": st.text(),
        "n": st.integers(-(2**63), 2**63 - 1),
        "d": st.floats(allow_nan=False, allow_infinity=False),
        "m": st.dictionaries(st.text(), st.none() | st.integers(-(2**31), 2**31 - 1)),
        "a": st.lists(st.booleans()),
    }
)
SCHEMA = {"type": "record", "name": "R", "fields": [
    {"name": "id", "type": "string"}, {"name": "n", "type": "long"}, {"name": "d", "type": "double"},
    {"name": "m", "type": {"type": "map", "values": ["null", "int"]}},
    {"name": "a", "type": {"type": "array", "items": "boolean"}}]}  # fmt: skip


@given(VALUES)
def test_what_fastavro_writes_is_read_back(value: Any) -> None:
    assert read(SCHEMA, written(SCHEMA, value)) == value

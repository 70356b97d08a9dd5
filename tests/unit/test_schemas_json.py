"""Data that are held to a JSON Schema."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.pollers.schemas.core import json_schema
from headrace.pollers.schemas.core.model import Schema, Undecodable

ORDER = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "to": {"$ref": "address.json"}, "tags": {"items": {"type": "string"}}},
    "required": ["id"],
}
ADDRESS = {"type": "object", "properties": {"street": {"type": "string", "maxLength": 5}}}
REFERENCES = {"address.json": json.dumps(ADDRESS)}


def decode(schema: Any, data: bytes, references: dict[str, str] | None = None) -> bytes:
    return json_schema.codec(Schema("JSON", json.dumps(schema), references or {}))(data)


@pytest.mark.semantics("SCHEMA-07")
def test_data_stay_as_they_are() -> None:
    data = b'{"id": 12345678901234567890123, "to":{"street":"x"},\n "b":1.0}'
    assert decode(ORDER, data, REFERENCES) == data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"id": "7"}', r"at \$.id: its 'type' is not met"),
        (b"{}", r"at \$: its 'required'"),
        (b'{"id": 1, "to": {"street": "too long"}}', r"at \$.to.street: its 'maxLength'"),
        (b'{"id": 1, "tags": ["a", 5]}', r"at \$.tags\[1\]: its 'type'"),
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"id": NaN}', "is not JSON"),
        (b'"\xff"', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"1" * 5000, "is not JSON"),
    ],
)
def test_what_does_not_follow(data: bytes, why: str) -> None:
    with pytest.raises(Undecodable, match=why) as caught:
        decode(ORDER, data, REFERENCES)
    assert "too long" not in str(caught.value)  # nothing of the data


@pytest.mark.parametrize("definition", ["", "5", '{"type": 5}', '{"properties": []}', "[" * 100_000])
def test_what_is_no_schema(definition: str) -> None:
    with pytest.raises(Undecodable, match="not JSON Schema"):
        json_schema.codec(Schema("JSON", definition))


@pytest.mark.semantics("SCHEMA-07")
@pytest.mark.parametrize("reference", ["http://127.0.0.1:9/x.json", "file:///etc/passwd", "gone.json", "#/nowhere"])
def test_nothing_is_fetched(reference: str) -> None:
    with pytest.raises(Undecodable, match="cannot be followed"):
        decode({"$ref": reference}, b"{}")


def test_a_schema_without_end() -> None:
    with pytest.raises(Undecodable, match="cannot be followed"):
        decode({"$ref": "#"}, b"{}")


def test_the_draft_that_a_schema_names() -> None:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "prefixItems": [{"type": "string"}]}
    with pytest.raises(Undecodable, match="its 'type'"):
        decode(schema, b"[5]")
    assert decode({"prefixItems": [{"type": "string"}]}, b"[5]") == b"[5]"  # draft 7 has no such word


@given(st.binary(max_size=60))
def test_garbage_is_json_or_undecodable(data: bytes) -> None:
    with suppress(Undecodable):
        json.loads(decode({}, data))

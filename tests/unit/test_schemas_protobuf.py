"""Protobuf to JSON: which message it is, how it reads, and what is none."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import suppress
from typing import Any

import pytest
from google.protobuf import descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from headrace.pollers.schemas.core import proto_text, protobuf
from headrace.pollers.schemas.core.model import Schema, Undecodable

TEXT = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Order {
  int64 order_id = 1;
  string name = 2;
  repeated Line lines = 3;
  map<string, int32> counts = 4;
  oneof paid_by { string card = 5; bool cash = 6; }
  State state = 7;
  optional int32 discount = 8;
  google.protobuf.Timestamp placed_at = 9;
  bytes raw = 10;
  float weight = 11;
  message Line { string sku = 1; message Part { int32 size = 1; } }
  enum State { OPEN = 0; PAID = 1; }
}
message Address { string street = 1; }
message Account { uint64 cents = 1; }
"""
SCHEMA = Schema("PROTOBUF", TEXT)


def message(name: str, fields: dict[str, Any], text: str = TEXT) -> bytes:
    """The bytes of a message, by google's runtime."""
    from google.protobuf import json_format, timestamp_pb2

    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    file = proto_text.parse(text)
    file.name = "x.proto"
    pool.AddSerializedFile(file.SerializeToString())
    made = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()
    return bytes(json_format.ParseDict(fields, made).SerializeToString())


def confluent(data: bytes, schema: Schema = SCHEMA) -> Any:
    return json.loads(protobuf.confluent_codec(schema)(data))


def glue(data: bytes, schema: Schema = SCHEMA) -> Any:
    return json.loads(protobuf.glue_codec(schema)(data))


ORDER = {
    "orderId": "9007199254740993",
    "name": "é",
    "lines": [{"sku": "a"}, {}],
    "counts": {"x": 1},
    "card": "",
    "state": "PAID",
    "discount": 0,
    "placedAt": "2026-01-01T00:00:00.500Z",
    "raw": "AP8=",
    "weight": 0.1,
}


@pytest.mark.semantics("SCHEMA-06")
def test_its_canonical_json() -> None:
    assert confluent(b"\x00" + message("shop.Order", ORDER)) == ORDER
    assert confluent(b"\x00") == {}  # every field has its default value
    assert confluent(b"\x00\x38\x00\x40\x00") == {"discount": 0}  # it has presence, `state` has none


@pytest.mark.parametrize("definition", [TEXT, b64encode(proto_text.parse(TEXT).SerializeToString()).decode()])
def test_as_text_or_as_descriptor(definition: str) -> None:
    assert confluent(b"\x00" + message("shop.Order", ORDER), Schema("PROTOBUF", definition)) == ORDER


@pytest.mark.parametrize(
    ("path", "name", "fields"),
    [
        (b"\x02\x00", "shop.Order", {"name": "x"}),
        (b"\x02\x02", "shop.Address", {"street": "x"}),
        (b"\x02\x04", "shop.Account", {"cents": "1"}),
        (b"\x04\x00\x02", "shop.Order.Line", {"sku": "x"}),  # after the map's entry, as protoc orders them
        (b"\x06\x00\x02\x00", "shop.Order.Line.Part", {"size": 1}),
    ],
)
def test_confluents_way_to_a_message(path: bytes, name: str, fields: dict[str, Any]) -> None:
    assert confluent(path + message(name, fields)) == fields


@pytest.mark.parametrize(
    ("number", "name", "fields"),
    [
        (0, "shop.Account", {"cents": "1"}),
        (1, "shop.Address", {"street": "x"}),
        (2, "shop.Order", {"name": "x"}),
        (4, "shop.Order.Line", {"sku": "x"}),  # 3 is the entry of the map `counts`
        (5, "shop.Order.Line.Part", {"size": 1}),
    ],
)
def test_glues_way_to_a_message(number: int, name: str, fields: dict[str, Any]) -> None:
    assert glue(bytes([number]) + message(name, fields)) == fields


@pytest.mark.parametrize("path", [b"\x02\x06", b"\x04\x02\x00", b"\x02\x01", b"\x06\x00\x02\x02"])
def test_no_such_message(path: bytes) -> None:
    with pytest.raises(Undecodable, match="has no such one"):
        confluent(path)
    with pytest.raises(Undecodable, match="which has 6"):
        glue(b"\x06")


def test_what_a_schema_imports() -> None:
    inner = 'syntax = "proto3"; package b; message Money { int64 cents = 1; }'
    middle = 'syntax = "proto3"; package b; import "money.proto"; message Price { Money net = 1; }'
    outer = """syntax = "proto3"; import "price.proto"; import "google/type/date.proto"; import "confluent/meta.proto";
        import "confluent/type/decimal.proto"; import "google/protobuf/struct.proto";
        import "google/protobuf/type.proto";
        message Order { b.Price price = 1; google.type.Date day = 2; confluent.type.Decimal tax = 3;
        google.protobuf.Struct more = 4; }"""
    data = b"\x00\x0a\x04\x0a\x02\x08\x05\x12\x03\x08\xea\x0f\x1a\x03\x0a\x01\x07"
    schema = Schema("PROTOBUF", outer, {"money.proto": inner, "price.proto": middle})
    assert confluent(data, schema) == {
        "price": {"net": {"cents": "5"}},
        "day": {"year": 2026},
        "tax": {"value": "Bw=="},
    }


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ("message", "not the text of a .proto file"),
        ('syntax = "proto3"; import "gone.proto";', "imports gone.proto, which its registry does not have"),
        ('syntax = "proto3"; import "google/type/gone.proto";', "imports google/type/gone.proto"),
        ('syntax = "proto3"; message M { Gone g = 1; }', "not Protobuf"),
        ('syntax = "proto3"; message M { int32 a = 1; int32 b = 1; }', "not Protobuf"),
        ('syntax = "proto3"; message M { int32 a = 0; }', "not Protobuf"),
        ('syntax = "proto3"; message M { int32 a = 99999999999; }', "not Protobuf"),
    ],
)
def test_what_is_no_schema(definition: str, why: str) -> None:
    for codec in (protobuf.confluent_codec, protobuf.glue_codec):
        with pytest.raises(Undecodable, match=why):
            codec(Schema("PROTOBUF", definition))


@pytest.mark.parametrize(
    "data",
    [
        b"",  # not even which message
        b"\x00\x0a",  # cut off
        b"\x00\x12\x05ab",
        b"\x00\x12\x01\xff",  # no UTF-8
        b"\x00\xff\xff\xff",
        b"\x00\x4a\x09\x08\xff\xff\xff\xff\xff\xff\xff\x7f",  # a time that no calendar has
    ],
)
def test_bytes_that_are_no_message(data: bytes) -> None:
    with pytest.raises(Undecodable):
        confluent(data)


def test_messages_nested_without_end() -> None:
    data = b""
    for _ in range(200):
        data = b"\x0a" + bytes([len(data) & 0x7F | 0x80, len(data) >> 7]) + data
    with pytest.raises(Undecodable, match="is not a Node: DecodeError"):
        confluent(b"\x00" + data, Schema("PROTOBUF", 'syntax = "proto3"; message Node { Node next = 1; }'))


DECODE = protobuf.confluent_codec(SCHEMA)
SAMPLE = b"\x00" + message("shop.Order", ORDER)


@given(st.binary(max_size=100))
def test_garbage_is_json_or_undecodable(data: bytes) -> None:
    with suppress(Undecodable):
        json.loads(DECODE(b"\x00" + data))


@given(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255))
def test_a_damaged_byte_is_json_or_undecodable(place: int, byte: int) -> None:
    with suppress(Undecodable):
        json.loads(DECODE(SAMPLE[:place] + bytes([byte]) + SAMPLE[place + 1 :]))

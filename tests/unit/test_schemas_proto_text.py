"""The text of .proto files, against what protoc made of the same files, and against what is no such text."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from importlib.metadata import files
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from hypothesis import given
from hypothesis import strategies as st

from headrace.pollers.schemas.core import proto_text
from headrace.pollers.schemas.core.model import Undecodable


def published() -> list[str]:
    """Files whose text and protoc's descriptor are both installed: the common ones of Google's APIs."""
    return sorted(str(each) for each in files("googleapis-common-protos") or () if each.suffix == ".proto")


def text_of(name: str) -> str:
    found = next(each for each in files("googleapis-common-protos") or () if str(each) == name)
    return Path(str(found.locate())).read_text()


def compiled(name: str) -> Any:
    """protoc's descriptor of a published file."""
    return import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2").DESCRIPTOR


def understood(name: str) -> Any:
    """Our descriptor of the same text, in a pool with protoc's of what it imports."""
    pool = descriptor_pool.DescriptorPool()
    added: set[str] = set()

    def add(descriptor: Any) -> None:
        if descriptor.name not in added:
            added.add(descriptor.name)
            for needed in descriptor.dependencies:
                add(needed)
            pool.AddSerializedFile(descriptor.serialized_pb)

    for needed in compiled(name).dependencies:
        add(needed)
    file = proto_text.parse(text_of(name))
    file.name = name
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindFileByName(name)


def shape(message: Any) -> Any:
    """All of a message that its bytes and its JSON depend on."""
    fields = [
        (
            each.name,
            each.number,
            each.type,
            each.is_repeated,
            each.is_required,
            each.has_presence,
            each.json_name,
            each.message_type.full_name if each.message_type else None,
            each.enum_type.full_name if each.enum_type else None,
            each.containing_oneof.name if each.containing_oneof else None,
        )
        for each in message.fields
    ]
    return (
        message.full_name,
        fields,
        message.GetOptions().map_entry,
        [enum_shape(each) for each in message.enum_types],
        [shape(each) for each in message.nested_types],
    )


def enum_shape(enum: Any) -> Any:
    return enum.full_name, [(value.name, value.number) for value in enum.values]


def file_shape(file: Any) -> Any:
    messages = [shape(each) for each in file.message_types_by_name.values()]
    return file.package, messages, [enum_shape(each) for each in file.enum_types_by_name.values()]


def test_there_is_something_to_compare() -> None:
    assert len(published()) > 50


@pytest.mark.parametrize("name", published())
def test_as_protoc_reads_it(name: str) -> None:
    assert file_shape(understood(name)) == file_shape(compiled(name))


EVERYTHING = """
// A comment; with "quotes" and { braces
syntax = "proto2"; /* another
one */
package a.b;
import public "other.proto";
option java_package = "x";
option (own) = { deep: { er: "}" } list: [1, 2] };
message Outer {
  option deprecated = true;
  required string name = 1 [json_name = "theName", (own).opt = "]", default = "x;y"];
  optional .a.b.Outer.Inner inner = 0x2;
  repeated int32 numbers = 010 [packed = true];
  map<string, Inner> by_name = 4;
  oneof one_of { option (x) = 1; int32 a = 5; Kind b = 6; ; }
  message Inner { optional float message = 1; optional bool oneof = 2; };
  enum Kind { option allow_alias = true; ; reserved 7, 8 to max; NONE = 0; NIL = 0 [deprecated = true]; LOW = -1; }
  reserved 20, 30 to 40; reserved "old";
  extensions 100 to max;
  extend Outer { optional int32 more = 100; }
}
service Calls { rpc Get (Outer) returns (stream Outer) { option (http) = { get: "/x" }; }
  rpc Put (Outer) returns (Outer); }
extend Outer { optional int32 most = 101; }
"""


def test_everything_that_a_file_can_have() -> None:
    file = proto_text.parse(EVERYTHING)
    assert (file.syntax, file.package, list(file.dependency)) == ("proto2", "a.b", ["other.proto"])
    (outer,) = file.message_type
    fields = [(each.name, each.number, each.label, each.json_name) for each in outer.field]
    assert fields == [
        ("name", 1, 2, "theName"),
        ("inner", 2, 1, ""),
        ("numbers", 8, 3, ""),
        ("by_name", 4, 3, ""),
        ("a", 5, 1, ""),
        ("b", 6, 1, ""),
    ]
    assert [each.name for each in outer.nested_type] == ["ByNameEntry", "Inner"]
    assert [(value.name, value.number) for value in outer.enum_type[0].value] == [("NONE", 0), ("NIL", 0), ("LOW", -1)]
    file.name, file.dependency[:], file.public_dependency[:] = "x.proto", [], []
    descriptor_pool.DescriptorPool().AddSerializedFile(file.SerializeToString())  # which checks it


def test_fields_may_be_called_like_statements() -> None:
    text = """syntax = "proto3"; message M { string message = 1; int32 enum = 2; optional bool optional = 3;
        bool option = 4; map<int32, bool> map = 5; string reserved = 6; oneof oneof { string extend = 7; } }"""
    (message,) = proto_text.parse(text).message_type
    assert [each.name for each in message.field] == [
        "message",
        "enum",
        "optional",
        "option",
        "map",
        "reserved",
        "extend",
    ]
    assert [each.name for each in message.field if each.proto3_optional] == ["optional"]
    assert [each.name for each in message.oneof_decl] == ["oneof", "_optional"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("message", "ends too early"),
        ("syntax = proto3;", "line 1: text in quotes"),
        ('syntax = "proto4";', "'proto4' is not known"),
        ('edition = "2023";', "editions are not understood"),
        ("message M {\n\n string a = 1; }", "line 3: a field of proto2"),
        ('syntax = "proto3"; message M { string a = one; }', "a whole number is expected, not 'one'"),
        ('syntax = "proto3"; message M { string a 1; }', "'=' is expected, not '1'"),
        ("message M { optional group G = 1 { } }", "groups are not understood"),
        ("hello", "'hello' is not expected"),
        ("\x00", "is not expected"),
        ('{"type": "record"}', "'{' is not expected"),
        ("message M {" * 500, "deeper than 100"),
        ('import "x', "is not expected"),
    ],
)
def test_what_is_no_such_text(text: str, why: str) -> None:
    with pytest.raises(Undecodable, match=why):
        proto_text.parse(text)


@given(st.text() | st.lists(st.sampled_from(EVERYTHING.split())).map(" ".join))
def test_any_text_is_a_file_or_undecodable(text: str) -> None:
    with suppress(Undecodable):
        assert isinstance(proto_text.parse(text), descriptor_pb2.FileDescriptorProto)

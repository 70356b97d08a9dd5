"""Protobuf to JSON: google's runtime reads the messages, and writes them as its canonical JSON.

So names are in lowerCamelCase, 64-bit integers are text, and fields that have no presence and their default value are
left out (https://protobuf.dev/programming-guides/json/). Messages' types are made from the descriptor that a registry
hands out, or from the text of the .proto file.
"""

from __future__ import annotations

from base64 import b64decode
from importlib import import_module
from typing import Any

from ....dispatch.core.model import encode
from . import proto_text, wire
from .model import Codec, Schema, Undecodable

FILE = "headrace.proto"
"""The name of a schema's own file where its registry has none."""

CONFLUENT_FILES = {
    "confluent/meta.proto": 'syntax = "proto3"; package confluent;',  # options alone, which say nothing of the bytes
    "confluent/type/decimal.proto": 'syntax = "proto3"; package confluent.type;'
    " message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }",
}
"""The files that Confluent's serialisers know without a reference."""


def confluent_codec(schema: Schema) -> Codec:
    """Raises Undecodable for a schema that is none."""
    types = _Types(schema)

    def decode(data: bytes) -> bytes:
        path, message = wire.confluent_message(data)
        return types.json(types.at(path), message)

    return decode


def glue_codec(schema: Schema) -> Codec:
    """Raises Undecodable for a schema that is none."""
    types = _Types(schema)

    def decode(data: bytes) -> bytes:
        number, message = wire.glue_message(data)
        return types.json(types.sorted(number), message)

    return decode


class _Types:
    """The messages of one schema."""

    def __init__(self, schema: Schema) -> None:
        from google.protobuf import descriptor_pool

        self._pool = descriptor_pool.DescriptorPool()
        self._classes: dict[Any, Any] = {}
        try:
            for name, definition in schema.references.items():
                self._add(name, definition)
            self._file = self._add(FILE, schema.definition)
        except Undecodable:
            raise
        except Exception as error:  # any schema may be registered: the runtime raises its own and built-in ones
            raise Undecodable(f"has a schema that is not Protobuf: {error}") from error
        self._sorted = sorted(_all(self._file.message_types_by_name.values()), key=lambda each: str(each.full_name))

    def at(self, path: tuple[int, ...]) -> Any:
        """A message by its position in the file, then in each message."""
        found, inside = None, list(self._file.message_types_by_name.values())
        for number in path:
            if not 0 <= number < len(inside):
                raise Undecodable(f"is message {list(path)} of its schema, which has no such one")
            found = inside[number]
            inside = list(found.nested_types)
        return found

    def sorted(self, number: int) -> Any:
        """A message by its position when all of the file, nested ones too, are in the order of their full names."""
        if number >= len(self._sorted):
            raise Undecodable(f"is message {number} of its schema, which has {len(self._sorted)}")
        return self._sorted[number]

    def json(self, descriptor: Any, data: bytes) -> bytes:
        from google.protobuf import json_format, message_factory

        if descriptor not in self._classes:
            self._classes[descriptor] = message_factory.GetMessageClass(descriptor)
        try:
            message = self._classes[descriptor].FromString(data)
            return encode(json_format.MessageToDict(message, descriptor_pool=self._pool))
        except Exception as error:  # the runtime's own, and the built-in ones of its JSON
            raise Undecodable(f"is not a {descriptor.full_name}: {type(error).__name__}") from error

    def _add(self, name: str, definition: str) -> Any:
        file = _described(definition)
        file.name = name
        for needed in file.dependency:
            self._provide(needed)
        self._pool.AddSerializedFile(file.SerializeToString())
        return self._pool.FindFileByName(name)

    def _provide(self, name: str) -> None:
        """A file that no registry has, since everybody has it."""
        try:
            self._pool.FindFileByName(name)
        except KeyError:
            if name in CONFLUENT_FILES:
                self._add(name, CONFLUENT_FILES[name])
            elif name.startswith(("google/protobuf/", "google/type/")):
                self._add_known(name)
            else:
                raise Undecodable(f"has a schema that imports {name}, which its registry does not have") from None

    def _add_known(self, name: str) -> None:
        try:
            module = import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
        except ImportError as error:
            hint = "install googleapis-common-protos" if name.startswith("google/type/") else "there is no such file"
            raise Undecodable(f"has a schema that imports {name}: {hint}") from error
        for needed in module.DESCRIPTOR.dependencies:
            self._provide(needed.name)
        self._pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)


def _all(messages: Any) -> list[Any]:
    """Entries of maps count too: Glue's serialisers number what Java's descriptors list."""
    found = list(messages)
    return found + [inner for each in found for inner in _all(each.nested_types)]


def _described(definition: str) -> Any:
    """A FileDescriptorProto: of base64 where a registry has it so, else of the text."""
    from google.protobuf import descriptor_pb2

    try:
        return descriptor_pb2.FileDescriptorProto.FromString(b64decode(definition, validate=True))
    except Exception:  # no base64, or not of a descriptor: then it is text
        return proto_text.parse(definition)

"""Schemas of registries, and results of decoding. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ....dispatch.kinds.kafka import SchemaMetadata

DataFormat = Literal["AVRO", "PROTOBUF", "JSON"]
Reason = Literal["SCHEMA_NOT_FOUND", "DESERIALIZATION_ERROR"]


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema as its registry has it."""

    data_format: DataFormat
    definition: str
    """JSON for Avro and JSON Schema. For Protobuf the text of a .proto file, or a FileDescriptorProto in base64."""
    references: Mapping[str, str] = field(default_factory=dict)
    """The schemas that the definition imports, by the name it uses; each comes before those that need it."""


@dataclass(frozen=True, slots=True)
class SchemaFailure:
    """Why a record is discarded. `detail` is one line, without any content of the record."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record's key and value for the event. None stays None: a record without a key, a tombstone."""

    key: bytes | None
    value: bytes | None
    key_schema: SchemaMetadata | None = None
    value_schema: SchemaMetadata | None = None
    key_json: bytes | None = None
    value_json: bytes | None = None
    """The data for filters: JSON in either record format; where nothing was decoded, the bytes as they came."""


class Undecodable(Exception):
    """Bytes that do not follow their schema, or a schema that cannot be followed. Says which, in one line."""


Codec = Callable[[bytes], bytes]
"""Data without the registry's header, to JSON. Raises Undecodable and nothing else."""

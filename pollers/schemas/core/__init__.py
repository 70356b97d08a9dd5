"""From bytes with a schema to JSON: Avro, Protobuf, JSON Schema. Pure."""

from __future__ import annotations

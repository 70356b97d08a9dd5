"""Keys and values that were written with a schema of a registry: Confluent's (and what speaks its REST API), or Glue's.

    wire         which schema a value names, and what is left without that header
    confluent, glue    the registries; what they have, what they have not, and that they are away
    lookups      schemas by id, each asked for once, and compiled once
    avro, protobuf, json_schema    one codec each: bytes in, JSON out
    records      a record's key and value, as the mapping wants them

A record that cannot be decoded is a value (`SchemaFailure`), never an exception: its bytes may come from any writer.
"""

from __future__ import annotations

from .core.model import Decoded, SchemaFailure
from .opening import EXTRA, missing_libraries, open_schemas
from .records import RecordSchemas

__all__ = ["EXTRA", "Decoded", "RecordSchemas", "SchemaFailure", "missing_libraries", "open_schemas"]

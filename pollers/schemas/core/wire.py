"""The headers that serialisers put before the data, so that readers find the schema. Pure.

    Confluent    0, schema id (4 bytes, big-endian), data
    Glue         3, compression (0 none, 5 zlib), schema version id (a UUID's 16 bytes), data, compressed or not

Before Protobuf's data stands which message of the schema it is. That belongs to the data, not to the header: what AWS
delivers as SOURCE still has it, and the libraries for functions skip it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from .model import Undecodable

CONFLUENT_MAGIC = 0
CONFLUENT_HEADER = 5
GLUE_MAGIC = 3
GLUE_HEADER = 18
UNCOMPRESSED = 0
ZLIB = 5
LARGEST = 64 * 1024 * 1024
"""Bytes that compressed data may have unpacked: ten times what a function can be handed."""
DEEPEST_MESSAGE = 32
"""Messages inside messages inside one another, in the schema."""


@dataclass(frozen=True, slots=True)
class Framed:
    """Data, and the schema that they name."""

    schema_id: str
    data: bytes


Unframe = Callable[[bytes], Framed]
"""Raises Undecodable for what has no such header."""


def unframe_confluent(raw: bytes) -> Framed:
    if len(raw) < CONFLUENT_HEADER or raw[0] != CONFLUENT_MAGIC:
        raise Undecodable(
            f"does not begin with a schema id in Confluent's format (a zero byte and four more){_seen(raw)}"
        )
    return Framed(str(int.from_bytes(raw[1:CONFLUENT_HEADER])), raw[CONFLUENT_HEADER:])


def unframe_glue(raw: bytes) -> Framed:
    if len(raw) < GLUE_HEADER or raw[0] != GLUE_MAGIC:
        raise Undecodable(
            f"does not begin with a schema version id in Glue's format (18 bytes, the first is 3){_seen(raw)}"
        )
    schema_id = str(UUID(bytes=raw[2:GLUE_HEADER]))
    if raw[1] == UNCOMPRESSED:
        return Framed(schema_id, raw[GLUE_HEADER:])
    if raw[1] == ZLIB:
        return Framed(schema_id, _inflated(raw[GLUE_HEADER:]))
    raise Undecodable(f"is compressed in a way that Glue does not have ({raw[1]})")


def _seen(raw: bytes) -> str:
    return f": its first byte is {raw[0]}, of {len(raw)}" if raw else ": it is empty"


def _inflated(data: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        unpacked = unpacking.decompress(data, LARGEST)
    except zlib.error as error:
        raise Undecodable("is not the zlib data that its header says") from error
    if not unpacking.eof and unpacking.unconsumed_tail:
        raise Undecodable(f"unpacks to more than {LARGEST} bytes")
    if not unpacking.eof or unpacking.unused_data:
        raise Undecodable("is not the zlib data that its header says: it is cut off, or something follows")
    return unpacked


# --- which message ----------------------------------------------------------------------------------------------------


def confluent_message(data: bytes) -> tuple[tuple[int, ...], bytes]:
    """The path to the message, by positions in the file and then inside of each message; and the message's bytes.

    Zigzag varints: how many, then each; a single zero is short for the file's first message.
    """
    count, at = _varint(data, 0)
    count = _unzigzag(count)
    if count == 0:
        return (0,), data[at:]
    if not 0 < count <= DEEPEST_MESSAGE:
        raise Undecodable(f"names a message of the schema by {count} numbers")
    path = []
    for _ in range(count):
        number, at = _varint(data, at)
        path.append(_unzigzag(number))
    return tuple(path), data[at:]


def glue_message(data: bytes) -> tuple[int, bytes]:
    """The message's position among all of the file, nested ones too, ordered by full name; and the message's bytes."""
    number, at = _varint(data, 0)
    return number, data[at:]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise Undecodable("does not say which message of its schema it is")


def _unzigzag(number: int) -> int:
    return (number >> 1) ^ -(number & 1)

"""Messages of `application/vnd.amazon.eventstream`, as bytes.

total length, length of the headers, CRC of both | headers | payload | CRC of all before
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

STRING = 7


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    encoded = b"".join(map(_header, headers, headers.values()))
    lengths = struct.pack(">II", 16 + len(encoded) + len(payload), len(encoded))
    message = lengths + struct.pack(">I", zlib.crc32(lengths)) + encoded + payload
    return message + struct.pack(">I", zlib.crc32(message))


def event(kind: str, payload: bytes) -> bytes:
    return frame({":message-type": "event", ":event-type": kind, ":content-type": "application/json"}, payload)


def exception(kind: str, payload: bytes) -> bytes:
    return frame({":message-type": "exception", ":exception-type": kind, ":content-type": "application/json"}, payload)


def corrupted(message: bytes) -> bytes:
    """The last checksum is wrong."""
    return message[:-1] + bytes([message[-1] ^ 0xFF])


def _header(name: str, value: str) -> bytes:
    return bytes([len(name)]) + name.encode() + struct.pack(">BH", STRING, len(value)) + value.encode()

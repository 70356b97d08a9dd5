"""Makes Kinesis records as the Kinesis Producer Library packs them, one function per layer of the format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

MAGIC = b"\xf3\x89\x9a\xc2"

User = tuple[str, str | None, bytes]
"""Partition key, explicit hash key, data."""


def aggregate(users: Sequence[User]) -> bytes:
    """One record's data. Each key stands in its table once, in the order of its first use."""
    keys = list(dict.fromkeys(key for key, _, _ in users))
    hash_keys = list(dict.fromkeys(hash_key for _, hash_key, _ in users if hash_key is not None))
    message = b"".join(
        [
            *(field(1, key.encode()) for key in keys),
            *(field(2, hash_key.encode()) for hash_key in hash_keys),
            *(
                field(3, record(keys.index(key), None if hash_key is None else hash_keys.index(hash_key), data))
                for key, hash_key, data in users
            ),
        ]
    )
    return sealed(message)


def sealed(message: bytes) -> bytes:
    """Magic number, protobuf message, checksum."""
    return MAGIC + message + hashlib.md5(message).digest()


def record(key: int, hash_key: int | None, data: bytes, tags: Iterable[tuple[str, str]] = ()) -> bytes:
    indices = field(1, key) + (b"" if hash_key is None else field(2, hash_key))
    packed = (field(4, field(1, name.encode()) + field(2, value.encode())) for name, value in tags)
    return indices + field(3, data) + b"".join(packed)


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])

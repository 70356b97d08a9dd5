"""Records in which a producer packed several user records, as the Kinesis Producer Library (KPL) does: pure.

    ┌─────────────┬──────────────────────────────┬────────────────────────┐
    │ F3 89 9A C2 │ protobuf AggregatedRecord    │ MD5 of the protobuf    │
    └─────────────┴──────────────────────────────┴────────────────────────┘
    AggregatedRecord   1 partition key table      strings
                       2 explicit hash key table  strings
                       3 records                  1 partition key index, 2 explicit hash key index (optional), 3 data,
                                                  4 tags (nobody writes them)

What is no aggregate to the last byte stays one record and is delivered as it is, so nothing is ever lost for its looks.
The work is linear in the record's size whatever it holds. Called for mappings with `deaggregate: true`.

Format: https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import md5
from typing import Any

from ....dispatch.core.model import Position

MAGIC = b"\xf3\x89\x9a\xc2"
DIGEST_SIZE = 16
KEY_LIMIT = 256
"""Characters of a partition key: Kinesis's own limit. A larger one, which all records of a table may share, would grow
an event far beyond the record that it came in."""


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A record as its producer put it, before it was packed with others."""

    partition_key: str
    explicit_hash_key: str | None
    data: bytes
    sub: int
    """Its place in the aggregate, from 0: the sub-sequence number."""


def expand(record: Mapping[str, Any]) -> tuple[tuple[Mapping[str, Any], Position], ...]:
    """The records in one record of GetRecords or SubscribeToShard: its user records in that same shape, each with its
    position, or the record itself. All share the sequence number and the arrival of the record that carried them."""
    number = record["SequenceNumber"]
    users = split(record["Data"])
    if users is None:
        return ((record, Position.parse(number)),)
    return tuple(
        ({**record, "PartitionKey": user.partition_key, "Data": user.data}, Position(int(number), user.sub + 1, number))
        for user in users
    )


def split(data: bytes) -> tuple[UserRecord, ...] | None:
    """The user records of an aggregate, in order; None when `data` is not one. Never raises.

    Those whose key belongs to another shard by now, because the shard was split or merged while they were under way,
    are kept. The Kinesis Client Library drops them, since the KPL sends them again to where they belong; but other
    producers do not, and a record that comes twice is better than one that is lost.
    """
    message, digest = data[len(MAGIC) : -DIGEST_SIZE], data[-DIGEST_SIZE:]
    if not data.startswith(MAGIC) or md5(message, usedforsecurity=False).digest() != digest:
        return None
    try:
        return (
            tuple(_users(message)) or None
        )  # no producer packs nothing, and nothing cannot be delivered instead of it
    except _MalformedError:
        return None


class _MalformedError(Exception):
    """Not the message that it should be."""


# --- AggregatedRecord -----------------------------------------------------------------------------------------------


def _users(message: bytes) -> Iterator[UserRecord]:
    keys: list[str] = []
    hash_keys: list[str] = []
    records: list[bytes] = []
    for field, value in _fields(message):
        match field, value:
            case 1, bytes():
                keys.append(_text(value))
            case 2, bytes():
                hash_keys.append(_text(value))
            case 3, bytes():
                records.append(value)
    for sub, record in enumerate(records):  # only now: the tables may come after them
        yield _user(record, sub, keys, hash_keys)


def _user(record: bytes, sub: int, keys: Sequence[str], hash_keys: Sequence[str]) -> UserRecord:
    key: int | None = None
    hash_key: int | None = None
    data: bytes | None = None
    for field, value in _fields(record):
        match field, value:
            case 1, int():
                key = value
            case 2, int():
                hash_key = value
            case 3, bytes():
                data = value
    if key is None or data is None:
        raise _MalformedError
    return UserRecord(_entry(keys, key), None if hash_key is None else _entry(hash_keys, hash_key), data, sub)


def _entry(table: Sequence[str], index: int) -> str:
    if index >= len(table):
        raise _MalformedError
    return table[index]


def _text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise _MalformedError from None
    if len(text) > KEY_LIMIT:
        raise _MalformedError
    return text


# --- protobuf -------------------------------------------------------------------------------------------------------

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5  # wire types; groups (3, 4) are out of use
VARINT_SIZE = 10
"""Bytes of the largest number, which has 64 bits."""


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Each field's number and value: numbers and byte strings, which are all that the format has."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        field, wire = tag >> 3, tag & 7
        if field == 0:
            raise _MalformedError
        if wire == VARINT:
            number, at = _varint(message, at)
            yield field, number
        elif wire == BYTES:
            size, start = _varint(message, at)
            at = start + size
            if at <= len(message):
                yield field, message[start:at]
        elif wire in (FIXED_64, FIXED_32):
            at += 8 if wire == FIXED_64 else 4
        else:
            raise _MalformedError
    if at > len(message):
        raise _MalformedError


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where it ends."""
    number = 0
    for place, byte in enumerate(message[at : at + VARINT_SIZE]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, at + place + 1
    raise _MalformedError

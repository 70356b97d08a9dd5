"""Records of the Kinesis Producer Library: the bytes of its format, and all that only looks like them."""

from __future__ import annotations

import hashlib

import pytest

from headrace.dispatch.core.model import Position
from headrace.dispatch.kinds.kinesis import kinesis_item
from headrace.pollers.kinesis.core.aggregation import UserRecord, expand, split
from support.aggregates import MAGIC, aggregate, field, record, sealed, varint

NUMBER = "49590338271490256608559692538361571095921575989136588898"
SEALED = record(0, None, b"one")

# Written by hand from https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md; what the
# protobuf library writes is the same. Two partition keys, one explicit hash key, three records.
BY_HAND = bytes.fromhex(
    "0a 05 6f72646572"  # 1 partition_key_table: "order"
    "0a 04 75736572"  # 1 partition_key_table: "user"
    "12 02 3432"  # 2 explicit_hash_key_table: "42"
    "1a 07 0800 1a03 6f6e65"  # 3 records: partition_key_index 0, data "one"
    "1a 09 0801 1000 1a03 74776f"  # 3 records: partition_key_index 1, explicit_hash_key_index 0, data "two"
    "1a 0e 0800 1a00 22 08 0a01 6b 1203 746167"  # 3 records: partition_key_index 0, no data, a tag "k": "tag"
)
CHECKSUM = bytes.fromhex("e7cf3f5cc7779a1cfe39e3ac8fca28f0")
USERS = (
    UserRecord("order", None, b"one", 0),
    UserRecord("user", "42", b"two", 1),
    UserRecord("order", None, b"", 2),
)


# --- the format -----------------------------------------------------------------------------------------------------


@pytest.mark.semantics("KPL-01")
def test_an_aggregate_is_split_as_its_format_says() -> None:
    assert split(MAGIC + BY_HAND + CHECKSUM) == USERS


@pytest.mark.semantics("KPL-01")
def test_numbers_and_sizes_of_several_bytes() -> None:
    keys = [f"key-{number}" for number in range(300)]
    users = [(key, None, key.encode() * 100) for key in keys]
    assert split(aggregate(users)) == tuple(UserRecord(key, None, key.encode() * 100, i) for i, key in enumerate(keys))


def test_the_tables_may_come_last_and_fields_that_nobody_knows_are_passed_over() -> None:
    unknown = field(9, 7) + field(10, b"x") + varint(11 << 3 | 1) + b"8 bytes." + varint(12 << 3 | 5) + b"4 b."
    message = unknown + field(3, SEALED + unknown) + field(1, b"order")
    assert split(sealed(message)) == (UserRecord("order", None, b"one", 0),)


def test_a_field_of_another_type_is_one_that_nobody_knows() -> None:
    odd = field(1, 7) + field(2, 7) + field(3, 7)
    inner = field(1, b"0") + field(2, b"0") + field(3, 7) + field(4, 7)
    message = odd + field(1, b"order") + field(3, inner + SEALED)
    assert split(sealed(message)) == (UserRecord("order", None, b"one", 0),)


def test_of_a_field_that_is_there_twice_the_last_counts() -> None:
    message = field(1, b"a") + field(1, b"b") + field(3, record(0, None, b"old") + record(1, None, b"new"))
    assert split(sealed(message)) == (UserRecord("b", None, b"new", 0),)


# --- what is none ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(MAGIC, id="magic alone"),
        pytest.param(MAGIC + hashlib.md5(b"").digest(), id="no message"),
        pytest.param(b'{"order": 1}', id="a plain record"),
        pytest.param(b"\xf3\x89\x9a\xc3" + BY_HAND + CHECKSUM, id="other magic"),
        pytest.param(MAGIC + BY_HAND + bytes(16), id="other checksum"),
        pytest.param(MAGIC + BY_HAND, id="no checksum"),
        pytest.param(MAGIC + BY_HAND + CHECKSUM + b"\n", id="a byte more"),
    ],
)
@pytest.mark.semantics("KPL-02")
def test_a_record_without_magic_or_with_another_checksum_is_no_aggregate(data: bytes) -> None:
    assert split(data) is None


KEY = field(1, b"order")


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(KEY, id="no record"),
        pytest.param(field(9, 1), id="nothing known"),
        pytest.param(KEY + field(3, record(1, None, b"x")), id="no such partition key"),
        pytest.param(KEY + field(3, record(0, 0, b"x")), id="no such hash key"),
        pytest.param(KEY + field(3, record(2**64 - 1, None, b"x")), id="the largest index"),
        pytest.param(KEY + field(3, record(2**69, None, b"x")), id="an index above 64 bits"),
        pytest.param(KEY + field(3, b"\x08" + b"\x80" * 10 + b"\x00" + field(3, b"x")), id="a number of eleven bytes"),
        pytest.param(KEY + field(3, b"\x08" + b"\xff" * 100_000), id="a number without end"),
        pytest.param(KEY + field(3, field(3, b"x")), id="a record without partition key"),
        pytest.param(KEY + field(3, field(1, 0)), id="a record without data"),
        pytest.param(KEY + field(3, SEALED[:-1]), id="a record cut short"),
        pytest.param((KEY + field(3, SEALED))[:-1], id="cut short"),
        pytest.param(KEY + field(3, SEALED) + b"\x09", id="cut in a fixed number"),
        pytest.param(KEY + field(3, SEALED) + b"\x0a", id="cut before a size"),
        pytest.param(KEY + field(3, SEALED) + b"\x1a" + varint(2**63), id="larger than any record"),
        pytest.param(KEY + field(3, SEALED) + b"\x0b\x0c", id="a group"),
        pytest.param(KEY + field(3, SEALED) + b"\x0f", id="no such type"),
        pytest.param(KEY + field(3, SEALED) + field(0, 1), id="field 0, which cannot be"),
        pytest.param(field(1, b"\xff") + field(3, SEALED), id="a key that is no text"),
        pytest.param(field(1, b"k" * 257) + field(3, SEALED), id="a key longer than Kinesis has"),
    ],
)
@pytest.mark.semantics("KPL-02")
def test_a_message_that_is_damaged_under_a_good_checksum_is_no_aggregate(message: bytes) -> None:
    assert split(sealed(message)) is None


def test_a_partition_key_may_be_as_long_as_kinesis_allows() -> None:
    assert split(aggregate([("ключ" * 64, None, b"x")])) == (UserRecord("ключ" * 64, None, b"x", 0),)


@pytest.mark.semantics("KPL-04")
def test_user_records_of_another_shard_are_kept() -> None:
    data = aggregate([("a", "0", b"0"), ("b", str(2**128 - 1), b"1"), ("c", "no number", b"2")])
    users = split(data)
    assert users is not None
    assert [(user.sub, user.data) for user in users] == [(0, b"0"), (1, b"1"), (2, b"2")]


# --- records --------------------------------------------------------------------------------------------------------

OUTER = {"SequenceNumber": NUMBER, "ApproximateArrivalTimestamp": 1545084650.987, "PartitionKey": "a"}


@pytest.mark.semantics("KPL-01", "KPL-03")
def test_user_records_have_their_own_key_and_data_and_the_number_and_time_of_what_carried_them() -> None:
    packed = {**OUTER, "Data": MAGIC + BY_HAND + CHECKSUM, "EncryptionType": "NONE"}
    (first, one), (second, two), _ = expand(packed)
    assert first == {**packed, "PartitionKey": "order", "Data": b"one"}
    assert second == {**packed, "PartitionKey": "user", "Data": b"two"}
    assert (one, two) == (Position(int(NUMBER), 1), Position(int(NUMBER), 2))
    assert (one.text, two.text) == (NUMBER, NUMBER)
    item = kinesis_item(second, shard="shardId-000000000000", arn="arn", region="us-east-1", role="role")
    assert item["kinesis"] == {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": "user",
        "sequenceNumber": NUMBER,
        "data": "dHdv",
        "approximateArrivalTimestamp": 1545084650.987,
    }


@pytest.mark.semantics("KPL-02")
def test_a_record_that_is_no_aggregate_stays_as_it_is() -> None:
    plain = {**OUTER, "Data": b"plain"}
    assert expand(plain) == ((plain, Position.parse(NUMBER)),)

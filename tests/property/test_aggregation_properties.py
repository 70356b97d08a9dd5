"""Aggregates of any records are unpacked again; damaged aggregates, and other bytes, do no harm."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.pollers.kinesis.core.aggregation import UserRecord, split
from support.aggregates import User, aggregate, field, record, sealed
from support.counts import count

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
hash_keys = st.integers(0, 2**128 - 1).map(str)
users = st.lists(st.tuples(keys, st.none() | hash_keys, st.binary(max_size=300)), min_size=1, max_size=12)


def unpacked(packed: list[User]) -> list[UserRecord]:
    return [UserRecord(key, hash_key, data, sub) for sub, (key, hash_key, data) in enumerate(packed)]


@pytest.mark.semantics("KPL-01")
@settings(max_examples=count(200, 20_000))
@given(users)
def test_what_was_packed_comes_out_as_it_went_in(packed: list[User]) -> None:
    assert split(aggregate(packed)) == tuple(unpacked(packed))


@pytest.mark.semantics("KPL-02")
@settings(max_examples=count(300, 50_000))
@given(users, st.data())
def test_with_any_byte_changed_it_is_no_aggregate(packed: list[User], draw: st.DataObject) -> None:
    data = bytearray(aggregate(packed))
    at = draw.draw(st.integers(0, len(data) - 1), "at")
    data[at] ^= draw.draw(st.integers(1, 255), "bits")
    assert split(bytes(data)) is None


@pytest.mark.semantics("KPL-02")
@settings(max_examples=count(300, 50_000))
@given(users, st.data())
def test_cut_anywhere_it_is_no_aggregate(packed: list[User], draw: st.DataObject) -> None:
    data = aggregate(packed)
    assert split(data[: draw.draw(st.integers(0, len(data) - 1), "length")]) is None


indices = st.integers(0, 3) | st.integers(0, 2**70)
any_record = st.builds(record, indices, st.none() | indices, st.binary(max_size=5)) | st.binary(max_size=12)
any_field = st.builds(field, st.integers(0, 5), st.integers(0, 2**64) | st.binary(max_size=5))
key_field = st.builds(field, st.sampled_from([1, 2]), st.binary(max_size=3))
record_field = st.builds(field, st.just(3), any_record)
messages = st.lists(key_field | record_field | any_field | st.binary(max_size=4), max_size=12).map(b"".join)


@pytest.mark.semantics("KPL-02")
@settings(max_examples=count(500, 100_000))
@given(st.binary(max_size=200) | messages)
def test_whatever_stands_under_a_good_checksum_costs_no_more_than_its_size(message: bytes) -> None:
    found = split(sealed(message))
    if found is not None:
        assert len(found) <= len(message) // 6  # the least that a user record takes
        assert sum(len(user.data) for user in found) <= len(message)
        assert [user.sub for user in found] == sorted({user.sub for user in found})

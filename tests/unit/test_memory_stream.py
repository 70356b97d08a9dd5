"""The fake stream by itself: numbers, shards, iterators, retention, limits, as the services have them."""

from __future__ import annotations

import pytest

from headrace.config.errors import SourceMissing, SourceUnavailable
from headrace.pollers.memory.flavours import Flavour, StreamEntry
from headrace.pollers.memory.stream import (
    ExpiredIterator,
    MemoryStream,
    ReadThrottled,
    TrimmedPosition,
    UnknownPosition,
)

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
HOUR = 3600.0
DAY = 24 * HOUR


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now

    def steady(self) -> float:
        return self.wall()

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def hands() -> Hands:
    return Hands()


def numbers(entries: tuple[StreamEntry, ...]) -> list[str]:
    return [entry.text for entry in entries]


def data(stream: MemoryStream, shard: str) -> list[bytes]:
    return [entry.data for entry in stream.records(stream.from_horizon(shard)).entries]


def test_numbers_grow_and_a_key_stays_in_its_shard(hands: Hands) -> None:
    stream = MemoryStream(ARN, hands, shards=4)
    put = [stream.put(f"key-{number % 7}", str(number)) for number in range(100)]
    assert put == sorted(put, key=int)
    assert sorted(len(data(stream, shard)) for shard in stream.open_shards()) != [0, 0, 0, 100]
    homes = [
        {entry.key for entry in stream.records(stream.from_horizon(name)).entries} for name in stream.open_shards()
    ]
    assert sum(map(len, homes)) == 7


def test_an_iterator_goes_on_where_the_last_read_ended(hands: Hands) -> None:
    stream = MemoryStream(ARN, hands)
    put = [stream.put("k", str(number)) for number in range(5)]
    (shard,) = stream.open_shards()
    first = stream.records(stream.from_horizon(shard), 2)
    assert numbers(first.entries) == put[:2]
    assert first.behind > 0
    rest = stream.records(first.iterator or "")
    assert numbers(rest.entries) == put[2:]
    assert rest.behind == 0
    assert stream.records(rest.iterator or "").entries == ()


def test_a_place_may_be_a_number_a_moment_or_now(hands: Hands) -> None:
    stream = MemoryStream(ARN, hands)
    (shard,) = stream.open_shards()
    put = []
    for _ in range(3):
        put.append(stream.put("k"))
        hands.now += 10
    assert numbers(stream.records(stream.from_number(shard, int(put[0]), after=True)).entries) == put[1:]
    assert numbers(stream.records(stream.from_number(shard, int(put[1]), after=False)).entries) == put[1:]
    assert numbers(stream.records(stream.from_time(shard, hands.wall() - 20)).entries) == put[1:]
    latest, later = stream.from_latest(shard), stream.from_time(shard, hands.wall() + 99)
    last = stream.put("k")
    assert numbers(stream.records(latest).entries) == numbers(stream.records(later).entries) == [last]


@pytest.mark.parametrize("flavour", Flavour)
def test_a_split_closes_the_parent_and_its_keys_go_on_in_the_children(hands: Hands, flavour: Flavour) -> None:
    stream = MemoryStream(ARN, hands, flavour)
    for number in range(20):
        stream.put(str(number), "before")
    (parent,) = stream.open_shards()
    children = stream.split(parent)
    for number in range(20):
        stream.put(str(number), "after")
    assert data(stream, parent) == [b"before"] * 20
    assert stream.records(stream.from_horizon(parent)).iterator is None
    assert all(data(stream, child) for child in children)
    listed = {shard.id: shard for shard in stream.describe()}
    assert [listed[child].parents for child in children] == [(parent,), (parent,)]
    assert [each.closed for each in listed.values()] == [True, False, False]
    assert (listed[parent].last or 0) < (listed[children[0]].first or 0)


def test_a_merge_has_two_parents_and_takes_neighbours_only(hands: Hands) -> None:
    stream = MemoryStream(ARN, hands, shards=3)
    one, two, three = stream.open_shards()
    with pytest.raises(ValueError, match="no neighbours"):
        stream.merge(three, one)
    child = stream.merge(two, one)
    assert next(shard for shard in stream.describe() if shard.id == child).parents == (one, two)
    assert stream.open_shards() == [three, child]


def test_shards_rotate_by_themselves_also_while_nobody_looks(hands: Hands) -> None:
    stream = MemoryStream(ARN, hands, Flavour.DYNAMODB, shards=2, rotation=4 * HOUR)
    hands.now = 13 * HOUR
    shards = stream.describe()
    assert len(shards) == 8
    assert [len(shard.parents) for shard in shards] == [0, 0, 1, 1, 1, 1, 1, 1]
    assert len(stream.open_shards()) == 2


@pytest.mark.parametrize("flavour", Flavour)
def test_what_is_older_than_the_retention_is_gone_and_closed_shards_with_it(hands: Hands, flavour: Flavour) -> None:
    stream = MemoryStream(ARN, hands, flavour)
    (parent,) = stream.open_shards()
    old, new = stream.put("k", "old"), ""
    hands.now = 20 * HOUR
    new = stream.put("k", "new")
    stream.rotate()
    hands.now = 25 * HOUR
    assert data(stream, parent) == [b"new"]
    if flavour is Flavour.DYNAMODB:
        with pytest.raises(TrimmedPosition):
            stream.from_number(parent, int(old), after=True)
    else:
        assert numbers(stream.records(stream.from_number(parent, int(old), after=True)).entries) == [new]
    hands.now = 45 * HOUR
    assert [shard.parents for shard in stream.describe()] == [(parent,)]
    with pytest.raises(UnknownPosition):
        stream.from_horizon(parent)


def test_a_stream_that_is_switched_off_ends_and_takes_no_records(hands: Hands) -> None:
    stream = MemoryStream(ARN, hands, Flavour.DYNAMODB)
    (shard,) = stream.open_shards()
    put = stream.put("k")
    stream.disable()
    with pytest.raises(ValueError, match="takes no records"):
        stream.put("k")
    read = stream.records(stream.from_horizon(shard))
    assert (numbers(read.entries), read.iterator) == ([put], None)


def test_iterators_are_good_for_five_minutes_and_not_beyond_a_restart(hands: Hands) -> None:
    stream = MemoryStream(ARN, hands)
    (shard,) = stream.open_shards()
    iterator = stream.from_horizon(shard)
    hands.now = 299.9
    stream.records(iterator)
    hands.now = 300.0
    with pytest.raises(ExpiredIterator):
        stream.records(iterator)
    iterator = stream.from_horizon(shard)
    stream.restart()
    with pytest.raises(ExpiredIterator):
        stream.records(iterator)


def test_a_stream_that_is_made_anew_has_old_names_and_a_new_age(hands: Hands) -> None:
    stream = MemoryStream(ARN, hands, shards=2)
    names, created = stream.open_shards(), stream.created
    old = stream.put("k", "old")
    stream.delete()
    with pytest.raises(SourceMissing, match="orders"):
        stream.describe()
    hands.now = 60
    stream.recreate(2)
    assert stream.open_shards() == names
    assert stream.created == created + 60
    assert [data(stream, shard) for shard in names] == [[], []]
    with pytest.raises(UnknownPosition):
        stream.from_number(names[0], int(old), after=True)
    stream.recreate(2, numbers_again=True)
    assert stream.put("k", "new") == old


def test_a_shard_takes_five_looks_a_second_and_each_one_has_a_limit(hands: Hands) -> None:
    stream = MemoryStream(ARN, hands, Flavour.DYNAMODB)
    (shard,) = stream.open_shards()
    for _ in range(1001):
        stream.put("k")
    for _ in range(300):
        stream.put("k", "x" * 5000)
    iterator = stream.from_horizon(shard)
    first = stream.records(iterator)
    second = stream.records(first.iterator or "")
    assert (len(first.entries), len(second.entries)) == (1000, 201)
    for _ in range(3):
        stream.records(iterator)
    with pytest.raises(ReadThrottled):
        stream.records(iterator)
    hands.now = 1.0
    stream.records(iterator)


def test_faults_are_switched_on_and_off(hands: Hands) -> None:
    stream = MemoryStream(ARN, hands, shards=2)
    one, two = stream.open_shards()
    iterators = stream.from_horizon(one), stream.from_horizon(two)
    stream.shard(one).fault = SourceUnavailable("no route")
    with pytest.raises(SourceUnavailable, match="no route"):
        stream.records(iterators[0])
    stream.records(iterators[1])
    stream.shard(two).throttled = True
    with pytest.raises(ReadThrottled):
        stream.records(iterators[1])
    stream.fault = SourceUnavailable("down")
    with pytest.raises(SourceUnavailable, match="down"):
        stream.describe()


def test_an_answer_may_be_empty_or_without_an_iterator_though_there_is_more(hands: Hands) -> None:
    stream = MemoryStream(ARN, hands)
    (shard,) = stream.open_shards()
    put = stream.put("k")
    stream.shard(shard).empty_pages, stream.shard(shard).null_iterators = 1, 2
    empty = stream.records(stream.from_horizon(shard))
    assert (empty.entries, empty.iterator) == ((), None)
    full = stream.records(stream.from_horizon(shard))
    assert (numbers(full.entries), full.iterator) == ([put], None)
    assert stream.records(stream.from_horizon(shard)).iterator is not None


def test_a_month_of_records_takes_no_more_memory_than_a_day(hands: Hands) -> None:
    stream = MemoryStream(ARN, hands, Flavour.DYNAMODB, rotation=4 * HOUR)
    sizes = []
    for hour in range(24 * 30):
        hands.now = hour * HOUR
        stream.put(str(hour), "x")
        sizes.append(stream.size)
    assert max(sizes[48:]) <= max(sizes[24:48])

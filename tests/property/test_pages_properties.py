"""Pages against what is said of single records: what is written, cut, parted and joined."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from headrace.dispatch.core.model import Lane, Position, Record, encode
from headrace.dispatch.core.pages import Page, Records, RecordSheet
from headrace.dispatch.kinds.kafka import KafkaSheet
from headrace.dispatch.kinds.kinesis import KinesisSheet, ShardElement
from support.counts import count
from support.paper import LANE, partition

PROPERTY = settings(max_examples=count(200, 10_000), deadline=None)
texts = st.text(st.characters(exclude_categories=[]), max_size=12) | st.sampled_from(["%", "%b", "\ud800", '"', ":-7"])


@dataclass
class Raw:
    """A record as the Kafka client gives it."""

    offset: int
    timestamp: int | None
    timestamp_type: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


raws = st.builds(
    Raw,
    st.integers(0, 1 << 40),
    st.none() | st.integers(-1, 1 << 42),
    st.sampled_from([None, 0, 1]),
    st.none() | st.binary(max_size=12),
    st.none() | st.binary(max_size=12),
    st.lists(st.tuples(texts, st.none() | st.binary(max_size=4)), max_size=3),
)


@PROPERTY
@given(st.lists(raws, min_size=1, max_size=6), st.sampled_from(["orders", "orders-7", "-7.-77"]))
def test_what_is_written_of_a_partition_is_its_records_elements(found: list[Raw], topic: str) -> None:
    offsets = [raw.offset for raw in found]
    sheet = KafkaSheet(Lane(f"cluster/{topic}", f"{topic}-0"), topic, 0, found, 1.5)
    items = [encode(sheet.item(place)) for place in range(len(found))]
    page = Page(sheet)
    bodies = list(page.bodies)
    assert list(map(json.loads, bodies)) == list(map(json.loads, items))
    assert page.size == sum(map(len, bodies))
    assert [sheet.view(place) for place in page.places] == [raw.value for raw in found]
    assert sheet.ordered == (offsets == sorted(set(offsets)))
    names = [sheet.name(place) for place in page.places]
    assert sheet.names(page.places) == names
    sheet.seal()
    assert [record.body for record in page] == bodies
    assert [record.name for record in page] == names
    assert [record.id for record in page] == [(f"{topic}-0", offset) for offset in offsets]


@PROPERTY
@given(
    st.lists(
        st.tuples(texts, st.integers(0, 10**56), st.binary(max_size=12), st.floats(0, 1e10)), min_size=1, max_size=6
    ),
    texts,
)
def test_what_is_written_of_a_shard_is_its_records_elements(
    found: list[tuple[str, int, bytes, float]], role: str
) -> None:
    answer = [
        {
            "PartitionKey": key,
            "SequenceNumber": str(number),
            "Data": b64encode(data).decode(),
            "ApproximateArrivalTimestamp": arrived,
        }
        for key, number, data, arrived in found
    ]
    sheet = KinesisSheet(ShardElement(LANE, "arn:aws:kinesis:us-east-1:0:stream/%s", "us-east-1", role), answer)
    items = [encode(sheet.item(place)) for place in range(len(found))]
    page = Page(sheet)
    bodies = list(page.bodies)
    assert list(map(json.loads, bodies)) == list(map(json.loads, items))
    sheet.seal()
    assert [record.body for record in page] == bodies
    numbers = [number for _, number, _, _ in found]
    assert [record.position.number for record in page if record.position] == numbers
    assert sheet.ordered == (numbers == sorted(set(numbers)))


def records_of(data: DataObject) -> tuple[Records, list[Record]]:
    """Pages, some of them with places left out, and the same records as a list."""
    pages = []
    for lane in data.draw(st.lists(st.integers(0, 2), max_size=4)):
        made = [
            Record(partition(lane), str(n), {"n": n}, float(n), Position(n))
            for n in range(data.draw(st.integers(1, 5)))
        ]
        places = tuple(place for place in range(len(made)) if data.draw(st.booleans()))
        pages.append(Page(RecordSheet(made), None if data.draw(st.booleans()) else places))
    return Records(pages), [record for page in pages for record in page]


@PROPERTY
@given(st.data())
def test_records_are_cut_parted_and_joined_as_a_list_is(data: DataObject) -> None:
    records, plain = records_of(data)
    assert (len(records), list(records), bool(records)) == (len(plain), plain, bool(plain))
    start, stop = data.draw(st.integers(-25, 25)), data.draw(st.none() | st.integers(-25, 25))
    assert list(records[start:stop]) == plain[start:stop]
    assert list(records[:3] + records[3:]) == plain
    assert records[:3] + records[3:] == records
    assert records != plain
    assert repr(records) == f"Records({', '.join(record.name for record in plain)})"
    assert records.bodies == [record.body for record in plain]
    assert list(records.arrivals) == [record.arrived for record in plain]
    assert records.lanes == {record.lane for record in plain}
    for index in range(-len(plain), len(plain)):
        assert records[index] is plain[index]
    with pytest.raises(IndexError):
        records[len(plain)]
    chosen = set(data.draw(st.lists(st.sampled_from(plain)))) if plain else set()
    for parted, wanted in (
        (records.by_record(chosen.__contains__), chosen.__contains__),
        (records.by_lane(partition(1).__eq__), lambda record: record.lane == partition(1)),
    ):
        assert [list(each) for each in parted] == [
            [record for record in plain if wanted(record)],
            [record for record in plain if not wanted(record)],
        ]


@PROPERTY
@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.integers(0, 9))
def test_what_is_after_a_position_is_what_is_beyond_it(numbers: list[int], number: int) -> None:
    records = Records.of(Record(LANE, str(n), {}, 0.0, Position(n)) for n in numbers)
    assert [record.id for record in records.after(Position(number))] == [str(n) for n in numbers if n > number]
    assert records.last == Position(numbers[-1])


@PROPERTY
@given(st.lists(st.integers(0, 2), max_size=12))
def test_runs_are_neighbours_of_one_group(groups: list[int]) -> None:
    page = Page(RecordSheet([Record(LANE, str(n), {}, 0.0) for n in range(len(groups) or 1)])).part(0, len(groups))
    runs = [(group, [record.id for record in members]) for group, members in page.runs(groups.__getitem__)]
    assert [each for group, ids in runs for each in ids] == [str(n) for n in range(len(groups))]
    assert [group for group, ids in runs for _ in ids] == groups
    assert all(one[0] != two[0] for one, two in pairwise(runs))

"""What a feed of many lanes may fetch: whatever comes and stays, no lane waits for another, and memory is bounded."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from headrace.dispatch.core.model import Lane, Position, Record
from headrace.dispatch.core.pages import Records
from headrace.pollers.core.marks import SHARE, Marks
from headrace.pollers.core.pool import Pool, weight
from support.counts import count
from support.paper import partition

LANES = [partition(number) for number in range(3)]
LIMIT, BATCH, LARGEST = 20, 5, 1000
"""Records of a fetch and of a batch; bytes of a record."""


class Traffic:
    """Fetches that bring what they may, and records that are done or stay."""

    def __init__(self, data: DataObject, cap_records: int, cap_bytes: int, pool: int) -> None:
        self.data, self.cap, self.share, self.most = data, cap_records, cap_bytes // SHARE, pool
        self.marks = Marks(cap_records, cap_bytes, pool=Pool(pool))
        self.open: dict[Lane, Records] = defaultdict(Records)
        self.next = dict.fromkeys(LANES, 0)

    def fetch(self) -> None:
        waiting = sum(len(record.body) for records in self.open.values() for record in records)
        room = self.marks.begin_fetch(LIMIT, BATCH, waiting)
        idle = {lane for lane in LANES if not self.open[lane]}
        assert not idle & room.skip, "a lane of which nothing is here waits for another"
        assert room.records >= min(BATCH, self.cap // SHARE), "what one lane has is the limit of all"
        left = room.records
        for lane in self.data.draw(st.permutations([lane for lane in LANES if lane not in room.skip])):
            brought = self.data.draw(st.sampled_from([left, left, left, left - 1, 0]))
            self.bring(lane, max(0, min(left, brought)))
            left -= max(0, min(left, brought))
        self.marks.end_fetch()
        self.check()

    def bring(self, lane: Lane, number: int) -> None:
        size = self.data.draw(st.sampled_from([10, LARGEST, LARGEST]))
        numbers = range(self.next[lane], self.next[lane] + number)
        brought = Records.of(Record(lane, str(n), {"n": "x" * (size - 8)}, 0.0, Position(n)) for n in numbers)
        self.next[lane] += number
        self.open[lane] += brought
        for page in brought.pages:
            assert self.marks.fresh(page) is page
            page.write()
            self.marks.add(page)

    def finish(self) -> None:
        lane = self.data.draw(st.sampled_from(LANES))
        first = self.data.draw(st.sampled_from([1, 1, 1, 0, 3]))
        done, self.open[lane] = self.open[lane][first:], self.open[lane][:first]
        self.marks.done(done)

    def check(self) -> None:
        for lane, records in self.open.items():
            behind = self.next[lane] - int(str(records[0].id)) if records else 0
            assert behind <= self.cap + self.cap // SHARE
        held = sum(weight(1, len(record.body)) for records in self.open.values() for record in records)
        each = weight(1, LARGEST)
        assert held <= self.most + LIMIT * each + len(LANES) * (self.share + BATCH * each)


@pytest.mark.semantics("KAFKA-31")
@settings(max_examples=count(100, 5_000), deadline=None)
@given(st.data(), st.sampled_from([80, 200]), st.sampled_from([20_000, 200_000]), st.sampled_from([1, 50_000, 1 << 30]))
def test_no_lane_waits_for_another_and_memory_is_bounded(
    data: DataObject, cap_records: int, cap_bytes: int, pool: int
) -> None:
    traffic = Traffic(data, cap_records, cap_bytes, pool)
    for step in data.draw(st.lists(st.sampled_from(["fetch"] * 7 + ["finish"]), min_size=10, max_size=60)):
        getattr(traffic, step)()

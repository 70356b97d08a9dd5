"""The watermark, which counts pages, against the plainest definition of itself, which counts records."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from headrace.dispatch.core.model import Lane, Position, Record
from headrace.dispatch.core.pages import Page, RecordSheet
from headrace.dispatch.core.watermark import Watermark
from support.counts import count

LANE = Lane("stream", "shard-1")
fetches = st.lists(
    st.tuples(st.builds(Position, st.integers(0, 60), st.integers(0, 2)), st.integers(1, 50)), max_size=9
)


class Naive:
    """Record by record."""

    def __init__(self) -> None:
        self.added: list[tuple[Record, int]] = []
        self.finished: set[Record] = set()

    def fresh(self, page: Page) -> list[Record]:
        last = self.added[-1][0].position if self.added else None
        found = []
        for record in page:
            assert record.position is not None
            if last is None or record.position > last:
                last = record.position
                found.append(record)
        return found

    def prefix(self) -> int:
        """How many from the start on are done."""
        return next((i for i, (each, _) in enumerate(self.added) if each not in self.finished), len(self.added))


@pytest.mark.semantics("RETRY-24")
@settings(max_examples=count(200, 10_000), deadline=None)
@given(
    st.data(),
    st.lists(st.sampled_from(["fetch", "done", "done"]), max_size=40),
    st.integers(1, 20),
    st.integers(1, 300),
)
def test_the_mark_is_the_end_of_the_prefix_that_is_done(
    data: DataObject, script: list[str], cap_records: int, cap_bytes: int
) -> None:
    made, naive = Watermark(cap_records, cap_bytes), Naive()
    sheets: list[RecordSheet] = []
    for action in script:
        before = naive.prefix()
        if action == "fetch":
            fetched = data.draw(fetches)
            if data.draw(st.booleans()):
                fetched.sort(key=lambda each: each[0])
            if fetched:
                sheets.append(sheet_of(fetched))
                add(data, made, naive, sheets[-1])
        elif sheets:
            page = part_of(data, data.draw(st.sampled_from(sheets)))
            known = {each for each, _ in naive.added}
            naive.finished |= set(page) & known
            assert made.done(page) == (naive.prefix() > before)
        check(made, naive, cap_records, cap_bytes)


def sheet_of(fetched: list[Any]) -> RecordSheet:
    sheet = RecordSheet([Record(LANE, str(at), {}, 0.0, position) for at, (position, _) in enumerate(fetched)])
    sheet.bodies[:] = [b"x" * size for _, size in fetched]
    return sheet


def add(data: DataObject, made: Watermark, naive: Naive, sheet: RecordSheet) -> None:
    """As a feed does: in parts, one after the other."""
    middle = data.draw(st.integers(0, len(sheet)))
    for page in (Page(sheet, range(middle)), Page(sheet, range(middle, len(sheet)))):
        fresh, expected = made.fresh(page), naive.fresh(page)
        assert list(fresh) == expected
        naive.added += [(record, len(sheet.bodies[place])) for record, place in zip(fresh, fresh.places, strict=True)]
        made.add(fresh)


def part_of(data: DataObject, sheet: RecordSheet) -> Page:
    """Neighbours, or here and there."""
    start, stop = sorted((data.draw(st.integers(0, len(sheet))), data.draw(st.integers(0, len(sheet)))))
    if data.draw(st.booleans()):
        return Page(sheet, range(start, stop))
    return Page(sheet, tuple(place for place in range(start, stop) if data.draw(st.booleans())))


def check(made: Watermark, naive: Naive, cap_records: int, cap_bytes: int) -> None:
    prefix = naive.prefix()
    left = [(each, size) for each, size in naive.added if each not in naive.finished]
    assert made.mark == (naive.added[prefix - 1][0].position if prefix else None)
    assert (made.blocker and made.blocker.position) == (left[0][0].position if left else None)
    assert made.pending == len(left)
    assert made.records == len(naive.added) - prefix
    assert made.bytes == sum(size for _, size in left)
    assert made.full == (made.records >= cap_records or made.bytes >= cap_bytes)

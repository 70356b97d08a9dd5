"""A record as it is kept: thousands of them wait in memory."""

from __future__ import annotations

import tracemalloc

from headrace.dispatch.core.model import Lane, Record


def test_what_is_kept_of_a_record_is_no_larger_than_its_text() -> None:
    records = [Record(Lane("stream"), str(n), {"data": "x" * 100}, 0.0) for n in range(1000)]
    tracemalloc.start()
    try:
        bodies = [record.body for record in records]
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 3 * sum(map(len, bodies))

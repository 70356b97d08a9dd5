"""The watermark against the plainest definition of itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dispatch.core.model import Position
from headrace.dispatch.core.watermark import Watermark
from support.counts import count

positions = st.builds(Position, st.integers(0, 30), st.integers(0, 2))
scripts = st.lists(st.tuples(st.sampled_from(["add", "add", "done"]), positions, st.integers(0, 50)), max_size=80)


class Naive:
    def __init__(self) -> None:
        self.added: list[tuple[Position, int]] = []
        self.finished: set[Position] = set()

    def prefix(self) -> int:
        """How many from the start on are done."""
        return next((i for i, (each, _) in enumerate(self.added) if each not in self.finished), len(self.added))


@pytest.mark.semantics("RETRY-24")
@settings(max_examples=count(200, 10_000), deadline=None)
@given(scripts, st.integers(1, 20), st.integers(1, 300))
def test_the_mark_is_the_end_of_the_prefix_that_is_done(
    script: list[tuple[str, Position, int]], cap_records: int, cap_bytes: int
) -> None:
    made, naive = Watermark(cap_records, cap_bytes), Naive()
    for action, position, size in script:
        before = naive.prefix()
        if action == "add":
            fresh = not naive.added or position > naive.added[-1][0]
            assert made.add(position, size) == fresh
            if fresh:
                naive.added.append((position, size))
        else:
            naive.finished |= {position} & {each for each, _ in naive.added}
            assert made.done(position) == (naive.prefix() > before)
        check(made, naive, cap_records, cap_bytes)


def check(made: Watermark, naive: Naive, cap_records: int, cap_bytes: int) -> None:
    prefix = naive.prefix()
    left = [(each, size) for each, size in naive.added if each not in naive.finished]
    assert made.mark == (naive.added[prefix - 1][0] if prefix else None)
    assert (made.blocker and made.blocker.position) == (left[0][0] if left else None)
    assert made.pending == len(left)
    assert made.records == len(naive.added) - prefix
    assert made.bytes == sum(size for _, size in left)
    assert made.full == (made.records >= cap_records or made.bytes >= cap_bytes)

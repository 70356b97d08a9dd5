"""When it is told that one record holds a full lane."""

from __future__ import annotations

import pytest

from headrace.dispatch.core.model import Lane, Position
from headrace.dispatch.core.watermark import Blocker
from headrace.pollers.core.blockage import BLOCKED_AFTER, Blockage
from headrace.pollers.core.marks import Stuck


def stuck(number: int, shard: str = "shard-1") -> Stuck:
    return Stuck(Lane("stream", shard), Blocker(Position(number), f"key-{number}"), 10)


@pytest.mark.semantics("STREAM-53")
def test_it_is_told_once_and_after_a_while() -> None:
    blockage = Blockage()
    assert blockage.due(stuck(1), 5.0) is None
    assert blockage.due(stuck(1), 4.9 + BLOCKED_AFTER) is None
    assert blockage.due(stuck(1), 5.0 + BLOCKED_AFTER) == stuck(1)
    assert blockage.due(stuck(1), 1000.0) is None
    assert blockage.due(None, 1001.0) is None
    assert blockage.due(stuck(1), 1002.0) is None
    assert blockage.due(stuck(1), 2000.0) is None


def test_a_lane_that_is_only_busy_is_not_told() -> None:
    blockage = Blockage()
    for second in range(0, 1000, 20):
        assert blockage.due(stuck(second), float(second)) is None


def test_another_record_and_another_lane_are_told_too() -> None:
    blockage = Blockage()
    for start, each in [(0.0, stuck(1)), (100.0, stuck(2)), (200.0, stuck(2, "shard-2"))]:
        assert blockage.due(each, start) is None
        assert blockage.due(each, start + BLOCKED_AFTER) == each

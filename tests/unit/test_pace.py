"""The moments at which all feeds store their positions."""

from __future__ import annotations

import pytest

from headrace.pollers.core.pace import EVERY, Pace


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ([5.0], [5.0]),
        ([5.0, 5.0], [5.0, 5.0]),
        ([5.0, 5.01, 5.02], [5.0, 5.0 + EVERY, 5.0 + EVERY]),
        ([5.0, 5.01, 5.0 + EVERY, 5.2], [5.0, 5.0 + EVERY, 5.0 + EVERY, 5.0 + 2 * EVERY]),
        ([5.0, 5.01, 9.0], [5.0, 5.0 + EVERY, 9.0]),
    ],
)
def test_a_moment_is_now_or_the_next_of_all(asked: list[float], told: list[float]) -> None:
    pace = Pace()
    assert [pace.moment(now) for now in asked] == told

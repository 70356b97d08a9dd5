"""Trying again at the edge, with the caller's sleep and jitter."""

from __future__ import annotations

import pytest

from headrace.config.clients import retry
from headrace.config.errors import SourceMissing, SourceUnavailable


@pytest.mark.parametrize(
    ("attempt", "jitter", "expected"),
    [(1, 0.0, 0.1), (1, 1.0, 0.2), (2, 0.0, 0.2), (3, 0.5, 0.6), (6, 0.0, 2.5), (7, 1.0, 5.0), (10_000, 0.0, 2.5)],
)
def test_delay(attempt: int, jitter: float, expected: float) -> None:
    assert retry.delay(attempt, jitter) == pytest.approx(expected)


class Edge:
    """Fails a given number of times, and remembers what was slept."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def call(self, attempts: int) -> str:
        async for attempt in retry.retrying(attempts, lambda: 0.0, sleep=self.sleep):
            with attempt:
                self.calls += 1
                if self.failures:
                    raise self.failures.pop(0)
        return "done"


async def test_passing_faults_are_tried_again_with_growing_delays() -> None:
    edge = Edge(SourceUnavailable("1"), SourceUnavailable("2"))
    assert await edge.call(3) == "done"
    assert edge.calls == 3
    assert edge.slept == pytest.approx([0.1, 0.2])


async def test_the_last_failure_is_the_callers() -> None:
    edge = Edge(SourceUnavailable("1"), SourceUnavailable("2"), SourceUnavailable("3"))
    with pytest.raises(SourceUnavailable, match="2"):
        await edge.call(2)
    assert edge.calls == 2


@pytest.mark.parametrize("failure", [SourceMissing("gone"), KeyError("ours")])
async def test_nothing_else_is_tried_again(failure: Exception) -> None:
    edge = Edge(failure)
    with pytest.raises(type(failure)):
        await edge.call(5)
    assert edge.calls == 1
    assert edge.slept == []

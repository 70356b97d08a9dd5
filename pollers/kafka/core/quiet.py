"""Finds partitions that have records but return none: pure.

A broker answers each fetch of a partition within a second, with or without records. So a partition without any answer
has no leader, or is damaged on its broker's disk: the client tries again forever, without an error.
Used by `reader.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Generic, TypeVar

PATIENCE = 15.0
"""Seconds: longer than a leader needs to change, and than the source lets pass between two looks at the brokers."""

P = TypeVar("P", bound=Hashable)


class Quiet(Generic[P]):
    """Asked after each fetch."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._answers: dict[P, object] = {}
        self._heard: dict[P, float] = {}
        self._asked = -float("inf")

    def after(
        self, now: float, answers: Mapping[P, object], fed: Collection[P], behind: Collection[P], *, full: bool
    ) -> list[P]:
        """Those that have been quiet for too long.

        answers   of each partition that is asked for, what tells its last answer from the one before
        fed       those that gave records
        behind    those that have records which they did not give: their answers do not count
        full      the fetch took as much as it may: others may have been left out
        """
        if full or now - self._asked > self._patience / 2:  # a partition that was not asked for cannot have answered
            self._heard.clear()
        self._asked = now
        for each, answer in answers.items():
            answered = answer != self._answers.get(each) and each not in behind
            if each in fed or answered or each not in self._heard:
                self._heard[each] = now
        self._answers = dict(answers)
        self._heard = {each: at for each, at in self._heard.items() if each in answers}
        return [each for each, at in self._heard.items() if now - at >= self._patience]

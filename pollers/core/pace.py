"""When feeds store the positions that moved: in common moments, so that the store makes all of them durable at once.
Pure.

    asked ── the last moment is EVERY ago ──► now
      └───── it is not ──► the next moment, for all who ask until then

One object for all mappings of the daemon. `committer.py` is the only user.
"""

from __future__ import annotations

from math import inf

EVERY = 0.125
"""Seconds from one moment to the next. A crash repeats so much more at most."""


class Pace:
    def __init__(self) -> None:
        self._moment = -inf

    def moment(self, now: float) -> float:
        """When to store what moved until now: `now`, or later. Both are seconds of the same clock. A feed stores at the
        moment that it was told, without asking again."""
        if now > self._moment:
            self._moment = max(now, self._moment + EVERY)
        return self._moment

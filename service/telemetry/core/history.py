"""How a mapping did over the last hour, in steps: pure, in bounded memory.

    sample, every STEP seconds ──► History ──series──► /v1/history, the page

A step holds the rates between two samples, and the lag at its end. A step in which nobody looked (a machine that slept)
is empty. So the last step is always the newest, and all of them are STEP seconds apart.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import pairwise
from math import ceil, isnan, nan

from .rates import COUNTED

STEP = 10.0
"""Seconds between two samples."""
STEPS = 360
"""That are remembered: an hour."""
SERIES = (*COUNTED, "lag_records", "lag_seconds")
"""Rates in records a second, then lags as in `FlowView`."""
LAGS = SERIES[len(COUNTED) :]


class History:
    """The last hour of one mapping, about 10 KiB. `began`: when counting began (monotonic)."""

    __slots__ = ("_at", "_number", "_series", "_totals")

    def __init__(self, began: float) -> None:
        self._at = began
        self._number = 0
        """The number of the next step, counted from the first."""
        self._totals: Sequence[int] = (0,) * len(COUNTED)
        self._series = {name: array("f") for name in SERIES}

    def sample(self, totals: Sequence[int], lag_records: int | None, lag_seconds: float | None, now: float) -> None:
        """`totals`: how many records of each COUNTED there were in all. A sample that comes too early is none."""
        passed = now - self._at
        steps = round(passed / STEP)
        if steps < 1:
            return
        for _ in range(min(steps - 1, STEPS)):
            self._put([nan] * len(SERIES))
        rates = [(total - before) / passed for total, before in zip(totals, self._totals, strict=True)]
        self._put([*rates, *(nan if lag is None else lag for lag in (lag_records, lag_seconds))])
        self._at, self._totals = now, totals

    def series(self, points: int = STEPS) -> dict[str, list[float | None]]:
        """By name, the oldest first: `points` at most, each of `width(points)` steps, the newest perhaps of fewer. A
        rate is their mean, a lag their highest; None where nothing is known."""
        return {name: [_joined(name, part) for part in self._parts(name, width(points))] for name in SERIES}

    def _parts(self, name: str, wide: int) -> list[array[float]]:
        """Cut where the count of steps is a multiple of the width, so that a step never moves from one to another."""
        values = self._series[name]
        first = self._number - len(values)
        edges = [*range(first + -first % wide, self._number, wide), self._number]
        return [values[begin - first : end - first] for begin, end in pairwise(edges)]

    def _put(self, values: Sequence[float]) -> None:
        for series, value in zip(self._series.values(), values, strict=True):
            series.append(value)
            if len(series) > STEPS:
                del series[0]
        self._number += 1


def width(points: int) -> int:
    """Steps of one point."""
    return ceil(STEPS / points)


def _joined(name: str, values: array[float]) -> float | None:
    known = [value for value in values if not isnan(value)]
    if not known:
        return None
    return round(max(known) if name in LAGS else sum(known) / len(known), 3)

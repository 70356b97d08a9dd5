"""The numbers of metrics: counts, levels and distributions, which grow to samples when somebody looks. Pure.

A mapping has about fifty of them from its start, so each is as small as it can be: the library's own have a lock and
a dictionary each, and take 55 KB a mapping. Used by `metrics.py`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from math import inf
from typing import NamedTuple


class NumberSample(NamedTuple):
    """One sample of a number, without the labels that the number has as a whole."""

    suffix: str
    """What is added to the metric's name."""
    below: float | None
    """The upper bound of a bucket; None for what is none."""
    value: float


class Count:
    """A number that grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, by: float = 1) -> None:
        self.value += by

    def samples(self) -> Iterator[NumberSample]:
        yield NumberSample("_total", None, self.value)


class Level:
    """A number that goes up and down."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def set(self, value: float) -> None:
        self.value = float(value)

    def samples(self) -> Iterator[NumberSample]:
        yield NumberSample("", None, self.value)


class Distribution:
    """How often which sizes were seen: counts of buckets, each up to its bound, and one above all bounds."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """`bounds`: ascending."""
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, size: float) -> None:
        self._counts[bisect_left(self._bounds, size)] += 1
        self._sum += size

    def samples(self) -> Iterator[NumberSample]:
        up_to = 0
        for bound, count in zip((*self._bounds, inf), tuple(self._counts), strict=True):
            up_to += count
            yield NumberSample("_bucket", bound, float(up_to))
        yield NumberSample("_count", None, float(up_to))
        yield NumberSample("_sum", None, self._sum)

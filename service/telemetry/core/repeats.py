"""Limits repeated log lines. Pure. The log asks before each line that may repeat.

A lasting fault produces the same line hundreds of times. The first line is logged at once, then one per window with the
number of omitted lines. A function's output is limited in lines per second instead.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from ....dispatch.core.token_bucket import TokenBucket

REMEMBERED = 1000
"""Maximum number of remembered keys; the oldest is dropped."""

LINE = 512
"""Characters that count as one more line."""


@dataclass(slots=True)
class _Repeated:
    at: float
    left_out: int = 0


class Repeats:
    """Once per `window` seconds for each key."""

    def __init__(self, window: float = 30.0) -> None:
        self._window = window
        self._said: OrderedDict[Hashable, _Repeated] = OrderedDict()

    def admit(self, key: Hashable, now: float) -> int | None:
        """None: leave the line out. A number: log it, with this number of omitted lines."""
        said = self._said.get(key)
        if said is not None and now - said.at < self._window:
            said.left_out += 1
            return None
        self._said[key] = _Repeated(now)
        self._said.move_to_end(key)
        if len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        return said.left_out if said is not None else 0

    def forget(self, key: Hashable) -> None:
        """The condition is over: its next line is logged at once."""
        self._said.pop(key, None)


class Flow:
    """At most `rate` lines a second on average, `burst` at once. A long line counts as several."""

    def __init__(self, rate: float, burst: float) -> None:
        self._bucket = TokenBucket(rate, burst)
        self._left_out = 0

    def admit(self, now: float, length: int = 0) -> int | None:
        """None: leave the line out. A number: log it, after this many omitted lines. `length` in characters."""
        # After a flood, wait for a tenth of the burst: else every second line would report omitted lines.
        if self._bucket.level(now) < (self._bucket.burst / 10 if self._left_out else 1.0):
            self._left_out += 1
            return None
        self._bucket.take(1.0 + length / LINE)
        left_out, self._left_out = self._left_out, 0
        return left_out

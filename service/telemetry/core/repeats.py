"""How often the same thing is said: pure. `log.py` asks before each line that may repeat.

A fault that lasts says the same hundreds of times. The first time is said at once, then once per window with the
number of times it was left out. What a function prints is bounded in lines per second instead.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from ....dispatch.core.token_bucket import TokenBucket

REMEMBERED = 1000
"""Different things of which is remembered when they were last said; the oldest is forgotten."""

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
        """None: it was said just now, leave it out. A number: say it, and that it was left out so many times."""
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
        """It is over: when it comes again, it is news."""
        self._said.pop(key, None)


class Flow:
    """At most `rate` lines a second on the long run, `burst` at once. A long line counts as several."""

    def __init__(self, rate: float, burst: float) -> None:
        self._bucket = TokenBucket(rate, burst)
        self._left_out = 0

    def admit(self, now: float, length: int = 0) -> int | None:
        """None: one line too many. A number: pass it on, after so many that were left out. `length` in characters."""
        # After a flood it takes a tenth of the burst to begin again: else every other line would be a remark.
        if self._bucket.level(now) < (self._bucket.burst / 10 if self._left_out else 1.0):
            self._left_out += 1
            return None
        self._bucket.take(1.0 + length / LINE)
        left_out, self._left_out = self._left_out, 0
        return left_out

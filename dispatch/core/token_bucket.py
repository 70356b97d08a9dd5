"""A token bucket: an average rate per second, and a reserve for bursts. Pure.

Used where a function's output is read (`invokers/local/output.py`) and where its lines are logged.
"""

from __future__ import annotations


class TokenBucket:
    """Holds at most `burst` tokens, is full at first, and gains `rate` a second."""

    def __init__(self, rate: float, burst: float) -> None:
        self.burst = burst
        self._rate = rate
        self._tokens = burst
        self._at: float | None = None

    def level(self, now: float) -> float:
        """Tokens that are there. `now` is in seconds of any clock that does not go back."""
        if self._at is not None:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return self._tokens

    def take(self, tokens: float) -> None:
        """Takes tokens even when too few are left: the debt is gained back first."""
        self._tokens -= tokens

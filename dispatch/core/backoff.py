"""The delay after a failure. A leaf: used by the planner and by every loop that tries again.

The form is "equal jitter": half of the exponential delay is certain, the other half is drawn, so that several daemons
do not retry in step and yet none retries at once.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """`base` seconds after the first failure, `factor` times as many after each further one, never more than `cap`.

    AWS does not publish its constants; these fit the observed eight calls in a minute.
    """

    base: float = 0.5
    factor: float = 2.0
    cap: float = 30.0

    def ceiling(self, failures: int) -> float:
        """The longest delay after `failures` failures in a row; 0 when there was none."""
        if failures < 1 or self.base <= 0:
            return 0.0
        try:
            return min(self.cap, self.base * self.factor ** (failures - 1))
        except OverflowError:
            return self.cap

    def delay(self, failures: int, jitter: float) -> float:
        """Seconds to wait after `failures` failures in a row: all of the ceiling for `jitter` 0, half of it for 1."""
        return self.ceiling(failures) * (1.0 - jitter / 2.0)

"""How the seconds of a stop are shared out: pure. Each part of a stop gets its end time from here.

    signal ──FINISH──► cut ──WRITE──► ──SETTLE──► ──CLOSE──► ──SEND──► ──LEAVE──► the process has ended
             invocations    documents  the source   readers,   lines to   stores, clients,
             end alone      of discards is told      functions  CloudWatch our own lines

A phase that is done early ends early. What is late has the time up to the end of its phase and no more, so that a part
which hangs costs the phases after it nothing. `service/wiring/life.py` begins the daemon's stop,
`pollers/supervisor.py` that of a single mapping.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Self

LEAST = 1.0
"""Minimum seconds of a complete stop: fates must be settled, and processes ended."""
MOST = 5.0
"""Maximum seconds for all phases after FINISH: a part that has not answered by then will not answer."""
SHARES = {"write": 0.2, "settle": 0.25, "close": 0.2, "send": 0.15, "leave": 0.2}
"""Each phase's share of the time that comes after FINISH."""
PATIENCE = 5.0
"""Maximum seconds for the work at an end, however long the stop may be: a part that has not answered by then will not
answer."""
IN_PASSING = 0.3
"""Seconds for closing a client that was made for a question or two, whenever that is: less than any stop has."""


@dataclass(frozen=True, slots=True)
class StopTimes:
    """When each phase is over, in seconds of the monotonic clock."""

    finish: float
    """Invocations in flight are ended, and polls."""
    write: float
    """The daemon waits for no document of a discard any more."""
    settle: float
    """No fate is settled any more, and no position is stored."""
    close: float
    """Readers, sources and functions are abandoned, closed or not."""
    send: float
    """The last lines of functions are not sent any more."""
    leave: float
    """The process has ended."""


@dataclass(frozen=True, slots=True)
class StopBudget:
    """The length of each phase, in seconds."""

    finish: float
    write: float
    settle: float
    close: float
    send: float = 0.0
    leave: float = 0.0

    @classmethod
    def of_daemon(cls, seconds: float) -> Self:
        """A stop of the whole daemon in so many seconds (`stop_timeout`), but not less than LEAST. A quarter is for
        what comes after FINISH, as far as that is between LEAST and MOST."""
        whole = max(seconds, LEAST)
        rest = min(max(whole / 4, LEAST), MOST)
        return cls(whole - rest, **{phase: rest * share for phase, share in SHARES.items()})

    @classmethod
    def of_mapping(cls, finish: float) -> Self:
        """A stop of one mapping while the daemon goes on: no caller waits for it, so the source has more time."""
        return cls(finish, write=1.0, settle=4.0, close=1.0)

    @property
    def whole(self) -> float:
        return self.finish + self.write + self.settle + self.close + self.send + self.leave

    @property
    def last_resort(self) -> float:
        """Seconds from the signal after which each remaining part is abandoned, whatever it does. Early in LEAVE:
        a machine that has much else to do takes a while to end a process."""
        return self.whole - 0.75 * self.leave

    def begin(self, now: float) -> StopTimes:
        """A stop that begins at `now` (monotonic)."""
        finish = now + self.finish
        write = finish + self.write
        settle = write + self.settle
        close = settle + self.close
        send = close + self.send
        return StopTimes(finish, write, settle, close, send, now + self.whole)


NEVER = StopTimes(inf, inf, inf, inf, inf, inf)
"""The times while nothing stops."""


def soon(end: float, now: float) -> float:
    """By when something must be done that is done at an end: of a phase of a stop, or of a part that ends alone, while
    all others go on (`end` is infinite then)."""
    return min(end, now + PATIENCE)

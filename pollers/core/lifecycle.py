"""The states of a mapping, and which may follow which: pure.

    WAITING <----> POLLING ----> STOPPING ----> STOPPED
       |                            ^              ^
       +----------------------------+--------------+

A WAITING mapping names what it waits for: its source, or its function.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ...config.reasons import Reason


class PollState(Enum):
    WAITING = "waiting"
    POLLING = "polling"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a mapping, with its reason."""

    state: PollState
    reason: Reason | None = None
    """Why it waits; None when it polls, or when the reason is not known yet."""
    for_function: bool = False
    """Whether it waits for its function, not for its source."""

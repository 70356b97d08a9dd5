"""The states of a mapping, and which may follow which: pure.

    WAITING <----> POLLING ----> STOPPING ----> STOPPED
       |                            ^              ^
       +----------------------------+--------------+

A WAITING mapping names what it waits for: its source, or its function.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class PollState(Enum):
    WAITING = "waiting"
    POLLING = "polling"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Status:
    """Where a mapping stands."""

    state: PollState
    reason: str = ""
    """Why it waits, for people; empty when it polls."""

"""The states of a mapping, and which may follow which: pure.

    WAITING <----> POLLING ----> STOPPING ----> STOPPED
       |                            ^              ^
       +----------------------------+--------------+

A WAITING mapping names what it waits for: its source, or its function.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    WAITING = "waiting"
    POLLING = "polling"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Status:
    """Where a mapping stands."""

    state: State
    reason: str = ""
    """Why it waits, for people; empty when it polls."""

    @property
    def ready(self) -> bool:
        """Whether it polls, or waits for something that it can name."""
        return self.state is State.POLLING or bool(self.reason)


NEXT: dict[State, frozenset[State]] = {
    State.WAITING: frozenset({State.WAITING, State.POLLING, State.STOPPING, State.STOPPED}),
    State.POLLING: frozenset({State.WAITING, State.POLLING, State.STOPPING}),
    State.STOPPING: frozenset({State.STOPPED}),
    State.STOPPED: frozenset(),
}


def may_follow(before: State, after: State) -> bool:
    return after in NEXT[before]

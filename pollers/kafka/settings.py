"""A mapping's settings for its topic, with their limits. Used by `source.py` and `reader.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LOOK = 10.0
"""Seconds between two looks at the topic, and at the brokers that are needed for it."""
WITHDRAW = 5.0
"""Seconds that invocations in flight get when their partitions are taken away. Well below the rebalance timeout."""
REBALANCE_TIMEOUT = 30_000
SESSION_TIMEOUT = 10_000
HEARTBEAT = 3_000
"""Milliseconds. aiokafka's rebalance timeout would be the session's, too short to give anything back in."""


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """A mapping's settings for its topic."""

    mapping: str
    source: str
    """The cluster's ARN, or its bootstrap servers; with the topic it names the lanes' source."""
    topic: str
    group: str
    start: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"] = "TRIM_HORIZON"
    start_at: float | None = None
    """Wall-clock seconds, for AT_TIMESTAMP."""
    pollers: tuple[int, int] = (1, 1)
    """Members of the group in this daemon, at least and at most; never more than there are partitions. One where no
    group is joined."""
    joins: bool = True
    """Whether the group is joined and its offsets are stored. Otherwise everything is read from the start, and nothing
    is committed."""
    look: float = LOOK
    withdraw: float = WITHDRAW
    session_timeout: int = SESSION_TIMEOUT
    rebalance_timeout: int = REBALANCE_TIMEOUT
    heartbeat: int = HEARTBEAT

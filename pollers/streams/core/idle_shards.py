"""How long a shard with nothing new rests between two looks at it, where no service says how often it may be asked.

AWS looks once a second at a Kinesis shard, and four times at one of DynamoDB. Beside an emulator somebody waits for the
result. So few shards are looked at more often, and many share what a tenth of a core can do at most. One object for
all streams of the daemon; used by `polled_shard.py`.
"""

from __future__ import annotations

from collections.abc import Hashable

SHORTEST = 0.2
"""Seconds; five calls a second are what a shard allows."""
LONGEST = 1.0
"""Seconds, however many shards there are."""
LOOKS = 100
"""A second, at all shards together, until each has the longest pause."""


class IdleShards:
    """Counts the shards that are read."""

    def __init__(self) -> None:
        self._shards: set[Hashable] = set()

    def joined(self, shard: Hashable) -> None:
        """It is read from now on; once or often."""
        self._shards.add(shard)

    def left(self, shard: Hashable) -> None:
        """It is read no more. One that never joined may leave."""
        self._shards.discard(shard)

    @property
    def pause(self) -> float:
        """Seconds from the beginning of one look at a shard to that of the next."""
        return min(max(len(self._shards) / LOOKS, SHORTEST), LONGEST)

"""AWS's quotas, per second: counted over the second that has just passed, by the stub's clock."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls per second of each kind, and bytes that one shard gives."""

    gets: int = 5
    """GetRecords of Kinesis, per shard."""
    iterators: int = 5
    """GetShardIterator of Kinesis, per shard."""
    lists: int = 1000
    """ListShards, per stream."""
    describes: int = 10
    """DescribeStream of either service, in all."""
    summaries: int = 20
    """DescribeStreamSummary, in all."""
    consumers: int = 20
    """DescribeStreamConsumer, in all."""
    bytes: int = 2 * MIB
    """What GetRecords brings, per shard; whoever reads more in a second waits until it is paid for."""


class Meter:
    """What was used in the last second."""

    def __init__(self) -> None:
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._bytes: dict[str, deque[tuple[float, int]]] = defaultdict(deque)
        self._closed: dict[str, float] = {}

    def admits(self, key: str, rate: int, now: float) -> bool:
        """Count one call, unless there were `rate` in the last second already."""
        calls = self._calls[key]
        while calls and calls[0] <= now - 1:
            calls.popleft()
        if len(calls) >= rate:
            return False
        calls.append(now)
        return True

    def open(self, key: str, now: float) -> bool:
        """Whether what was read is paid for."""
        return self._closed.get(key, 0.0) <= now

    def read(self, key: str, size: int, rate: int, now: float) -> None:
        reads = self._bytes[key]
        while reads and reads[0][0] <= now - 1:
            reads.popleft()
        reads.append((now, size))
        if (total := sum(each for _, each in reads)) > rate:
            self._closed[key] = now + total / rate

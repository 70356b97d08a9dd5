"""Limits the invocations of one function at a time, and decides which mapping invokes next. Pure.

    asked ──► granted, if one is free and nobody waits
          └─► waits in its mapping's queue ──► granted, when one is given back ──► given back
                                          └──► withdrawn

The mappings that wait take turns, each with the request that it made first. So a mapping that waits sees each other one
served at most once before it is served itself, however many requests that one has. `permits.Permits` does the waiting.
"""

from __future__ import annotations

from collections import OrderedDict, deque


class PermitTurns:
    """At most `limit` at a time (None: no limit of ours; the remote side decides).

    A 429 lowers the number by one (never below one), a success raises it by one, up to `limit`. Where a method gives
    numbers, these requests waited and are granted now.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._allowed: int | None = limit
        self._taken = 0
        self._asked = 0
        self._queues: OrderedDict[str, deque[int]] = OrderedDict()

    @property
    def taken(self) -> int:
        return self._taken

    @property
    def allowed(self) -> int | None:
        """How many may run now; None for no limit."""
        return self._allowed

    @property
    def slack(self) -> bool:
        """Whether a permit is free. Then nobody waits for one: it would be granted already."""
        return self._allowed is None or self._taken < self._allowed

    def ask(self, mapping: str) -> int | None:
        """None: it has its permit. Else the number of its request, which waits."""
        if self.slack:
            self._taken += 1
            return None
        self._asked += 1
        self._queues.setdefault(mapping, deque()).append(self._asked)
        return self._asked

    def withdraw(self, mapping: str, number: int) -> None:
        """This request is withdrawn: its caller needs no permit any more."""
        queue = self._queues[mapping]
        queue.remove(number)
        if not queue:
            del self._queues[mapping]

    def give_back(self) -> list[int]:
        """A permit is given back."""
        self._taken -= 1
        return self._grant()

    def relimit(self, limit: int | None) -> list[int]:
        """Change the limit. Running invocations continue."""
        if limit != self._limit:
            self._limit = self._allowed = limit
        return self._grant()

    def throttled(self) -> None:
        """The service had no room for an invocation (whose permit is back already): one fewer at a time from now on."""
        self._allowed = max(1, self._taken if self._allowed is None else self._allowed - 1)

    def succeeded(self) -> list[int]:
        if self._allowed is not None and (self._limit is None or self._allowed < self._limit):
            self._allowed += 1
        return self._grant()

    def _grant(self) -> list[int]:
        granted = []
        while self._queues and self.slack:
            mapping, queue = self._queues.popitem(last=False)
            granted.append(queue.popleft())
            if queue:
                self._queues[mapping] = queue  # to the end of the round: fair over mappings, in order within one
            self._taken += 1
        return granted

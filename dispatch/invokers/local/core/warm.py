"""Which environments stay warm: over all functions so many, the ones that were used last. Pure.

Only those that are idle are counted here, so none ends that is in use. A pool says when one becomes idle and when it is
taken or ends; how one ends is the pool's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable


class Warm:
    """`most`: environments that may be idle at a time; None for any number."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._idle: dict[Hashable, Callable[[], None]] = {}
        """The one that has been idle for longest first; each with what lets go of it."""

    def __len__(self) -> int:
        return len(self._idle)

    def add(self, environment: Hashable, let_go: Callable[[], None]) -> None:
        """It is idle from now on. Lets go of others, or of this one, where they are too many."""
        self._idle[environment] = let_go
        while self._most is not None and len(self._idle) > self._most:
            self._idle.pop(next(iter(self._idle)))()

    def remove(self, environment: Hashable) -> None:
        """It is in use, or ends. One that is not idle may be removed."""
        self._idle.pop(environment, None)

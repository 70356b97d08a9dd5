"""Decides which idle environments stay warm: a limited number over all functions, the most recently used. Pure.

Only those that are idle are counted here, so none ends that is in use. A pool says when one becomes idle and when it is
taken or ends; how one ends is the pool's.

An environment that served no event has only proved that its function starts. A hundred functions prove that when the
daemon starts, and most of them then wait: few such environments stay, for the functions whose events come at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

UNUSED = 8
"""Environments that have served nothing yet and may be idle at a time, over all functions."""


class Warm:
    """`most`: environments that may be idle at a time; None for any number. `unused`: how many of them unused."""

    def __init__(self, most: int | None = None, unused: int = UNUSED) -> None:
        self._most = most
        self._most_unused = unused
        self._idle: dict[Hashable, Callable[[], None]] = {}
        """Idle environments, longest idle first, each with the function that releases it."""
        self._unused: dict[Hashable, None] = {}
        """Those of them that served nothing, in the same order."""

    def __len__(self) -> int:
        return len(self._idle)

    def add(self, environment: Hashable, let_go: Callable[[], None], *, used: bool = True) -> None:
        """The environment is idle from now on. Releases others, or this one, when there are too many."""
        self._idle[environment] = let_go
        if not used:
            self._unused[environment] = None
        while len(self._unused) > self._most_unused:
            self._let_go(next(iter(self._unused)))
        while self._most is not None and len(self._idle) > self._most:
            self._let_go(next(iter(self._idle)))

    def remove(self, environment: Hashable) -> None:
        """The environment is in use, or ends. One that is not idle may be removed too."""
        self._idle.pop(environment, None)
        self._unused.pop(environment, None)

    def _let_go(self, environment: Hashable) -> None:
        let_go = self._idle[environment]
        self.remove(environment)
        let_go()

"""Running calls: each with its deadline, all ended when the invoker is closed. Used by every invoker here
that has no process of its own to end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from io import BytesIO
from math import inf
from typing import TypeVar

import anyio

T = TypeVar("T")

AT_ONCE = 1024 * 1024  # bytes that aiohttp writes in one step; above, it warns that the event loop is blocked meanwhile


def in_pieces(payload: bytes) -> bytes | BytesIO:
    """`payload` in the form in which aiohttp sends it without holding up the loop."""
    return payload if len(payload) <= AT_ONCE else BytesIO(payload)


@dataclass(frozen=True, slots=True)
class Expired:
    """The deadline passed first."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The invoker was closed, before the call or in the middle of it."""

    started: bool


class Calls:
    """`run` runs a call; `close` ends running calls and refuses later ones."""

    def __init__(self, deadline: float | None) -> None:
        """`deadline` in seconds from the start of each call; None for none."""
        self._deadline = inf if deadline is None else deadline
        self._scopes: set[anyio.CancelScope] = set()
        self._closed = False

    @property
    def running(self) -> int:
        return len(self._scopes)

    async def run(self, call: Callable[[], Awaitable[T]]) -> T | Expired | Closed:
        if self._closed:
            return Closed(started=False)
        with anyio.move_on_after(self._deadline) as scope:
            self._scopes.add(scope)
            try:
                return await call()
            finally:
                self._scopes.discard(scope)
        return Closed(started=True) if self._closed else Expired()

    def close(self) -> None:
        self._closed = True
        for scope in self._scopes:
            scope.cancel()

"""Closes all that a daemon opened: in order, shielded from cancellation, and never beyond the end of the stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import anyio


@asynccontextmanager
async def bounded_exits(until: Callable[[], float]) -> AsyncIterator[AsyncExitStack]:
    """An exit stack whose callbacks share one deadline: `until` is called when they begin, and returns the time by
    which they must be finished (monotonic). Callbacks after the deadline still run, but wait for nothing."""
    stack = AsyncExitStack()
    try:
        yield stack
    finally:
        with anyio.CancelScope(shield=True, deadline=until()):
            await stack.aclose()

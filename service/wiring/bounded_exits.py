"""The end of what a daemon has opened: in order, in spite of a cancellation, and never beyond the end of the stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import anyio


@asynccontextmanager
async def bounded_exits(until: Callable[[], float]) -> AsyncIterator[AsyncExitStack]:
    """An exit stack whose callbacks share one deadline: `until` is asked when they begin, and says by when they must be
    over (monotonic). Those that are still to come then run too, but wait for nothing."""
    stack = AsyncExitStack()
    try:
        yield stack
    finally:
        with anyio.CancelScope(shield=True, deadline=until()):
            await stack.aclose()

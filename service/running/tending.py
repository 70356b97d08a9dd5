"""Restarts a part of the daemon after a fault of ours, so that the fault ends no other part."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from ...dispatch.core.backoff import Backoff

AGAIN = Backoff(base=1.0, cap=30.0)
"""Seconds before a part restarts after a fault."""
LONG_LIFE = 60.0
"""Seconds without a fault after which the pauses start from the shortest again."""

Fault = Callable[[str, Exception], object]
"""Gets the part and its fault."""


def raised(part: str, error: Exception) -> None:
    """Ignores the fault."""
    raise error


async def tended(part: str, run: Callable[[], Awaitable[object]], fault: Fault) -> None:
    """Run the part to its end; after a fault, run it again."""
    failures = 0
    while True:
        began = anyio.current_time()
        try:
            await run()
        except Exception as error:
            fault(part, error)
        else:
            return
        failures = 1 if anyio.current_time() - began > LONG_LIFE else failures + 1
        await anyio.sleep(AGAIN.ceiling(failures))

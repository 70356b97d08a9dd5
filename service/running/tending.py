"""What runs beside the mappings goes on after a fault of ours, and ends nobody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from ...dispatch.core.backoff import Backoff

AGAIN = Backoff(base=1.0, cap=30.0)
"""Before a part that met a fault begins again."""
LONG_LIFE = 60.0
"""Seconds after which a fault has nothing to do with the one before it."""

Fault = Callable[[str, Exception], object]
"""Is told which part met which fault."""


def raised(part: str, error: Exception) -> None:
    """Where nobody else wants to hear of it."""
    raise error


async def tended(part: str, run: Callable[[], Awaitable[object]], fault: Fault) -> None:
    """Run it to its end; after a fault, again."""
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

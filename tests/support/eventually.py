"""Wait for something that another process does, without guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio

PATIENCE = 60.0
"""Seconds after which a test gives up; never what a test asserts."""


def eventually(condition: Callable[[], object], what: str = "", patience: float = PATIENCE) -> None:
    """Return as soon as the condition holds."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"did not happen: {what or condition}"
        time.sleep(0.02)


async def eventually_async(
    condition: Callable[[], Awaitable[object]], what: str = "", patience: float = PATIENCE
) -> None:
    """`eventually` for a condition that has to be awaited."""
    end = time.monotonic() + patience
    while not await condition():
        assert time.monotonic() < end, f"did not happen: {what or condition}"
        await anyio.sleep(0.02)

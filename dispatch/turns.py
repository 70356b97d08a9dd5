"""Limits how many tasks run at a time. A task that takes too long gives up its place, so that others can begin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


@asynccontextmanager
async def turn(places: anyio.CapacityLimiter, seconds: float) -> AsyncIterator[None]:
    """One of the places, waited for in turn. It is given up when the block ends, or after so many seconds of it."""
    place = object()
    await places.acquire_on_behalf_of(place)
    held = [place]

    def give_up() -> None:
        if held:
            places.release_on_behalf_of(held.pop())

    timer = asyncio.get_running_loop().call_later(seconds, give_up)
    try:
        yield
    finally:
        timer.cancel()
        give_up()

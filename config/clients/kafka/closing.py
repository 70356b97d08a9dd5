"""The end of clients: to brokers that are silent they say good-bye for much longer than anybody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import anyio

CLOSING = 3.0
"""Seconds for which the end of a client is waited for. One whose broker is silent ends by itself, later."""

_ending: set[asyncio.Task[None]] = set()


async def closed(ending: Coroutine[Any, Any, None]) -> None:
    """Whatever becomes of who waits for it. It is never cut off in the middle, which would leave the client's own tasks
    at work."""
    task = asyncio.create_task(ending)
    _ending.add(task)
    task.add_done_callback(_over)
    with anyio.CancelScope(shield=True):
        await asyncio.wait({task}, timeout=CLOSING)
    if task.done():
        task.result()


def _over(task: asyncio.Task[None]) -> None:
    _ending.discard(task)
    if not task.cancelled():
        task.exception()  # it was looked at: nobody else may be there to do so

"""The end of clients of aiokafka's, whose own `stop` and `close` wait for brokers for as long as a request may take.

Each ends in a task of its own: cut short, it would leave connections and tasks behind. So the caller may stop
waiting at any time, and how it ended says nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import anyio

from ...core.stop_budget import IN_PASSING

_under_way: set[asyncio.Task[object]] = set()
"""asyncio itself keeps no reference to a task that no caller awaits."""


def ending(stop: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
    """Begin it. What is still under way when the event loop ends is cancelled."""
    task = asyncio.create_task(stop)
    _under_way.add(task)
    task.add_done_callback(_ended)
    return task


async def end(stop: Coroutine[Any, Any, object]) -> None:
    """Begin it, and wait for a moment, also when the caller is being cancelled."""
    with anyio.CancelScope(shield=True):
        await asyncio.wait({ending(stop)}, timeout=IN_PASSING)


def _ended(task: asyncio.Task[object]) -> None:
    _under_way.discard(task)
    if not task.cancelled():
        task.exception()  # otherwise asyncio would log that its result was never retrieved

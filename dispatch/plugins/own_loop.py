"""A thread with an event loop of its own, in which one function's or destination's plug-in runs.

A plug-in is code of others in our process: it may wait with `time.sleep`, raise SystemExit, or not return when it is
cancelled. There it holds up its own calls alone, and each of these has a limit.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio

GRACE = 2.0
"""Seconds in which a cancelled call is to end."""


@dataclass(frozen=True, slots=True)
class Late:
    """No answer in time; the call was cancelled."""


@dataclass(frozen=True, slots=True)
class Raised:
    """The call raised this."""

    error: BaseException


class OwnLoop:
    """`call` runs calls side by side; `close` ends the thread."""

    def __init__(self, name: str, *, grace: float = GRACE) -> None:
        """`name`: of the thread, for people. `grace`: seconds in which a cancelled call is to end."""
        self._name = name
        self._grace = grace
        self._loop: asyncio.AbstractEventLoop | None = None
        self.deaf = False
        """A cancelled call did not end in its grace: whatever is said of later ones, they may still run."""

    async def call(self, work: Callable[[], Awaitable[Any]], seconds: float | None) -> Any:
        """Return the result of `work` there, `Raised`, or `Late`. When this call is cancelled, the work is too, and has
        its grace to end."""
        ended = threading.Event()
        future = asyncio.run_coroutine_threadsafe(_kept(work, ended), self._running())
        try:
            with anyio.move_on_after(seconds):
                return await asyncio.wrap_future(future)
            return Late()
        finally:
            if not future.done() or future.cancelled():
                await self._end(future, ended)

    async def _end(self, future: concurrent.futures.Future[Any], ended: threading.Event) -> None:
        """Cancel the call, and wait for its end while the grace lasts."""
        future.cancel()
        with anyio.move_on_after(self._grace, shield=True):
            while not ended.is_set():  # noqa: ASYNC110 - another thread sets it
                await anyio.sleep(0.005)
            return
        self.deaf = True

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_run, args=(self._loop,), name=self._name, daemon=True).start()
        return self._loop

    def close(self) -> None:
        """End the thread, once what runs there lets it. A later call begins another."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


async def _kept(work: Callable[[], Awaitable[Any]], ended: threading.Event) -> Any:
    try:
        return await work()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return Raised(error)  # nobody cancelled it: here it would look as if somebody cancelled the daemon's task
    except BaseException as error:  # SystemExit too: it would end the thread
        return Raised(error)
    finally:
        ended.set()

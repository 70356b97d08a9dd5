"""What asyncio says of tasks that nobody waited for: whose they are decides how loud it is.

A library that starts tasks of its own and lets them fail is not an error of ours, nor news for whoever reads the log:
what it means for a mapping is told there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

from .log import TALKATIVE, Action, Log


def handler(log: Log) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]:
    """For `set_exception_handler` of the daemon's loop."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        library = next((package for package in _packages(context) if package in TALKATIVE), None)
        if library is None:
            loop.default_exception_handler(context)
            return
        error = context.get("exception")
        detail = f": {type(error).__name__}: {error}" if error is not None else ""
        log.debug(Action.LIBRARY, f"{context.get('message', 'an error')}{detail}", logger=library)

    return handle


def _packages(context: dict[str, Any]) -> Iterator[str]:
    """The directories of the code that failed, or was still waiting."""
    for code in (*_raised(context.get("exception")), *_waiting(context.get("task") or context.get("future"))):
        yield from Path(code.co_filename).parts


def _raised(error: BaseException | None) -> Iterator[CodeType]:
    trace = error.__traceback__ if error is not None else None
    while trace is not None:
        yield trace.tb_frame.f_code
        trace = trace.tb_next


def _waiting(task: object) -> Iterator[CodeType]:
    code = getattr(task.get_coro(), "cr_code", None) if isinstance(task, asyncio.Task) else None
    if code is not None:
        yield code

"""Handles asyncio's reports of abandoned tasks and of its own errors: the origin decides the log level.

A failing task of a library is no error of ours and no news for users:
the mapping's own lines report the effect. Connections that fail for lack of descriptors are a warning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

from ...config import descriptors
from .core.repeats import Repeats
from .log import TALKATIVE, Action, Log


def handler(log: Log) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]:
    """For `set_exception_handler` of the daemon's loop."""

    repeats = Repeats()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        library = next((package for package in _packages(context) if package in TALKATIVE), None)
        if error is not None and descriptors.spent(error):
            left_out = repeats.admit("descriptors", loop.time())
            if left_out is not None:
                log.warning(Action.DESCRIPTORS, descriptors.advice(), repeated=left_out or None)
        elif library is not None or _served_no_more(error):
            detail = f": {type(error).__name__}: {error}" if error is not None else ""
            text = f"{context.get('message', 'an error')}{detail}"
            log.debug(Action.LIBRARY, text, logger=library or "asyncio")
        else:
            loop.default_exception_handler(context)

    return handle


def _served_no_more(error: BaseException | None) -> bool:
    """A server that could not accept a connection is to try again later, and asyncio does not check whether it still
    exists then."""
    return any(code.co_name == "_start_serving" for code in _raised(error))


def _packages(context: dict[str, Any]) -> Iterator[str]:
    """The directories of the failed or waiting code."""
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

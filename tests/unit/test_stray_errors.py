"""Tasks that nobody waited for: those of a library that lets its tasks fail are no error lines of ours."""

from __future__ import annotations

import asyncio
import errno
import gc
import io
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from headrace.service.telemetry import stray_errors
from headrace.service.telemetry.log import LibraryLines, Log

FAILS = """
import asyncio
import errno

async def fails():
    raise ConnectionError("the broker is gone")

async def waits():
    await asyncio.get_running_loop().create_future()
"""


def code_of(file: str) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
    """Coroutine functions as if they stood in this file."""
    space: dict[str, Any] = {}
    exec(compile(FAILS, file, "exec"), space)
    return space


async def forgotten(work: Callable[[], Coroutine[Any, Any, None]], log: Log) -> None:
    asyncio.get_running_loop().set_exception_handler(stray_errors.handler(log))
    asyncio.ensure_future(work())  # noqa: RUF006 - that nobody keeps it is the point
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()


def said_of(file: str, function: str) -> dict[str, Any]:
    stream = io.StringIO()
    log = Log(stream, level="debug")
    logger, library = logging.getLogger("asyncio"), LibraryLines(log)
    logger.addHandler(library)
    try:
        asyncio.run(forgotten(code_of(file)[function], log))
    finally:
        logger.removeHandler(library)
    (line,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    found: dict[str, Any] = line
    return found


@pytest.mark.parametrize("function", ["fails", "waits"])
def test_a_task_of_aiokafka_that_nobody_asked_for_is_for_debug(function: str) -> None:
    line = said_of("/lib/python3/site-packages/aiokafka/conn.py", function)
    assert (line["action"], line["level"], line["logger"]) == ("library", "debug", "aiokafka")


def test_a_task_of_ours_that_nobody_asked_for_is_an_error() -> None:
    line = said_of("/lib/python3/site-packages/headrace/pollers/feed.py", "fails")
    assert (line["level"], line["logger"]) == ("error", "asyncio")
    assert "the broker is gone" in line["event"]


def told(error: Exception, times: int = 1) -> list[dict[str, Any]]:
    """The lines for what asyncio says of an error of its own."""
    stream = io.StringIO()
    handle = stray_errors.handler(Log(stream))
    loop = asyncio.new_event_loop()
    for _ in range(times):
        handle(loop, {"message": "socket.accept() out of system resource", "exception": error})
    loop.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.semantics("CLI-33")
def test_connections_that_are_not_taken_for_want_of_descriptors_are_one_warning() -> None:
    (line,) = told(OSError(errno.EMFILE, "Too many open files"), times=100)
    assert (line["action"], line["level"]) == ("descriptors", "warning")
    assert "ulimit -n" in line["event"]


def test_a_server_that_is_closed_when_it_is_to_try_again_is_for_debug() -> None:
    def _start_serving() -> None:
        raise ValueError("Invalid file descriptor: -1")

    with pytest.raises(ValueError, match="Invalid") as raised:
        _start_serving()
    assert told(raised.value) == []

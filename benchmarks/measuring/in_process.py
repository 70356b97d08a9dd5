"""Sides that run in the benchmark's own process, on an event loop, and are measured by its CPU time."""

from __future__ import annotations

import asyncio
import gc
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from .ratios import Sample
from .report import Run

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}


def _seconds() -> float:
    """CPU of this process, its children aside, to the microsecond."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def counted(count: int, work: Callable[[], Awaitable[object]]) -> Sample:
    """What it takes to work on so many records."""
    gc.collect()
    before, started = _seconds(), time.monotonic()
    await work()
    return Sample(count, time.monotonic() - started, _seconds() - before)


def run_of(side: Callable[[Path], Coroutine[Any, Any, Sample]]) -> Run:
    """A side with a directory and an event loop of its own."""

    def run() -> Sample:
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            return asyncio.run(side(Path(directory)))

    return run

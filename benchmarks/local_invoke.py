"""G3: what it costs us to invoke a local Python function that does nothing, with events of one and of ten records of
1 KB.

    python benchmarks/local_invoke.py [--rounds 7] [--quick]

Beside it: awslambdaric behind an aiohttp server (CPU of the parent alone), and a length-prefixed socketpair to a plain
Python function (by the clock). One invocation after the other.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

import anyio
import orjson
from measuring.daemons import FUNCTIONS
from measuring.in_process import counted, run_of
from measuring.payloads import bodies
from measuring.ratios import Sample
from measuring.report import Report
from measuring.runtimes import Invoke, by_aiohttp, by_socket

from headrace.config.clock import SystemClock
from headrace.dispatch.core.model import Returned
from headrace.dispatch.core.observer import Event
from headrace.dispatch.invokers.base import Invocation
from headrace.dispatch.invokers.local.pool import LocalInvoker
from headrace.dispatch.invokers.local.reaper import Reaper
from headrace.dispatch.invokers.local.spec import FunctionSpec, RuntimeLaunch

WARM = 30


class Unwatched:
    def observe(self, event: Event) -> None:
        """Nobody looks."""


@asynccontextmanager
async def by_us(directory: Path) -> AsyncIterator[Invoke]:
    launch = RuntimeLaunch("python", "noop.handler")
    spec = FunctionSpec("noop", launch, FUNCTIONS, directory / "scratch", isolation="env", reload=False)
    reaper = Reaper()
    limiter = anyio.CapacityLimiter(2)
    invoker = LocalInvoker(spec, clock=SystemClock(), observer=Unwatched(), reaper=reaper, inits=limiter)

    async def invoke(event: bytes) -> bytes:
        reply = await invoker.invoke(Invocation(event, str(uuid.uuid4())))
        assert isinstance(reply, Returned), reply
        return b""

    try:
        yield invoke
    finally:
        await invoker.aclose()
        reaper.close()


Opened = Callable[[Path], AbstractAsyncContextManager[Invoke]]


async def side(opened: Opened, events: list[bytes], directory: Path) -> Sample:
    async with opened(directory) as invoke:

        async def take(part: list[bytes]) -> None:
            for event in part:
                await invoke(event)

        await take(events[:WARM])
        return await counted(len(events), partial(take, events))


def main() -> int:
    report = Report.from_arguments(__doc__, rounds=7)
    ours, ric = report.versions["ours"], f"awslambdaric {version('awslambdaric')}, aiohttp {version('aiohttp')}"
    ways: dict[str, Opened] = {"ours": by_us, "aiohttp": lambda _: by_aiohttp(), "socketpair": lambda _: by_socket()}
    names = {"ours": ours, "aiohttp": ric, "socketpair": "socketpair"}
    for records in (1, 10):
        texts = bodies(report.size(100, 1_000) * records)
        parts = (texts[at : at + records] for at in range(0, len(texts), records))
        events = [orjson.dumps({"Records": [{"body": text} for text in part]}) for part in parts]
        report.versions |= {f"{name}_{records}": what for name, what in names.items()}
        rounds = report.rounds(
            {f"{name}_{records}": run_of(partial(side, opened, events)) for name, opened in ways.items()}
        )
        mine = f"ours_{records}"
        report.compare(
            "G3",
            f"aiohttp_{records}",
            rounds,
            f"aiohttp_{records}",
            lambda sample: sample.cpu_rate,
            "invocations/s of the parent's CPU",
            ours=mine,
            invert=True,
        )
        report.compare(
            "G3",
            f"socketpair_{records}",
            rounds,
            f"socketpair_{records}",
            lambda sample: sample.rate,
            "invocations/s",
            ours=mine,
        )
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

"""A fleet of members that are made already; and what a daemon without metrics says of them."""

from __future__ import annotations

from headrace.service.running.functions import RunningFunction, RunningFunctions


def fleet_of(*members: RunningFunction) -> RunningFunctions:
    async def make(name: str) -> RunningFunction:
        raise LookupError(name)

    return RunningFunctions(make, members)


async def no_metrics() -> bytes:
    return b""

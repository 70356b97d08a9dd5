"""A fleet of members that are made already."""

from __future__ import annotations

from headrace.service.running.functions import RunningFunction, RunningFunctions


def fleet_of(*members: RunningFunction) -> RunningFunctions:
    async def make(name: str) -> RunningFunction:
        raise LookupError(name)

    return RunningFunctions(make, members)

"""Estimates the file descriptors that a configuration needs, without later calls of the Lambda API. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ....config.function import AnyFunction, CommandFunction, LocalFunction

ITSELF = 32
"""The daemon's own: standard streams, the listener and its connections, files of the state directory, and files that
are opened for a moment."""
MAPPING = 6
"""A queue's receivers and its deletes, a topic's brokers: connections of a mapping that is busy."""
PROCESS = 6
"""A function's process: two pipes, its end, its Runtime API and the connections to that."""
AT_ONCE = 10
"""Processes that are counted for a function that allows more at a time."""


def needed(mappings: int, functions: Iterable[AnyFunction]) -> int:
    """The estimate for this number of mappings, and these functions."""
    return ITSELF + mappings * MAPPING + sum(_of(function) for function in functions)


def _of(function: AnyFunction) -> int:
    if isinstance(function, LocalFunction | CommandFunction):
        return PROCESS * min(function.processes, AT_ONCE)
    return min(function.concurrency or AT_ONCE, AT_ONCE)

"""How many file descriptors a configuration needs, about: pure. What the Lambda API brings later is not known yet."""

from __future__ import annotations

from collections.abc import Iterable

from ....config.function import AnyFunction, CommandFunction, LocalFunction

ITSELF = 32
"""The daemon's own: standard streams, the listener and those who ask it, files of the state directory, and what is
opened for a moment."""
MAPPING = 6
"""A queue's receivers and its deletes, a topic's brokers: connections of a mapping that is busy."""
PROCESS = 6
"""A function's process: two pipes, its end, its Runtime API and the connections to that."""
AT_ONCE = 10
"""Of a function that may run more often at a time, so many are reckoned with."""


def needed(mappings: int, functions: Iterable[AnyFunction]) -> int:
    """With so many mappings, and these functions at work."""
    return ITSELF + mappings * MAPPING + sum(_of(function) for function in functions)


def _of(function: AnyFunction) -> int:
    if isinstance(function, LocalFunction | CommandFunction):
        return PROCESS * min(function.processes, AT_ONCE)
    return min(function.concurrency or AT_ONCE, AT_ONCE)

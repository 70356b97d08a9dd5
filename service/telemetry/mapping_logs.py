"""The lines of mappings with a log level of their own (`logging_config`), whatever the level of all others is.

A mapping's own lines are those of events that name it, including its lines at the start. The output of its function,
and the function's ability to start, belong to the function: several mappings may share it.

https://docs.aws.amazon.com/lambda/latest/dg/esm-logging.html
"""

from __future__ import annotations

from collections.abc import Iterable

from ...config.mapping import EventSourceMapping
from ...dispatch.core.observer import Event
from .event_lines import Logs
from .filter_lines import FilterWatch
from .log import Log

LEVELS = {"DEBUG": "debug", "INFO": "info", "WARN": "warning"}
"""AWS's levels, and the log's. Each level includes the higher ones."""


def log_of(mapping: EventSourceMapping, log: Log) -> Log:
    """Where the mapping's own lines go."""
    level = mapping.logging_config.system_log_level if mapping.logging_config else None
    return log.at(LEVELS[level]) if level else log


class MappingLogs:
    """The observer that writes lines, for each mapping at its level."""

    def __init__(self, mappings: Iterable[EventSourceMapping], log: Log) -> None:
        self._log = log
        self._others = Logs(log)
        self._own: dict[str, Logs] = {}
        self._filters: dict[str, FilterWatch] = {}
        for mapping in mappings:
            self.add(mapping)

    def add(self, mapping: EventSourceMapping) -> None:
        """Add a mapping, or change its level or filters."""
        watch = self._filters.get(mapping.name)
        self.remove(mapping.name)
        own = log_of(mapping, self._log)
        if watch is not None and watch.mapping.patterns == mapping.patterns:
            self._filters[mapping.name] = watch
        elif mapping.patterns:
            self._filters[mapping.name] = FilterWatch(mapping, own)
        if own is not self._log:
            self._own[mapping.name] = Logs(own)

    def remove(self, mapping: str) -> None:
        """The mapping is gone."""
        self._own.pop(mapping, None)
        self._filters.pop(mapping, None)

    def observe(self, event: Event) -> None:
        name = getattr(event, "mapping", "")
        self._own.get(name, self._others).observe(event)
        if (watch := self._filters.get(name)) is not None:
            watch.observe(event)

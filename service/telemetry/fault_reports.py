"""Counts and logs faults of ours that stopped one part of the daemon.

A part with a fault restarts (`service/running/tending.py`), a mapping is opened again (`pollers/supervisor.py`),
and an observer continues with the next event.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter

from ...dispatch.core.observer import Crashed, Event, Observer
from .core.repeats import Repeats
from .log import Action, Log

REPORT = "please report it"


class FaultReports:
    """Reports faults; also the observer that counts the faults of mappings, which have a line of their own."""

    def __init__(
        self, log: Log, registry: CollectorRegistry, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._monotonic = monotonic
        self._repeats = Repeats()
        self._reported: set[type] = set()
        self._faults = Counter(
            "headrace_faults", "Faults in Headrace, by the part in which they happened.", ("of",), registry=registry
        )
        for each in ("mapping", "part", "observer"):
            self._faults.labels(each)

    def observe(self, event: Event) -> None:
        if isinstance(event, Crashed):
            self._faults.labels("mapping").inc()

    def of_part(self, part: str, error: Exception) -> None:
        """A part that will restart. Repeated lines are limited."""
        self._faults.labels("part").inc()
        left_out = self._repeats.admit((part, repr(error)), self._monotonic())
        if left_out is not None:
            text = f"a fault in Headrace stopped {part}, which starts again; {REPORT}: {error!r}"
            self._say(text, error, part=part, repeated=left_out or None)

    def of_observer(self, observer: Observer, error: Exception) -> None:
        """An observer misses this event, and gets the next one. Logged once for each kind of observer."""
        self._faults.labels("observer").inc()
        if type(observer) not in self._reported:
            self._reported.add(type(observer))
            name = type(observer).__name__
            self._say(f"a fault in Headrace: {name} missed an event; {REPORT}: {error!r}", error, part=name)

    def _say(self, text: str, error: Exception, **fields: object) -> None:
        trace = "".join(traceback.format_exception(error)) if self._log.level <= logging.DEBUG else None
        self._log.error(Action.FAULT, text, trace=trace, **fields)

"""Faults of ours that were kept from everybody else: counted, and told with what stopped.

A part that meets one begins again (`service/running/tending.py`), a mapping is opened again (`pollers/supervisor.py`),
and an observer goes on with the next event.
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
    """Also the observer that counts the faults of mappings, which have a line of their own."""

    def __init__(
        self, log: Log, registry: CollectorRegistry, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._monotonic = monotonic
        self._repeats = Repeats()
        self._told: set[type] = set()
        self._faults = Counter(
            "headrace_faults", "Faults in Headrace, by the part in which they happened.", ("of",), registry=registry
        )
        for each in ("mapping", "part", "observer"):
            self._faults.labels(each)

    def observe(self, event: Event) -> None:
        if isinstance(event, Crashed):
            self._faults.labels("mapping").inc()

    def of_part(self, part: str, error: Exception) -> None:
        """It begins again in a while. The same is told once in a while."""
        self._faults.labels("part").inc()
        left_out = self._repeats.admit((part, repr(error)), self._monotonic())
        if left_out is not None:
            text = f"a fault in Headrace stopped {part}, which starts again; {REPORT}: {error!r}"
            self._say(text, error, part=part, repeated=left_out or None)

    def of_observer(self, observer: Observer, error: Exception) -> None:
        """It misses this event, and is told of the next one. Told once for each kind of observer."""
        self._faults.labels("observer").inc()
        if type(observer) not in self._told:
            self._told.add(type(observer))
            name = type(observer).__name__
            self._say(f"a fault in Headrace: {name} missed an event; {REPORT}: {error!r}", error, part=name)

    def _say(self, text: str, error: Exception, **fields: object) -> None:
        trace = "".join(traceback.format_exception(error)) if self._log.level <= logging.DEBUG else None
        self._log.error(Action.FAULT, text, trace=trace, **fields)

"""Log lines and metrics of asynchronous invocations and of log shipping. Two observers.

Normal operation is quiet: a processed event is a line at `debug`, an event without success a warning.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from prometheus_client import CollectorRegistry, Counter

from ...config.fields.spoken import counted
from ...dispatch.core.observer import (
    Event,
    EventDelayed,
    EventDropped,
    EventFinished,
    EventRetried,
    LogsDropped,
    LogsUnshipped,
    RecordUndelivered,
)
from .core.repeats import Repeats
from .log import Action, Log


class FunctionLines:
    """The lines."""

    def __init__(self, log: Log, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._monotonic = monotonic
        self._repeats = Repeats()

    def observe(self, event: Event) -> None:
        match event:
            case EventRetried() | EventFinished(condition="Success"):
                self._debug(event)
            case EventFinished() | EventDropped() | RecordUndelivered():
                self._over(event)
            case EventDelayed(function=function, cause=cause):
                text = f"an event of {function or 'the queue'} waits: {cause}"
                who: dict[str, object] = {"function": function or None, "code": cause.code.value}
                self._now_and_then(Action.ASYNCHRONOUS, text, (function, cause), **who)
            case LogsUnshipped(group=group, cause=cause, delay=delay):
                text = f"lines of functions are not in CloudWatch Logs yet, and will be sent again: {cause}"
                who = {"group": group, "code": cause.code.value, "delay": round(delay, 3)}
                self._now_and_then(Action.FUNCTION_LOGS, text, cause, **who)
            case LogsDropped(group=group, lines=lines, cause=cause):
                many = counted(lines, "line") if lines else "some lines"
                text = f"{many} of {group or 'functions'} dropped and not in CloudWatch Logs: {cause}"
                who = {"group": group or None, "code": cause.code.value, "lines": lines or None}
                self._now_and_then(Action.FUNCTION_LOGS, text, (group, cause), **who)
            case _:
                pass

    def _debug(self, event: EventRetried | EventFinished) -> None:
        who = {"function": event.function, "request_id": event.request_id, "attempts": event.attempts}
        if isinstance(event, EventFinished):
            self._log.debug(Action.ASYNCHRONOUS, f"function {event.function} processed the event", **who)
        else:
            self._log.debug(Action.ASYNCHRONOUS, "the event will be tried again", delay=round(event.delay, 3), **who)

    def _over(self, event: EventFinished | EventDropped | RecordUndelivered) -> None:
        who = {"function": event.function, "request_id": event.request_id}
        match event:
            case EventFinished(condition=condition, attempts=attempts):
                text = (
                    f"function {event.function} did not process the event ({condition}, {counted(attempts, 'attempt')})"
                )
                self._log.warning(Action.ASYNCHRONOUS, text, condition=condition, attempts=attempts, **who)
            case EventDropped():
                text = f"an event was dropped: function {event.function} does not exist any more"
                self._log.error(Action.ASYNCHRONOUS, text, **who)
            case RecordUndelivered(destination=destination, cause=cause):
                text = (
                    f"{destination} did not get the record of an event of {event.function}, which is dropped: {cause}"
                )
                self._log.error(Action.RECORD_FAILED, text, destination=destination, code=cause.code.value, **who)

    def _now_and_then(self, action: Action, text: str, key: Hashable, **fields: object) -> None:
        left_out = self._repeats.admit((action, key), self._monotonic())
        if left_out is not None:
            self._log.warning(action, text, repeated=left_out or None, **fields)


class FunctionMetrics:
    """The counters. The label of events is the function, so there is one series for each function that existed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"headrace_{name}", text, labels, registry=registry)

        self._events = counter(
            "async_events", "Events of asynchronous invocations that are over.", "function", "condition"
        )
        self._retries = counter("async_retries", "Events that are tried again.", "function")
        self._undelivered = counter(
            "async_destination_failures", "Records that could not be written to a destination.", "function"
        )
        self._unshipped = counter("function_log_errors", "Failed calls to CloudWatch Logs.")
        self._dropped = counter(
            "function_log_lines_dropped", "Lines that were dropped before CloudWatch Logs had them."
        )

    def observe(self, event: Event) -> None:
        match event:
            case EventFinished(function=function, condition=condition):
                self._events.labels(function, condition).inc()
            case EventDropped(function=function):
                self._events.labels(function, "FunctionGone").inc()
            case EventRetried(function=function):
                self._retries.labels(function).inc()
            case RecordUndelivered(function=function):
                self._undelivered.labels(function).inc()
            case LogsUnshipped():
                self._unshipped.inc()
            case LogsDropped(lines=lines):
                self._dropped.inc(lines)
            case _:
                pass

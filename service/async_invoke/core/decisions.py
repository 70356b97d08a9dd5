"""Decides the next step of an event, before an attempt and after it. Pure.

    attempt ──► the function took it                        Success
            ├─► it failed, attempts and time are left       again, after 60 s, then 120 s
            ├─► it failed, none are left                    RetriesExhausted, EventAgeExceeded
            └─► it was not reached, and time is left        again, after 1 s, doubling to 5 min; uncounted

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from ....dispatch.core.model import FunctionFailed, Reply, Returned, Throttled, Unreachable
from ....dispatch.invokers.core.answers import failed_function
from ...control.catalogue import LATEST, AsynchronousSettings
from .model import Again, AsyncEvent, Condition, FunctionResponse, Over, Step

RETRY_AFTER = (60.0, 120.0)
"""Seconds from a failed attempt to the next one."""
REFUSED_BASE = 1.0
REFUSED_CAP = 300.0


def before(event: AsyncEvent, settings: AsynchronousSettings, reserved: int | None, now: float) -> Over | None:
    """Whether no attempt is made at all. `now` is the steady clock's time."""
    if reserved == 0:
        return Over(Condition.ZERO_RESERVED, 0)
    if now - event.accepted > settings.maximum_event_age:
        return Over(Condition.AGE_EXCEEDED, event.attempts, event.response)
    return None


def after(event: AsyncEvent, settings: AsynchronousSettings, reply: Reply, now: float, factor: float = 1.0) -> Step:
    """The next step after an attempt. `factor` shortens the pauses after failed attempts; AWS's is 1."""
    match reply:
        case Returned(attempt=attempt, body=body):
            return Over(Condition.SUCCESS, event.attempts + 1, _response(attempt.executed_version, body, failed=False))
        case FunctionFailed(attempt=attempt, body=body):
            return _failed(event, settings, _response(attempt.executed_version, body, failed=True), now, factor)
        case Unreachable(attempt=attempt, body=body) if failed_function(reply):
            return _failed(event, settings, _response(attempt.executed_version, body, failed=True), now, factor)
        case Throttled(after=asked):
            return _refused(event, settings, now, asked or 0.0)
        case Unreachable():
            return _refused(event, settings, now, 0.0)
        case _:
            assert_never(reply)


def _response(version: str | None, body: bytes, *, failed: bool) -> FunctionResponse:
    return FunctionResponse(version or LATEST, body, failed)


def _failed(
    event: AsyncEvent, settings: AsynchronousSettings, response: FunctionResponse, now: float, factor: float
) -> Step:
    attempts = event.attempts + 1
    if attempts > settings.maximum_retry_attempts:
        return Over(Condition.RETRIES_EXHAUSTED, attempts, response)
    delay = RETRY_AFTER[min(attempts, len(RETRY_AFTER)) - 1] * factor
    tried = replace(event, attempts=attempts, refusals=0, response=response)
    return _later(tried, settings, now, delay)


def _refused(event: AsyncEvent, settings: AsynchronousSettings, now: float, asked: float) -> Step:
    doubled = REFUSED_BASE * 2.0 ** min(event.refusals, 30)
    delay = max(min(doubled, REFUSED_CAP), min(asked, REFUSED_CAP))
    return _later(replace(event, refusals=event.refusals + 1), settings, now, delay)


def _later(event: AsyncEvent, settings: AsynchronousSettings, now: float, delay: float) -> Step:
    """The age check looks ahead: an event that would be too old at the next attempt fails at once."""
    if now + delay - event.accepted > settings.maximum_event_age:
        return Over(Condition.AGE_EXCEEDED, event.attempts, event.response)
    return Again(replace(event, due=now + delay))

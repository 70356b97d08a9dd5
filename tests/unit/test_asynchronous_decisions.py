"""What becomes of an event, as tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.dispatch.core.model import Attempt, Failure, FunctionFailed, Reply, Returned, Throttled, Unreachable
from headrace.service.async_invoke.core import decisions
from headrace.service.async_invoke.core.model import Again, AsyncEvent, Condition, FunctionResponse, Over
from headrace.service.control.catalogue import AsynchronousSettings
from support.reasons import no_start

ACCEPTED = 1000.0
EVENT = AsyncEvent(1, "orders", "", "r", ACCEPTED, ACCEPTED)
DEFAULTS = AsynchronousSettings()
RAN = Attempt("r", 0.0, 0.0, 200, "7", "Unhandled")
ERROR = b'{"errorMessage":"no"}'
FAILED = FunctionFailed(RAN, Failure.ERROR, "no", ERROR)
NO_INIT = Unreachable(RAN, no_start("its init failed"), True, ERROR)
NO_ROOM = Throttled(replace(RAN, status=429))
NOT_THERE = Unreachable(replace(RAN, status=None), no_start("connection refused"), True)
GAVE = FunctionResponse("7", ERROR, failed=True)


def tried(attempts: int = 0, refusals: int = 0, response: FunctionResponse | None = None) -> AsyncEvent:
    return replace(EVENT, attempts=attempts, refusals=refusals, response=response)


@pytest.mark.semantics("ASYNC-02")
@pytest.mark.parametrize("reply", [FAILED, NO_INIT], ids=["it failed", "its init failed"])
@pytest.mark.parametrize(
    ("attempts", "retries", "delay"),
    [(0, 2, 60.0), (1, 2, 120.0), (2, 2, None), (0, 1, 60.0), (1, 1, None), (0, 0, None)],
)
def test_a_function_that_fails_is_tried_again_after_60_and_120_seconds(
    attempts: int, retries: int, delay: float | None, reply: Reply
) -> None:
    now = ACCEPTED + 5
    step = decisions.after(tried(attempts), AsynchronousSettings(maximum_retry_attempts=retries), reply, now)
    if delay is None:
        assert step == Over(Condition.RETRIES_EXHAUSTED, attempts + 1, GAVE)
    else:
        assert step == Again(replace(tried(attempts + 1, response=GAVE), due=now + delay))


@pytest.mark.semantics("ASYNC-02")
def test_the_pauses_can_be_shortened() -> None:
    step = decisions.after(tried(1), DEFAULTS, FAILED, ACCEPTED, 0.01)
    assert isinstance(step, Again)
    assert step.event.due == ACCEPTED + 1.2


@pytest.mark.semantics("ASYNC-01")
def test_a_function_that_takes_it_ends_it() -> None:
    step = decisions.after(tried(1, response=GAVE), DEFAULTS, Returned(RAN, b"null"), ACCEPTED)
    assert step == Over(Condition.SUCCESS, 2, FunctionResponse("7", b"null", failed=False))


@pytest.mark.semantics("ASYNC-03")
@pytest.mark.parametrize("reply", [NO_ROOM, NOT_THERE], ids=["throttled", "not reached"])
@pytest.mark.parametrize(("refusals", "delay"), [(0, 1.0), (1, 2.0), (4, 16.0), (8, 256.0), (9, 300.0), (5000, 300.0)])
def test_an_event_that_does_not_reach_its_function_goes_back_uncounted(
    refusals: int, delay: float, reply: Reply
) -> None:
    step = decisions.after(tried(1, refusals, GAVE), DEFAULTS, reply, ACCEPTED)
    assert step == Again(replace(tried(1, refusals + 1, GAVE), due=ACCEPTED + delay))


@pytest.mark.semantics("ASYNC-04")
@pytest.mark.parametrize(
    ("limit", "attempts", "age", "over"),
    [
        (60, 0, 3.0, True),  # no retry at all
        (90, 0, 3.0, False),
        (90, 1, 63.0, True),  # one, and then no more
        (21_600, 1, 21_479.0, False),
        (21_600, 1, 21_481.0, True),
    ],
)
def test_the_age_looks_ahead(limit: int, attempts: int, age: float, over: bool) -> None:
    settings = AsynchronousSettings(maximum_event_age=limit)
    step = decisions.after(tried(attempts), settings, FAILED, ACCEPTED + age)
    assert (step == Over(Condition.AGE_EXCEEDED, attempts + 1, GAVE)) is over


@pytest.mark.semantics("ASYNC-04")
def test_what_waited_for_too_long_is_not_attempted() -> None:
    settings = AsynchronousSettings(maximum_event_age=60)
    assert decisions.before(tried(), settings, None, ACCEPTED + 60) is None
    assert decisions.before(tried(), settings, None, ACCEPTED + 61) == Over(Condition.AGE_EXCEEDED, 0)
    later = replace(tried(1, response=GAVE), due=ACCEPTED + 60)
    assert decisions.before(later, settings, None, ACCEPTED + 61) == Over(Condition.AGE_EXCEEDED, 1, GAVE)
    throttled = decisions.after(tried(1, 6, GAVE), settings, NO_ROOM, ACCEPTED + 50)
    assert throttled == Over(Condition.AGE_EXCEEDED, 1, GAVE)


@pytest.mark.semantics("ASYNC-05")
@pytest.mark.parametrize(("reserved", "over"), [(0, Over(Condition.ZERO_RESERVED, 0)), (1, None), (None, None)])
def test_a_function_that_may_not_run_is_not_attempted(reserved: int | None, over: Over | None) -> None:
    assert decisions.before(tried(), DEFAULTS, reserved, ACCEPTED) == over

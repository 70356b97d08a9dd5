"""Whatever replies come and whenever: an event is over, in time, after no more attempts than it may have."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from headrace.dispatch.core.model import Attempt, Failure, FunctionFailed, Reply, Returned, Throttled, Unreachable
from headrace.service.async_invoke.core import decisions
from headrace.service.async_invoke.core.model import Again, AsyncEvent, Condition, Over
from headrace.service.control.catalogue import AsynchronousSettings
from support.reasons import no_start

RAN = Attempt("r", 0.0, 0.0, 200, "1", "Unhandled")
REPLIES: list[Reply] = [
    FunctionFailed(RAN, Failure.ERROR, "no", b"{}"),
    Throttled(replace(RAN, status=429)),
    Throttled(replace(RAN, status=429), after=1e9),
    Unreachable(replace(RAN, status=None), no_start("gone")),
    Returned(RAN, b"null"),
]


@given(
    st.lists(st.tuples(st.sampled_from(REPLIES), st.floats(0, 900)), min_size=1, max_size=60),
    st.integers(0, 2),
    st.integers(60, 21_600),
)
def test_an_event_ends_within_its_age_and_its_attempts(
    turns: list[tuple[Reply, float]], retries: int, age: int
) -> None:
    settings = AsynchronousSettings(retries, age)
    event, now = AsyncEvent(1, "f", "", "r", 0.0, 0.0), 0.0
    for reply, seconds in turns:
        over = decisions.before(event, settings, None, now)
        if over is None:
            started = now
            now += seconds
            step = decisions.after(event, settings, reply, now)
            assert started <= age
        else:
            step = over
        if isinstance(step, Over):
            assert step.attempts <= retries + 1
            assert (step.response is not None) == (step.attempts > 0)
            assert (step.condition is Condition.SUCCESS) == (over is None and isinstance(reply, Returned))
            return
        assert isinstance(step, Again)
        assert now < step.event.due <= age
        assert step.event.attempts - event.attempts in (0, 1)
        assert (step.event.request_id, step.event.id) == (event.request_id, event.id)
        event, now = step.event, step.event.due

"""Whatever is sent to the Lambda API: an answer that a client understands, never a fault of ours, and nothing that was
refused reaches a call."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, event, given, settings

from headrace.service.api.wire.call import Answer, Call
from support import api_model
from support.api_lab import Lab, Recorder, Reply, lab
from support.api_requests import Asked, wild
from support.counts import count

MANY = settings(max_examples=count(300, 10_000), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def answered(call: Call) -> Answer:
    return Answer(api_model.least_output(call.operation))


@pytest.fixture(scope="module")
def api() -> Iterator[tuple[BlockingPortal, Lab]]:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(lab(Recorder(answer=answered))) as running,
    ):
        yield portal, running


@pytest.mark.semantics("API-18")
@MANY
@given(asked=wild())
def test_whatever_is_sent(api: tuple[BlockingPortal, Lab], asked: Asked) -> None:
    portal, running = api
    running.group.seen.clear()
    reply: Reply = portal.call(running.ask, asked.method, asked.target, asked.body, asked.headers)
    seen = running.group.seen
    event(f"answered with {reply.status}")
    assert reply.status < 500, (asked, reply)
    assert b"Traceback" not in reply.body
    if reply.status >= 300:
        assert seen == [], asked
        assert reply.headers["x-amzn-ErrorType"]
        assert set(orjson.loads(reply.body)) <= {"Type", "message", "Message"}
    else:
        (call,) = seen
        api_model.check(call.operation, reply.status, reply.headers, reply.body)
    assert "fault" not in running.lines.getvalue()

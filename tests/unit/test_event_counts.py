"""Which event counts for which metric of AWS, and which kind of source has it."""

from __future__ import annotations

import pytest

from headrace.config.reasons import Reason, ReasonCode
from headrace.dispatch.core.model import (
    DELIVERED,
    FILTERED,
    Attempt,
    DiscardReason,
    FailedItems,
    Lane,
    Record,
    Settlement,
    Succeeded,
    Throttled,
)
from headrace.dispatch.core.observer import (
    Bisected,
    Discarded,
    Event,
    Fetched,
    Filtered,
    Invoked,
    Invoking,
    OffsetsCommitted,
    Settled,
    SettleFailed,
)
from headrace.dispatch.core.pages import NONE, Records
from headrace.service.telemetry.core.event_counts import CountedMapping, EventCounts, names_of

ATTEMPT = Attempt("r", 0.0, 1.0, 200)
THREE = Records.of([Record(Lane("arn"), str(each), {}, 0.0) for each in range(3)])
CAUSE = Reason(ReasonCode.UNAVAILABLE, "gone")
QUEUE = {"lends": True, "commits": False}
STREAM = {"lends": False, "commits": False}
TOPIC = {"lends": False, "commits": True}
GONE = DiscardReason.RETRIES_EXHAUSTED


@pytest.mark.semantics("CW-01")
@pytest.mark.parametrize(
    ("kind", "event", "counts"),
    [
        (QUEUE, Fetched("m", THREE, 1.0), {"PolledEventCount": 3, "FilteredOutEventCount": 0}),
        (QUEUE, Fetched("m", NONE, 1.0), {"PolledEventCount": 0, "FilteredOutEventCount": 0}),
        (STREAM, Filtered("m", THREE), {"FilteredOutEventCount": 3}),
        (STREAM, Invoking("m", "f", "r", THREE, 1), {"InvokedEventCount": 3}),
        (STREAM, Invoked("m", "f", THREE, Succeeded(ATTEMPT), 1.0), {"FailedInvokeEventCount": 0}),
        (STREAM, Invoked("m", "f", THREE, Throttled(ATTEMPT), 1.0), {"FailedInvokeEventCount": 3}),
        (QUEUE, Invoked("m", "f", THREE, FailedItems(ATTEMPT, frozenset("1")), 1.0), {"FailedInvokeEventCount": 3}),
        (QUEUE, Settled("m", (Settlement(THREE, DELIVERED),)), {"DeletedEventCount": 3}),
        (QUEUE, Settled("m", (Settlement(THREE, FILTERED),)), {}),
        (QUEUE, SettleFailed("m", THREE, CAUSE), {"DeletedEventCount": 0}),
        (STREAM, Settled("m", (Settlement(THREE, DELIVERED),)), {}),
        (STREAM, Discarded("m", THREE, GONE, ""), {"DroppedEventCount": 3}),
        (STREAM, Discarded("m", THREE, GONE, "arn"), {"OnFailureDestinationDeliveredEventCount": 3}),
        (TOPIC, Discarded("m", THREE, GONE, "", CAUSE), {"DroppedEventCount": 3}),
        (QUEUE, Discarded("m", THREE, GONE, ""), {}),
        (TOPIC, OffsetsCommitted("m", 7), {"CommittedEventCount": 7}),
        (STREAM, OffsetsCommitted("m", 7), {}),
        (STREAM, Filtered("other", THREE), {}),
        (STREAM, Bisected("m", THREE), {}),
    ],
)
def test_an_event_counts(kind: dict[str, bool], event: Event, counts: dict[str, int]) -> None:
    found = EventCounts()
    found.watch("m", CountedMapping("uuid", names_of(**kind)))
    found.observe(event)
    assert {each.name: each.value for each in found.take()} == counts
    assert found.take() == []


@pytest.mark.semantics("CW-02")
def test_what_was_not_put_counts_with_the_next() -> None:
    found = EventCounts()
    found.watch("m", CountedMapping("uuid", names_of(**STREAM)))
    found.observe(Filtered("m", THREE))
    found.put_back(found.take())
    found.observe(Filtered("m", THREE))
    assert [(each.uuid, each.value) for each in found.take()] == [("uuid", 6)]
    found.watch("m", None)
    found.observe(Filtered("m", THREE))
    assert found.take() == []

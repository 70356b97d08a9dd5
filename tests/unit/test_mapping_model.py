"""What is known of a mapping at work: rates, failures, lanes."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from headrace.dispatch.core import observer as seen
from headrace.dispatch.core.model import (
    ABANDONED,
    DELIVERED,
    FILTERED,
    RETURNED,
    Attempt,
    DiscardReason,
    FailedItems,
    Failure,
    Fate,
    FunctionFailed,
    Lane,
    Outcome,
    Position,
    Record,
    Settlement,
    Succeeded,
    Throttled,
    Unreachable,
    discarded,
)
from headrace.dispatch.core.pages import Records
from headrace.service.telemetry.core import mapping_model
from headrace.service.telemetry.core.flow import FlowView
from headrace.service.telemetry.core.mapping_model import FORGIVEN, Instant
from headrace.service.telemetry.core.rates import Rate
from headrace.service.telemetry.sight import Sight
from support.reasons import no_start, why

EPOCH = 1_000_000.0
ATTEMPT = Attempt("request-1", 0.0, 1.0, 200)
SHARD = Lane("arn:aws:kinesis:us-east-1:000000000000:stream/orders", "shardId-0")
OTHER = Lane(SHARD.source, "shardId-1")
QUEUE = Lane("arn:aws:sqs:us-east-1:000000000000:orders")
ERROR = FunctionFailed(ATTEMPT, Failure.ERROR, "ValueError: poison\none\ntwo\nthree")
GAVE_UP = discarded(DiscardReason.RETRIES_EXHAUSTED)


def records(count: int, lane: Lane = SHARD, start: int = 0, held_until: float | None = None) -> Records:
    made = tuple(
        Record(lane, str(number), {}, EPOCH, position=Position.parse(str(number)) if lane.shard else None)
        for number in range(start, start + count)
    )
    for record in made if held_until is not None else ():
        record.held_until = held_until or 0.0
    return Records.of(made)


@dataclass
class Eye:
    """One mapping, watched at a time of the test's."""

    time: float = 0.0
    sight: Sight = field(init=False)

    def __post_init__(self) -> None:
        self.sight = Sight(lambda: Instant(self.time, EPOCH + self.time))

    def tell(self, *events: seen.Event) -> FlowView:
        for event in events:
            self.sight.observe(event)
        return self.flow

    @property
    def flow(self) -> FlowView:
        return self.sight.flow("m")

    def invoked(self, batch: Records, outcome: Outcome, age: float = 0.0) -> FlowView:
        return self.tell(
            seen.Invoking("m", "f", "request-1", batch, 10, age), seen.Invoked("m", "f", batch, outcome, 0.1)
        )

    def failed(self, batch: Records, used: int, delay: float = 4.0) -> FlowView:
        self.invoked(batch, ERROR)
        return self.tell(seen.Retrying("m", batch, used, delay))

    def settled(self, batch: Records, fate: Fate) -> FlowView:
        return self.tell(seen.Settled("m", (Settlement(batch, fate),)))


# --- rates ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1, 30, 2000])
def test_a_steady_rate_is_seen_over_every_span(seconds: int) -> None:
    rate = Rate(0.0)
    for tick in range(seconds * 10):
        rate.add(50, (tick + 1) / 10)
    assert rate.per_second(float(seconds)) == pytest.approx({"1s": 500, "1m": 500, "15m": 500}, rel=0.06)


def test_what_is_long_over_is_forgotten_soonest_by_the_shortest_span() -> None:
    rate = Rate(0.0)
    rate.add(1000, 1.0)
    found = rate.per_second(61.0)
    assert found["1s"] == 0
    assert found["15m"] > 0
    assert rate.per_second(100_000.0) == {"1s": 0, "1m": 0, "15m": 0}


@pytest.mark.semantics("SEE-03")
def test_there_is_a_rate_of_each_fate() -> None:
    eye, batch = Eye(), records(10)
    eye.time = 1.0
    eye.tell(seen.Fetched("m", batch, 0.1), seen.Fetched("m", Records(), 0.1), seen.Filtered("m", batch[:3]))
    eye.settled(batch[:3], FILTERED)
    eye.settled(batch[3:5], DELIVERED)
    eye.invoked(batch[5:9], FailedItems(ATTEMPT, frozenset({"5"})))
    eye.settled(batch[5:9], GAVE_UP)
    rates = {name: rate["15m"] for name, rate in eye.flow.rates.items()}
    scale = rates["fetched"] / 10
    assert rates == pytest.approx(
        {"fetched": 10 * scale, "filtered": 3 * scale, "delivered": 2 * scale, "failed": scale, "discarded": 4 * scale},
        rel=0.01,
    )


# --- failing --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("SEE-01")
def test_a_batch_that_failed_twice_says_error_attempts_and_next_try_and_its_fate_ends_that() -> None:
    eye, batch = Eye(), records(3)
    assert eye.failed(batch, 1).failing == ""
    eye.time = 10.0
    flow = eye.failed(batch, 2, delay=8.0)
    assert flow.failing == (
        "3 records of shardId-0 failed 2 times, next try in 8 s: ValueError: poison (request request-1)"
    )
    (retry,) = flow.retrying
    assert (retry.lane, retry.records, retry.first, retry.since) == ("shardId-0", 3, "0", EPOCH)
    assert (retry.attempt, retry.next_in) == (3, 8.0)
    assert flow.since == EPOCH
    assert retry.error is not None
    assert retry.error.text == "ValueError: poison\none\ntwo"
    assert flow.lanes[0].blocked_since == EPOCH
    eye.time = 30.0
    assert eye.flow.retrying[0].next_in == 0.0
    flow = eye.settled(batch, GAVE_UP)
    assert (flow.retrying, flow.lanes[0].blocked_since) == ((), None)
    assert flow.failing == "the last 2 invocations failed: ValueError: poison (request request-1)"
    assert eye.settled(records(1), DELIVERED).failing == ""


@pytest.mark.semantics("SEE-01")
def test_a_stuck_lane_is_a_failure_although_another_lane_delivers() -> None:
    eye, batch = Eye(), records(1)
    for used in (1, 2):
        eye.failed(batch, used)
        eye.settled(records(1, OTHER), DELIVERED)
    assert eye.flow.failing.startswith("1 record of shardId-0 failed 2 times")
    assert [lane.lane for lane in eye.flow.lanes] == ["shardId-0", "shardId-1"]


@pytest.mark.semantics("SEE-01")
def test_a_queue_whose_batches_only_fail_is_failing_until_something_is_taken() -> None:
    eye = Eye()
    for number in range(2):
        assert eye.flow.failing == ""
        batch = records(2, QUEUE, start=number)
        eye.invoked(batch, ERROR)
        eye.settled(batch, RETURNED)
    assert eye.flow.failing.startswith("the last 2 invocations failed")
    eye.invoked(records(1, QUEUE), Succeeded(ATTEMPT))
    assert eye.flow.failing == ""


@pytest.mark.semantics("SEE-01")
def test_a_failure_of_long_ago_is_forgiven_where_nothing_is_tried_again() -> None:
    eye = Eye()
    for _ in range(2):
        eye.invoked(records(2, QUEUE), ERROR)
    eye.time = FORGIVEN
    assert eye.flow.failing
    eye.time += 1
    assert eye.flow.failing == ""
    assert eye.flow.last_error is not None


@pytest.mark.semantics("SEE-01")
@pytest.mark.parametrize(
    ("outcome", "failing", "kind", "text"),
    [
        (Unreachable(ATTEMPT, why("reset")), True, "unreachable", "reset"),
        (Unreachable(ATTEMPT, no_start("no"), down=True), False, "unreachable", "no"),
        (Throttled(ATTEMPT), False, "throttled", "no room for the invocation"),
        (FailedItems(ATTEMPT, frozenset({"0"})), True, "items", "the function named 1 of 2 records as failed"),
    ],
)
def test_refusals_are_no_failures_and_are_shown(outcome: Outcome, failing: bool, kind: str, text: str) -> None:
    eye = Eye()
    for _ in range(2):
        eye.invoked(records(2), outcome)
    error = eye.flow.last_error
    assert error is not None
    assert (bool(eye.flow.failing), error.kind, error.text) == (failing, kind, text)
    assert (error.request_id, error.at) == ("request-1", EPOCH)


def test_an_error_without_a_text_is_named_by_its_kind() -> None:
    eye = Eye()
    for _ in range(2):
        eye.invoked(records(1), FunctionFailed(ATTEMPT, Failure.CRASH, ""))
    assert eye.flow.failing.endswith("failed: crash (request request-1)")


def test_halves_begin_to_count_anew() -> None:
    eye, batch = Eye(), records(4)
    eye.tell(seen.Bisected("m", batch))
    eye.failed(batch, 1)
    eye.tell(seen.Bisected("m", batch))
    assert [retry.attempt for retry in eye.flow.retrying] == [1]


def test_what_is_retried_without_an_error_or_a_record_is_shown_too() -> None:
    eye = Eye()
    flow = eye.tell(seen.Retrying("m", Records(), 2, 1.0))
    assert flow.failing == "0 records failed 2 times, next try in 1 s"
    assert (flow.retrying[0].lane, flow.retrying[0].first) == ("", "")
    assert eye.tell(seen.Invoking("m", "f", "r", Records(), 2)).in_flight[0].attempt == 3


@pytest.mark.parametrize(("state", "left"), [("stopping", 1), ("waiting", 0), ("stopped", 0)])
def test_of_a_mapping_that_stopped_nothing_is_under_way(state: str, left: int) -> None:
    eye, batch = Eye(), records(1)
    eye.failed(batch, 1)
    eye.time = 5.0
    flow = eye.tell(seen.Invoking("m", "f", "r", batch, 1), seen.MappingChanged("m", state, None))
    assert (len(flow.in_flight), len(flow.retrying), flow.since) == (left, left, EPOCH + 5.0)


# --- batches, lanes, filters, documents -----------------------------------------------------------------------------


@pytest.mark.semantics("SEE-03")
def test_a_batch_in_flight_has_age_attempt_and_the_visibility_that_is_left() -> None:
    eye, batch = Eye(), records(2, QUEUE, held_until=30.0)
    eye.tell(seen.Invoking("m", "f", "r", batch, 10))
    eye.time = 12.0
    (flight,) = eye.flow.in_flight
    assert (flight.records, flight.first, flight.lane, flight.attempt) == (2, "0", QUEUE.source, 1)
    assert (flight.seconds, flight.visibility_left) == (12.0, 18.0)
    assert eye.settled(batch, ABANDONED).in_flight == ()


@pytest.mark.semantics("SEE-03")
def test_a_lanes_lag_grows_while_its_records_have_no_fate() -> None:
    eye, batch = Eye(), records(3)
    assert eye.tell().lag_seconds is None
    eye.tell(seen.Invoking("m", "f", "r", batch, 10, 2.5))
    eye.time = 4.0
    assert (eye.flow.lag_seconds, eye.flow.lanes[0].position) == (6.5, "")
    eye.tell(seen.Invoked("m", "f", batch, ERROR, 1.0), seen.Retrying("m", batch, 1, 10.0))
    eye.time = 10.0
    assert eye.flow.lag_seconds == 12.5
    eye.settled(batch[:1], DELIVERED)
    assert (eye.flow.lag_seconds, eye.flow.lanes[0].position) == (12.5, "0")
    flow = eye.settled(batch[1:], GAVE_UP)
    assert (flow.lag_seconds, flow.lanes[0].position) == (0.0, "2")


def test_a_batch_of_many_lanes_is_behind_in_each_of_them() -> None:
    eye = Eye()
    batch = records(2) + records(2, OTHER)
    eye.tell(seen.Invoking("m", "f", "r", batch, 10, 1.0))
    assert [lane.lag_seconds for lane in eye.flow.lanes] == [1.0, 1.0]
    eye.settled(batch, DELIVERED)
    assert [(lane.position, lane.lag_seconds) for lane in eye.flow.lanes] == [("1", 0.0), ("1", 0.0)]
    eye.settled(Records(), DELIVERED)


def test_the_sources_lag_goes_with_the_lane() -> None:
    eye = Eye()
    flow = eye.tell(seen.Lagging("m", {SHARD: 5, OTHER: 70}))
    assert (flow.lag_records, [lane.lane for lane in flow.lanes]) == (75, ["shardId-1", "shardId-0"])
    flow = eye.tell(seen.Rebalanced("m", lost=(OTHER,)))
    assert flow.lag_records == 5


def test_a_blocked_lane_says_since_when_until_something_of_it_is_settled() -> None:
    eye = Eye()
    eye.tell(seen.Blocked("m", SHARD, "key", 100))
    eye.time = 9.0
    assert eye.tell(seen.Blocked("m", SHARD, "key", 100)).lanes[0].blocked_since == EPOCH
    assert eye.settled(records(1), FILTERED).lanes[0].blocked_since is None


def test_lanes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping_model, "MOST_LANES", 2)
    eye = Eye()
    for number in range(3):
        eye.tell(seen.Lagging("m", {Lane("topic", f"topic-{number}"): 1}))
    assert {lane.lane for lane in eye.flow.lanes} == {"topic-1", "topic-2"}


@pytest.mark.semantics("SEE-03")
@pytest.mark.parametrize(("fetched", "refused", "share", "all_of_them"), [(0, 0, None, False), (99, 99, 1.0, False)])
def test_filters_that_refused_everything_are_told_after_a_hundred(
    fetched: int, refused: int, share: float | None, all_of_them: bool
) -> None:
    eye = Eye()
    flow = eye.tell(seen.Fetched("m", records(fetched), 0.1), seen.Filtered("m", records(refused)))
    assert (flow.refused, flow.refused_everything) == (share, all_of_them)
    flow = eye.tell(seen.Fetched("m", records(101), 0.1), seen.Filtered("m", records(101)))
    assert flow.refused_everything
    flow = eye.tell(seen.Fetched("m", records(1), 0.1))
    assert not flow.refused_everything


@pytest.mark.semantics("SEE-03")
def test_the_last_document_says_who_has_it_or_why_nobody() -> None:
    eye = Eye()
    flow = eye.tell(seen.Discarded("m", records(2), DiscardReason.AGE_EXCEEDED, "arn"))
    assert flow.last_document is not None
    assert (flow.last_document.destination, flow.last_document.cause) == ("arn", "")
    flow = eye.tell(seen.Discarded("m", records(2), DiscardReason.AGE_EXCEEDED, "", why("refused")))
    assert flow.last_document is not None
    assert (flow.last_document.records, flow.last_document.reason) == (2, "RecordAgeExceeded")
    assert (flow.last_document.destination, flow.last_document.cause) == ("", "refused")


def test_a_function_that_cannot_start_says_since_when_until_it_does() -> None:
    eye = Eye()
    eye.tell(seen.GateClosed("f", no_start("no"), 1.0))
    eye.time = 5.0
    eye.tell(seen.GateClosed("f", no_start("no"), 2.0))
    assert eye.sight.down_since("f") == EPOCH
    eye.tell(seen.GateOpened("f", 0.1), seen.FeedsChanged("m", 1))
    assert eye.sight.down_since("f") is None


def test_a_mapping_that_is_gone_is_forgotten() -> None:
    eye = Eye()
    for _ in range(2):
        eye.invoked(records(1), ERROR)
    assert eye.sight.failing("m")
    eye.sight.forget("m")
    assert eye.sight.failing("m") == ""
    assert eye.flow.last_error is None

"""The account of fates, and the metrics."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

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
    FunctionFailed,
    Lane,
    Outcome,
    Record,
    Settlement,
    Succeeded,
    Throttled,
    Unreachable,
    discarded,
)
from headrace.service.telemetry.account import Account, Counts
from headrace.service.telemetry.metrics import Labels, Metrics
from headrace.service.telemetry.view import FunctionView, MappingView, Readiness
from support.reasons import no_start, why

LANE = Lane("arn:aws:sqs:us-east-1:000000000000:orders")
ATTEMPT = Attempt("request-1", 0.0, 1.0, 200)
LABELS = {"mapping": "m", "source": "sqs", "function": "f"}


def records(count: int) -> tuple[Record, ...]:
    return tuple(Record(LANE, str(number), {}, 0.0) for number in range(count))


STORY: list[seen.Event] = [
    seen.Fetched("m", records(10), 0.1),
    seen.Fetched("m", (), 20.0),
    seen.Filtered("m", records(2)),
    seen.Settled("m", (Settlement(records(2), FILTERED),)),
    seen.Invoking("m", "f", "r", records(8), 1000),
    seen.Invoked("m", "f", records(8), Succeeded(ATTEMPT), 0.3),
    seen.Settled("m", (Settlement(records(3), DELIVERED), Settlement(records(1), RETURNED))),
    seen.Discarded("m", records(1), DiscardReason.OVERSIZED, ""),
    seen.Settled("m", (Settlement(records(1), discarded(DiscardReason.OVERSIZED)), Settlement(records(1), ABANDONED))),
    seen.SettleFailed("m", records(1), why("refused")),
]


@pytest.mark.semantics("OBS-09")
def test_every_record_stands_in_the_account_once() -> None:
    account = Account(["m", "quiet"])
    for event in STORY:
        account.observe(event)
    assert account.counts["m"] == Counts(10, 3, 2, 1, 1, 1, 1, 1)
    assert account.counts["m"].undecided == 1
    assert account.counts["quiet"] == Counts()
    assert account.discarded == 1
    assert account.as_json("m")["undecided"] == 1


@pytest.mark.semantics("DEST-11")
def test_what_a_destination_has_is_among_the_discarded() -> None:
    account, fate = Account(["m"]), discarded(DiscardReason.RETRIES_EXHAUSTED)
    account.observe(seen.Fetched("m", records(5), 0.1))
    account.observe(seen.Discarded("m", records(3), DiscardReason.RETRIES_EXHAUSTED, "arn"))
    account.observe(seen.Discarded("m", records(2), DiscardReason.RETRIES_EXHAUSTED, "", why("refused")))
    account.observe(seen.Settled("m", (Settlement(records(3), fate), Settlement(records(2), fate))))
    counts = account.counts["m"]
    assert (counts.discarded, counts.documented, counts.undecided) == (5, 3, 0)


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def told(*events: seen.Event) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    metrics = Metrics([Labels("m", "sqs", "f")])
    for event in events:
        metrics.observe(event)
    return samples(metrics)


@pytest.mark.semantics("OBS-03")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("records_received_total", 10),
        ("records_filtered_total", 2),
        ("records_delivered_total", 3),
        ("records_returned_total", 1),
        ("records_abandoned_total", 1),
        ("records_unsettled_total", 1),
        ("polls_total", 2),
        ("poll_duration_seconds_sum", 20.1),
        ("batch_size_records_sum", 8),
        ("batch_size_bytes_sum", 1000),
        ("invoke_duration_seconds_count", 1),
        ("retries_total", 0),
        ("poll_errors_total", 0),
    ],
)
def test_counts_of_a_mapping(name: str, value: float) -> None:
    assert told(*STORY)[f"headrace_{name}", frozenset(LABELS.items())] == pytest.approx(value)


@pytest.mark.parametrize(
    ("outcome", "label", "failed"),
    [
        (Succeeded(ATTEMPT), "success", None),
        (FailedItems(ATTEMPT, frozenset({"1", "2"})), "items", 2),
        (FunctionFailed(ATTEMPT, Failure.TIMEOUT, ""), "timeout", 5),
        (Throttled(ATTEMPT), "throttled", 5),
        (Unreachable(ATTEMPT, no_start("")), "unreachable", 5),
    ],
)
def test_batches_by_outcome_and_failed_records_by_reason(outcome: Outcome, label: str, failed: int | None) -> None:
    found = told(seen.Invoked("m", "f", records(5), outcome, 0.1))
    assert found["headrace_batches_total", frozenset({**LABELS, "outcome": label}.items())] == 1
    if failed is not None:
        assert found["headrace_records_failed_total", frozenset({**LABELS, "reason": label}.items())] == failed


@pytest.mark.semantics("OBS-15")
def test_the_age_of_a_streams_records_is_that_of_the_last_one() -> None:
    metrics = Metrics([Labels("m", "kinesis", "f"), Labels("q", "sqs", "f")])
    of_stream = {**LABELS, "source": "kinesis"}
    ages = "headrace_iterator_age_milliseconds"
    old, young = (Record(LANE, "1", {}, arrived) for arrived in (10.0, 99.75))
    metrics.observe(seen.Invoking("m", "f", "r", (old, young), 10, 0.25))
    metrics.observe(seen.Invoking("q", "f", "r", (old,), 10, 90.0))
    assert {key: value for key, value in samples(metrics).items() if key[0] == ages} == {
        (ages, frozenset(of_stream.items())): 250.0
    }
    metrics.observe(seen.Invoking("m", "f", "r", (), 10))
    assert samples(metrics)[ages, frozenset(of_stream.items())] == 250.0


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (seen.Gap("m", LANE, "1", "9", "trimmed"), "gaps_total"),
        (seen.CommitFailed("m", why("disk full")), "commit_errors_total"),
        (seen.StreamRecreated("m", "arn", "arn"), "streams_recreated_total"),
    ],
)
def test_what_happens_to_a_stream_is_counted(event: seen.Event, name: str) -> None:
    assert told(event)[f"headrace_{name}", frozenset(LABELS.items())] == 1


def test_discards_count_as_failed_with_their_reason() -> None:
    found = told(seen.Discarded("m", records(4), DiscardReason.OVERSIZED, ""))
    key = frozenset({**LABELS, "reason": "MaximumPayloadSizeExceeded"}.items())
    assert found["headrace_records_failed_total", key] == 4


@pytest.mark.semantics("DEST-11")
@pytest.mark.parametrize(
    ("event", "counted"),
    [
        (
            seen.Discarded("m", records(4), DiscardReason.OVERSIZED, "arn"),
            {"destination_records_total": 4, "destination_documents_total": 1},
        ),
        (
            seen.Discarded("m", records(4), DiscardReason.OVERSIZED, "", why("refused")),
            {"records_dropped_total": 4, "destination_failures_total": 1},
        ),
        (seen.Discarded("m", records(4), DiscardReason.OVERSIZED, ""), {"records_dropped_total": 4}),
        (seen.DestinationFailed("m", "arn", why("refused"), 1.0), {"destination_errors_total": 1}),
    ],
)
def test_what_a_destination_has_and_what_nobody_has_are_counted_apart(
    event: seen.Event, counted: dict[str, float]
) -> None:
    found = told(event)
    names = ("destination_records", "records_dropped", "destination_documents", "destination_failures")
    for name in [f"{each}_total" for each in (*names, "destination_errors")]:
        assert found[f"headrace_{name}", frozenset(LABELS.items())] == counted.get(name, 0)


def test_every_series_is_there_from_the_start() -> None:
    found = told()
    assert found["headrace_records_delivered_total", frozenset(LABELS.items())] == 0
    assert found["headrace_batches_total", frozenset({**LABELS, "outcome": "crash"}.items())] == 0


class View:
    def readiness(self) -> Readiness:
        return Readiness(ready=True, polling=True)

    def mappings(self) -> tuple[MappingView, ...]:
        return (MappingView("m", "uuid", "arn", "sqs", "f", "waiting", why("why"), 3, {}),)

    def functions(self) -> tuple[FunctionView, ...]:
        return (FunctionView("f", "a function", up=False, cause=no_start("why"), in_flight=2, limit=4),)


def test_states_are_looked_up_when_somebody_scrapes() -> None:
    metrics = Metrics([Labels("m", "sqs", "f")])
    metrics.look_at(View())
    found = samples(metrics)
    assert found["headrace_mapping_state", frozenset({**LABELS, "state": "waiting"}.items())] == 1
    assert found["headrace_mapping_state", frozenset({**LABELS, "state": "polling"}.items())] == 0
    assert found["headrace_feeds", frozenset(LABELS.items())] == 3
    assert found["headrace_invocations_in_flight", frozenset({"function": "f"}.items())] == 2
    assert found["headrace_function_up", frozenset({"function": "f"}.items())] == 0
    assert any(name == "headrace_build_info" for name, _ in found)

"""Spans of invocations: names, attributes, attempts, endings, what is handed on."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv import schemas
from opentelemetry.semconv._incubating.attributes import error_attributes, faas_attributes, messaging_attributes
from opentelemetry.trace import StatusCode

from headrace.config.reasons import Reason, ReasonCode
from headrace.dispatch.core.model import (
    Attempt,
    FailedItems,
    Failure,
    FunctionFailed,
    Lane,
    Outcome,
    Record,
    Succeeded,
    Throttled,
    Unreachable,
)
from headrace.dispatch.core.observer import Invoked, Invoking, Retrying
from headrace.dispatch.core.pages import NONE, Records
from headrace.dispatch.core.trace_carriers import NOTHING_HANDED, TraceContext, context_of
from headrace.dispatch.kinds import sqs
from headrace.service.telemetry.core import span_facts
from headrace.service.telemetry.core.span_backlog import SpanBacklog
from headrace.service.telemetry.core.span_facts import SpanEnding, TracedMapping, asked_by, ending_of
from headrace.service.telemetry.traces import MOST_OPEN, BatchTraces

MAPPING = TracedMapping("m", "aws_sqs", "orders", "group", sqs.STANDARD.carriers)
ATTEMPT = Attempt("theirs", 0.0, 1.0, 200)
CAUSE = Reason(ReasonCode.FUNCTION_UNREACHABLE, "nobody answers")
FAILURE = FunctionFailed(ATTEMPT, Failure.ERROR, "it broke")
PRODUCERS = [TraceContext(1 + each, 7, sampled=True) for each in range(2)]


class Traced:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.traces = BatchTraces(provider.get_tracer("headrace"))
        self.traces.add(MAPPING)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def begin(self, records: Records, request_id: str = "ours") -> None:
        self.traces.observe(Invoking("m", "f", request_id, records, 1))

    def invoke(self, records: Records, outcome: Outcome) -> ReadableSpan:
        self.begin(records)
        self.traces.observe(Invoked("m", "f", records, outcome, 1.0))
        return self.spans[-1]


@pytest.fixture
def traced() -> Traced:
    return Traced()


def records(*producers: TraceContext | None, shard: str = "") -> Records:
    lane = Lane("arn:aws:sqs:us-east-1:000000000000:orders", shard)
    return Records.of([Record(lane, f"id-{place}", item(producer), 0.0) for place, producer in enumerate(producers)])


def item(producer: TraceContext | None) -> dict[str, Any]:
    text = {"traceparent": {"stringValue": producer.traceparent}} if producer else {}
    return {"attributes": {}, "messageAttributes": text}


@pytest.mark.semantics("TRACE-01")
def test_names_are_those_of_the_convention() -> None:
    modules = (messaging_attributes, faas_attributes, error_attributes)
    known = {value for module in modules for value in vars(module).values() if isinstance(value, str)}
    assert set(span_facts.NAMES) <= known
    assert schemas.Schemas.V1_44_0.value == span_facts.SCHEMA


@pytest.mark.semantics("TRACE-01")
def test_a_span_tells_of_its_batch(traced: Traced) -> None:
    span = traced.invoke(records(None, shard="shard-1"), Succeeded(ATTEMPT))
    assert span.name == "process orders"
    assert dict(span.attributes or {}) == {
        "messaging.system": "aws_sqs",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "orders",
        "messaging.destination.partition.id": "shard-1",
        "messaging.consumer.group.name": "group",
        "messaging.batch.message_count": 1,
        "messaging.message.id": "id-0",
        "faas.invoked_name": "f",
        "faas.invocation_id": "ours",
        "headrace.mapping": "m",
        "headrace.attempt": 1,
    }
    assert span.status.status_code is StatusCode.UNSET


@pytest.mark.semantics("TRACE-01")
def test_a_span_leaves_out_what_its_batch_does_not_have() -> None:
    queue = TracedMapping("m", "aws_sqs", "orders", "", sqs.STANDARD.carriers)
    facts = span_facts.begun(queue, "f", "r", records(None, None), 1)
    assert {span_facts.GROUP, span_facts.PARTITION, span_facts.MESSAGE}.isdisjoint(facts)


@pytest.mark.semantics("TRACE-02")
def test_one_producer_is_the_parent_and_several_are_links_alone(traced: Traced) -> None:
    alone = traced.invoke(records(PRODUCERS[0], None, PRODUCERS[0]), Succeeded(ATTEMPT))
    both = traced.invoke(records(*PRODUCERS), Succeeded(ATTEMPT))
    assert [link.context.trace_id for link in alone.links] == [1]
    assert alone.parent is not None
    assert (alone.parent.trace_id, alone.parent.span_id) == (1, 7)
    assert [link.context.trace_id for link in both.links] == [1, 2]
    assert both.parent is None


@pytest.mark.semantics("TRACE-03")
def test_a_span_is_handed_to_its_invocation_once(traced: Traced) -> None:
    batch = records(None)
    traced.begin(batch, "a")
    traced.begin(records(None), "b")
    handed = traced.traces.handed("a")
    traced.traces.observe(Invoked("m", "f", batch, Succeeded(ATTEMPT), 1.0))
    own = traced.spans[0].context
    assert own is not None
    assert context_of(handed.trace) == TraceContext(own.trace_id, own.span_id, sampled=True)
    assert handed.client_context == ""
    assert traced.traces.handed("a") == NOTHING_HANDED


@pytest.mark.semantics("TRACE-04")
def test_attempts_of_a_batch_are_one_trace(traced: Traced) -> None:
    batch = records(None, None)
    first = traced.invoke(batch, FAILURE)
    traced.traces.observe(Retrying("m", batch, 1, 0.1))
    second = traced.invoke(batch[:], Throttled(ATTEMPT))
    traced.traces.observe(Retrying("m", batch, 1, 0.1))  # uses up none
    third = traced.invoke(batch, Succeeded(ATTEMPT))
    assert [(span.attributes or {})["headrace.attempt"] for span in (first, second, third)] == [1, 2, 2]
    assert second.parent == first.context
    assert third.parent == second.context
    assert traced.invoke(batch, FAILURE).parent is None  # as it came again: nothing of it was to be tried again
    returned = traced.invoke(batch, FAILURE)  # and neither of what the source gives again
    assert (returned.parent, (returned.attributes or {})["headrace.attempt"]) == (None, 1)


@pytest.mark.semantics("TRACE-04")
@pytest.mark.parametrize(
    ("outcome", "ending"),
    [
        (Succeeded(ATTEMPT), SpanEnding()),
        (FailedItems(ATTEMPT, frozenset({"a", "b"})), SpanEnding("items", "the function named 2 records as failed", 2)),
        (FAILURE, SpanEnding("error", "it broke")),
        (FunctionFailed(ATTEMPT, Failure.TIMEOUT, "late"), SpanEnding("timeout", "late")),
        (Throttled(ATTEMPT), SpanEnding("throttled", "no room for the invocation")),
        (Throttled(ATTEMPT, reason="Busy"), SpanEnding("throttled", "Busy")),
        (Unreachable(ATTEMPT, CAUSE), SpanEnding("unreachable", "nobody answers")),
    ],
)
def test_an_outcome_is_the_status(traced: Traced, outcome: Outcome, ending: SpanEnding) -> None:
    assert ending_of(outcome) == ending
    span = traced.invoke(records(None), outcome)
    facts = span.attributes or {}
    assert facts.get("error.type", "") == ending.error
    assert facts.get("headrace.failed_records", 0) == ending.failed
    assert (span.status.description or "") == ending.text
    assert (span.status.status_code is StatusCode.ERROR) == bool(ending.error)


def test_an_invocation_that_was_cut_ends_at_the_stop(traced: Traced) -> None:
    traced.begin(records(None))
    assert not traced.spans
    traced.traces.end()
    assert (traced.spans[0].attributes or {})["error.type"] == "cut"


def test_spans_that_nobody_ends_are_bounded(traced: Traced) -> None:
    batches = [records(None) for _ in range(MOST_OPEN + 1)]
    for batch in batches:
        traced.begin(batch)
    assert len(traced.spans) == 1


def test_other_mappings_and_windows_without_records_have_no_span(traced: Traced) -> None:
    traced.traces.observe(Invoking("other", "f", "r", records(None), 1))
    traced.begin(NONE)
    traced.traces.observe(Invoked("m", "f", NONE, Succeeded(ATTEMPT), 1.0))
    traced.traces.end()
    assert traced.spans == ()


@pytest.mark.semantics("TRACE-01")
@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "false"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_variables_ask_for_traces(environ: dict[str, str], asked: bool) -> None:
    assert asked_by(environ) is asked


@pytest.mark.semantics("TRACE-05")
def test_the_oldest_spans_are_dropped_and_counted() -> None:
    backlog: SpanBacklog[int] = SpanBacklog(3)
    for span in range(5):
        backlog.add(span)
    assert (len(backlog), backlog.dropped(), backlog.dropped()) == (3, 2, 0)
    assert (backlog.take(2), backlog.take(2), backlog.take()) == ([2, 3], [4], [])
    backlog.add(6)
    backlog.give_up()
    assert (len(backlog), backlog.dropped()) == (0, 1)

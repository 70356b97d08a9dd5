"""The observer that makes a span of each invocation of a mapping, and what is handed to the function of it.

    Invoking ──► a CONSUMER span begins, with links to the producers ──► handed to the function ──► Invoked: it ends

The attempts of one batch are spans of one trace. The end of a window without a record has none. Who may import
OpenTelemetry decides `wiring/tracing.py`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from ...dispatch.core.model import Succeeded
from ...dispatch.core.observer import Event, Invoked, Invoking, Retrying
from ...dispatch.core.pages import Records
from ...dispatch.core.trace_carriers import NOTHING_HANDED, HandedTrace, TraceContext
from .core.span_facts import CUT, SpanEnding, TracedMapping, begun, ending_of

MOST_OPEN = 10_000
"""Spans that are open, and batches that are remembered between two attempts."""

_Batch = tuple[str, str, str, int]
"""A batch of a mapping, as long as it is not cut: mapping, first and last record, and their number."""


@dataclass(frozen=True, slots=True)
class _OpenSpan:
    span: Span
    records: Records


class BatchTraces:
    """`client_context`: hand `traceparent` on in the client context, too."""

    def __init__(self, tracer: trace.Tracer, *, client_context: bool = False) -> None:
        self._tracer = tracer
        self._client_context = client_context
        self._mappings: dict[str, TracedMapping] = {}
        self._open: OrderedDict[tuple[str, int], _OpenSpan] = OrderedDict()
        """By the mapping and the identity of the records: a remote function answers with a request id of its own."""
        self._handed: dict[str, HandedTrace] = {}
        self._tried: OrderedDict[_Batch, tuple[int | None, SpanContext]] = OrderedDict()
        """The last span of a batch that failed, and the attempts that it used up; None before it is known that it is
        tried again."""

    def add(self, mapping: TracedMapping) -> None:
        self._mappings[mapping.name] = mapping

    def handed(self, request_id: str) -> HandedTrace:
        """What the invocation takes along that was told of last."""
        return self._handed.pop(request_id, NOTHING_HANDED)

    def observe(self, event: Event) -> None:
        match event:
            case Invoking(mapping=name, records=records) if records and name in self._mappings:
                self._begin(self._mappings[name], event)
            case Invoked(mapping=name, records=records, outcome=outcome):
                if opened := self._open.pop((name, id(records)), None):
                    _end(opened.span, ending_of(outcome))
                    if not isinstance(outcome, Succeeded):
                        self._remember(name, records, opened.span)
            case Retrying(mapping=name, records=records, attempt=attempt):
                batch = _batch(name, records)
                if batch in self._tried:
                    self._tried[batch] = (attempt, self._tried[batch][1])
            case _:
                pass

    def end(self) -> None:
        """End what is open: no invocation runs any more."""
        while self._open:
            _end(self._open.popitem()[1].span, CUT)

    def _begin(self, mapping: TracedMapping, event: Invoking) -> None:
        records = event.records
        attempts, last = self._last(mapping.name, records)
        producers = [_span_context(each) for each in mapping.carriers.producers(records.bodies)]
        span = self._tracer.start_span(
            mapping.span_name,
            context=_parent(producers, last),
            kind=SpanKind.CONSUMER,
            links=[Link(each) for each in producers],
            attributes=begun(mapping, event.function, event.request_id, records, attempts + 1),
        )
        if len(self._open) >= MOST_OPEN:  # of invocations that were cut
            _end(self._open.popitem(last=False)[1].span, CUT)
        self._open[mapping.name, id(records)] = _OpenSpan(span, records)
        context = span.get_span_context()
        own = TraceContext(context.trace_id, context.span_id, context.trace_flags.sampled)
        self._handed[event.request_id] = HandedTrace.of(own, client_context=self._client_context)

    def _last(self, mapping: str, records: Records) -> tuple[int, SpanContext | None]:
        attempts, last = self._tried.pop(_batch(mapping, records), (None, None))
        return (0, None) if attempts is None else (attempts, last)

    def _remember(self, mapping: str, records: Records, span: Span) -> None:
        """Until its next attempt. Some have none, so the oldest are forgotten."""
        if len(self._tried) >= MOST_OPEN:
            self._tried.popitem(last=False)
        self._tried[_batch(mapping, records)] = (None, span.get_span_context())


def _batch(mapping: str, records: Records) -> _Batch:
    return (mapping, *records.ends)


def _end(span: Span, ending: SpanEnding) -> None:
    span.set_attributes(ending.attributes)
    if ending.error:
        span.set_status(Status(StatusCode.ERROR, ending.text))
    span.end()


def _span_context(context: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if context.sampled else TraceFlags.DEFAULT)
    return SpanContext(context.trace_id, context.span_id, is_remote=True, trace_flags=flags)


def _parent(producers: Sequence[SpanContext], last: SpanContext | None) -> Context:
    """The attempt before, for one that follows it; else the producer, where there is only one."""
    parent = last or (producers[0] if len(producers) == 1 else None)
    return trace.set_span_in_context(NonRecordingSpan(parent), Context()) if parent else Context()

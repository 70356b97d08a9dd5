"""Counts the spans that a collector took, and those that were dropped."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class SpanMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.exported = Counter("headrace_spans_exported", "Spans that the collector took.", registry=registry)
        text = "Spans that were dropped: the collector did not take them, or they came faster than it did."
        self.dropped = Counter("headrace_spans_dropped", text, registry=registry)

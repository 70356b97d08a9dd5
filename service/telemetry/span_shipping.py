"""Exports spans, beside the mappings: no mapping waits for a collector, and none ends with it.

    a span ──► backlog (bounded) ──► a thread: one request after the other ──► the collector
                  └── full, or refused, or the stop is over: dropped and counted

A thread of its own makes the requests, because OpenTelemetry's exporter blocks, and tries a request again by itself. It
is a daemon thread: a request that hangs does not hold up the end of the process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import anyio
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ...config.fields.spoken import counted
from .core.span_backlog import LIMIT, SpanBacklog
from .log import Action, Log
from .span_metrics import SpanMetrics

LINGER = 1.0
"""Seconds for which spans are gathered before they are sent."""


class SpanShipping(SpanProcessor):
    """The processor of ended spans, and their export. `run` it once, `stop` it once, in one event loop."""

    def __init__(self, exporter: SpanExporter, log: Log, metrics: SpanMetrics, *, limit: int = LIMIT) -> None:
        self._exporter = exporter
        self._log = log
        self._backlog: SpanBacklog[ReadableSpan] = SpanBacklog(limit)
        self._arrived = anyio.Event()
        self._stopping = anyio.Event()
        self._drained = anyio.Event()
        self._scope = anyio.CancelScope()
        self._over = False
        self._working = True
        self._exported, self._dropped = metrics.exported, metrics.dropped

    # --- as a processor ---------------------------------------------------------------------------------------------

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        pass

    def on_end(self, span: ReadableSpan) -> None:
        """In the event loop, as the spans are ours. A span that is not sampled is not exported."""
        if span.context is not None and span.context.trace_flags.sampled:
            self._backlog.add(span)
            self._arrived.set()

    def shutdown(self) -> None:
        pass  # `stop` does it

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    # --- as a part of the daemon ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Export spans until stopped."""
        with anyio.CancelScope() as self._scope:
            while not self._over:
                if self._stopping.is_set() and not self._backlog:
                    self._drained.set()
                await self._arrived.wait()
                self._arrived = anyio.Event()
                with anyio.move_on_after(LINGER):
                    await self._stopping.wait()
                while spans := self._backlog.take():
                    self._count(len(spans), taken=await self._export(spans))

    async def stop(self, until: float) -> None:
        """Export what waits, until then (monotonic); then drop the rest."""
        self._stopping.set()
        self._arrived.set()
        if not self._working:  # nothing is gained by waiting: the exporter gives up what it tries
            _in_thread(self._exporter.shutdown)
        with anyio.CancelScope(deadline=until):
            await self._drained.wait()
        self._over = True
        self._scope.cancel()
        self._backlog.give_up()
        self._dropped.inc(self._backlog.dropped())

    async def _export(self, spans: Sequence[ReadableSpan]) -> bool:
        result: list[bool] = []
        done = anyio.Event()
        loop = asyncio.get_running_loop()

        def export() -> None:
            result.append(_exported(self._exporter, spans))
            with suppress(RuntimeError):  # the loop is over: nobody waits any more
                loop.call_soon_threadsafe(done.set)

        _in_thread(export)
        try:
            await done.wait()
        except anyio.get_cancelled_exc_class():
            self._dropped.inc(len(spans))
            raise
        return result[0]

    def _count(self, spans: int, *, taken: bool) -> None:
        """Says once that spans are lost, and once that they arrive again."""
        (self._exported if taken else self._dropped).inc(spans)
        dropped = self._backlog.dropped()
        self._dropped.inc(dropped)
        if taken and not self._working:
            self._log.info(Action.TRACES, "the collector takes spans again")
        elif not taken and self._working:
            lost = counted(spans, "span")
            text = f"the collector did not take {lost}: they are dropped; look at the endpoint in OTEL_EXPORTER_OTLP_*"
            self._log.warning(Action.TRACES, text)
        self._working = taken


def _exported(exporter: SpanExporter, spans: Sequence[ReadableSpan]) -> bool:
    try:
        return exporter.export(spans) is SpanExportResult.SUCCESS
    except Exception:
        return False


def _in_thread(work: Callable[[], object]) -> None:
    threading.Thread(target=work, name="headrace-spans", daemon=True).start()

"""Decides whether there are traces, and makes what exports them. OpenTelemetry is imported here, and only then."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...config.errors import ConfigError, Problem
from ...config.mapping import EventSourceMapping
from ...config.settings import Settings
from ...config.version import version
from ...dispatch.core.observer import Observer
from ...dispatch.core.trace_carriers import NOTHING_HANDED, Handing
from ...dispatch.kinds.table import dispatch_of
from ..running.mappings import Companion
from ..telemetry.core.span_facts import SCHEMA, TracedMapping, asked_by
from ..telemetry.log import Action, Log
from ..telemetry.span_metrics import SpanMetrics

if TYPE_CHECKING:
    from ..telemetry.span_shipping import SpanShipping
    from ..telemetry.traces import BatchTraces

MISSING = "traces need OpenTelemetry's libraries, which are not installed: pip install 'headrace[otel]'"


@dataclass(frozen=True, slots=True)
class Tracing:
    """What the daemon has of traces; empty where there are none."""

    observers: tuple[Observer, ...] = ()
    parts: tuple[Companion, ...] = ()
    traces: BatchTraces | None = None

    def handing(self, mapping: EventSourceMapping) -> Handing:
        """What the invocations of a mapping take along."""
        if self.traces is None:
            return lambda request_id: NOTHING_HANDED
        self.traces.add(traced(mapping))
        return self.traces.handed


def traced(mapping: EventSourceMapping) -> TracedMapping:
    kind = dispatch_of(mapping)
    group = kind.consumer_group(mapping)
    return TracedMapping(mapping.name, kind.messaging_system, kind.destination_name(mapping), group, kind.carriers)


def open_tracing(
    settings: Settings, log: Log, metrics: SpanMetrics, environ: Mapping[str, str] = os.environ
) -> Tracing:
    """Raises ConfigError where the settings ask for traces and a library is missing. A dry run has none."""
    if settings.dry_run or settings.traces == "off" or (settings.traces == "auto" and not asked_by(environ)):
        return Tracing()
    if not _installed():
        if settings.traces == "on":
            raise ConfigError([Problem(MISSING, "traces")])
        log.warning(Action.TRACES, MISSING)
        return Tracing()
    return _made(settings, log, metrics, environ)


def _installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http.trace_exporter") is not None and (
            find_spec("opentelemetry.sdk.trace") is not None
        )
    except ModuleNotFoundError:
        return False


def _made(settings: Settings, log: Log, metrics: SpanMetrics, environ: Mapping[str, str]) -> Tracing:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from ..telemetry.span_shipping import SpanShipping
    from ..telemetry.traces import BatchTraces

    exporter = OTLPSpanExporter()
    shipping = SpanShipping(exporter, log, metrics)
    provider = TracerProvider(resource=Resource.create(_resource(environ)), shutdown_on_exit=False)
    provider.add_span_processor(shipping)
    tracer = provider.get_tracer("headrace", version(), SCHEMA)
    traces = BatchTraces(tracer, client_context=settings.traceparent)
    _say(log, environ)
    return Tracing((traces,), (Ending(traces, shipping),), traces)


def _resource(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables go before it."""
    named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return {"service.version": version()} | ({} if named else {"service.name": "headrace"})


def _say(log: Log, environ: Mapping[str, str]) -> None:
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if (protocol := environ.get(name, "")) not in ("", "http/protobuf"):
            log.warning(Action.TRACES, f"{name} asks for {protocol}: spans are sent with http/protobuf alone")
            return


class Ending:
    """Ends the open spans before the last export."""

    def __init__(self, traces: BatchTraces, shipping: SpanShipping) -> None:
        self._traces = traces
        self._shipping = shipping

    async def run(self) -> None:
        await self._shipping.run()

    async def stop(self, until: float) -> None:
        self._traces.end()
        await self._shipping.stop(until)

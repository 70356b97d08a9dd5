"""The metrics that the code has, as Prometheus names them."""

from __future__ import annotations

import io

from headrace.service.telemetry.fault_reports import FaultReports
from headrace.service.telemetry.function_telemetry import FunctionMetrics
from headrace.service.telemetry.log import Log
from headrace.service.telemetry.metrics import Metrics
from headrace.service.telemetry.reload_metrics import ReloadMetrics
from headrace.service.telemetry.span_metrics import SpanMetrics
from headrace.service.telemetry.view import FunctionView, MappingView, Readiness


class NothingRuns:
    """The view of a daemon without mappings and functions."""

    def readiness(self) -> Readiness:
        raise NotImplementedError

    def mappings(self) -> tuple[MappingView, ...]:
        return ()

    def functions(self) -> tuple[FunctionView, ...]:
        return ()


def families() -> set[str]:
    """The metrics, as Prometheus names them."""
    metrics = Metrics(())
    metrics.look_at(NothingRuns())
    FunctionMetrics(metrics.registry)
    FaultReports(Log(io.StringIO()), metrics.registry)
    ReloadMetrics(metrics.registry)
    SpanMetrics(metrics.registry)
    counted = {f"{each.name}_total" for each in metrics.registry.collect() if each.type == "counter"}
    return counted | {each.name for each in metrics.registry.collect() if each.type != "counter"}

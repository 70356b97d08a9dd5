"""docs/logs-and-metrics.md against the code: each action and each metric has its row, and each row has its code."""

from __future__ import annotations

import io
import re
from pathlib import Path

from headrace.service.telemetry.fault_reports import FaultReports
from headrace.service.telemetry.function_telemetry import FunctionMetrics
from headrace.service.telemetry.log import Action, Log
from headrace.service.telemetry.metrics import Metrics
from headrace.service.telemetry.reload_metrics import ReloadMetrics
from headrace.service.telemetry.span_metrics import SpanMetrics
from headrace.service.telemetry.view import FunctionView, MappingView, Readiness

PAGE = (Path(__file__).parents[2] / "docs" / "logs-and-metrics.md").read_text()
ROWS = re.compile(r"^\| ((?:`[^`|]+`(?:, )?)+) \|", re.MULTILINE)


def named() -> set[str]:
    """What the first columns of the page's tables name, without labels."""
    return {name.partition("{")[0] for row in ROWS.findall(PAGE) for name in re.findall(r"`([^`]+)`", row)}


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


def test_each_action_has_its_row() -> None:
    assert {action.value for action in Action} - named() == set()


def test_each_metric_has_its_row_and_each_row_its_metric() -> None:
    rows = {name for name in named() if name.startswith("headrace_")}
    assert rows == families()

"""Metrics as Prometheus' text format 0.0.4, for the names that we have: those need no quoting.

https://prometheus.io/docs/instrumenting/exposition_formats/

The library's own writer handles all names at five times the cost, which takes seconds with a thousand
mappings. Runs in a thread beside the event loop, so it releases the interpreter at intervals.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from prometheus_client.core import Metric
from prometheus_client.utils import floatToGoString

LINES_AT_ONCE = 500
PAUSE = 0.0002
"""Seconds of pause after this many lines, so that other threads get the interpreter."""


def text_of(metrics: Iterable[Metric]) -> bytes:
    lines: list[str] = []
    paused = 0
    for metric in metrics:
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        lines += (f"# HELP {name} {_escaped(metric.documentation)}\n", f"# TYPE {name} {metric.type}\n")
        for sample in metric.samples:
            value = floatToGoString(sample.value)  # type: ignore[no-untyped-call]
            lines.append(f"{sample.name}{_labels(sample.labels)} {value}\n")
            if len(lines) - paused >= LINES_AT_ONCE:
                paused = len(lines)
                time.sleep(PAUSE)
    return "".join(lines).encode()


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join([f'{name}="{_quoted(labels[name])}"' for name in sorted(labels)]) + "}"


def _quoted(value: str) -> str:
    if '"' in value or "\\" in value or "\n" in value:
        return _escaped(value).replace('"', r"\"")
    return value


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")

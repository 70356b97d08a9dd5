"""The lines that the platform itself writes into a function's log: INIT_START, START, END, REPORT. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil


def init_start(runtime: str) -> str:
    return f"INIT_START Runtime Version: {runtime or 'provided'}"


def init_report(seconds: float, *, phase: str, status: str, kind: str = "") -> str:
    error = f"\tError Type: {kind}" if kind else ""
    return f"INIT_REPORT Init Duration: {seconds * 1000:.2f} ms\tPhase: {phase}\tStatus: {status}{error}"


def start(request_id: str, version: str) -> str:
    return f"START RequestId: {request_id} Version: {version}"


def timed_out(request_id: str, seconds: float, now: float) -> str:
    """`now` is the wall clock's."""
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{at} {request_id} Task timed out after {seconds:.2f} seconds"


def end(request_id: str) -> str:
    return f"END RequestId: {request_id}"


def report(
    request_id: str,
    seconds: float,
    *,
    memory_size: int,
    max_memory: int,
    init_seconds: float | None = None,
    ending: str = "",
) -> str:
    """Memory is in MB. `ending`: `Status: timeout` or the like, if the invocation failed for the platform's reasons."""
    milliseconds = seconds * 1000
    billed = ceil(milliseconds + (init_seconds or 0.0) * 1000)
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {milliseconds:.2f} ms",
        f"Billed Duration: {billed} ms",
        f"Memory Size: {memory_size} MB",
        f"Max Memory Used: {max_memory} MB",
    ]
    if init_seconds is not None:
        parts.append(f"Init Duration: {init_seconds * 1000:.2f} ms")
    if ending:
        parts.append(ending)
    return "\t".join([*parts, ""])

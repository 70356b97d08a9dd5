"""The platform's lines in the log format JSON: one object each, the less important ones left out. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from .platform_log import Ended, Lines, Status, stamp

LEVELS = {"DEBUG": 10, "INFO": 20, "WARN": 30}
INITIALIZATION = "on-demand"


@dataclass(frozen=True, slots=True)
class JsonLog:
    """`level` is the function's SystemLogLevel."""

    function: str
    version: str
    memory_size: int
    """MB."""
    environment: str
    """The identity of this environment among the function's others."""
    level: str = "INFO"

    def init_start(self, runtime: str, now: float) -> Lines:
        record = {
            "initializationType": INITIALIZATION,
            "phase": "init",
            "runtimeVersion": runtime or "provided",
            "functionName": self.function,
            "functionVersion": self.version,
            "instanceId": self.environment,
            "instanceMaxMemory": self.memory_size * 1024 * 1024,
        }
        return self._line("platform.initStart", "INFO", record, now)

    def init_done(self, seconds: float, now: float) -> Lines:
        return self._inited(seconds, "success", "", now)

    def init_failed(self, seconds: float, status: Status, kind: str, now: float) -> Lines:
        return self._inited(seconds, status, kind, now)

    def _inited(self, seconds: float, status: Status, kind: str, now: float) -> Lines:
        common = {"initializationType": INITIALIZATION, "phase": "init", "status": status}
        error = {"errorType": kind} if kind else {}
        report = {**common, "metrics": {"durationMs": _milliseconds(seconds)}, **error}
        weight = "INFO" if status == "success" else "WARN"
        return (
            *self._line("platform.initRuntimeDone", "DEBUG", {**common, **error}, now),
            *self._line("platform.initReport", weight, report, now),
        )

    def start(self, request_id: str, now: float) -> Lines:
        return self._line("platform.start", "INFO", {"requestId": request_id, "version": self.version}, now)

    def end(self, ended: Ended, now: float) -> Lines:
        good = ended.status == "success"
        common = {"requestId": ended.request_id, "status": ended.status}
        error = {"errorType": ended.kind} if ended.kind and not good else {}
        spent = {"durationMs": _milliseconds(ended.seconds), "producedBytes": ended.produced}
        done = {**common, "metrics": spent, **error}
        report = {**common, "metrics": _metrics(ended), **error}
        return (
            *self._line("platform.runtimeDone", "DEBUG" if good else "WARN", done, now),
            *self._line("platform.report", "INFO" if good else "WARN", report, now),
        )

    def _line(self, kind: str, weight: str, record: dict[str, Any], now: float) -> Lines:
        if LEVELS[weight] < LEVELS.get(self.level, LEVELS["INFO"]):
            return ()
        return (orjson.dumps({"time": stamp(now), "type": kind, "record": record}).decode(),)


def _metrics(ended: Ended) -> dict[str, Any]:
    init = {} if ended.init_seconds is None else {"initDurationMs": _milliseconds(ended.init_seconds)}
    return {
        "durationMs": _milliseconds(ended.seconds),
        "billedDurationMs": ended.billed,
        "memorySizeMB": ended.memory_size,
        "maxMemoryUsedMB": ended.max_memory,
        **init,
    }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)

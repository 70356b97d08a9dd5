"""The lines that the platform itself writes into a function's log, as text: INIT_START, START, END, REPORT. Pure.

`PlatformLog` is what both formats can say; `platform_json.py` is the other one.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Literal, Protocol

Lines = tuple[str, ...]
Status = Literal["success", "error", "timeout"]


@dataclass(frozen=True, slots=True)
class Ended:
    """The platform's facts about an invocation that has ended."""

    request_id: str
    seconds: float
    memory_size: int
    """MB."""
    max_memory: int
    """MB; 0 where it is not known."""
    init_seconds: float | None = None
    """The length of the init, with the first invocation of an environment."""
    status: Status = "success"
    """`success` also where the handler raised and the runtime said so."""
    kind: str = ""
    """AWS's error type, where the platform has one."""
    message: str = ""
    """AWS's text for a runtime that ended."""
    produced: int = 0
    """Bytes of the answer."""
    timeout: float = 0.0

    @property
    def billed(self) -> int:
        """Milliseconds."""
        return ceil((self.seconds + (self.init_seconds or 0.0)) * 1000)


class PlatformLog(Protocol):
    """The platform's lines of one environment. `now` is wall-clock time."""

    def init_start(self, runtime: str, now: float) -> Lines: ...

    def init_done(self, seconds: float, now: float) -> Lines: ...

    def init_failed(self, seconds: float, status: Status, kind: str, now: float) -> Lines: ...

    def start(self, request_id: str, now: float) -> Lines: ...

    def end(self, ended: Ended, now: float) -> Lines: ...


@dataclass(frozen=True, slots=True)
class TextLog:
    """The lines that are Lambda's by default."""

    version: str

    def init_start(self, runtime: str, now: float) -> Lines:
        return (f"INIT_START Runtime Version: {runtime or 'provided'}",)

    def init_done(self, seconds: float, now: float) -> Lines:
        """The REPORT of the first invocation says it."""
        return ()

    def init_failed(self, seconds: float, status: Status, kind: str, now: float) -> Lines:
        error = f"\tError Type: {kind}" if kind else ""
        return (f"INIT_REPORT Init Duration: {seconds * 1000:.2f} ms\tPhase: init\tStatus: {status}{error}",)

    def start(self, request_id: str, now: float) -> Lines:
        return (f"START RequestId: {request_id} Version: {self.version}",)

    def end(self, ended: Ended, now: float) -> Lines:
        crash = (f"{ended.message}\n{ended.kind}",) if ended.status == "error" else ()  # one event of two lines
        late = (_timed_out(ended, now),) if ended.status == "timeout" else ()
        return (*crash, f"END RequestId: {ended.request_id}", report(ended), *late)


def report(ended: Ended) -> str:
    parts = [
        f"REPORT RequestId: {ended.request_id}",
        f"Duration: {ended.seconds * 1000:.2f} ms",
        f"Billed Duration: {ended.billed} ms",
        f"Memory Size: {ended.memory_size} MB",
        f"Max Memory Used: {ended.max_memory} MB",
    ]
    if ended.init_seconds is not None:
        parts.append(f"Init Duration: {ended.init_seconds * 1000:.2f} ms")
    if ended.status != "success":
        parts.append(f"Status: {ended.status}")
    if ended.kind and ended.status == "error":
        parts.append(f"Error Type: {ended.kind}")
    return "\t".join([*parts, ""])


def _timed_out(ended: Ended, now: float) -> str:
    return f"{stamp(now)} {ended.request_id} Task timed out after {ended.timeout:.2f} seconds"


def stamp(wall: float) -> str:
    """A time in the platform's form: to the millisecond, in UTC."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

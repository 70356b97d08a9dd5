"""Standard output and the log on standard error, as a process with an event loop has them."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import Self

from ...config.fields.spoken import counted
from .core.line_backlog import LineCounts
from .line_writer import Lines, lines_of
from .log import Action, Log, open_log


class _LastLine:
    """Keeps the last line."""

    def __init__(self) -> None:
        self.line = ""

    def put(self, line: str, *, of_function: bool = False) -> None:
        self.line = line

    def flush(self, within: float | None) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Outputs:
    """Outputs that never wait for their readers."""

    out: Lines
    """Standard output."""
    err: Lines
    """Standard error, where the log goes too."""
    log: Log

    @classmethod
    def of_process(cls, level: str = "info", form: str = "auto") -> Self:
        """Those of this process."""
        terminal = sys.stderr is not None and sys.stderr.isatty()
        err = lines_of(sys.stderr, lambda counts: _left_out(log, counts))
        log = open_log(err, level, form, terminal=terminal)
        return cls(lines_of(sys.stdout, partial(_missing, log)), err, log)

    def flush(self, within: float) -> None:
        """Wait at most this many seconds until all lines are written."""
        end = time.monotonic() + within
        for each in (self.out, self.err):
            each.flush(max(0.0, end - time.monotonic()))


def _left_out(log: Log, counts: LineCounts) -> str:
    """The line that replaces dropped lines of the log; empty when the log has no warnings."""
    said = _LastLine()
    _warn(log.into(said), "standard error", counts)
    return said.line


def _missing(log: Log, counts: LineCounts) -> None:
    """Standard output contains no remarks, so the log reports lines that were dropped there."""
    _warn(log, "standard output", counts)


def _warn(log: Log, stream: str, counts: LineCounts) -> None:
    text = f"{stream} was not read in time: {counted(counts.functions + counts.own, 'line')} dropped"
    log.warning(
        Action.LINES_LEFT_OUT, text, stream=stream, of_functions=counts.functions or None, own=counts.own or None
    )

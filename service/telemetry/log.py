"""Logs: structlog on standard error, for people on a terminal and as JSON elsewhere, with a fixed set of actions.

Owns the form of lines and the list of actions. Normal operation is quiet: a line at `info` is a change, a line
at `warning` needs a look. Payloads are never logged. `event_lines.py` decides which events become lines.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from io import TextIOBase
from typing import Any, TextIO, cast

import orjson
import structlog

from ...config.kinds.table import KINDS
from .core.repeats import Repeats
from .core.terminal import in_one_line, under_its_first_line
from .line_writer import Lines, StreamLines


class Action(StrEnum):
    """The `action` of every line, for searches. docs/logs-and-metrics.md explains each."""

    START = "start"
    LISTEN = "listen"
    MAPPING = "mapping"
    RECORDED = "recorded"
    FOREIGN_MAPPING = "foreign_mapping"
    TAKEN_OVER = "taken_over"
    NOT_TAKEN_OVER = "not_taken_over"
    GIVEN_BACK = "given_back"
    READY = "ready"
    STATE = "state"
    FEEDS = "feeds"
    FETCH = "fetch"
    FETCH_FAILED = "fetch_failed"
    FETCHES_AGAIN = "fetches_again"
    FILTER = "filter"
    FILTER_UNMET = "filter_unmet"
    INVOKE = "invoke"
    INVOKE_FAILED = "invoke_failed"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    RETRY = "retry"
    BISECT = "bisect"
    SETTLE = "settle"
    SETTLE_FAILED = "settle_failed"
    DISCARD = "discard"
    DESTINATION = "destination"
    DESTINATION_FAILED = "destination_failed"
    GAP = "gap"
    RECREATED = "recreated"
    COMMIT = "commit"
    COMMIT_FAILED = "commit_failed"
    REBALANCE = "rebalance"
    POSITIONS = "positions"
    STORE_FAILED = "store_failed"
    STORES_AGAIN = "stores_again"
    BLOCKED = "blocked"
    FUNCTION_DOWN = "function_down"
    FUNCTION_UP = "function_up"
    RUNTIME = "runtime"
    FUNCTION_LOG = "function_log"
    OUTPUT_LEFT_OUT = "output_left_out"
    FUNCTION_LOGS = "function_logs"
    TRACES = "traces"
    CLOUDWATCH = "cloudwatch"
    ASYNCHRONOUS = "asynchronous"
    RECORD_FAILED = "record_failed"
    SIGNAL = "signal"
    RELOAD = "reload"
    STOP = "stop"
    ACCOUNT = "account"
    IDLE = "idle"
    NOT_IDLE = "not_idle"
    FAULT = "fault"
    LIBRARY = "library"
    LINES_LEFT_OUT = "lines_left_out"
    DESCRIPTORS = "descriptors"


LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _LogLines:
    """Passes finished lines on, as structlog wants it."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def msg(self, line: str, *, of_function: bool) -> None:
        self._lines.put(line, of_function=of_function)

    log = debug = info = warning = error = critical = msg


class Log:
    """One line each: `log.info(Action.READY, "ready", mapping=…)`."""

    def __init__(self, lines: Lines | TextIO, *, level: str = "info", json: bool = True, color: bool = False) -> None:
        self._lines: Lines = StreamLines(lines) if isinstance(lines, TextIOBase) else cast("Lines", lines)
        self._form: dict[str, Any] = {"json": json, "color": color}
        self._named = level
        self.level = LEVELS[level]
        console = structlog.dev.ConsoleRenderer(colors=color, sort_keys=False, pad_event_to=0)
        self._logger = structlog.wrap_logger(
            _LogLines(self._lines),
            processors=[
                _without_blanks,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                *([] if json else [_for_terminals]),
                partial(_line, _json_line if json else console),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(self.level),
        )

    def at(self, level: str) -> Log:
        """The same log at another level."""
        return Log(self._lines, **self._form, level=level)

    def into(self, lines: Lines) -> Log:
        """The same log elsewhere."""
        return Log(lines, **self._form, level=self._named)

    def debug(self, action: Action, text: str, **fields: object) -> None:
        self._logger.debug(text, action=action.value, **fields)

    def info(self, action: Action, text: str, **fields: object) -> None:
        self._logger.info(text, action=action.value, **fields)

    def warning(self, action: Action, text: str, **fields: object) -> None:
        self._logger.warning(text, action=action.value, **fields)

    def error(self, action: Action, text: str, **fields: object) -> None:
        self._logger.error(text, action=action.value, **fields)


def _without_blanks(logger: object, method: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: value for key, value in fields.items() if value is not None}


def _line(
    render: Callable[[object, str, structlog.typing.EventDict], str],
    logger: object,
    method: str,
    fields: structlog.typing.EventDict,
) -> tuple[tuple[str], dict[str, bool]]:
    """The arguments of `_LogLines.msg`."""
    of_function = fields.get("action") == Action.FUNCTION_LOG
    return (render(logger, method, fields),), {"of_function": of_function}


def _for_terminals(logger: object, method: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escapes control characters in the output of functions and in texts of servers. The renderer escapes other
    values."""
    safe = {key: in_one_line(value) if isinstance(value, str) else value for key, value in fields.items()}
    return {**safe, "event": under_its_first_line(str(fields["event"]))}


def _json_line(logger: object, method: str, fields: structlog.typing.EventDict) -> str:
    # A function's output may contain invalid Unicode; the line is written nevertheless.
    try:
        return orjson.dumps(fields, default=str).decode()
    except TypeError:
        safe = {key: str(value).encode("utf-8", "backslashreplace").decode() for key, value in fields.items()}
        return orjson.dumps(safe).decode()


def open_log(
    lines: Lines, level: str = "info", form: str = "auto", *, terminal: bool, environ: Mapping[str, str] = os.environ
) -> Log:
    """The log for the settings and the terminal; `form` is `auto`, `json` or `console`."""
    json = form == "json" or (form == "auto" and not terminal)
    return Log(lines, level=level, json=json, color=terminal and not environ.get("NO_COLOR"))


TALKATIVE = frozenset({"opentelemetry"}).union(*(kind.talkative for kind in KINDS))
"""Libraries that log temporary conditions, or errors that they also raise."""


class LibraryLines(logging.Handler):
    """Sends libraries' `logging` records to the same log, from `warning` on; repeated records are logged now and
    then. Records that our own lines cover are logged at `debug`."""

    def __init__(self, log: Log, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._monotonic = monotonic
        self._repeats = Repeats()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        left_out = self._repeats.admit((record.name, text), self._monotonic())
        if left_out is not None:
            self._say(record)(Action.LIBRARY, text, logger=record.name, repeated=left_out or None)

    def _say(self, record: logging.LogRecord) -> Callable[..., None]:
        if record.name.partition(".")[0] in TALKATIVE:
            return self._log.debug
        return self._log.error if record.levelno >= logging.ERROR else self._log.warning

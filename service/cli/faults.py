"""A fault of ours, as lines for the user: the error, what to do, and the stack trace only on request."""

from __future__ import annotations

import os
import traceback


def describe(error: BaseException) -> list[str]:
    """One line per fault; the stack trace too when the log level is `debug`."""
    faults = _leaves(error)
    lines = [f"internal error: {type(fault).__name__}: {fault}" for fault in faults]
    if _wants_trace():
        lines += [line.rstrip() for fault in faults for line in traceback.format_exception(fault)]
    else:
        lines.append("this is a fault in Headrace, please report it; LOG_LEVEL=debug shows where it happened")
    return lines


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for member in error.exceptions for leaf in _leaves(member)]
    return [error]


def _wants_trace() -> bool:
    levels = (os.environ.get("LOG_LEVEL", ""), os.environ.get("HEADRACE_LOG__LEVEL", ""))
    return "debug" in (level.lower() for level in levels) or os.environ.get("DEBUG") == "1"

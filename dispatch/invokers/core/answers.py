"""The meaning of the bytes of a function's answer, whichever invoker carried them; and AWS's own words for a platform's
texts.

Pure. Used by the invokers that get an answer from elsewhere (`remote`, `http`) and by the fake, which speaks as AWS
does. What a *good* answer means for records is `..response`'s.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from ....config.reasons import Reason, ReasonCode
from ...core.model import Attempt, Failure, FunctionFailed, Reply, Unreachable

RESPONSE_LIMIT = 6 * 1024 * 1024 + 100
"""Bytes. AWS allows 6 MiB and a little."""

UNHANDLED = "Unhandled"

_SHOWN = 300  # characters of foreign text in a line of ours

# The handler never ran, so it saw no record of the batch.
_INIT_ERRORS = frozenset(
    {
        "Runtime.ImportModuleError",
        "Runtime.HandlerNotFound",
        "Runtime.MalformedHandlerName",
        "Runtime.BuiltInModuleConflict",
        "Runtime.UserCodeSyntaxError",
        "Runtime.InvalidEntrypoint",
        "Runtime.InvalidWorkingDir",
    }
)

_FAILURES = {
    "Sandbox.Timedout": Failure.TIMEOUT,
    "Runtime.ExitError": Failure.CRASH,
    "Runtime.NodeJsExit": Failure.CRASH,
    "Runtime.NodejsExit": Failure.CRASH,
    "Function.ResponseSizeTooLarge": Failure.OVERSIZED,
}

# An emulator's words for AWS's errors: type and beginning of the message. Each has its run of the
# contract suite.
_INIT_QUIRKS = {"RuntimeError": "Worker init failed:"}  # MiniStack
_CRASH_QUIRKS = {"Runtime.HandlerError": "Worker process died"}  # MiniStack

# Every key that a runtime or the platform writes beside type and message.
_ERROR_KEYS = frozenset({"errorType", "errorMessage", "requestId", "stackTrace", "trace", "cause", "code"})

_PLACE = re.compile(r"(?:file://)?(/.+:\d+)")
"""With it begins the stack of Node.js for code that is no JavaScript."""

_TIMED_OUT = re.compile(r"Task timed out after \d+(\.\d+)? seconds")


# --- reading --------------------------------------------------------------------------------------------------------


def failed(attempt: Attempt, body: bytes) -> FunctionFailed | Unreachable:
    """The reply for an answer that is known to be a function error: an error of the init closes the gate, because it
    says nothing about the records; anything else is a failed invocation."""
    error = _fields(body)
    kind, message = _text(error, "errorType"), _text(error, "errorMessage")
    detail = one_line(": ".join(part for part in (kind, message) if part) or body.decode(errors="replace"))
    if kind in _INIT_ERRORS or _outside_an_invocation(error) or _is_quirk(_INIT_QUIRKS, kind, message):
        text = f"the function cannot start: {detail}; correct its code or its configuration"
        return Unreachable(attempt, Reason(ReasonCode.FUNCTION_CANNOT_START, text), down=True, body=body)
    return FunctionFailed(attempt, _failure(kind, message or detail), detail or "no error text", body)


def failed_function(reply: Reply) -> bool:
    """Whether an unreachable function is to blame itself: its init failed, or this machine has nothing to run it."""
    return isinstance(reply, Unreachable) and (bool(reply.body) or reply.attempt.status == 200)


def reads_as_error(body: bytes) -> bool:
    """Whether an answer without an error header is an error all the same: the emulator of a container image answers
    200 for both. An object counts that has a type and a message as text, and no key that no runtime would write."""
    if _TIMED_OUT.fullmatch(body[:64].decode(errors="replace").strip()):
        return True
    if b'"errorType"' not in body or b'"errorMessage"' not in body:
        return False  # most answers: not worth parsing
    error = _fields(body)
    named = isinstance(error.get("errorType"), str) and isinstance(error.get("errorMessage"), str)
    return named and error.keys() <= _ERROR_KEYS


def failure_of(kind: str) -> Failure | None:
    """How the function failed, by its error type; None where the type tells no more than the failure."""
    return _FAILURES.get(kind)


def _failure(kind: str, message: str) -> Failure:
    known = failure_of(kind)
    if known is not None:
        return known
    if _is_quirk(_CRASH_QUIRKS, kind, message):
        return Failure.CRASH
    # Before 2024, and in the emulator of container images, a timeout has no type.
    return Failure.TIMEOUT if not kind and _TIMED_OUT.search(message) else Failure.ERROR


def _is_quirk(quirks: dict[str, str], kind: str, message: str) -> bool:
    return kind in quirks and message.startswith(quirks[kind])


def _outside_an_invocation(error: dict[str, Any]) -> bool:
    """Python's runtime gives the id of the invocation that failed, and none while the module is imported."""
    return error.get("requestId") == "" and "stackTrace" in error


def _fields(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _text(error: dict[str, Any], key: str) -> str:
    value = error.get(key)
    return value if isinstance(value, str) else ""


def one_line(text: str) -> str:
    """Foreign text, shortened to one line of a log."""
    flat = " ".join(text[: 4 * _SHOWN].split())
    return flat if len(flat) <= _SHOWN else flat[:_SHOWN] + "…"


def error_text(body: bytes) -> tuple[str, str]:
    """Type and message of an error body; the body itself as the message where it has neither."""
    error = _fields(body)
    kind, message = _text(error, "errorType"), _text(error, "errorMessage")
    return kind, message or ("" if kind else body[:_SHOWN].decode(errors="replace"))


def error_place(body: bytes) -> str:
    """File and line of a syntax error, where the runtime says them apart from its message; else empty."""
    trace = _fields(body).get("trace")
    first = trace[0] if isinstance(trace, list) and trace else None
    found = _PLACE.fullmatch(first) if isinstance(first, str) else None
    return found[1] if found else ""


# --- writing --------------------------------------------------------------------------------------------------------


def timed_out(attempt: Attempt, seconds: float) -> FunctionFailed:
    text = f"RequestId: {attempt.request_id} Error: Task timed out after {seconds:.2f} seconds"
    body = _platform("Sandbox.Timedout", text)
    return FunctionFailed(attempt, Failure.TIMEOUT, f"the function took longer than {seconds:g} s", body)


def exited(attempt: Attempt, status: int) -> FunctionFailed:
    """The runtime's process ended with `status` in the middle of an invocation."""
    return ended(attempt, status, f"exit status {status}")


def ended(attempt: Attempt, status: int, description: str) -> FunctionFailed:
    """The failure of a runtime that ended. `description` says how: `exit status 1`, `signal: killed`."""
    how = f"Runtime exited with error: {description}" if status else "Runtime exited without providing a reason"
    body = _platform("Runtime.ExitError", f"RequestId: {attempt.request_id} Error: {how}")
    return FunctionFailed(attempt, Failure.CRASH, how, body)


def oversized(attempt: Attempt) -> FunctionFailed:
    text = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
    body = orjson.dumps({"errorMessage": text, "errorType": "Function.ResponseSizeTooLarge"})
    return FunctionFailed(attempt, Failure.OVERSIZED, "the response is larger than 6 MB", body)


def raised(attempt: Attempt, error: Exception, frames: list[str]) -> FunctionFailed:
    """A Python handler raised: as Python's runtime writes it. `frames`: where, each call in the form of a traceback."""
    body = orjson.dumps(
        {
            "errorMessage": str(error),
            "errorType": type(error).__name__,
            "requestId": attempt.request_id,
            "stackTrace": frames,
        }
    )
    return FunctionFailed(attempt, Failure.ERROR, one_line(f"{type(error).__name__}: {error}"), body)


def _platform(kind: str, message: str) -> bytes:
    return orjson.dumps({"errorType": kind, "errorMessage": message})

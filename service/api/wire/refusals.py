"""Refusals over HTTP: the HTTP form of each kind of control's refusals, and the refusals that only HTTP has. Pure.

Only `writing.py` turns a refusal into a response, by its form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ...control.refusals import ApiError, RefusalKind


@dataclass(frozen=True, slots=True)
class RefusalForm:
    """The HTTP form of a refusal, beside its code and its text."""

    status: int = 400
    type: str | None = "User"
    """The body's `Type`, None for the codes that carry none."""
    member: Literal["message", "Message"] = "message"
    """The member that has the text: AWS spells it both ways."""
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the body."""


FORMS: Mapping[RefusalKind, RefusalForm] = {
    RefusalKind.INVALID: RefusalForm(),
    RefusalKind.UNSUPPORTED: RefusalForm(type=None),
    RefusalKind.MALFORMED: RefusalForm(type=None),
    RefusalKind.TOO_LARGE: RefusalForm(413, type=None),
    RefusalKind.MISSING: RefusalForm(404, member="Message"),
    RefusalKind.UNSET: RefusalForm(404),
    RefusalKind.CONFLICT: RefusalForm(409),
    RefusalKind.IN_USE: RefusalForm(member="Message"),
    RefusalKind.STALE: RefusalForm(412),
    RefusalKind.DENIED: RefusalForm(403, type=None, member="Message"),
    RefusalKind.FAULT: RefusalForm(500, "Service", "Message"),
}
"""The form of each refusal, as observed at AWS."""


class HttpRefusal(ApiError):
    """A refusal that has a form of its own."""

    def __init__(self, code: str, message: str | None, form: RefusalForm) -> None:
        super().__init__(code, message)
        self.form = form


def form_of(error: ApiError) -> RefusalForm:
    return error.form if isinstance(error, HttpRefusal) else FORMS[error.kind]


# --- what was sent ---------------------------------------------------------------------------------------------------


def serialization(message: str | None = None) -> HttpRefusal:
    """The body is no JSON, or a value has a wrong type."""
    return HttpRefusal("SerializationException", message, RefusalForm(type=None, member="Message"))


def unreadable_request(message: str) -> HttpRefusal:
    """An invocation has an invalid context or event."""
    return HttpRefusal("InvalidRequestContentException", message, RefusalForm())


def unreadable_event(detail: str) -> HttpRefusal:
    """The payload of an invocation is no JSON."""
    return unreadable_request(f"Could not parse request body into json: Could not parse payload into json: {detail}")


def too_slow(message: str) -> HttpRefusal:
    """The request did not come in time."""
    return HttpRefusal("RequestTimeoutException", message, RefusalForm(408))


def unknown_operation(message: str | None = None) -> HttpRefusal:
    """No operation has this method and path."""
    return HttpRefusal("UnknownOperationException", message, RefusalForm(404, type=None))


def unauthorized(code: str, message: str) -> HttpRefusal:
    """A signature that is missing, wrong or too old; `code` as AWS names it, e.g. `InvalidSignatureException`."""
    return HttpRefusal(code, message, RefusalForm(403, type=None))


NO_ROOM = "ConcurrentInvocationLimitExceeded"

# --- what becomes of it ----------------------------------------------------------------------------------------------


def too_many(
    reason: str = NO_ROOM,
    message: str = "Rate Exceeded.",
    *,
    retry_after: int | None = None,
) -> HttpRefusal:
    """`reason`: AWS's word for it. `retry_after`: seconds, as the header says them."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return HttpRefusal("TooManyRequestsException", message, RefusalForm(429, headers=headers, more={"Reason": reason}))


def circle(message: str) -> HttpRefusal:
    """The call was forwarded in a circle of daemons."""
    return HttpRefusal("RecursiveInvocationException", message, RefusalForm(member="Message"))


def not_reached(message: str) -> HttpRefusal:
    """The invoked function is remote, and does not answer."""
    return HttpRefusal("ServiceException", message, RefusalForm(502, "Service", "Message"))


def upstream_away(message: str) -> HttpRefusal:
    """The upstream of a forwarded call does not answer."""
    return HttpRefusal("ServiceUnavailableException", message, RefusalForm(503, "Service", "Message"))

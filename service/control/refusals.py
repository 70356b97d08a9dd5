"""How a call is refused: AWS's error codes, each with its status, its kind and the member that holds its text.

    raise errors.no_such_resource("The resource you requested does not exist.")

One place (`writing.py`) turns an `ApiError` into a response. Codes that are not here are made with `ApiError` itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ...config.errors import HeadraceError

Member = Literal["message", "Message"]


class ApiError(HeadraceError):
    """A call is refused, as the Lambda API says it."""

    def __init__(
        self,
        code: str,
        message: str | None,
        status: int = 400,
        *,
        type: str | None = "User",  # noqa: A002, the member's name on the wire
        member: Member = "message",
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """`type`: the body's `Type`, None for the codes that carry none. `member`: AWS spells it both ways. `more`:
        further members of the body."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.type = type
        self.member: Member = member
        self.headers = dict(headers or {})
        self.more = dict(more or {})


# --- what the request says -------------------------------------------------------------------------------------------


def invalid_parameter(message: str, *, type: str | None = "User") -> ApiError:  # noqa: A002
    """`type=None` for the few recorded without one (limits of concurrency, `$LATEST` with weights)."""
    return ApiError("InvalidParameterValueException", message, type=type)


def validation(*texts: str) -> ApiError:
    """Every shape error of one request. `texts`: `Value '…' at '…' failed to satisfy constraint: …`, in order."""
    count = f"{len(texts)} validation error{'' if len(texts) == 1 else 's'} detected"
    return ApiError("ValidationException", f"{count}: {'; '.join(texts)}", type=None)


def serialization(message: str | None = None) -> ApiError:
    """The body is no JSON, or a value has a type that it cannot have."""
    return ApiError("SerializationException", message, type=None, member="Message")


def unreadable_event(detail: str) -> ApiError:
    """The payload of an invocation is no JSON."""
    text = f"Could not parse request body into json: Could not parse payload into json: {detail}"
    return ApiError("InvalidRequestContentException", text)


def too_large(message: str) -> ApiError:
    return ApiError("RequestEntityTooLargeException", message, 413, type=None)


def too_slow(message: str) -> ApiError:
    """The request did not come in time."""
    return ApiError("RequestTimeoutException", message, 408)


def unsupported_media_type(message: str) -> ApiError:
    return ApiError("UnsupportedMediaTypeException", message, 415)


def unknown_operation(message: str | None = None) -> ApiError:
    """No operation has this method and path."""
    return ApiError("UnknownOperationException", message, 404, type=None)


# --- what is there ---------------------------------------------------------------------------------------------------


def no_such_resource(message: str = "The resource you requested does not exist.") -> ApiError:
    return ApiError("ResourceNotFoundException", message, 404, member="Message")


def no_such_provisioned_concurrency(
    message: str = "No Provisioned Concurrency Config found for this function",
) -> ApiError:
    return ApiError("ProvisionedConcurrencyConfigNotFoundException", message, 404)


def conflict(message: str) -> ApiError:
    return ApiError("ResourceConflictException", message, 409)


def in_use(message: str) -> ApiError:
    return ApiError("ResourceInUseException", message, member="Message")


def precondition_failed(
    message: str = "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
) -> ApiError:
    return ApiError("PreconditionFailedException", message, 412)


def policy_too_long(message: str) -> ApiError:
    return ApiError("PolicyLengthExceededException", message)


def too_many(
    reason: str = "ConcurrentInvocationLimitExceeded",
    message: str = "Rate Exceeded.",
    *,
    retry_after: int | None = None,
) -> ApiError:
    """`retry_after`: seconds, as the header says them."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return ApiError("TooManyRequestsException", message, 429, headers=headers, more={"Reason": reason})


# --- who asks --------------------------------------------------------------------------------------------------------


def access_denied(message: str | None = None) -> ApiError:
    return ApiError("AccessDeniedException", message, 403, type=None, member="Message")


def unauthorized(code: str, message: str) -> ApiError:
    """A signature that is missing, wrong or too old; `code` as AWS names it, e.g. `InvalidSignatureException`."""
    return ApiError(code, message, 403, type=None)


# --- us --------------------------------------------------------------------------------------------------------------


def service(message: str = "An error occurred and the request cannot be processed.") -> ApiError:
    """A fault of ours, or of the disk. Says nothing of what happened inside."""
    return ApiError("ServiceException", message, 500, type="Service", member="Message")

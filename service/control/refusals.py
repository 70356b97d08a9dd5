"""Refusals of calls: AWS's error code, the kind of the refusal, and the text.

    raise no_such_resource("Function not found: …")

Values only. The kind says what is wrong with the call; what follows from it for an answer over HTTP is in
`service/api/wire/refusals.py`, with the refusals that HTTP alone can meet.
"""

from __future__ import annotations

from enum import Enum

from ...config.errors import HeadraceError


class RefusalKind(Enum):
    """The kind of a refusal."""

    INVALID = "a value is invalid"
    UNSUPPORTED = "a value is valid, but not supported here"
    MALFORMED = "values do not satisfy their shapes"
    TOO_LARGE = "the request is too large"
    MISSING = "the named resource does not exist"
    UNSET = "the named setting was never made"
    CONFLICT = "the present state does not allow it"
    IN_USE = "another change is in progress"
    STALE = "the caller has an older revision"
    DENIED = "the caller has no permission"
    FAULT = "a fault of Headrace or of the disk"


class ApiError(HeadraceError):
    """A refused call, with the Lambda API's code and text."""

    def __init__(self, code: str, message: str | None, kind: RefusalKind = RefusalKind.INVALID) -> None:
        """`code`: AWS's, e.g. `ResourceNotFoundException`."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.kind = kind


# --- what the request says -------------------------------------------------------------------------------------------


def invalid_parameter(message: str) -> ApiError:
    return ApiError("InvalidParameterValueException", message)


def unsupported(message: str) -> ApiError:
    """For refusals that AWS was observed to send in another form: limits of concurrency, `$LATEST` with weights."""
    return ApiError("InvalidParameterValueException", message, RefusalKind.UNSUPPORTED)


def validation(*texts: str) -> ApiError:
    """Every shape error of one request. `texts`: `Value '…' at '…' failed to satisfy constraint: …`, in order."""
    count = f"{len(texts)} validation error{'' if len(texts) == 1 else 's'} detected"
    return ApiError("ValidationException", f"{count}: {'; '.join(texts)}", RefusalKind.MALFORMED)


def too_large(message: str) -> ApiError:
    return ApiError("RequestEntityTooLargeException", message, RefusalKind.TOO_LARGE)


# --- what is there ---------------------------------------------------------------------------------------------------


def no_such_resource(message: str = "The resource you requested does not exist.") -> ApiError:
    return ApiError("ResourceNotFoundException", message, RefusalKind.MISSING)


def conflict(message: str) -> ApiError:
    return ApiError("ResourceConflictException", message, RefusalKind.CONFLICT)


def in_use(message: str) -> ApiError:
    return ApiError("ResourceInUseException", message, RefusalKind.IN_USE)


def precondition_failed(
    message: str = "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
) -> ApiError:
    return ApiError("PreconditionFailedException", message, RefusalKind.STALE)


def policy_too_long(message: str) -> ApiError:
    return ApiError("PolicyLengthExceededException", message)


# --- who asks, and us ------------------------------------------------------------------------------------------------


def access_denied(message: str | None = None) -> ApiError:
    return ApiError("AccessDeniedException", message, RefusalKind.DENIED)


def service(message: str = "An error occurred and the request cannot be processed.") -> ApiError:
    """A fault of ours, of which it reveals no details; or of the disk, which it names."""
    return ApiError("ServiceException", message, RefusalKind.FAULT)

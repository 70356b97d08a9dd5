"""Features that no function has here: reading one answers "none", as AWS does, and making one is refused. Pure.

Only for functions that are there; what is asked about others goes on to the upstream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .refusals import ApiError, RefusalKind, invalid_parameter, no_such_resource

EMPTY: Mapping[str, str] = {
    "ListFunctionUrlConfigs": "FunctionUrlConfigs",
    "ListProvisionedConcurrencyConfigs": "ProvisionedConcurrencyConfigs",
    "ListDurableExecutionsByFunction": "DurableExecutions",
}
"""Listings, with the member that is empty."""
_OTHER_CODES: Mapping[str, tuple[str, str, RefusalKind]] = {
    "GetProvisionedConcurrencyConfig": (
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
        RefusalKind.UNSET,
    ),
    "DeleteFunctionCodeSigningConfig": (
        "CodeSigningConfigNotFoundException",
        "The function has no code signing configuration.",
        RefusalKind.MISSING,
    ),
}
MISSING = frozenset(
    {
        *_OTHER_CODES,
        "GetFunctionUrlConfig",
        "UpdateFunctionUrlConfig",
        "DeleteFunctionUrlConfig",
        "DeleteProvisionedConcurrencyConfig",
        "GetFunctionScalingConfig",
    }
)
"""Calls on one that would have to be there."""
MAKING = frozenset(
    {
        "CreateFunctionUrlConfig",
        "PutProvisionedConcurrencyConfig",
        "PutFunctionCodeSigningConfig",
        "PutFunctionScalingConfig",
    }
)
"""Calls that would make one."""


def is_about_one(operation: str) -> bool:
    """Whether it is a call on such a feature of one function."""
    return operation in EMPTY or operation in MISSING or operation in MAKING


def answer(operation: str, about: str) -> Mapping[str, Any]:
    """Answer a call on such a feature (`about`, for people). Raises ApiError."""
    if operation in EMPTY:
        return {EMPTY[operation]: []}
    if operation in MAKING:
        raise invalid_parameter(f"{operation}: functions of Headrace have no {about}; leave it out.")
    if operation in _OTHER_CODES:
        raise ApiError(*_OTHER_CODES[operation])
    raise no_such_resource()

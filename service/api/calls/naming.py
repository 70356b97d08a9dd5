"""Resolves the function of a request, for all calls on functions."""

from __future__ import annotations

from ...control.names import Home, Named, resolve
from ..wire.call import Call


def named(call: Call, here: Home) -> Named:
    """The function, and the version or alias, that a request names. Raises ApiError."""
    return resolve(call.parameters["FunctionName"], here, call.parameters.get("Qualifier", ""))

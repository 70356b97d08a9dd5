"""What the calls on functions have in common: whom a request means."""

from __future__ import annotations

from ...control.names import Here, Named, resolve
from ..wire.call import Call


def named(call: Call, here: Here) -> Named:
    """The function, and the version or alias, that a request names. Raises ApiError."""
    return resolve(call.parameters["FunctionName"], here, call.parameters.get("Qualifier", ""))

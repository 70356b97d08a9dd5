"""Observed differences between the Lambda API and its own model, and the size limits of its requests. Tables."""

from __future__ import annotations

from collections.abc import Mapping

from ..wire.model import Deviations
from . import layer_runtimes, newer

TAGGABLE = (
    r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)"
    r"|code-signing-config:csc-[a-z0-9]{17}"
    r"|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|capacity-provider:[a-zA-Z0-9-_]+)"
)
"""ARNs of resources that can have tags. The model has another pattern."""

DEVIATIONS = Deviations(
    completed=lambda model: layer_runtimes.separated(newer.completed(model)),
    statuses={"DeleteFunction": 204},
    enums={
        "EventSourcePosition": ("LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"),
        "InvokeMode": ("RESPONSE_STREAM", "BUFFERED"),
        "RecursiveLoop": ("Terminate", "Allow"),
    },
    patterns={
        "TaggableResource": TAGGABLE,
        "LayerVersionArn": (
            r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:"
            r"[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)"
        ),
        "SubnetId": "^subnet-[0-9a-z]*$",
        "SecurityGroupId": "^sg-[0-9a-zA-Z]*$",
    },
    null_unsaid=("SubnetId", "SecurityGroupId"),
    # The model's values are for functions on capacity providers, which do not exist here.
    most={"Timeout": 900, "MemorySize": 10_240, "EphemeralStorageSize": 10_240},
    # An unknown runtime is an InvalidParameterValueException with a text of its own.
    unchecked=("Runtime",),
)

CODE = 70_167_211
"""Largest request that carries code."""
EVENT = 6_291_456
"""Largest event of a synchronous invocation."""
ASYNCHRONOUS_EVENT = 1_048_576
OLD_ASYNCHRONOUS_EVENT = 262_144
"""Bytes of an event of InvokeAsync, which AWS deprecated before it raised the limit."""
ANY = 1_048_576
"""Largest other request."""

_MOST = {
    "CreateFunction": CODE,
    "UpdateFunctionCode": CODE,
    "PublishLayerVersion": CODE,
    "Invoke": EVENT,
    "InvokeWithResponseStream": EVENT,
    "InvokeAsync": OLD_ASYNCHRONOUS_EVENT,
}
_SPOKEN = {"Invoke": "InvokeFunction"}


def most_bytes(operation: str, headers: Mapping[str, str]) -> int:
    """The largest body of a request, in bytes."""
    if operation == "Invoke" and headers.get("x-amz-invocation-type") == "Event":
        return ASYNCHRONOUS_EVENT
    return _MOST.get(operation, ANY)


def too_many_bytes(operation: str, headers: Mapping[str, str], size: int) -> str:
    """The refusal of a larger body. `size`: as far as it is known."""
    limit = most_bytes(operation, headers)
    if operation == "InvokeAsync" or (operation == "Invoke" and limit == ASYNCHRONOUS_EVENT):
        return f"{size} byte payload is too large for the Event invocation type (limit {limit} bytes)"
    return f"Request must be smaller than {limit} bytes for the {_SPOKEN.get(operation, operation)} operation"

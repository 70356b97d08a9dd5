"""Additions of AWS to its model of the Lambda API since the oldest botocore that we support. So a caller with a new SDK
gets the same answer, whichever botocore is installed here. A table, in the model's own form (botocore 1.44.8).

Later additions are refused by name, because no table of `field_support_tables.py` has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_RUNTIME_ARN = r"arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:runtime/.+"
_ADDED_SETTINGS = {
    "RuntimeConfig": {"shape": "FunctionRuntimeConfig"},
    "AcceleratorConfig": {"shape": "AcceleratorConfig"},
}
_DURABLE = "/2025-12-01/durable-executions/{DurableExecutionArn}"
_OF_AN_EXECUTION = {"shape": "DurableExecutionArn", "location": "uri", "locationName": "DurableExecutionArn"}


def _durable(verb: str, method: str, uri: str) -> dict[str, Any]:
    name = f"{verb}DurableExecutionRequest"
    return {"http": {"method": method, "requestUri": uri, "responseCode": 202}, "input": {"shape": name}}


OPERATIONS: Mapping[str, Any] = {
    "DeleteDurableExecution": _durable("Delete", "DELETE", _DURABLE),
    "PauseDurableExecution": _durable("Pause", "POST", f"{_DURABLE}/pause"),
    "ResumeDurableExecution": _durable("Resume", "POST", f"{_DURABLE}/resume"),
}
SHAPES: Mapping[str, Any] = {
    "SelfManagedKafkaEventSourceConfig": {
        "type": "structure",
        "members": {"ConsumptionMode": {"shape": "KafkaEventSourceMappingConsumptionMode"}},
    },
    "KafkaEventSourceMappingConsumptionMode": {"type": "string", "enum": ["Stream", "Queue"]},
    "CreateFunctionRequest": {"type": "structure", "members": _ADDED_SETTINGS},
    "UpdateFunctionConfigurationRequest": {"type": "structure", "members": _ADDED_SETTINGS},
    "FunctionRuntimeConfig": {
        "type": "structure",
        "required": ["RuntimeArn", "RuntimeAlias"],
        "members": {
            "RuntimeArn": {"shape": "FunctionRuntimeArn"},
            "RuntimeAlias": {"shape": "FunctionRuntimeAlias"},
        },
    },
    "FunctionRuntimeArn": {"type": "string", "max": 2048, "min": 48, "pattern": _RUNTIME_ARN},
    "FunctionRuntimeAlias": {"type": "string", "max": 128, "min": 1},
    "AcceleratorConfig": {
        "type": "structure",
        "required": ["AcceleratorMemorySize"],
        "members": {"AcceleratorMemorySize": {"shape": "AcceleratorMemoryGB"}},
    },
    "AcceleratorMemoryGB": {"type": "integer"},
    **{
        f"{verb}DurableExecutionRequest": {
            "type": "structure",
            "required": ["DurableExecutionArn"],
            "members": {"DurableExecutionArn": _OF_AN_EXECUTION},
        }
        for verb in ("Delete", "Pause", "Resume")
    },
}


def completed(model: Mapping[str, Any]) -> dict[str, Any]:
    """A service model with the additions that it lacks. Its own members stay unchanged."""
    shapes = {name: _with(shape, SHAPES.get(name, {})) for name, shape in model["shapes"].items()}
    return {
        **model,
        "operations": {**OPERATIONS, **model["operations"]},
        "shapes": {**SHAPES, **shapes},
    }


def _with(shape: Mapping[str, Any], added: Mapping[str, Any]) -> Mapping[str, Any]:
    if "members" not in added:
        return shape
    members = shape.get("members", {})
    return {
        **shape,
        "members": {**members, **{key: each for key, each in added["members"].items() if key not in members}},
    }

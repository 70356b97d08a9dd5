"""A function's configuration: checks the members of a request and merges them into the shown configuration. Pure.

A configuration is a mapping by the members of AWS's FunctionConfiguration. Shapes, and members that
are refused in any case, were checked before; this module has the checks that need more than one member.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from ...config.function import RESERVED
from . import runtimes
from .refusals import ApiError, invalid_parameter, validation

Configuration = Mapping[str, Any]

ENVIRONMENT_MAX = 4096
"""Maximum bytes of all variables, as compact JSON."""
RESERVED_KEYS = RESERVED | {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
NO_VARIABLES: Mapping[str, Any] = {"Variables": {}}
"""An environment that a creation shows; an update with it shows none."""
NUL = "a NUL character, which no process can be given"
LIMITS = {"Timeout": ("timeout", 900), "MemorySize": ("memorySize", 10_240)}
STORAGE_MAX = 10_240
LEVELS = ("ApplicationLogLevel", "SystemLogLevel")


def created(request: Mapping[str, Any], name: str) -> Configuration:
    """The configuration of a new function. Raises ApiError."""
    if not request.get("Runtime") or not request.get("Handler"):
        raise invalid_parameter(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        )
    plain = {
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "TracingConfig": {"Mode": "PassThrough"},
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    architectures = {key: request[key] for key in ("Architectures",) if key in request}
    configured = updated({**plain, **architectures}, request)
    if request.get("Environment") == NO_VARIABLES:
        return {**configured, "Environment": NO_VARIABLES}
    return configured


def updated(before: Configuration, request: Mapping[str, Any]) -> Configuration:
    """The configuration with the members of a request; absent members stay unchanged. Raises ApiError."""
    _check(request)
    after = {**before, **{key: request[key] for key in AS_GIVEN if key in request}}
    for member, merge in MERGED.items():
        if member in request:
            after[member] = merge(before.get(member), request[member])
    return {key: value for key, value in after.items() if value is not None}


def digest(configuration: Configuration) -> str:
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()


# --- checks -----------------------------------------------------------------------------------------------------------


def _check(request: Mapping[str, Any]) -> None:
    if "\0" in request.get("Handler", ""):
        raise invalid_parameter(f"Handler contains {NUL}: take it out.")
    if "Runtime" in request:
        runtimes.check(request["Runtime"])
    for member, (path, most) in LIMITS.items():
        _at_most(request.get(member, 0), path, most)
    _at_most(request.get("EphemeralStorage", {}).get("Size", 0), "ephemeralStorage.size", STORAGE_MAX)
    _check_environment(request.get("Environment", {}).get("Variables", {}))


def _at_most(value: int, path: str, most: int) -> None:
    if value > most:
        raise validation(
            f"Value '{value}' at '{path}' failed to satisfy constraint: "
            f"Member must have value less than or equal to {most}"
        )


def _check_environment(variables: Mapping[str, str]) -> None:
    if reserved := [name for name in variables if name in RESERVED_KEYS]:
        raise _environment(
            "contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    if unfit := [name for name, value in variables.items() if "\0" in value]:  # names have a form, without it
        raise _environment(f"contain {NUL}: take it out of {', '.join(unfit)}")
    text = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(text.encode("utf-8", "surrogatepass")) > ENVIRONMENT_MAX:
        raise _environment(f"exceeded the 4KB limit. String measured: {text}")


def _environment(trouble: str) -> ApiError:
    return invalid_parameter(
        "Lambda was unable to configure your environment variables because the environment variables you have "
        f"provided {trouble}"
    )


# --- merging ----------------------------------------------------------------------------------------------------------

AS_GIVEN = ("Runtime", "Role", "Handler", "Description", "Timeout", "MemorySize", "EphemeralStorage")
"""Members that are stored as given."""


def _vpc(before: Any, given: Mapping[str, Any]) -> Any:
    """Once there was one, it stays visible when it is cleared."""
    subnets, groups = given.get("SubnetIds", []), given.get("SecurityGroupIds", [])
    if before is None and not subnets and not groups:
        return None
    dual = given.get("Ipv6AllowedForDualStack", False)
    vpc = given.get("VpcId", "")  # from the lookup in EC2; callers do not send it
    return {"SubnetIds": subnets, "SecurityGroupIds": groups, "VpcId": vpc, "Ipv6AllowedForDualStack": dual}


def _dead_letter(before: Any, given: Mapping[str, Any]) -> Any:
    """An empty target clears the member; an absent target changes nothing."""
    target = given.get("TargetArn")
    if target is None:
        return before
    return {"TargetArn": target} if target else None


def _logging(before: Any, given: Mapping[str, Any]) -> Any:
    form = given.get("LogFormat", before["LogFormat"])
    group = given.get("LogGroup", before["LogGroup"])
    if form == "Text":
        if any(level in given for level in LEVELS):
            raise invalid_parameter(
                'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request or '
                'change the LogFormat to "JSON" and try again.'
            )
        return {"LogFormat": form, "LogGroup": group}
    kept = {} if "LogFormat" in given else before
    levels = {level: given.get(level, kept.get(level, "INFO")) for level in LEVELS}
    return {"LogFormat": form, **levels, "LogGroup": group}


MERGED: Mapping[str, Callable[[Any, Any], Any]] = {
    "Environment": lambda before, given: {"Variables": given["Variables"]} if given.get("Variables") else None,
    "VpcConfig": _vpc,
    "DeadLetterConfig": _dead_letter,
    "KMSKeyArn": lambda before, given: given or None,
    "TracingConfig": lambda before, given: {"Mode": given["Mode"]} if "Mode" in given else before,
    "SnapStart": lambda before, given: {**before, **given},
    "FileSystemConfigs": lambda before, given: given or None,
    "Layers": lambda before, given: given or None,
    "LoggingConfig": _logging,
}
"""The shown value after `given` was set; None: the member is absent."""

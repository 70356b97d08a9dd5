"""The form of functions and versions in answers. Pure.

Members that do not apply are absent, never null.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from .model import Answer, Function, Package, Phase, Version
from .names import with_qualifier

NO_HASH = "hot-reloading-hash-not-available"
_REASON = "The function is being created."  # AWS uses this text for updates too
_STATES: Mapping[Phase, Mapping[str, str]] = {
    Phase.CREATING: {"State": "Pending", "StateReason": _REASON, "StateReasonCode": "Creating"},
    Phase.ACTIVE: {"State": "Active", "LastUpdateStatus": "Successful"},
    Phase.UPDATING: {
        "State": "Active",
        "LastUpdateStatus": "InProgress",
        "LastUpdateStatusReason": _REASON,
        "LastUpdateStatusReasonCode": "Creating",
    },
    Phase.FAILED: {
        "State": "Failed",
        "StateReason": "The function's code, or a layer of it, is lost. Upload it again with UpdateFunctionCode.",
        "StateReasonCode": "InvalidZipFileException",
        "LastUpdateStatus": "Successful",
    },
}


def configuration(function: Function, version: Version, arn: str) -> Answer:
    """A version in full; `arn` is the ARN to show, with the qualifier of the request."""
    runtime = version.configuration.get("Runtime")
    more = {} if runtime is None else {"RuntimeVersionConfig": {"RuntimeVersionArn": runtime_arn(runtime, arn)}}
    return {**listed(function, version, arn), **_STATES[version.phase], **more}


def listed(function: Function, version: Version, arn: str) -> Answer:
    """A version as an item of a list: without states and without the version of its runtime."""
    return {
        "FunctionName": function.name,
        "FunctionArn": arn,
        **version.configuration,
        "CodeSize": version.package.size,
        "CodeSha256": code_sha256(version.package),
        "LastModified": version.modified,
        "Version": version.number,
        "RevisionId": version.revision,
    }


def code_sha256(package: Package) -> str:
    """The hash of a package in AWS's form, base64; for a directory what LocalStack says, by which tools know it."""
    return NO_HASH if package.directory else base64.b64encode(bytes.fromhex(package.sha256)).decode()


def runtime_arn(runtime: str, arn: str) -> str:
    """A stable value for AWS's runtime version ARN."""
    region = arn.split(":")[3]
    return f"arn:aws:lambda:{region}::runtime:{hashlib.sha256(runtime.encode()).hexdigest()}"


def qualified(function: Function, version: Version) -> str:
    return with_qualifier(function.arn, version.number)


def whole(function: Function, version: Version, arn: str, code: Mapping[str, Any]) -> Answer:
    """GetFunction."""
    answer: dict[str, Any] = {"Configuration": configuration(function, version, arn), "Code": code}
    if function.tags:
        answer["Tags"] = dict(function.tags)
    if function.reserved is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
    return answer

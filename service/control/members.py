"""What becomes of the members of CreateFunction, UpdateFunctionCode and UpdateFunctionConfiguration that have no effect
here: closed lists, each with its reason. Pure. What stands in neither is honoured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..api.wire.errors import invalid_parameter

RECORDED = {
    "Role": "it is named in events, and nobody assumes it",
    "VpcConfig": "functions see this machine's network",
    "TracingConfig": "nothing is traced",
    "KMSKeyArn": "variables are not encrypted at rest",
    "SnapStart": "no snapshots are taken",
    "EphemeralStorage": "nothing limits /tmp",
    "FileSystemConfigs": "nothing is mounted",
    "Architectures": "functions run on this machine's processor",
    "MemorySize": "the function is told, and nothing limits its memory",
    "SourceKMSKeyArn": "packages are not encrypted at rest",
}
"""Kept and shown; said once when a function is created with one."""

PLAIN: Mapping[str, Any] = {
    "TracingConfig": {"Mode": "PassThrough"},
    "SnapStart": {"ApplyOn": "None"},
    "EphemeralStorage": {"Size": 512},
}
"""Values that ask for nothing."""

SILENT = frozenset({"Role", "MemorySize", "Architectures"})
"""Recorded members that nearly every request has: they would be said of every function."""

REFUSED = {
    "Layers": "put the content of the layers into the function's own package, or use a function of the configuration "
    "file, which may have 'layers'",
    "ImageConfig": "container images are not run; send a zip",
    "CodeSigningConfigArn": "signatures are not checked; leave it out",
    "TenancyConfig": "tenants are not isolated; leave it out",
    "CapacityProviderConfig": "there are no capacity providers; leave it out",
    "DurableConfig": "executions are not durable; leave it out",
    "PublishTo": "there is no $LATEST.PUBLISHED; use Publish",
}
"""Refused with the reason wherever they hold something."""

REFUSED_OF_CODE = {
    "ImageUri": "container images are not run; send ZipFile, or S3Bucket and S3Key",
}


def refuse(request: Mapping[str, Any]) -> None:
    """Raises ApiError for the first member that cannot be honoured. An empty one asks for nothing."""
    for member, reason in REFUSED.items():
        if request.get(member):
            raise invalid_parameter(f"{member} is not supported here: {reason}.")
    if request.get("PackageType", "Zip") != "Zip":
        raise invalid_parameter("PackageType Image is not supported here: container images are not run; send a zip.")


def refuse_code(code: Mapping[str, Any]) -> None:
    """The same for where code comes from."""
    for member, reason in REFUSED_OF_CODE.items():
        if code.get(member):
            raise invalid_parameter(f"{member} is not supported here: {reason}.")
    if code.get("S3ObjectStorageMode", "COPY") != "COPY":
        raise invalid_parameter("S3ObjectStorageMode REFERENCE is not supported here: objects are copied; use COPY.")


def recorded(request: Mapping[str, Any]) -> Iterator[str]:
    """The given members that are worth saying that they have no effect."""
    given = {**request, **request.get("Code", {})}
    for member in RECORDED:
        if member not in SILENT and given.get(member) and given[member] != PLAIN.get(member):
            yield member

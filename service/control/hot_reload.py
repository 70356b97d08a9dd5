"""Hot reload by LocalStack's habit: a bucket `hot-reload`, and the path of a directory as key. Pure.

https://docs.localstack.cloud/aws/tooling/lambda-tools/hot-reloading/
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ...config.addresses import is_loopback
from .model import Package
from .refusals import invalid_parameter

BUCKET = "hot-reload"


def is_allowed(setting: bool | None, host: str) -> bool:
    """Whether a request may name a directory. `setting`: None where nobody decided; `host`: where the API listens."""
    return is_loopback(host) if setting is None else setting


def is_asked(source: Mapping[str, Any]) -> bool:
    return source.get("S3Bucket") == BUCKET


def directory(source: Mapping[str, Any], *, allowed: bool) -> str:
    """The directory that a request names. Raises ApiError."""
    key = str(source.get("S3Key", ""))
    if not allowed:
        raise invalid_parameter(
            f"S3Bucket={BUCKET} runs a directory of this machine. Headrace allows that where its API is open to the "
            "loopback alone; the operator can allow it with api.hot_reload: true (HEADRACE_API__HOT_RELOAD)."
        )
    if not PurePath(key).is_absolute() or "\0" in key:
        raise invalid_parameter(
            f"S3Bucket={BUCKET} wants the absolute path of a directory on Headrace's machine as S3Key, not {key!r}."
        )
    return key


def package(path: str) -> Package:
    """A directory in the place of a zip."""
    return Package(hashlib.sha256(f"directory {path}".encode("utf-8", "surrogatepass")).hexdigest(), 0, directory=path)

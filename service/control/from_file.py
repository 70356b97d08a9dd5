"""The functions of the configuration file, as the API shows them: always active, never changed through it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ...config.function import AnyFunction, CommandFunction, ExternalFunction, LocalFunction
from .catalogue import LATEST
from .model import Function, Moment, Package, Version
from .names import Home

NOTHING = Package(hashlib.sha256(b"").hexdigest(), 0)
"""There is no package: the code is a directory, or remote."""


def functions(configured: Mapping[str, AnyFunction], here: Home, moment: Moment) -> dict[str, Function]:
    """The functions by name; `moment`, the daemon's start, is their time of modification."""
    return {name: _function(name, each, here, moment) for name, each in configured.items()}


def _function(name: str, configured: AnyFunction, here: Home, moment: Moment) -> Function:
    shown = {key: value for key, value in _shown(name, configured, here).items() if value is not None}
    revision = Moment(moment.now, f"{moment.seed}/{name}").id()
    return Function(name, here.arn(name), Version(LATEST, NOTHING, shown, moment.stamp, revision))


def _shown(name: str, configured: AnyFunction, here: Home) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Role": configured.role or f"arn:aws:iam::{here.account}:role/lambda",
        "Description": "",
        "Timeout": configured.timeout,
        "TracingConfig": {"Mode": "PassThrough"},
        "PackageType": "Zip",
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    if isinstance(configured, LocalFunction | CommandFunction):
        shown["Handler"] = configured.handler
    if isinstance(configured, LocalFunction):
        shown["Runtime"] = configured.runtime
    if isinstance(configured, LocalFunction | CommandFunction | ExternalFunction):
        shown["MemorySize"] = configured.memory_size
        shown["Environment"] = {"Variables": dict(configured.environment)} if configured.environment else None
    return shown

"""From a version to a runnable function. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import PurePath

from .catalogue import LATEST, Runnable
from .model import Function, Package, Phase, Version

STATES = {Phase.CREATING: "Pending", Phase.ACTIVE: "Active", Phase.UPDATING: "Active", Phase.FAILED: "Failed"}

FRESH = (
    "Runtime",
    "Role",
    "Handler",
    "Timeout",
    "MemorySize",
    "Environment",
    "LoggingConfig",
    "EphemeralStorage",
    "Layers",
)
"""Members that an environment needs at its start."""


def served(function: Function, qualifier: str, draw: float) -> Version | None:
    """The version that an invocation runs: for `$LATEST`, the previous version while an update is in progress."""
    version = function.resolve(qualifier, draw)
    return function.before if version is function.latest and function.before else version


def runnable(function: Function, version: Version, place: Callable[[Package], PurePath]) -> Runnable:
    """`place`: where the files of a package are."""
    configured = version.configuration
    logging = configured["LoggingConfig"]
    return Runnable(
        name=function.name,
        version=version.number or LATEST,
        arn=function.arn,
        state=STATES[version.phase],
        runtime=configured["Runtime"],
        handler=configured["Handler"],
        code=place(version.package),
        layers=tuple(map(place, version.layers)),
        live=any(each.directory for each in (version.package, *version.layers)),
        stored=not version.package.directory,
        held=version.hashes,
        timeout=configured["Timeout"],
        memory_size=configured["MemorySize"],
        environment=configured.get("Environment", {}).get("Variables", {}),
        role=configured["Role"],
        log_group=logging["LogGroup"],
        log_format=logging["LogFormat"],
        application_log_level=logging.get("ApplicationLogLevel", ""),
        system_log_level=logging.get("SystemLogLevel", ""),
        dead_letter=configured.get("DeadLetterConfig", {}).get("TargetArn", ""),
        identity=_identity(version),
    )


def _identity(version: Version) -> str:
    configured = {member: version.configuration.get(member) for member in FRESH}
    layers = [each.sha256 for each in version.layers]
    text = json.dumps([version.number, version.package.sha256, layers, configured], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()

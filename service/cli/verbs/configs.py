"""From the command line's arguments to a configuration; what several verbs share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from ....config.documents import holds_documents
from ....config.errors import ConfigError, Problem
from ....config.loader import Config, find_default, load
from ....dispatch.kinds.pattern_check import check_patterns, pattern_notes

SYSTEM = Path("/etc/headrace")
"""Where a container's configuration stands."""
NOTHING_NAMED = f"no configuration was named, and there is neither headrace.yaml here nor a configuration in {SYSTEM}"


def load_config(paths: Sequence[str], arguments: argparse.Namespace) -> Config:
    """The configuration that is named, else the one that stands here, else the system's. Raises ConfigError."""
    found = paths or default()
    if not found:
        raise nothing_named()
    return read_config(found, arguments)


def read_config(paths: Sequence[str | Path], arguments: argparse.Namespace) -> Config:
    """The configuration of these paths, of none too: the settings alone. Raises ConfigError."""
    flags = flags_of(arguments)
    return load(paths, environ=os.environ, flags=flags, check_patterns=check_patterns, pattern_notes=pattern_notes)


def flags_of(arguments: argparse.Namespace) -> dict[str, object]:
    """What was given on the command line, by the path of the setting."""
    settings = {
        "aws.endpoint_url": "endpoint_url",
        "aws.region": "region",
        "aws.profile": "profile",
        "aws.real": "real_aws",
        "listen": "listen",
        "state": "state",
        "stop_timeout": "stop_timeout",
        "until_idle": "until_idle",
        "fail_on_discard": "fail_on_discard",
        "dry_run": "dry_run",
        "api.adopt": "adopt",
        "take_over.enabled": "take_over",
        "log.level": "log_level",
        "log.format": "log_format",
    }
    return {path: getattr(arguments, name, None) for path, name in settings.items()}


def default() -> list[Path]:
    """What is read where nothing is named; empty when it is not there. Raises ConfigError when it is not clear."""
    here = find_default(Path())
    if here is not None:
        return [here]
    return [SYSTEM] if holds_documents(SYSTEM) else []


def nothing_named() -> ConfigError:
    hint = "name a file or a directory, or write one with `headrace init`"
    return ConfigError([Problem(NOTHING_NAMED, hint=hint)])

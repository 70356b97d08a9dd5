"""From the command line's arguments to a configuration; what several verbs share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from ...config.errors import ConfigError, Problem
from ...config.loader import Config, find_default, load
from ..filters import check_patterns

SYSTEM = Path("/etc/penstock")
"""Where a container's configuration stands."""


def load_config(paths: Sequence[str], arguments: argparse.Namespace) -> Config:
    """The configuration that is named, else the one that stands here, else the system's. Raises ConfigError."""
    return load(paths or _default(), environ=os.environ, flags=flags_of(arguments), check_patterns=check_patterns)


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
        "log.level": "log_level",
        "log.format": "log_format",
    }
    return {path: getattr(arguments, name, None) for path, name in settings.items()}


def _default() -> list[Path]:
    here = find_default(Path())
    if here is not None:
        return [here]
    if SYSTEM.is_dir():
        return [SYSTEM]
    what = f"no configuration was named, and there is neither penstock.yaml here nor {SYSTEM}"
    raise ConfigError([Problem(what, hint="name a file or a directory, or write one with `penstock init`")])

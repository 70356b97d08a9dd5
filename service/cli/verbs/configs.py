"""From the command line's arguments to a configuration; shared by several verbs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from ....config.documents import holds_documents
from ....config.errors import ConfigError, Problem
from ....config.loader import Config, find_default, load
from ....dispatch.kinds.pattern_check import check_patterns, pattern_notes
from ...wiring.exits import UsageError
from ...wiring.plugins import installed

SYSTEM = Path("/etc/headrace")
"""The default place of a configuration in a container."""
NOTHING_NAMED = f"no configuration was named, and there is neither headrace.yaml here nor a configuration in {SYSTEM}"


def load_config(paths: Sequence[str], arguments: argparse.Namespace) -> Config:
    """The named configuration, else that of the working directory, else the system's. Raises ConfigError."""
    found = paths or default()
    if not found:
        raise nothing_named()
    return read_config(found, arguments)


def read_config(paths: Sequence[str | Path], arguments: argparse.Namespace) -> Config:
    """The configuration of these paths; without paths, the settings alone. Raises ConfigError."""
    flags = flags_of(arguments)
    return load(
        paths,
        environ=os.environ,
        flags=flags,
        check_patterns=check_patterns,
        pattern_notes=pattern_notes,
        plugins=installed(),
    )


def templates_among(paths: Sequence[str | Path]) -> list[Path]:
    """Those of the paths that mean templates."""
    if not paths:
        return []
    from ...templates.project import is_project

    return [Path(path) for path in paths if is_project(Path(path))]


def configs_among(paths: Sequence[str | Path], templates: Sequence[Path]) -> list[Path]:
    """The files of configuration: those that are named, and those beside the templates of a directory."""
    named = [Path(path) for path in paths if Path(path) not in templates]
    beside = [found for path in templates if path.is_dir() and (found := find_default(path)) is not None]
    return [*named, *(path for path in beside if not templates_among([path]))]


def refuse_without_template(arguments: argparse.Namespace) -> None:
    """Raises UsageError for options that would do nothing."""
    names = ("parameter", "stack", "config_env", "bind", "env_vars", "create_sources", "without_layers", "strict")
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(arguments, name, None)]
    if given:
        raise UsageError(f"{given[0]} is for templates, and none is named")


def flags_of(arguments: argparse.Namespace) -> dict[str, object]:
    """The values of the command line, by the path of the setting."""
    settings = {
        "aws.endpoint_url": "endpoint_url",
        "aws.region": "region",
        "aws.profile": "profile",
        "aws.real": "real_aws",
        "aws.account": "account",
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
    """The default configuration; empty when there is none. Raises ConfigError when there are several."""
    here = find_default(Path())
    if here is not None:
        return [here]
    return [SYSTEM] if holds_documents(SYSTEM) else []


def nothing_named() -> ConfigError:
    hint = template_here() or "name a file or a directory, or write one with `headrace init`"
    return ConfigError([Problem(NOTHING_NAMED, hint=hint)])


def template_here() -> str:
    """What to do with the template in the working directory, which nobody named; empty where there is none."""
    from ...templates.project import seen_in

    return seen_in(Path())

"""What `samconfig.toml` says of a deployment: the stack's name, the region, the parameters. Raises ConfigError."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ...config.complaints import did_you_mean
from ...config.errors import ConfigError, Problem

NAMES = ("samconfig.toml", "samconfig.yaml", "samconfig.yml")
COMMANDS = ("global", "deploy", "sync", "build")


@dataclass(frozen=True, slots=True)
class SamConfig:
    stack: str = ""
    region: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    """Sections that were not taken."""
    template: str = ""


def found(directory: Path) -> Path | None:
    """The file of a directory; None where there is none."""
    return next((directory / name for name in NAMES if (directory / name).is_file()), None)


def read(directory: Path, section: str) -> SamConfig:
    """The section of the file of a directory; nothing where there is no file. `section`: empty for `default`."""
    file = found(directory)
    if file is None:
        if section:
            what = f"there is no {NAMES[0]} with a section {section!r}"
            raise ConfigError([Problem(what, file=str(directory), hint="leave --config-env out")])
        return SamConfig()
    form = "TOML" if file.suffix == ".toml" else "YAML"
    try:
        text = file.read_text()
        content = tomllib.loads(text) if form == "TOML" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as fault:
        raise ConfigError(
            [Problem(f"cannot be read as {form}: {' '.join(str(fault).split())}", file=str(file))]
        ) from None
    members = content.items() if isinstance(content, dict) else ()
    sections = {str(name): value for name, value in members if isinstance(value, dict)}
    if section and section not in sections:
        hint = did_you_mean(section, sections) or f"it has {', '.join(sections)}"
        raise ConfigError([Problem(f"has no section {section!r}", file=str(file), hint=hint)])
    chosen = sections.get(section or "default", {})
    others = tuple(name for name in sections if name not in (section, "default")) if not section else ()
    return _section(chosen, others)


def _section(chosen: Mapping[str, object], others: tuple[str, ...]) -> SamConfig:
    merged: dict[str, object] = {}
    for command in reversed(COMMANDS):
        found = chosen.get(command)
        parameters = found.get("parameters") if isinstance(found, dict) else None
        if isinstance(parameters, dict):
            merged |= parameters
    for command in ("global", "deploy"):
        found = chosen.get(command)
        parameters = found.get("parameters") if isinstance(found, dict) else None
        merged |= parameters if isinstance(parameters, dict) else {}
    return SamConfig(
        str(merged.get("stack_name", "")),
        str(merged.get("region", "")),
        overrides(merged.get("parameter_overrides", "")),
        others,
        str(merged.get("template_file") or merged.get("template") or ""),
    )


def overrides(given: object) -> dict[str, str]:
    """`K=V K2="V 2"`, `ParameterKey=K,ParameterValue=V`, a list of such, or a table."""
    if isinstance(given, dict):
        return {str(key): str(value) for key, value in given.items()}
    words = [str(each) for each in given] if isinstance(given, list) else _words(str(given))
    found: dict[str, str] = {}
    for word in words:
        if word.startswith("ParameterKey=") and ",ParameterValue=" in word:
            key, _, value = word.removeprefix("ParameterKey=").partition(",ParameterValue=")
        else:
            key, _, value = word.partition("=")
        if key:
            found[key] = value.strip('"')
    return found


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quotation mark without its other
        return text.split()

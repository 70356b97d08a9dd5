"""Configurations for tests: written to a directory, loaded, and their problems as text without the directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from headrace.config.errors import ConfigError
from headrace.config.loader import Config, load
from headrace.config.pattern_faults import CheckPatterns

QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
FIFO = f"{QUEUE}.fifo"
FUNCTION = {"http": "http://localhost:9000/invoke"}


def write(directory: Path, text: str, name: str = "headrace.yaml") -> Path:
    file = directory / name
    file.write_text(text, encoding="utf-8")
    return file


def problems(
    path: Path,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
    check_patterns: CheckPatterns | None = None,
) -> list[str]:
    """What is wrong with a configuration, one line each; empty when nothing is."""
    base = path if path.is_dir() else path.parent
    try:
        load([path], environ=environ or {}, flags=flags, check_patterns=check_patterns)
    except ConfigError as fault:
        return [str(problem).replace(f"{base}/", "") for problem in fault.problems]
    return []


def with_mapping(directory: Path, **fields: object) -> Path:
    """A configuration of one mapping `m`, to the function `f`, as JSON."""
    mapping = {"source": QUEUE, "function": "f", **fields}
    return write(directory, json.dumps({"functions": {"f": FUNCTION}, "mappings": {"m": mapping}}), "headrace.json")


def with_function(directory: Path, **fields: object) -> Path:
    """A configuration of one function `f`, as JSON."""
    return write(directory, json.dumps({"functions": {"f": fields}}), "headrace.json")


def loaded(
    path: Path, *, environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
) -> Config:
    return load([path], environ=environ or {}, flags=flags)

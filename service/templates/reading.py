"""Templates from files: YAML with CloudFormation's short tags, or JSON. Raises ConfigError for what cannot be read."""

from __future__ import annotations

from pathlib import Path

from ...config import read_json
from ...config.errors import ConfigError, Problem
from ...config.nodes import MAX_BYTES, Node
from ...config.user_text import NotText, text_of

ENDINGS = frozenset({".yaml", ".yml", ".json", ".template"})


def is_directory(path: Path) -> bool:
    """Whether there is such a directory. A name that no file can have is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether there is such a file. A name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_document(path: Path) -> tuple[Node, list[Problem]]:
    """The document, and what is wrong with it that does not hinder reading on. Raises ConfigError."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        text = text_of(data)
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else str(fault)
        what = f"cannot be read: {reason}" if not isinstance(fault, NotText) else str(fault)
        raise ConfigError([Problem(what, file=file)]) from None
    if len(data) > MAX_BYTES:
        raise ConfigError([Problem(f"is larger than {MAX_BYTES // 1024 // 1024} MB, so hardly a template", file=file)])
    document, problems = _parsed(text, path)
    if document is None or not isinstance(document.value, dict):
        raise ConfigError([*problems, Problem("is no template: it holds no mapping", file=file)])
    return document, problems


def _parsed(text: str, path: Path) -> tuple[Node | None, list[Problem]]:
    """JSON by its ending or its first character; a template in JSON's brackets may be YAML for all that."""
    file = str(path)
    if path.suffix.lower() == ".json":
        return read_json.read(text, file)
    if text.lstrip().startswith("{"):
        try:
            return read_json.read(text, file)
        except ConfigError:
            pass
    from ...config import read_yaml

    return read_yaml.read(text, file, long_form)


def long_form(tag: str) -> str:
    """The function that a short tag stands for: `!Sub` is `Fn::Sub`. One that nobody knows is refused where it stands
    in what is needed, by name."""
    if not tag.startswith("!") or tag.startswith("!!"):
        return ""
    name = tag[1:]
    return name if name in ("Ref", "Condition") else f"Fn::{name}"

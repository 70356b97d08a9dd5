"""`headrace import`: the configuration that a template means, as a file to go on with. Nothing is overwritten."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from ....config.errors import ConfigError, Problem
from ....dispatch.core.observer import Observer
from ...templates.core import configuration
from ...templates.core.report import TemplateReport
from ...wiring.exits import Exit, UsageError
from . import templates
from .tables import show

CODE = "headrace-code"
"""The directory beside the file in which code lies that was in a zip, or in the template."""


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    target = Path(arguments.to)
    if target.exists():
        raise UsageError(f"{target} exists: nothing was written; name another file with --to")
    base = target.absolute().parent
    found = [Path(path) for path in arguments.template]
    loaded = templates.load_templates(found, found, arguments, lambda config: base / CODE)
    text = "".join(_commented(loaded.report)) + _yaml(_content(configuration.written(loaded.document), base))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError([Problem(f"cannot be written: {error.strerror}", file=str(target))]) from error
    templates.show_report(loaded.report)
    show(f"wrote {target}")
    return Exit.OK


def _commented(report: TemplateReport) -> Iterator[str]:
    """What was not taken, for who goes on with the file."""
    for heading in report.headings:
        yield f"# from {heading}\n"
    for what, name, at, why in report.not_taken_rows():
        yield f"# not taken: {what} {name} ({at}): {why}\n".replace("\r", " ")
    for note in report.notes():
        yield f"# note: {note}\n"
    yield "\n"


def _content(written: dict[str, object], base: Path) -> dict[str, object]:
    """With paths that start at the file."""
    functions: Any = written.get("functions")
    if isinstance(functions, dict):
        paths = {path: _relative(path, base) for each in functions.values() for path in _paths(each)}
        functions = {name: configuration.with_paths(each, paths) for name, each in functions.items()}
        return {**written, "functions": functions}
    return written


def _paths(function: dict[str, Any]) -> list[str]:
    return [str(function["code"]), *map(str, function.get("layers", ()))]


def _relative(path: str, base: Path) -> str:
    found = os.path.relpath(path.replace("$$", "$"), base).replace("$", "$$")
    return found if found.startswith("..") else f"./{found}"


def _yaml(content: dict[str, object]) -> str:
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """Texts that a reader would take for something else stand in quotes."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    from ....config.nodes import scalar

    is_plain = isinstance(scalar(text), str) and "\n" not in text
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_plain else '"')


_Dumper.add_representer(str, _text)

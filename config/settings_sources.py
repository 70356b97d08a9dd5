"""The daemon's settings out of their sources, and which source a wrong value came from.

Flags over `HEADRACE_*` variables over the file's sections over the variables that many programs share (`LOG_LEVEL`,
`LOG_FORMAT`, `DEBUG`). Used by the loader.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from pydantic import ValidationError

from . import complaints, secret_files, wanted
from .errors import Problem
from .fields.spoken import absolute
from .nodes import Node, NodePlace, locate
from .settings import PREFIX, SECTIONS, Settings, read_variables

Keys = tuple[str, ...]


class _Origin(Enum):
    SHARED = "a shared variable"
    FILE = "the file"
    VARIABLE = "a variable"
    FLAG = "the command line"


@dataclass(slots=True)
class _Layers:
    """Values laid over each other, each leaf with its origin."""

    members: dict[str, Node] = field(default_factory=dict)
    origins: dict[Keys, _Origin] = field(default_factory=dict)

    def lay(self, members: Mapping[str, Node], origin: _Origin) -> None:
        self._lay(self.members, members, origin, ())

    def _lay(self, target: dict[str, Node], members: Mapping[str, Node], origin: _Origin, path: Keys) -> None:
        for key, node in members.items():
            below = target.get(key)
            self.origins[*path, key] = origin
            if isinstance(node.value, dict):
                joined = dict(below.value) if below is not None and isinstance(below.value, dict) else {}
                self._lay(joined, node.value, origin, (*path, key))
                target[key] = replace(node, value=joined)
            else:
                target[key] = node

    def origin(self, keys: Keys) -> _Origin:
        """The origin of the value at a path: that of its last known parent."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.origins:
                return self.origins[keys[:length]]
        return _Origin.FILE


def assemble(
    sections: Node, environ: Mapping[str, str], flags: Mapping[str, object]
) -> tuple[Settings | None, list[Problem]]:
    """The settings, or None and every reason why not. `sections` holds the file's settings; `flags` is keyed by path
    (`aws.real`), and None there means that the flag was not given."""
    layers = _Layers()
    problems = [*_misspelled(environ)]
    layers.lay(_tree(_shared(environ)), _Origin.SHARED)
    layers.lay(_from_file(sections), _Origin.FILE)
    try:
        layers.lay(_tree(read_variables(secret_files.expanded(environ, PREFIX))), _Origin.VARIABLE)
    except ValueError as fault:
        problems.append(Problem(str(fault)))
    layers.lay(_tree(_nested(flags)), _Origin.FLAG)
    settings, found = _validated(layers, sections)
    problems.extend(found)
    return (None if problems else settings), problems


def _validated(layers: _Layers, sections: Node) -> tuple[Settings | None, list[Problem]]:
    try:
        settings = wanted.validated(Settings, Node(layers.members, ""))
    except ValidationError as fault:
        found = complaints.problems(fault, Settings, sections, "")
        keys = [tuple(map(str, complaints.keys_of(error))) for error in complaints.distinct(fault)]
        return None, [_from(layers.origin(path), path, problem) for path, problem in zip(keys, found, strict=True)]
    settings = settings.model_copy(update=_located(settings, layers))
    return settings, list(_missing_layers(settings, layers, sections))


def _missing_layers(settings: Settings, layers: _Layers, sections: Node) -> Iterator[Problem]:
    for arn, path in settings.layers.items():
        if not os.path.exists(path):
            problem = locate(sections, ["layers", arn]).problem(
                f"there is no {str(path)!r}", "name a directory or a zip"
            )
            yield _from(layers.origin(("layers", arn)), ("layers",), problem)


def _located(settings: Settings, layers: _Layers) -> dict[str, object]:
    """The settings that are paths, relative to the file that has them."""
    found: dict[str, object] = {"runtimes": settings.runtimes.located(_bases(layers, "runtimes"))}
    if "state" in layers.members and layers.origin(("state",)) is _Origin.FILE:
        found["state"] = absolute(Path(layers.members["state"].file).parent, settings.state)
    bases = _bases(layers, "layers")
    found["layers"] = {
        arn: absolute(bases[arn], path) if arn in bases else path for arn, path in settings.layers.items()
    }
    return found


def _bases(layers: _Layers, section: str) -> dict[str, Path]:
    """The directories of the files that give the members of a section, by member."""
    found = layers.members.get(section)
    members = found.value if found is not None and isinstance(found.value, dict) else {}
    filed = {key: node for key, node in members.items() if layers.origin((section, key)) is _Origin.FILE}
    return {key: Path(node.file).parent.absolute() for key, node in filed.items()}


def _from(origin: _Origin, keys: Keys, problem: Problem) -> Problem:
    """The problem, placed where the value was given."""
    match origin:
        case _Origin.VARIABLE:
            return replace(problem, path=PREFIX + "__".join(keys).upper(), file="", line=None)
        case _Origin.FLAG:
            return replace(problem, path=f"{'.'.join(keys)} (command line)", file="", line=None)
        case _Origin.FILE | _Origin.SHARED:
            return problem


def _tree(data: Mapping[str, object]) -> dict[str, Node]:
    return {key: _node(value) for key, value in data.items()}


def _node(value: object) -> Node:
    match value:
        case Node():
            return value
        case Mapping():
            return Node(_tree(value), "")
        case None | bool() | int() | float() | str():
            return Node(value, "")
        case _:
            raise AssertionError(f"no source of settings gives {type(value).__name__}")


def _from_file(sections: Node) -> dict[str, Node]:
    """The file's sections. A value that a variable left empty, or an empty section, counts as not given."""
    assert isinstance(sections.value, dict)
    kept = {key: _without_blanks(node) for key, node in sections.value.items()}
    return {key: node for key, node in kept.items() if not _is_blank(node)}


def _without_blanks(node: Node) -> Node:
    if not isinstance(node.value, dict):
        return node
    members = {key: _without_blanks(member) for key, member in node.value.items()}
    return replace(node, value={key: member for key, member in members.items() if not _is_blank(member)})


def _is_blank(node: Node) -> bool:
    return node.value is None or (node.filled and node.value == "")


def _nested(flags: Mapping[str, object]) -> dict[str, object]:
    nested: dict[str, object] = {}
    for path, value in flags.items():
        *parents, last = path.split(".")
        members = nested
        for key in parents:
            members = members.setdefault(key, {})  # type: ignore[assignment]
        if value is not None:
            members[last] = value
    return nested


_LEVELS = {"trace": "debug", "warn": "warning", "critical": "error", "fatal": "error"}


def _shared(environ: Mapping[str, str]) -> dict[str, object]:
    """What variables that are not ours alone say. A value that we cannot read was meant for another program."""
    log: dict[str, object] = {}
    level = environ.get("LOG_LEVEL", "").lower()
    level = _LEVELS.get(level, level)
    if environ.get("DEBUG") in {"1", "true"}:
        log["level"] = "debug"
    if level in {"debug", "info", "warning", "error"}:
        log["level"] = level
    if environ.get("LOG_FORMAT", "").lower() in {"json", "console"}:
        log["format"] = environ["LOG_FORMAT"].lower()
    return {"log": log} if log else {}


def _misspelled(environ: Mapping[str, str]) -> list[Problem]:
    """Variables that are nearly ours. Others with our prefix are left alone: they may be an image's or a test's."""
    problems = []
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        section = re.split("__", name[len(PREFIX) :].lower())[0].removesuffix("_file")
        near = difflib.get_close_matches(section, SECTIONS, n=1, cutoff=0.8)
        if section not in SECTIONS and near:
            hint = f"did you mean {PREFIX}{near[0].upper()}?"
            problems.append(NodePlace(name, "", None).problem("unknown variable", hint))
    return problems

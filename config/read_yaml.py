"""YAML to nodes: the parser's events, told to the composer.

PyYAML's own composer is recursive and expands aliases without a limit. Merge keys (`<<`) are understood, tags of
programs (`!Ref`, `!!python/…`) are refused.
"""

from __future__ import annotations

import yaml

from .composer import Composer
from .errors import ConfigError, Problem
from .nodes import Node

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_KNOWN = frozenset({"!", *(_TAG + kind for kind in ("str", "int", "float", "bool", "null", "map", "seq"))})


def read(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The document's tree, None for an empty one, and what is wrong with it that does not hinder reading on. Raises
    ConfigError for what does."""
    composer = Composer(file)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            _take(composer, event)
    except yaml.YAMLError as fault:
        raise ConfigError([*composer.problems, _syntax(fault, text, file)]) from None
    return composer.root, composer.problems


def _take(composer: Composer, event: yaml.Event) -> None:
    assert event.start_mark is not None
    line = event.start_mark.line + 1
    match event:
        case yaml.AliasEvent():
            composer.alias(str(event.anchor), line)
        case yaml.ScalarEvent():
            _check_tag(composer, event.tag, line)
            quoted = bool(event.style) or event.tag == f"{_TAG}str"
            composer.scalar(event.value, line, quoted=quoted, anchor=event.anchor)
        case yaml.MappingStartEvent():
            _check_tag(composer, event.tag, line)
            composer.begin_mapping(line, event.anchor)
        case yaml.SequenceStartEvent():
            _check_tag(composer, event.tag, line)
            composer.begin_sequence(line, event.anchor)
        case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
            composer.end()
        case yaml.DocumentStartEvent() if composer.root is not None:
            raise composer.fault(line, "holds several documents", "keep one document per file; a directory is merged")


def _check_tag(composer: Composer, tag: str | None, line: int) -> None:
    if tag is not None and tag not in _KNOWN:
        shown = tag.replace(_TAG, "!!")[:60]
        raise composer.fault(line, f"the YAML tag {shown} is not understood", "write the value itself")


def _syntax(fault: yaml.YAMLError, text: str, file: str) -> Problem:
    mark = getattr(fault, "problem_mark", None)
    what = getattr(fault, "problem", None) or getattr(fault, "reason", None) or "cannot be read"
    if mark is None:
        position = getattr(fault, "position", 0)
        return Problem(f"cannot be read as YAML: {what}", "", file, text.count("\n", 0, position) + 1)
    lines = text.split("\n")
    row = lines[mark.line] if mark.line < len(lines) else ""
    last = text.rstrip().count("\n") + 1
    return Problem(f"cannot be read as YAML: {what}", "", file, min(mark.line + 1, last), _hint(what, row))


def _hint(what: str, row: str) -> str:
    if "\t" in row[: len(row) - len(row.lstrip())]:
        return "indent with spaces: YAML does not allow tabs"
    if "${" in row:
        return "inside { } and [ ] put ${…} in quotes"
    if "cannot start any token" in what:
        return "put the text in quotes"
    if "mapping values are not allowed" in what:
        return "put text that has ': ' in it in quotes, and check the indentation"
    return ""

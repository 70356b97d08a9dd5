"""YAML to nodes: the parser's events, told to the composer.

PyYAML's own composer is recursive and expands aliases without a limit. Merge keys (`<<`) are understood, tags of
programs (`!Ref`, `!!python/…`) are refused, unless who reads has a long form for them: `!Ref x` is then `{Ref: x}`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import yaml

from .composer import Composer
from .errors import ConfigError, Problem
from .nodes import Node

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_KNOWN = frozenset({"!", *(_TAG + kind for kind in ("str", "int", "float", "bool", "null", "map", "seq"))})


LongForm = Callable[[str], str]
"""The key that a tag stands for: `!Ref` is `Ref`. Empty for a tag that has none."""


def read(text: str, file: str, long_form: LongForm = lambda tag: "") -> tuple[Node | None, list[Problem]]:
    """The document's tree, None for an empty one, and what is wrong with it that does not hinder reading on. Raises
    ConfigError for what does."""
    composer = Composer(file)
    reading = _Reading(composer, long_form)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            reading.take(event)
    except yaml.YAMLError as fault:
        raise ConfigError([*composer.problems, _syntax(fault, text, file)]) from None
    return composer.root, composer.problems


@dataclass(slots=True)
class _Reading:
    """One document: the events of the parser, told to the composer."""

    composer: Composer
    long_form: LongForm
    wrapped: list[bool] = field(default_factory=list)
    """Whether a mapping of its long form stands around it, for each open mapping and sequence."""

    def take(self, event: yaml.Event) -> None:
        assert event.start_mark is not None
        line = event.start_mark.line + 1
        composer = self.composer
        match event:
            case yaml.AliasEvent():
                composer.alias(str(event.anchor), line)
            case yaml.ScalarEvent():
                wrapped = self._wrap(event, line)
                quoted = bool(event.style) or event.tag == f"{_TAG}str"
                composer.scalar(event.value, line, quoted=quoted, anchor=None if wrapped else event.anchor)
                if wrapped:
                    composer.end()
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                wrapped = self._wrap(event, line)
                self.wrapped.append(wrapped)
                begin = composer.begin_mapping if isinstance(event, yaml.MappingStartEvent) else composer.begin_sequence
                begin(line, None if wrapped else event.anchor)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                composer.end()
                if self.wrapped.pop():
                    composer.end()
            case yaml.DocumentStartEvent() if composer.root is not None:
                hint = "keep one document per file; a directory is merged"
                raise composer.fault(line, "holds several documents", hint)

    def _wrap(self, event: yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent, line: int) -> bool:
        """Whether the mapping of a long form was begun, in which the value of the event is the only member."""
        tag = event.tag
        if tag is None or tag in _KNOWN:
            return False
        key = self.long_form(tag)
        if not key:
            shown = tag.replace(_TAG, "!!")[:60]
            raise self.composer.fault(line, f"the YAML tag {shown} is not understood", "write the value itself")
        self.composer.begin_mapping(line, event.anchor)
        self.composer.scalar(key, line, quoted=True)
        return True


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

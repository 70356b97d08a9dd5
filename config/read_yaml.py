"""YAML to nodes: the parser's events, composed by us so that depth, size and aliases are bounded.

PyYAML's own composer is recursive and expands aliases without a limit. Merge keys (`<<`) are understood, tags of
programs (`!Ref`, `!!python/…`) are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from .errors import ConfigError, Problem
from .nodes import MAX_DEPTH, MAX_NODES, Node, join, scalar

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_MERGE = "<<"


@dataclass(frozen=True, slots=True)
class _Built:
    """A finished node and how big it is, with every alias counted for what it stands for."""

    node: Node
    weight: int
    height: int


@dataclass(slots=True)
class _Frame:
    """A mapping or sequence that is still open."""

    line: int
    anchor: str | None
    node: Node
    key: str | None = None
    key_line: int = 0
    key_merges: bool = False
    weight: int = 1
    height: int = 1
    merges: list[Node] = field(default_factory=list)


class _Composer:
    def __init__(self, file: str) -> None:
        self._file = file
        self._open: list[_Frame] = []
        self._anchors: dict[str, _Built] = {}
        self._nodes = 0
        self.root: Node | None = None
        self.problems: list[Problem] = []

    def take(self, event: yaml.Event) -> None:
        assert event.start_mark is not None
        line = event.start_mark.line + 1
        match event:
            case yaml.AliasEvent():
                self._alias(str(event.anchor), line)
            case yaml.ScalarEvent():
                self._scalar(event, line)
            case yaml.MappingStartEvent():
                self._start({}, event, line)
            case yaml.SequenceStartEvent():
                self._start([], event, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end()
            case yaml.DocumentStartEvent() if self.root is not None:
                raise self._fault(line, "holds several documents", "keep one document per file; a directory is merged")

    def _fault(self, line: int, what: str, hint: str = "") -> ConfigError:
        return ConfigError([*self.problems, Problem(what, "", self._file, line, hint)])

    def _start(self, container: dict[str, Node] | list[Node], event: yaml.CollectionStartEvent, line: int) -> None:
        self._check_tag(event.tag, line)
        self._check_size(line, 1, 1)
        self._open.append(_Frame(line, event.anchor, Node(container, self._file, line)))

    def _end(self) -> None:
        frame = self._open.pop()
        if isinstance(frame.node.value, dict):
            for source in frame.merges:
                self._merge(frame.node.value, source, frame.line)
        self._put(_Built(frame.node, frame.weight, frame.height), frame.line, frame.anchor)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        self._check_tag(event.tag, line)
        self._check_size(line, 1, 0)
        is_plain = event.style is None or event.style == ""
        is_text = not is_plain or event.tag == f"{_TAG}str"
        expects_key = self._expects_key()
        value = event.value if is_text or expects_key else scalar(event.value)
        node = Node(value, self._file, line, plain=not is_text)
        self._put(_Built(node, 1, 0), line, event.anchor)

    def _alias(self, anchor: str, line: int) -> None:
        if anchor not in self._anchors:
            raise self._fault(line, f"the alias *{anchor} has no anchor before it", f"define &{anchor} further up")
        built = self._anchors[anchor]
        self._check_size(line, built.weight, built.height)
        self._put(built, line, None)

    def _expects_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].node.value, dict) and self._open[-1].key is None

    def _put(self, built: _Built, line: int, anchor: str | None) -> None:
        """Gives a finished node to the innermost open container."""
        if anchor:
            self._anchors[anchor] = built
        if not self._open:
            self.root = built.node
            return
        frame = self._open[-1]
        frame.weight += built.weight
        frame.height = max(frame.height, built.height + 1)
        if isinstance(frame.node.value, list):
            frame.node.value.append(built.node)
        elif frame.key is None:
            self._key(frame, built.node, line)
        else:
            self._member(frame, built.node)

    def _check_size(self, line: int, weight: int, height: int) -> None:
        self._nodes += weight
        if self._nodes > MAX_NODES:
            raise self._fault(line, f"holds more than {MAX_NODES} values, aliases counted each time")
        if len(self._open) + height > MAX_DEPTH:
            raise self._fault(line, f"is nested deeper than {MAX_DEPTH} levels")

    def _key(self, frame: _Frame, node: Node, line: int) -> None:
        if not isinstance(node.value, str):
            raise self._fault(line, "has a key that is not text", "write keys as plain words")
        frame.key, frame.key_line = node.value, line
        frame.key_merges = node.plain and node.value == _MERGE

    def _member(self, frame: _Frame, node: Node) -> None:
        assert isinstance(frame.node.value, dict)
        assert frame.key is not None
        key, line, frame.key = frame.key, frame.key_line, None
        if frame.key_merges:
            frame.merges.extend(node.value if isinstance(node.value, list) else [node])
        elif key in frame.node.value:
            first = frame.node.value[key].line
            what = f"the key {key[:60]!r} is given twice; the first time in line {first}"
            self.problems.append(Problem(what, self._path(), self._file, line, "remove one"))
        else:
            frame.node.value[key] = Node(node.value, node.file, line, node.plain)

    def _path(self) -> str:
        """Where we are: the keys and indices of everything that is open."""
        path = ""
        for frame in self._open:
            if isinstance(frame.node.value, list):
                path = join(path, len(frame.node.value))
            elif frame.key is not None:
                path = join(path, frame.key)
        return path

    def _merge(self, members: dict[str, Node], source: Node, line: int) -> None:
        if not isinstance(source.value, dict):
            raise self._fault(line, "merges (<<) something that is not a mapping")
        for key, node in source.value.items():
            members.setdefault(key, node)

    def _check_tag(self, tag: str | None, line: int) -> None:
        if tag is None or tag in {
            "!",
            *(_TAG + kind for kind in ("str", "int", "float", "bool", "null", "map", "seq")),
        }:
            return
        shown = tag.replace(_TAG, "!!")[:60]
        raise self._fault(line, f"the YAML tag {shown} is not understood", "write the value itself")


def read(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The document's tree, None for an empty one, and what is wrong with it that does not hinder reading on. Raises
    ConfigError for what does."""
    composer = _Composer(file)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            composer.take(event)
    except yaml.YAMLError as fault:
        raise ConfigError([*composer.problems, _syntax(fault, text, file)]) from None
    return composer.root, composer.problems


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
        return "indent with spaces: YAML takes no tabs"
    if "${" in row:
        return "inside { } and [ ] put ${…} in quotes"
    if "cannot start any token" in what:
        return "put the text in quotes"
    if "mapping values are not allowed" in what:
        return "put text that has ': ' in it in quotes, and check the indentation"
    return ""

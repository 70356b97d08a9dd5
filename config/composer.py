"""Events of a document to a tree of nodes: one composer, whatever the format.

Owns the bounds of depth and size (an alias counts as what it stands for), repeated keys, anchors and merge keys. Knows
no syntax: `read_yaml.py` and `read_json.py` tell it what begins, what ends and which scalars stand between.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .errors import ConfigError, Problem
from .nodes import MAX_DEPTH, MAX_NODES, Node, join, scalar

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


class Composer:
    """One document. Every method raises ConfigError for what hinders reading on; what does not is in `problems`."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._open: list[_Frame] = []
        self._anchors: dict[str, _Built] = {}
        self._nodes = 0
        self.root: Node | None = None
        self.problems: list[Problem] = []

    def fault(self, line: int, what: str, hint: str = "") -> ConfigError:
        """What ends the reading, after everything that was found before."""
        return ConfigError([*self.problems, Problem(what, "", self._file, line, hint)])

    def begin_mapping(self, line: int, anchor: str | None = None) -> None:
        self._begin({}, line, anchor)

    def begin_sequence(self, line: int, anchor: str | None = None) -> None:
        self._begin([], line, anchor)

    def end(self) -> None:
        """The innermost open mapping or sequence is complete."""
        frame = self._open.pop()
        if isinstance(frame.node.value, dict):
            for source in frame.merges:
                self._merge(frame.node.value, source, frame.line)
        self._put(_Built(frame.node, frame.weight, frame.height), frame.line, frame.anchor)

    def scalar(self, text: str, line: int, *, quoted: bool, anchor: str | None = None) -> None:
        """A key or a value: as text if it is quoted or a key, else as what it means without quotes."""
        self._check_size(line, 1, 0)
        value = text if quoted or self._expects_key() else scalar(text)
        self._put(_Built(Node(value, self._file, line, None if quoted else text), 1, 0), line, anchor)

    def alias(self, anchor: str, line: int) -> None:
        if anchor not in self._anchors:
            raise self.fault(line, f"the alias *{anchor} has no anchor before it", f"define &{anchor} further up")
        built = self._anchors[anchor]
        self._check_size(line, built.weight, built.height)
        self._put(built, line, None)

    def _begin(self, container: dict[str, Node] | list[Node], line: int, anchor: str | None) -> None:
        self._check_size(line, 1, 1)
        self._open.append(_Frame(line, anchor, Node(container, self._file, line)))

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
            raise self.fault(line, f"holds more than {MAX_NODES} values, aliases counted each time")
        if len(self._open) + height > MAX_DEPTH:
            raise self.fault(line, f"is nested deeper than {MAX_DEPTH} levels")

    def _key(self, frame: _Frame, node: Node, line: int) -> None:
        if not isinstance(node.value, str):
            raise self.fault(line, "has a key that is not text", "write keys as plain words")
        frame.key, frame.key_line = node.value, line
        frame.key_merges = node.written == _MERGE

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
            frame.node.value[key] = replace(node, line=line)

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
            raise self.fault(line, "merges (<<) something that is not a mapping")
        for key, node in source.value.items():
            members.setdefault(key, node)

"""JSON to nodes: a small reader, because the standard library's forgets lines and takes a repeated key in silence."""

from __future__ import annotations

import re
from bisect import bisect_right
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]  # public in CPython, missing in typeshed

from .errors import ConfigError, Problem
from .nodes import MAX_DEPTH, MAX_NODES, Node, scalar

_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"-?[A-Za-z0-9.+-]+")
_HALF = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class _JsonReader:
    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._newlines = [found.start() for found in re.finditer("\n", text)]
        self._at = 0
        self._nodes = 0
        self._keys: list[str] = []
        self.problems: list[Problem] = []

    def document(self) -> Node | None:
        self._skip()
        if self._at == len(self._text):
            return None
        node = self._value(0)
        self._skip()
        if self._at < len(self._text):
            raise self._fault("has something after its end")
        return node

    def _line(self, at: int) -> int:
        return bisect_right(self._newlines, at - 1) + 1

    def _fault(self, what: str, hint: str = "") -> ConfigError:
        line = self._line(min(self._at, len(self._text)))
        return ConfigError([*self.problems, Problem(f"cannot be read as JSON: {what}", "", self._file, line, hint)])

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _peek(self) -> str:
        self._skip()
        return self._text[self._at : self._at + 1]

    def _take(self, mark: str, where: str) -> None:
        if self._peek() != mark:
            raise self._fault(f"expected {mark!r} {where}", self._stray())
        self._at += 1

    def _stray(self) -> str:
        return "JSON has no comments" if self._text[self._at : self._at + 1] in {"/", "#"} else ""

    def _value(self, depth: int) -> Node:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise self._fault(f"it is nested deeper than {MAX_DEPTH} levels")
        if self._nodes > MAX_NODES:
            raise self._fault(f"it holds more than {MAX_NODES} values")
        match self._peek():
            case "{":
                return self._object(depth)
            case "[":
                return self._array(depth)
            case '"':
                line = self._line(self._at)
                return Node(self._string(), self._file, line)
            case _:
                return self._word()

    def _string(self) -> str:
        text: str
        try:
            text, self._at = scanstring(self._text, self._at + 1, True)
        except JSONDecodeError as fault:
            self._at = fault.pos
            raise self._fault(fault.msg.lower().removesuffix(" at")) from None
        if _HALF.search(text):
            raise self._fault("text has half of a surrogate pair (\\ud800 to \\udfff)")
        return text

    def _word(self) -> Node:
        found = _WORD.match(self._text, self._at)
        word = found[0] if found else ""
        if word not in {"true", "false", "null"} and not _NUMBER.fullmatch(word):
            shown = word[:40] or self._text[self._at : self._at + 1]
            raise self._fault(f"expected a value, found {shown!r}" if shown else "it ends too early", self._stray())
        node = Node(scalar(word), self._file, self._line(self._at))
        self._at += len(word)
        return node

    def _array(self, depth: int) -> Node:
        line = self._line(self._at)
        items: list[Node] = []
        self._at += 1
        if self._peek() == "]":
            self._at += 1
            return Node(items, self._file, line)
        while True:
            items.append(self._value(depth + 1))
            if self._peek() != ",":
                break
            self._at += 1
        self._take("]", "or ',' in a list")
        return Node(items, self._file, line)

    def _object(self, depth: int) -> Node:
        line = self._line(self._at)
        members: dict[str, Node] = {}
        self._at += 1
        if self._peek() == "}":
            self._at += 1
            return Node(members, self._file, line)
        while True:
            self._member(members, depth)
            if self._peek() != ",":
                break
            self._at += 1
        self._take("}", "or ',' in an object")
        return Node(members, self._file, line)

    def _member(self, members: dict[str, Node], depth: int) -> None:
        if self._peek() != '"':
            hint = "remove the comma before it" if self._peek() == "}" else self._stray()
            raise self._fault("expected a key in double quotes", hint)
        line = self._line(self._at)
        key = self._string()
        self._take(":", "after a key")
        self._keys.append(key[:60])
        node = self._value(depth + 1)
        self._keys.pop()
        if key in members:
            what = f"the key {key[:60]!r} is given twice; the first time in line {members[key].line}"
            self.problems.append(Problem(what, ".".join(self._keys), self._file, line, "remove one"))
        else:
            members[key] = Node(node.value, self._file, line)


def read(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The document's tree, None for an empty one, and its repeated keys. Raises ConfigError for what is not JSON."""
    reader = _JsonReader(text, file)
    return reader.document(), reader.problems

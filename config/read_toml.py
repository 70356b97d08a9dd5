"""TOML to nodes. The standard library reads it; a scan of the same text finds the line of each key.

The scan may rely on the text being sound, because the library has read it. Where it loses its way it stops, and the
keys after that have no line: a missing line never costs the user the message.
"""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from datetime import date, datetime, time
from math import isfinite

from .errors import ConfigError, Problem
from .nodes import MAX_DEPTH, MAX_NODES, Node

Key = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_TEXT = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}|' + r"'''.*?'{3,5}" + r"""|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""", re.DOTALL)
_BARE = re.compile(r"[^,\]}#\n]+")
_DOTTED = re.compile(r"""(?<![\w"'-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){64}""")
MAX_CHARACTERS = 1024 * 1024
"""Smaller than for the other formats: the library needs quadratic time for some texts."""


class _LostLine(Exception):
    """The scan met something that it does not know."""


class _Scan:
    """Finds where keys stand: `lines` maps a path of keys and indices to a line."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        self._tables: dict[Key, int] = {}
        self.lines: dict[Key, int] = {}

    def run(self) -> None:
        base: Key = ()
        while self._blank() != "":
            base = self._header() if self._peek() == "[" else self._pair(base, 0)

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _blank(self) -> str:
        self._match(_BLANK)
        return self._peek()

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _LostLine
        self._at = found.end()
        return found[0]

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._match(_SPACE)
            keys.append(_unquoted(self._match(_PART)))
            self._match(_SPACE)
            if self._peek() != ".":
                return keys
            self._at += 1

    def _header(self) -> Key:
        line = self._here()
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        keys = self._keys()
        self._at += 2 if is_array else 1
        path = self._walk((), keys, line)
        if not is_array:
            return path
        self._tables[path] = self._tables.get(path, -1) + 1
        path = (*path, self._tables[path])
        self.lines.setdefault(path, line)
        return path

    def _walk(self, base: Key, keys: list[str], line: int) -> Key:
        """The path of dotted keys below `base`; inside an array of tables they mean its last table."""
        for index, key in enumerate(keys):
            base = (*base, key)
            self.lines.setdefault(base, line)
            if base in self._tables and index < len(keys) - 1:
                base = (*base, self._tables[base])
        return base

    def _pair(self, base: Key, depth: int) -> Key:
        line = self._here()
        path = self._walk(base, self._keys(), line)
        if self._peek() != "=":
            raise _LostLine
        self._at += 1
        self._match(_SPACE)
        self._value(path, depth)
        return base

    def _value(self, path: Key, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _LostLine
        match self._peek():
            case "{":
                self._series(path, "}", depth)
            case "[":
                self._series(path, "]", depth)
            case '"' | "'":
                self._match(_TEXT)
            case _:
                self._match(_BARE)

    def _series(self, path: Key, end: str, depth: int) -> None:
        self._at += 1
        index = 0
        while self._blank() != end:
            if end == "}":
                self._pair(path, depth + 1)
            else:
                self.lines.setdefault((*path, index), self._here())
                self._value((*path, index), depth + 1)
            index += 1
            if self._blank() == ",":
                self._at += 1
        self._at += 1


def _unquoted(part: str) -> str:
    if part[0] == '"':
        return str(tomllib.loads(f"k = {part}")["k"])
    return part.strip("'")


class _TomlTree:
    def __init__(self, file: str, lines: dict[Key, int]) -> None:
        self._file = file
        self._lines = lines
        self._nodes = 0

    def node(self, value: object, path: Key = (), above: int | None = None) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES or len(path) > MAX_DEPTH:
            what = f"is nested deeper than {MAX_DEPTH} levels or holds more than {MAX_NODES} values"
            raise ConfigError([Problem(what, "", self._file, above)])
        line = self._lines.get(path, above)
        match value:
            case dict():
                members = {key: self.node(member, (*path, key), line) for key, member in value.items()}
                return Node(members, self._file, line)
            case list():
                items = [self.node(item, (*path, index), line) for index, item in enumerate(value)]
                return Node(items, self._file, line)
            case datetime() | date() | time():
                return Node(value.isoformat(), self._file, line)
            case float() if not isfinite(value):
                return Node(str(value), self._file, line)
            case bool() | int() | float() | str():
                return Node(value, self._file, line)
            case _:
                raise AssertionError(f"TOML has no {type(value).__name__}")


def read(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The document's tree, None for an empty one. Raises ConfigError for what is not TOML."""
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(
            [Problem("is larger than 1 MB, the limit for TOML", "", file, None, "write it as YAML or JSON")]
        )
    if found := _DOTTED.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ConfigError([Problem(f"has a key of more than {MAX_DEPTH} parts", "", file, line)])
    try:
        value = tomllib.loads(text.replace("\r\n", "\n"))
    except RecursionError:
        raise ConfigError([Problem("is nested too deep", "", file)]) from None
    except ValueError as fault:
        raise ConfigError([_syntax(fault, text, file)]) from None
    scan = _Scan(text)
    with suppress(_LostLine):  # the lines found so far serve
        scan.run()
    return (_TomlTree(file, scan.lines).node(value) if value else None), []


def _syntax(fault: ValueError, text: str, file: str) -> Problem:
    message = str(fault).partition(";")[0]
    what = re.sub(r" \(at .*\)$", "", message)
    found = re.search(r" \(at line (\d+), column \d+\)$", message)
    line = int(found[1]) if found else text.rstrip().count("\n") + 1 if " (at end" in message else None
    return Problem(f"cannot be read as TOML: {what[:1].lower()}{what[1:]}", "", file, line)

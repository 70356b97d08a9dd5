"""A document as a tree in which every value knows its file and line. A leaf: what YAML and JSON become.

Owns plain scalars (one reading for all: JSON's, so `no`, `22:22` and `000000000000` stay text), variables, merging, and
finding a place by path. Knows nothing of fields. Used by the readers and by the loader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from .errors import Problem
from .fields.spoken import folded

MAX_BYTES = 10 * 1024 * 1024
MAX_NODES = 200_000
"""Values in one document, aliases counted each time: what keeps a YAML bomb small."""
MAX_DEPTH = 64

Scalar = str | int | float | bool | None

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORDS: Mapping[str, Scalar] = {"true": True, "false": False, "null": None, "~": None, "": None}
_WORDS = {spelling: value for word, value in _WORDS.items() for spelling in (word, word.capitalize(), word.upper())}
_LONGEST_NUMBER = 300
"""Digits. Longer ones stay text: no field holds them, and Python refuses to read them."""

_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{[^}]*\}?")


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands. A member of a mapping has the line of its key."""

    value: Scalar | list[Node] | dict[str, Node]
    file: str
    line: int | None = None
    written: str | None = None
    """The text of a scalar without quotes, which counts where text is wanted (`wanted.py`); None for all others. What a
    variable puts there is read like what a user writes there."""
    filled: bool = False
    """The value came from a variable."""


@dataclass(frozen=True, slots=True)
class NodePlace:
    """Where a path leads: the path as the user spelled it, and the nearest place that exists."""

    path: str
    file: str
    line: int | None

    def problem(self, what: str, hint: str = "") -> Problem:
        return Problem(what, self.path, self.file, self.line, hint)


def scalar(text: str) -> Scalar:
    """What unquoted text means: a JSON scalar if it looks like one, else the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        number = float(text)
        return text if number in (float("inf"), float("-inf")) else number
    return text


def plain(node: Node) -> object:
    """The value without its places, as new containers."""
    match node.value:
        case dict() as members:
            return {key: plain(member) for key, member in members.items()}
        case list() as items:
            return [plain(item) for item in items]
        case value:
            return value


def join(path: str, key: str | int) -> str:
    """A path, one step longer: `mappings.orders`, `layers[0]`, `environment["a b"]`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not key or not key.isprintable() or re.search(r"[\s.\[\]\"]", key):
        return f"{path}[{json.dumps(key[:60], ensure_ascii=not key.isprintable())}]"
    return f"{path}.{key}" if path else key[:80]


def locate(node: Node, keys: Sequence[str | int], path: str = "") -> NodePlace:
    """The place of a path below `node`, in any spelling. What does not exist stands where its parent stands."""
    for key in keys:
        match node.value:
            case dict() as members if isinstance(key, str) and (spelled := spelling(members, key)) in members:
                node, path = members[spelled], join(path, spelled)
            case list() as items if isinstance(key, int) and key < len(items):
                node, path = items[key], join(path, key)
            case _:
                break
    return NodePlace(path, node.file, node.line)


def spelling(members: Mapping[str, Node], key: str) -> str:
    """How the user spelled a key; the key itself where it is not there."""
    if key in members:
        return key
    return next((other for other in members if folded(other) == folded(key)), key)


# --- variables ------------------------------------------------------------------------------------------------------


class Variables:
    """Puts `${NAME}` and `${NAME:-default}` into the texts of a tree, and collects what cannot be filled in."""

    def __init__(self, lookup: Callable[[str], str | None]) -> None:
        self._lookup = lookup
        self.problems: list[Problem] = []

    def fill(self, node: Node, path: str = "") -> Node:
        """The tree with every variable replaced; keys are left alone."""
        match node.value:
            case dict() as members:
                return replace(node, value={key: self.fill(member, join(path, key)) for key, member in members.items()})
            case list() as items:
                return replace(node, value=[self.fill(item, join(path, index)) for index, item in enumerate(items)])
            case str() as text if "$" in text:
                return self._filled(node, text, NodePlace(path, node.file, node.line))
            case _:
                return node

    def _filled(self, node: Node, text: str, place: NodePlace) -> Node:
        filled = _VARIABLE.sub(lambda found: self._value(found, place), text)
        if filled == text:
            return node
        if node.written is None:
            return replace(node, value=filled, filled=True)
        meant = scalar(filled)
        value = filled if meant is None else meant  # a variable that says "null" or "~" is set all the same
        return replace(node, value=value, written=filled, filled=True)

    def _value(self, found: re.Match[str], place: NodePlace) -> str:
        if found[0] == "$$":
            return "$"
        name, default = found[1], found[2]
        if name is None or "${" in (default or ""):
            what = f"cannot read the variable {found[0][:60]!r}"
            self.problems.append(place.problem(what, "write ${NAME} or ${NAME:-default}; for a dollar sign write $$"))
            return ""
        try:
            given = self._lookup(name)
        except ValueError as fault:
            self.problems.append(place.problem(str(fault)))
            return ""
        if default is not None:
            return given or default
        if given is None:
            what = f"the variable {name} is not set"
            self.problems.append(place.problem(what, f"set it, or give a default: ${{{name}:-…}}"))
        return given or ""


# --- merging --------------------------------------------------------------------------------------------------------


def merge(documents: Sequence[Node]) -> tuple[dict[str, Node], list[Problem]]:
    """The top-level members of all documents together. Sections are joined member by member; what two documents both
    define is a problem that names both places."""
    merged: dict[str, Node] = {}
    problems: list[Problem] = []
    for document in documents:
        if isinstance(document.value, dict):
            _join(merged, document.value, "", problems)
    return merged, problems


def _join(target: dict[str, Node], members: dict[str, Node], path: str, problems: list[Problem]) -> None:
    for key, node in members.items():
        known = target.get(key)
        if known is None or known.value is None:
            target[key] = node
        elif not path and isinstance(known.value, dict) and isinstance(node.value, dict):
            joined = dict(known.value)
            _join(joined, node.value, key, problems)
            target[key] = replace(known, value=joined)
        elif node.value is not None or path:
            first = f"{known.file}:{known.line}" if known.line else known.file
            place = NodePlace(join(path, key), node.file, node.line)
            problems.append(place.problem(f"is defined twice; the first time at {first}", "rename or remove one"))


def place_of(node: Node, field: str, path: str) -> NodePlace:
    """The place of a field of a mapping; one that is not there is named, and stands where the mapping stands."""
    found = locate(node, [field], path)
    return replace(found, path=join(path, field)) if found.path == path else found


def without(members: Mapping[str, Node], wrong: set[str]) -> Node:
    """The members but those that are wrong."""
    return Node({key: node for key, node in members.items() if key not in wrong}, "")

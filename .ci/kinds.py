"""Finds code that branches on the kind of a source outside of the places that each kind has in each layer.

Those places are `config/kinds/`, `dispatch/kinds/` and the folders of the kinds in `pollers/`; everybody else asks the
profile of a kind for a fact with a name. `house.py` asks `branches` about the product.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Trees = Mapping[str, ast.Module]
"""The product's sources by path: `config/kinds/table.py`. A path that is not there stands for an empty file."""

OWN = ("config/kinds/", "dispatch/kinds/", "pollers/kinds/")
CLIENTS = (
    "config/clients/kafka/",
    "config/clients/lean/",
    "config/clients/queue_urls.py",
    "pollers/memory/",
    "pollers/schemas/",
)
"""What speaks with one service, or of one kind alone, whoever uses it; and the shipped fakes of kinds."""
DESTINATIONS = ("dispatch/destinations/", "service/async_invoke/endings.py", "service/control/event_invokes.py")
"""Where a queue or a topic is what is written to. The destinations have kinds of their own."""

ENUM = "SourceKind"
LOOKS = {"startswith", "endswith", "removeprefix", "removesuffix", "partition", "split", "find", "index", "count"}
"""Methods of text with which somebody looks for a kind in it."""
LOOK_UPS = {"named", "filter_rules"}
"""Functions that find a kind by its name: with a name that is written down they are a branch."""
RESOURCE = re.compile(r"(^|[:/])(stream|consumer|table|cluster|broker)/")
"""A part of the ARN of one kind of source."""
TOLD = {"noun", "title", "plural", "titles"}
"""Members of a profile that are for people's eyes."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the kinds of a tree are called."""

    modules: frozenset[str]
    """In `config/kinds` and `dispatch/kinds`."""
    folders: frozenset[str]
    """In `pollers`."""
    names: frozenset[str]
    """As text."""
    tests: re.Pattern[str]
    """Attributes that ask which kind it is."""

    @classmethod
    def read(cls, trees: Trees) -> Words:
        modules = frozenset(_modules(_walk(trees, "config/kinds/table.py")))
        folders = frozenset(_folders(_walk(trees, "pollers/kinds/table.py")))
        names = {name for module in modules for name in _names(_walk(trees, f"config/kinds/{module}.py"))}
        words = "|".join(sorted({*modules, "queue", "stream", "topic", "table", "fifo"}))
        return cls(modules, folders, frozenset(names | modules), re.compile(f"_?is_({words})"))


def _walk(trees: Trees, path: str) -> Iterator[ast.AST]:
    return ast.walk(trees[path]) if path in trees else iter(())


def _modules(table: Iterator[ast.AST]) -> Iterator[str]:
    for node in table:
        if isinstance(node, ast.ImportFrom) and (node.level, node.module) == (1, None):
            yield from (name.name for name in node.names)


def _folders(table: Iterator[ast.AST]) -> Iterator[str]:
    for node in table:
        if isinstance(node, ast.ImportFrom) and node.level == 2 and [name.name for name in node.names] == ["kind"]:
            assert node.module is not None
            yield node.module


def _names(module: Iterator[ast.AST]) -> Iterator[str]:
    for node in module:
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == ENUM:
            given = {word.arg: word.value for word in node.keywords}
            if isinstance(name := given.get("name"), ast.Constant):
                yield str(name.value)


def branches(trees: Trees) -> Iterator[tuple[str, int, str]]:
    """Every branch on the kind of a source that stands outside of the kinds' places: path, line, and what it does."""
    words = Words.read(trees)
    own = (*OWN, *CLIENTS, *DESTINATIONS, *(f"pollers/{folder}/" for folder in sorted(words.folders)))
    for path, tree in trees.items():
        if not path.startswith(own):
            yield from ((path, line, what) for line, what in sorted(set(_Walk(words, path).found(tree))))


class _Walk:
    def __init__(self, words: Words, name: str) -> None:
        self._words = words
        self._package = name.split("/")[:-1]

    def found(self, tree: ast.AST) -> Iterator[tuple[int, str]]:
        for node in ast.iter_child_nodes(tree):
            if isinstance(node, ast.keyword) and node.arg == "examples":
                continue  # for people
            yield from ((getattr(node, "lineno", 0), what) for what in self._looked_at(node))
            yield from self.found(node)

    def _looked_at(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.ImportFrom() | ast.Import():
                yield from self._imports(node)
            case ast.Compare():
                sides = [node.left, *node.comparators]
                yield from (f"compares with {text!r}" for text in self._texts(sides))
                yield from (f"compares the {attr} of a kind" for attr in map(_told, sides) if attr)
            case ast.MatchValue(value=value):
                yield from (f"matches {text!r}" for text in self._texts([value]))
            case ast.Match(subject=subject) if attr := _told(subject):
                yield f"matches the {attr} of a kind"
            case ast.Dict(keys=keys):
                yield from (
                    f"has a dict with the key {text!r}" for text in self._texts([each for each in keys if each])
                )
            case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
                texts = list(self._texts([each for each in elements if isinstance(each, ast.Constant)]))
                if len(texts) > 1:
                    yield f"lists {', '.join(map(repr, texts))}"
            case ast.Subscript(slice=ast.Constant() as index):
                yield from (f"looks up {text!r}" for text in self._texts([index]))
                if getattr(node.value, "id", "") == "KINDS":
                    yield "takes a kind out of a table by its place"
            case ast.Call(func=function, args=arguments):
                called = getattr(function, "attr", getattr(function, "id", ""))
                if called in LOOKS | LOOK_UPS:
                    yield from (f"looks for {text!r}" for text in self._texts(arguments))
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if name == ENUM and attr.isupper():
                yield f"names {ENUM}.{attr}"
            case ast.Attribute(attr=attr) if self._words.tests.fullmatch(attr):
                yield f"asks {attr}"

    def _imports(self, node: ast.ImportFrom | ast.Import) -> Iterator[str]:
        if isinstance(node, ast.Import):
            modules = [name.name.split(".")[1:] for name in node.names if name.name.startswith("headrace.")]
        else:
            level = len(self._package) - node.level + 1
            base = self._package[:level] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            modules = [[*base, name.name] for name in node.names]
        for module in modules:
            match module:
                case ["config" | "dispatch", "kinds", name, *_] if name in self._words.modules:
                    yield f"imports {'.'.join(module)}"
                case ["pollers", folder, *_] if folder in self._words.folders:
                    yield f"imports {'.'.join(module)}"

    def _texts(self, nodes: list[ast.expr]) -> Iterator[str]:
        """The texts that name a kind: those of a tuple or a set too, and those that look for one in an ARN."""
        for node in nodes:
            match node:
                case ast.Constant(value=str(text)) if self._names_a_kind(text):
                    yield text
                case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
                    yield from self._texts(elements)
                case ast.Call(args=arguments) if getattr(node.func, "id", "") in ("frozenset", "set", "str"):
                    yield from self._texts(arguments)

    def _names_a_kind(self, text: str) -> bool:
        if text in self._words.names:
            return True
        if " " in text:
            return False
        parts = text.split(":")
        return RESOURCE.search(text) is not None or (len(parts) > 1 and any(p in self._words.names for p in parts))


def _told(node: ast.expr) -> str:
    """The member of a profile that is compared; empty for what is none."""
    match node:
        case ast.Attribute(attr=attr) if attr in TOLD:
            return attr
        case ast.Attribute(value=ast.Attribute(attr="kind" | "profile"), attr="name"):
            return "name"
        case ast.Attribute(attr="profile"):
            return "profile"
        case _:
            return ""

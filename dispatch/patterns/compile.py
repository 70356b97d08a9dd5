"""Branches to a Python function. Used by `filters.py` and `formats.py`.

The function is generated source, because that is several times faster than walking a tree per record. It holds no text
of the user: field names, literals and operators are constants by index (`c0`, `c1`, …), so a pattern can name anything
and still only ever gives the names listed in NAMES. For `{"a": {"b": ["x"]}}` it is

    def matches(view):
        if not isinstance(view, dict):
            return False
        if c0 in view:                      # "a.b": a record that spells the path with a dot in a name
            return general(view)
        v0 = view.get(c1, missing)          # "a"
        if not isinstance(v0, dict):
            if isinstance(v0, list):
                return general(view)        # records with arrays: see `compile_arrays.py`
            return False
        v1 = v0.get(c2, missing)            # "b"
        …
        return True

A single branch gives up at the first rule that fails; several first load all leaves, then test branch by branch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from . import compile_arrays
from .arrays import ArrayMatcher, content_without
from .compile_arrays import ArrayWriter, Unsure
from .conditions import Conditions, refuses_structures
from .pattern_limits import MAX_ARRAY_RULES, MAX_COMPILED_NAMES
from .tree import Branch, Rule

Matcher = Callable[[object], bool]

NAMES = re.compile(
    r"matches|view|general|missing|empty|dict|list|str|bool|numbers|isinstance|get|startswith|endswith|[bcv]\d+|"
    + compile_arrays.NAMES
)
"""Every identifier that generated source may hold; tests hold it against real sources."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A matcher with the source it was made from (for tests)."""

    matches: Matcher
    source: str


def compile_branches(branches: Iterable[Branch], *, arrays: bool = False) -> Compiled:
    """The matcher of some branches: true when one of them takes the record. No branches at all take nothing.

    A record that is no object is not taken; with `arrays`, one that is an array counts by its elements.
    """
    kept = tuple(branches)
    writer = _CodeWriter()
    source = writer.source(kept, arrays=arrays)
    general = arrays_too(kept, ArrayMatcher.of(kept).matches)
    scope = _scope(general=general, constants=writer.conditions.constants)
    exec(compile(source, "<pattern>", "exec"), scope)  # noqa: S102 - the source holds no text of the user, see above
    return Compiled(scope["matches"], source)  # type: ignore[arg-type]


def arrays_too(branches: tuple[Branch, ...], general: Matcher) -> Matcher:
    """The matcher of records with arrays or dotted names, compiled where that is worth it. `general`, the complete one,
    decides where the compiled one cannot."""
    if not compiles_arrays(branches):
        return general
    conditions = Conditions()
    source, roots = ArrayWriter(conditions).source(branches)
    scope = _scope(general=general, constants=conditions.constants)
    exec(compile(source, "<pattern>", "exec"), scope)  # noqa: S102 - as above
    return compile_arrays.matcher([scope[name] for name in roots], general)  # type: ignore[misc]


def compiles_arrays(branches: tuple[Branch, ...]) -> bool:
    """Whether these branches get a compiled matcher of records with arrays."""
    return sum(map(len, branches)) <= MAX_ARRAY_RULES and not _has_long_paths(branches)


def _scope(general: Matcher, constants: Sequence[object]) -> dict[str, object]:
    """All that generated source can name."""
    return {
        "__builtins__": {},
        "isinstance": isinstance,
        "dict": dict,
        "list": list,
        "str": str,
        "bool": bool,
        "numbers": (int, float),
        "missing": _MISSING,
        "empty": {},
        "unsure": Unsure,
        "general": general,
        **{f"c{index}": constant for index, constant in enumerate(constants)},
    }


def _has_long_paths(branches: tuple[Branch, ...]) -> bool:
    return any(path.count(".") >= MAX_COMPILED_NAMES for branch in branches for path in branch)


class _Missing:
    """The value of a field that is not there: equal to nothing, of no JSON type."""


_MISSING = _Missing()


@dataclass(slots=True)
class _CodeNode:
    """One level of the fields that a pattern reads."""

    children: dict[str, _CodeNode] = field(default_factory=dict)
    path: str | None = None
    """Set when a rule reads this place as a leaf."""

    def insert(self, path: str) -> None:
        node = self
        for name in path.split("."):
            node = node.children.setdefault(name, _CodeNode())
        node.path = path

    def dotted(self, prefix: str = "") -> Iterable[str]:
        """Names by which a record could spell a place below this one with dots in a single field name."""
        for name, child in self.children.items():
            full = f"{prefix}{name}"
            if prefix:
                yield full
            yield from child.dotted(f"{full}.")


class _CodeWriter:
    def __init__(self) -> None:
        self.conditions = Conditions()
        self._lines: list[str] = []
        self._variables = 0
        self._leaves: dict[str, str] = {}
        self._only: Branch | None = None
        """The branch, when there is only one: then the first failure decides."""

    def source(self, branches: tuple[Branch, ...], *, arrays: bool) -> str:
        self._only = branches[0] if len(branches) == 1 else None
        paths = sorted({path for branch in branches for path in branch})
        otherwise = "isinstance(view, list) and general(view)" if arrays else "False"
        self._line("if not isinstance(view, dict):", f"    return {otherwise}")
        if _has_long_paths(branches):
            self._line("return general(view)")
            return self._text()
        root = _CodeNode()
        for path in paths:
            root.insert(path)
        self._load(root, "view")
        if self._only is None:
            self._choose(branches)
        else:
            self._line("return True")
        return self._text()

    def _text(self) -> str:
        return "def matches(view):\n" + "".join(f"    {line}\n" for line in self._lines)

    def _line(self, *lines: str) -> None:
        self._lines += lines

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables - 1}"

    def _load(self, node: _CodeNode, parent: str) -> None:
        """Loads what lies below a node whose value, a dict, is in the variable `parent`."""
        for name in node.dotted():
            self._line(f"if {self.conditions.constant(name)} in {parent}:", "    return general(view)")
        for name, child in node.children.items():
            variable = self._variable()
            self._line(f"{variable} = {parent}.get({self.conditions.constant(name)}, missing)")
            if child.path is not None:
                self._leaf(child.path, variable, inner=bool(child.children))
            if child.children:
                self._inner(child, variable)

    def _inner(self, node: _CodeNode, variable: str) -> None:
        gone = "return False" if self._decided_below(node) else f"{variable} = empty"
        self._line(
            f"if not isinstance({variable}, dict):",
            f"    if isinstance({variable}, list):",
            "        return general(view)",
            f"    {gone}",
        )
        self._load(node, variable)

    def _decided_below(self, node: _CodeNode) -> bool:
        """Whether a rule of the only branch fails for sure when nothing is below this node."""
        if self._only is None:
            return False
        return any(
            (child.path is not None and not content_without(self._only[child.path])) or self._decided_below(child)
            for child in node.children.values()
        )

    def _leaf(self, path: str, variable: str, *, inner: bool) -> None:
        leaf = self._variable() if inner else variable
        if inner:
            self._line(f"{leaf} = {variable}")
        rule = None if self._only is None else self._only[path]
        if rule is not None and refuses_structures(rule):
            condition = self.conditions.of(rule, leaf)
            self._line(f"if not ({condition}):", f"    return isinstance({leaf}, list) and general(view)")
            return
        self._line(
            f"if isinstance({leaf}, list):",
            "    return general(view)",
            f"if isinstance({leaf}, dict):",
            f"    {leaf} = missing",
        )
        self._leaves[path] = leaf
        if rule is not None:
            self._line(f"if not ({self.conditions.of(rule, leaf)}):", "    return False")

    def _choose(self, branches: tuple[Branch, ...]) -> None:
        verdicts: dict[tuple[str, Rule], str] = {}
        for branch in branches:
            for path, rule in branch.items():
                if (path, rule) not in verdicts:
                    name = verdicts[path, rule] = f"b{len(verdicts)}"
                    self._line(f"{name} = {self.conditions.of(rule, self._leaves[path])}")
            terms = [verdicts[path, rule] for path, rule in branch.items()]
            self._line(f"if {' and '.join(terms)}:" if terms else "if True:", "    return True")
        self._line("return False")

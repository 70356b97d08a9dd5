"""Branches to Python functions that take records with arrays. Used by `compile.py` for the records that have one.

All rules below a field look into the elements of the same array, and none of another array depends on which element was
chosen there. So one choice of elements meets all rules of a branch when, array by array, one element meets all rules
below it: a loop. For `{"a": {"b": ["x"], "c": ["y"]}}` it is

    def n1(view):                           # what stands at "a"
        if isinstance(view, dict):
            if c0 in view: raise unsure     # "b.…": a record that spells a path with a dot in a name
            v0 = view.get(c1, missing)
            …
            return True
        if isinstance(view, list):
            for element in view:
                if isinstance(element, dict):
                    if n1(element):
                        return True
                elif isinstance(element, list):
                    raise unsure
        return False

Where this is not the whole truth, the generated function is `unsure` and the complete matcher (`arrays.py`) decides: a
dotted name, an array directly in an array, a field that is a leaf and an object at once, and an array above a rule that
is content with a missing field, because such a rule looks at the elements that earlier rules chose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from .arrays import content_without
from .conditions import Conditions
from .tree import Branch, Rule

NAMES = r"n\d+|element|unsure"
"""Identifiers of these functions besides those of `compile.py`."""


class Unsure(Exception):
    """The record needs the complete matcher."""


@dataclass(slots=True)
class _Place:
    """One level of the fields that a branch reads."""

    children: dict[str, _Place] = field(default_factory=dict)
    rule: Rule | None = None

    def insert(self, path: str, rule: Rule) -> None:
        place = self
        for name in path.split("."):
            place = place.children.setdefault(name, _Place())
        place.rule = rule

    @property
    def content_without(self) -> bool:
        """Whether a rule at this place or below it is content with a missing field."""
        own = self.rule is not None and content_without(self.rule)
        return own or any(child.content_without for child in self.children.values())

    def dotted(self, prefix: str = "") -> Iterator[str]:
        """Names by which a record could spell a place below this one with dots in a single field name."""
        for name, child in self.children.items():
            if prefix:
                yield f"{prefix}{name}"
            yield from child.dotted(f"{prefix}{name}.")


class ArrayWriter:
    """Writes the functions of some branches: `source`, and the `constants` that it names."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._functions: list[str] = []
        self._variables = 0

    def source(self, branches: Iterable[Branch]) -> tuple[str, tuple[str, ...]]:
        """The functions, and the names of those that take a whole record: one for each branch."""
        roots = []
        for branch in branches:
            root = _Place()
            for path, rule in branch.items():
                root.insert(path, rule)
            roots.append(self._function(root))
        return "".join(self._functions), tuple(roots)

    def _function(self, place: _Place) -> str:
        """Writes the function of a place whose value has fields below it; its name."""
        fields = [line for name, child in place.children.items() for line in self._field(name, child)]
        lines = [
            *(f"if {self._conditions.constant(name)} in view: raise unsure" for name in place.dotted()),
            *fields,
            "return True",
        ]
        name = f"n{len(self._functions)}"
        self._functions.append(_function(name, place.content_without, lines))
        return name

    def _field(self, name: str, child: _Place) -> Iterator[str]:
        """The lines that leave the function when the rules at a field, or below it, are not met."""
        variable = f"v{self._variables}"
        self._variables += 1
        yield f"{variable} = view.get({self._conditions.constant(name)}, missing)"
        if child.children:
            if child.rule is not None:
                yield f"if isinstance({variable}, list): raise unsure"
            yield f"if not {self._function(child)}({variable}): return False"
        if child.rule is not None:
            yield from self._leaf(child.rule, variable)

    def _leaf(self, rule: Rule, variable: str) -> Iterator[str]:
        if content_without(rule):
            yield f"if isinstance({variable}, list): raise unsure"
            yield f"if isinstance({variable}, dict): {variable} = missing"
            yield f"if not ({self._conditions.of(rule, variable)}): return False"
            return
        yield f"if isinstance({variable}, list):"
        yield f"    for element in {variable}:"
        yield "        if isinstance(element, list): raise unsure"
        yield f"        if not isinstance(element, dict) and ({self._conditions.of(rule, 'element')}): break"
        yield "    else: return False"
        yield f"elif isinstance({variable}, dict) or not ({self._conditions.of(rule, variable)}): return False"


def _function(name: str, missing_is_fine: bool, lines: list[str]) -> str:
    """`lines` decide over `view`, an object. What else stands there has no fields; a rule may be content with that."""
    if missing_is_fine:
        head = ["if isinstance(view, list): raise unsure", "if not isinstance(view, dict): view = empty"]
        body = lines
        tail = []
    else:
        head = ["if isinstance(view, dict):"]
        body = [f"    {line}" for line in lines]
        tail = [
            "if isinstance(view, list):",
            "    for element in view:",
            "        if isinstance(element, dict):",
            f"            if {name}(element): return True",
            "        elif isinstance(element, list): raise unsure",
            "return False",
        ]
    return f"def {name}(view):\n" + "".join(f"    {line}\n" for line in (*head, *body, *tail))


def matcher(roots: Iterable[Callable[[object], bool]], general: Callable[[object], bool]) -> Callable[[object], bool]:
    """Whether one branch takes a record. `general` decides where a branch is unsure."""
    branches = tuple(roots)

    def matches(view: object) -> bool:
        try:
            for branch in branches:
                if branch(view):
                    return True
        except Unsure:
            return general(view)
        return False

    return matches

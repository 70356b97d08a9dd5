"""The complete matcher: any record, arrays and dotted field names included. Slower than the compiled one, which hands
over to it where arrays or dotted names occur on a pattern's path; also what explanations are made from.

An array's elements count as alternatives for the field, and objects in arrays are entered. But the rules of one branch
must be met by one choice of elements: `{"a": {"x": [1], "y": [2]}}` is not met by `{"a": [{"x": 1}, {"y": 2}]}`. Rules
are taken in the order of their paths, and a rule content with a missing field looks only at leaves that agree with
the elements chosen so far. (EventBridge works in that order, and it shows.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from .choices import Place, Step, TooManyChoices, can_choose
from .operators import Exists, Leaf
from .tree import Branch, Rule

Found = dict[str, list[tuple[Leaf, Place]]]
"""The leaves of one record by path."""


@dataclass(frozen=True, slots=True)
class ArrayMatcher:
    """Matches any record against some branches; a record passes when one branch does."""

    branches: tuple[Branch, ...]
    paths: frozenset[str]
    """Every path of a rule, and every beginning of one that ends before a dot: what is worth entering."""

    @classmethod
    def of(cls, branches: Iterable[Branch]) -> ArrayMatcher:
        kept = tuple(branches)
        return cls(kept, frozenset(part for branch in kept for path in branch for part in _beginnings(path)))

    def matches(self, view: object) -> bool:
        """Whether one branch takes the record, an object or an array of objects.

        A record whose verdict is out of reach passes: kept, never lost.
        """
        found = self.leaves(view)
        return any(_taken(branch, found) for branch in self.branches)

    def leaves(self, view: object) -> Found:
        """The leaves at the paths of the rules, in the record's order.

        Walks with a list of its own instead of by recursion: records may be nested to any depth.
        """
        found: Found = {}
        arrays = 0
        waiting: list[tuple[str | None, object, Place]] = [(None, view, ())]
        while waiting:
            path, value, place = waiting.pop()
            if isinstance(value, dict):
                waiting += reversed([(name, inner, place) for name, inner in self._entered(path, value)])
            elif isinstance(value, list):
                inside = [(path, inner, _within(inner, place, arrays, index)) for index, inner in enumerate(value)]
                waiting += reversed(inside)
                arrays += 1
            elif path is not None:
                found.setdefault(path, []).append((cast("Leaf", value), place))
        return found

    def _entered(self, path: str | None, value: dict[str, object]) -> Iterable[tuple[str, object]]:
        for key, inner in value.items():
            name = key if path is None else f"{path}.{key}"
            if name in self.paths:
                yield name, inner


def passes(rule: Rule, leaf: Leaf) -> bool:
    """Whether a leaf that is there meets a rule."""
    return any(operator.test(leaf) for operator in rule)


def content_without(rule: Rule) -> bool:
    """Whether a missing leaf meets a rule."""
    return any(isinstance(operator, Exists) and not operator.wanted for operator in rule)


def consistent(branch: Branch, found: Found) -> bool:
    """Whether one choice of elements meets every rule of a branch. Raises TooManyChoices."""
    return can_choose([_step(branch[path], found.get(path, [])) for path in sorted(branch)])


def _taken(branch: Branch, found: Found) -> bool:
    try:
        return consistent(branch, found)
    except TooManyChoices:
        return True


def _step(rule: Rule, leaves: list[tuple[Leaf, Place]]) -> Step:
    met = frozenset(place for leaf, place in leaves if passes(rule, leaf))
    return Step(met, frozenset(place for _, place in leaves) if content_without(rule) else None)


def _within(inner: object, place: Place, array: int, index: int) -> Place:
    """A leaf directly in an array does not tie the choice of its element: only objects and arrays are chosen."""
    return (*place, (array, index)) if isinstance(inner, (dict, list)) else place


def _beginnings(path: str) -> Iterable[str]:
    yield path
    for index, letter in enumerate(path):
        if letter == ".":
            yield path[:index]

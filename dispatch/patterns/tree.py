"""A parsed pattern as a tree, and the tree multiplied out. Made by `parse.py`, read by everything that matches.

    {"a": [1], "$or": [{"b": [2]}, {"c": [3], "a": [4]}]}

is the conjunction (a: 1, (b: 2) or (c: 3, a: 4)), and multiplied out two branches: a: 1, b: 2 and a: 4, c: 3. The same
path written twice counts once, the later one: also when one of them stands inside an alternative.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .operators import Operator
from .pattern_limits import MAX_BRANCHES, MAX_RULES

Rule = tuple[Operator, ...]
"""The condition on a leaf: it passes when one of the operators accepts it."""

Branch = dict[str, Rule]
"""Dotted paths of leaves and the rule of each; all must pass. Never changed once a pattern is made."""


@dataclass(frozen=True, slots=True)
class Field:
    """A rule at a path: the field names from the root, joined by dots (a name may hold dots itself)."""

    path: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class Conjunction:
    """Everything in it must hold."""

    terms: tuple[Field | Disjunction, ...]


@dataclass(frozen=True, slots=True)
class Disjunction:
    """One `$or`: one of the alternatives must hold."""

    alternatives: tuple[Conjunction, ...]


class TooManyBranches(ValueError):
    """Multiplying out the alternatives passes MAX_BRANCHES or MAX_RULES."""


def branches(tree: Conjunction) -> tuple[Branch, ...]:
    """The alternatives of a pattern, each a plain set of rules. Raises TooManyBranches."""
    return tuple(_bounded(_joined([{}], tree)))


def _joined(found: list[Branch], conjunction: Conjunction) -> list[Branch]:
    for term in conjunction.terms:
        if isinstance(term, Field):
            for branch in found:
                branch[term.path] = term.rule
        else:
            found = _bounded(_multiplied(found, term))
    return found


def _multiplied(found: list[Branch], disjunction: Disjunction) -> Iterable[Branch]:
    for alternative in disjunction.alternatives:
        yield from _joined([dict(branch) for branch in found], alternative)


def _bounded(candidates: Iterable[Branch]) -> list[Branch]:
    found: list[Branch] = []
    rules = 0
    for branch in candidates:
        found.append(branch)
        rules += len(branch)
        if len(found) > MAX_BRANCHES or rules > MAX_RULES:
            raise TooManyBranches
    return found

"""A pattern, parsed and compiled; a set of them, any of which keeps a record. The package's front door.

A view is what a pattern is matched against: the record as plain Python JSON (dict, list, str, int, float, bool, None)
with its data decoded. What a view holds for each source, and what a mismatch of formats does, is `formats.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from .compile import Compiled, compile_branches
from .errors import PatternError, PatternProblem, element
from .parse import parse
from .pattern_limits import MAX_FILTERS
from .tree import Branch


class RuleShape(Enum):
    """The expectations of the rules on one top-level field."""

    NONE = "none"
    """There is no rule on it."""
    PLAIN = "plain"
    """A leaf: `"body": ["x"]`."""
    JSON = "json"
    """An object: `"body": {"type": ["x"]}`."""
    BOTH = "both"
    """Rules of both kinds, in one branch or in different ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """One EventBridge pattern. Immutable; safe to share between tasks."""

    branches: tuple[Branch, ...]
    compiled: Compiled = field(repr=False)

    @classmethod
    def parse(cls, source: object) -> Pattern:
        """A pattern from its JSON text, or from an already parsed mapping. Raises PatternError with every problem."""
        branches = parse(source)
        return cls(branches, compile_branches(branches))

    def matches(self, view: object) -> bool:
        """Whether a record passes. Never raises for any JSON value, however deep."""
        return self.compiled.matches(view)

    def touches(self, key: str) -> bool:
        """Whether a rule reads this top-level field of the view."""
        return self.shape(key) is not RuleShape.NONE

    def shape(self, key: str) -> RuleShape:
        """The expectations of all branches' rules at a top-level field."""
        shapes = {shape_of(branch, key) for branch in self.branches} - {RuleShape.NONE}
        if not shapes:
            return RuleShape.NONE
        return shapes.pop() if len(shapes) == 1 else RuleShape.BOTH


def shape_of(branch: Branch, key: str) -> RuleShape:
    """The expectations of one branch's rules at a top-level field."""
    plain = key in branch
    below = any(path.startswith(f"{key}.") for path in branch)
    if plain:
        return RuleShape.BOTH if below else RuleShape.PLAIN
    return RuleShape.JSON if below else RuleShape.NONE


@dataclass(frozen=True, slots=True, eq=False)
class FilterSet:
    """The filters of a mapping: a record passes when one of them takes it, and when there are none."""

    patterns: tuple[Pattern, ...]

    @classmethod
    def parse(cls, sources: Iterable[object]) -> FilterSet:
        """All filters of a mapping. Raises PatternError; its paths begin with the filter's place, `[2].body.type`."""
        return cls(parse_all(sources))

    def matches(self, view: object) -> bool:
        return not self.patterns or any(pattern.matches(view) for pattern in self.patterns)


def parse_all(sources: Iterable[object]) -> tuple[Pattern, ...]:
    """Patterns from their texts or objects, with the problems of all of them at once."""
    texts = tuple(sources)
    if len(texts) > MAX_FILTERS:
        reason = f"{len(texts)} filters are more than {MAX_FILTERS}"
        raise PatternError([PatternProblem("$", reason, "join some of them with $or")])
    patterns: list[Pattern] = []
    problems: list[PatternProblem] = []
    for index, text in enumerate(texts):
        try:
            patterns.append(Pattern.parse(text))
        except PatternError as fault:
            problems += [at_filter(index, problem) for problem in fault.problems]
    if problems:
        raise PatternError(problems)
    return tuple(patterns)


def at_filter(index: int, problem: PatternProblem) -> PatternProblem:
    """A problem with the filter's place in the list in front of its path."""
    return PatternProblem(element("", index) + problem.path.removeprefix("$"), problem.reason, problem.hint)

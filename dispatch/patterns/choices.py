"""Whether one choice of array elements meets several rules. The algorithm of `arrays.py`; knows no JSON.

A leaf's place is the list of (array, element) pairs it stands in, outermost first. A choice gives some arrays one
element each, and agrees with a place when it says the same of every array that both name. Rules are taken one by one,
each adding its place to the choices so far; a choice forgets the arrays that no later rule looks at, which for records
without dotted names leaves at most one choice per leaf.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .pattern_limits import MAX_CHOICES

Place = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One rule of a branch."""

    met: frozenset[Place]
    """Where its path has a leaf that meets it."""
    present: frozenset[Place] | None
    """Where its path has a leaf at all, when the rule is also content with none; else None."""

    def arrays(self) -> set[int]:
        places = self.met if self.present is None else self.met | self.present
        return {array for place in places for array, _ in place}


class TooManyChoices(ValueError):
    """Looking for a choice took more than MAX_CHOICES steps."""


def can_choose(steps: Sequence[Step]) -> bool:
    """Whether one choice meets all rules, in their order. Raises TooManyChoices."""
    if any(not step.met and step.present is None for step in steps):
        return False
    budget = _StepBudget()
    choices: set[Place] = {()}
    for step, later in zip(steps, _needed_later(steps), strict=True):
        choices = _extended(choices, step, later, budget)
        if not choices:
            return False
    return True


def _needed_later(steps: Sequence[Step]) -> list[set[int]]:
    needed: list[set[int]] = []
    later: set[int] = set()
    for step in reversed(steps):
        needed.append(set(later))
        later |= step.arrays()
    return needed[::-1]


def _extended(choices: set[Place], step: Step, later: set[int], budget: _StepBudget) -> set[Place]:
    known = {array for choice in choices for array, _ in choice}
    met = _ChoiceTree.of(_only(place, known | later) for place in step.met)
    present = None if step.present is None else _ChoiceTree.of(_only(place, known) for place in step.present)
    after: set[Place] = set()
    for choice in choices:
        chosen = dict(choice)
        if present is not None and next(present.agreeing(chosen, budget), None) is None:
            after.add(_only(choice, later))
        for place in met.agreeing(chosen, budget):
            after.add(tuple(sorted(_only({**chosen, **dict(place)}.items(), later))))
    return after


def _only(pairs: Iterable[tuple[int, int]], arrays: Collection[int]) -> Place:
    return tuple(pair for pair in pairs if pair[0] in arrays)


@dataclass(slots=True)
class _StepBudget:
    left: int = MAX_CHOICES

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise TooManyChoices


@dataclass(slots=True)
class _ChoiceTree:
    """Places by their common beginnings, so that a choice finds the few that agree without trying all."""

    below: dict[int, dict[int, _ChoiceTree]] = field(default_factory=dict)
    place: Place | None = None
    """Set where a place ends."""

    @classmethod
    def of(cls, places: Iterable[Place]) -> _ChoiceTree:
        root = cls()
        for place in places:
            node = root
            for array, element in place:
                node = node.below.setdefault(array, {}).setdefault(element, cls())
            node.place = place
        return root

    def agreeing(self, chosen: Mapping[int, int], budget: _StepBudget) -> Iterator[Place]:
        waiting = [self]
        while waiting:
            budget.spend()
            node = waiting.pop()
            if node.place is not None:
                yield node.place
            for array, elements in node.below.items():
                if array not in chosen:
                    waiting += elements.values()
                elif chosen[array] in elements:
                    waiting.append(elements[chosen[array]])
